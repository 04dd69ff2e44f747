"""Datasets that are not part of the repository: found, missing, changed, gone, downloaded."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

import benchmark_formats as formats
import pytest
from workflow_project import Project, copy_project

from tests.local_server import serve
from tgr.artifacts import read_json
from tgr.data.dataset import ImageDataset
from tgr.data.download import CIFAR100

DATASET = "results/datasets/shapes.safetensors"
EPISODES = "results/episodes/shapes/shot-1.safetensors"
ENTRY = "{source: npz, path: data/shapes.npz, splits: data/splits.json, flips: false}"


def use(project: Project, entry: str) -> None:
    project.replace(project.config, ENTRY, entry)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has read CIFAR-FS from a folder. Tests must not change it."""
    project = copy_project(tmp_path_factory.mktemp("loaded") / "bench")
    formats.write_cifar_folders(project.root / "data/cifar-fs", formats.cifar_images(3))
    use(project, "{source: cifar_fs, path: data/cifar-fs, image_size: 16}")
    project.run("--", EPISODES)
    return project


@pytest.fixture
def project(loaded: Project, tmp_path: Path) -> Project:
    shutil.copytree(loaded.root, tmp_path / "bench")
    return Project(tmp_path / "bench")


def test_missing_dataset_is_named_before_anything_runs(pristine: Project, tmp_path: Path) -> None:
    """Those of other sources: tests/unit/test_benchmarks.py."""
    text = (pristine.root / pristine.config).read_text()
    (tmp_path / "tiny.yaml").write_text(text.replace(ENTRY, "{source: miniimagenet, path: data/mini}"))
    output = Project(pristine.root, str(tmp_path / "tiny.yaml")).run("--dry-run", check=False)
    assert "datasets.shapes.path: data/mini does not exist; it must name a folder with images/*.jpg and the" in output
    assert ". Get it from https://www.image-net.org" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_dataset_is_read_and_its_images_are_in_the_provenance(loaded: Project) -> None:
    dataset = ImageDataset.load(loaded.root / DATASET)
    assert dataset.images.shape == (300, 3, 16, 16)
    inputs = read_json(loaded.root / f"{DATASET}.provenance.json")["inputs"]
    assert set(inputs["images"]) == {"data/cifar-fs/data"}
    assert {Path(file).name for file in inputs["source"]} == {"cifar_fs.json", "train.txt", "val.txt", "test.txt"}
    log = (loaded.root / "results/logs/load_dataset/shapes.log").read_text()
    assert "licence: " in log and "WARNING: 300 images" in log


@pytest.mark.slow
def test_copied_and_touched_folder_reads_nothing_again(project: Project) -> None:
    for path in (project.root / "data").rglob("*"):
        os.utime(path)
    assert project.planned(EPISODES) == {}


@pytest.mark.slow
def test_images_may_be_deleted_afterwards(project: Project) -> None:
    shutil.rmtree(project.root / "data/cifar-fs")
    assert project.planned(EPISODES) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("tgr/data/readers/cub.py", {}),
        ("tgr/data/readers/cifar100.py", {"load_dataset": 1, "draw_episodes": 1}),
        ("tgr/data/episodes.py", {"draw_episodes": 1}),
    ],
)
def test_editing_a_reader_concerns_its_datasets(project: Project, file: str, expected: dict[str, int]) -> None:
    project.edit(file)
    assert project.planned(EPISODES) == expected


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server on this machine, and its archive of CIFAR-100; the first answer ends early."""
    folder = tmp_path / "served"
    folder.mkdir()
    archive = formats.write_cifar_archive(folder / "c.tar.gz", formats.cifar_contents(formats.cifar_images(3)))
    answers: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def copyfile(self, source: BinaryIO, target: object) -> None:
            answers.append(self.path)
            self.wfile.write(source.read(5000 if len(answers) == 1 else -1))

        def log_message(self, *_: object) -> None:
            pass

    with serve(partial(Handler, directory=str(folder))) as url:
        yield f"{url}/{archive.name}", archive


@pytest.mark.slow
def test_cifar_is_downloaded_and_tried_again(tmp_path: Path, served: tuple[str, Path]) -> None:
    url, archive = served
    project = copy_project(tmp_path / "bench")
    use(project, "{source: fc100}")
    project.replace("tgr/data/download.py", CIFAR100.url, url)
    project.replace("tgr/data/download.py", "169_001_437", str(archive.stat().st_size))
    project.replace("tgr/data/download.py", CIFAR100.sha256, hashlib.sha256(archive.read_bytes()).hexdigest())
    output = project.run("--", EPISODES)
    assert "the connection ended after 5000 of" in output
    assert (project.root / CIFAR100.path).read_bytes() == archive.read_bytes()
    assert len(ImageDataset.load(project.root / DATASET).images) == 300
    project.edit("tgr/data/download.py")
    assert "download_cifar100" not in project.planned(EPISODES)


@pytest.mark.slow
def test_weights_are_downloaded_and_tried_again(tmp_path: Path, served: tuple[str, Path]) -> None:
    url, archive = served
    project = copy_project(tmp_path / "bench")
    near = project.root / "data/own.safetensors"
    shutil.copy(near, archive.parent)
    project.replace("data/models.csv", near.name, f"{url.rpartition('/')[0]}/{near.name}")
    fetched = Path("results/downloads/weights") / f"{hashlib.sha256(near.read_bytes()).hexdigest()}.safetensors"
    near.unlink()
    output = project.run("--", "results/teachers/strangers/shard-0")
    assert "the connection ended after 5000 of" in output
    assert (project.root / fetched).read_bytes() == (archive.parent / near.name).read_bytes()
    inputs = read_json(project.root / "results/teachers/strangers/shard-0/provenance.json")["inputs"]
    assert str(fetched) in inputs["models"]
