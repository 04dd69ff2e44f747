"""Folders of images as they lie around: what is read, and the one warning that counts what is not."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from pydantic import ValidationError

from tgr.config.teachers import Dataset
from tgr.data.dataset import ImageDataset
from tgr.data.readers import registry
from tgr.data.sources import load_dataset
from tgr.errors import TgrError
from tgr.run.provenance import read_record

ROOT = Path(__file__).parents[2]
SPLITS = {"meta_train": ["ant"], "meta_val": ["bee"], "meta_test": ["cat"]}
COMPOSED, DECOMPOSED = "caf\xe9", "cafe\u0301"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder ``images`` of three classes with an image each, and ``splits.json``, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for level, name in enumerate(("ant", "bee", "cat")):
        add(Path("images", name, "0.png"), level)
    write_splits(SPLITS)
    return Path("images")


def add(file: Path, level: int = 100) -> Path:
    """Write a grey image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level,) * 3).save(file)
    return file


def write_splits(splits: dict[str, list[str]]) -> None:
    Path("splits.json").write_text(json.dumps(splits))


def load(**changes: object) -> ImageDataset:
    entry = Dataset(source="folder", path="images", splits="splits.json", **changes)
    return load_dataset("mine", entry, registry.find("mine", entry))


def warning(capsys: pytest.CaptureFixture[str]) -> str:
    """Load the dataset; return its one warning, or an empty text."""
    assert len(load().images) == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WARNING: ")]
    assert len(lines) <= 1
    return "".join(lines).removeprefix("WARNING: datasets.mine: left out: ")


def test_a_folder_in_order_gives_no_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert warning(capsys) == ""
    assert load().images[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_what_is_not_read_is_counted_in_one_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("._0.png", ".hidden.png", ".DS_Store", "Thumbs.db", "a.heic", "b.HEIC", "notes"):
        (folder / "ant" / name).touch()
    add(folder / "bee/.ipynb_checkpoints/0.png")
    add(folder / "bee/more/1.png")
    add(folder / "bee/more/still/2.png")
    add(folder / "stray.png")
    expected = "11 files of 6 kinds in 3 folders: 1 .db, 2 .heic, 1 beside the classes, 4 hidden, 2 in sub-folders, "
    assert warning(capsys) == f"{expected}1 without suffix (images, images/ant, images/bee)"


def test_folders_that_no_split_names_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(folder / "dog/0.png")
    (folder / "__MACOSX").mkdir()
    (folder / ".git").mkdir()
    assert warning(capsys) == "2 folders that no split names: __MACOSX, dog"


def test_names_in_the_warning_stay_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a\x1b[2J\nb").mkdir()
    (folder / "ant/x.a\nb").touch()
    expected = "1 file of 1 kind in 1 folder: 1 '.a\\nb' (images/ant); 1 folder that no split names: 'a\\x1b[2J\\nb'"
    assert warning(capsys) == expected


def test_animated_files_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    (folder / "cat/0.png").unlink()
    first.save(folder / "cat/0.gif", save_all=True, append_images=[second])
    assert warning(capsys) == "all pictures but the first of 1 animated file: images/cat/0.gif"
    assert load().images[2, :, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("written", "named"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_unicode_normalisation_does_not_matter(
    folder: Path, capsys: pytest.CaptureFixture[str], written: str, named: str
) -> None:
    add(folder / written / "0.png", 77)
    write_splits(SPLITS | {"meta_test": [named]})
    (folder / "cat/0.png").unlink()
    (folder / "cat").rmdir()
    assert warning(capsys) == ""
    assert load().class_names[2] == named and int(load().images[2].max()) == 77


def test_classes_that_differ_only_by_normalisation_are_refused(folder: Path) -> None:
    write_splits(SPLITS | {"meta_test": [COMPOSED, DECOMPOSED]})
    with pytest.raises(TgrError, match=r"splits\.json: the classes 'caf\\xe9' and 'cafe\\u0301' look alike"):
        load()
    write_splits(SPLITS)
    for name in (COMPOSED, DECOMPOSED):
        (folder / name).mkdir()
    with pytest.raises(TgrError, match=r"images: the classes 'cafe\\u0301' and 'caf\\xe9' look alike"):
        load()


def test_class_of_other_files_says_what_there_is(folder: Path) -> None:
    (folder / "bee/0.png").rename(folder / "bee/0.heic")
    add(folder / "bee/train/0.png")
    expected = "images/bee: no images, but splits.json names this class; it holds 1 .heic, 1 in sub-folders: convert"
    with pytest.raises(TgrError, match=expected):
        load()


def test_background_fills_what_is_transparent(folder: Path) -> None:
    half = Image.new("LA", (8, 8), (50, 255))
    half.putpixel((0, 0), (50, 0))
    half.save(folder / "bee/0.png")
    assert load().images[1, 0, 0, :2].tolist() == [255, 50]
    assert load(background="#102030").images[1, :, 0, 0].tolist() == [0x10, 0x20, 0x30]
    assert load(background="black", image_size=16).images[1, 0, 0, 0].tolist() == 0


def test_record_says_the_background(folder: Path) -> None:
    section = Dataset(source="folder", path="images", splits="splits.json", background="grey")
    snakemake = SimpleNamespace(
        rule="load_dataset",
        wildcards={"dataset": "mine"},
        params={"section": section.model_dump(mode="json")},
        input={"source": ["splits.json"], "images": "images"},
        output={"dataset": "results/mine.safetensors"},
        log=["results/log"],
    )
    runpy.run_path(str(ROOT / "workflow/scripts/load_dataset.py"), {"snakemake": snakemake})
    assert read_record(Path("results/mine.safetensors.provenance.json"))["params"]["section"]["background"] == "grey"


@pytest.mark.parametrize("colour", ["transparent", "#12345", "red", ""])
def test_other_backgrounds_are_refused(colour: str) -> None:
    with pytest.raises(ValidationError, match="background"):
        Dataset(source="folder", path="images", splits="splits.json", background=colour)


def test_background_is_for_folders() -> None:
    with pytest.raises(ValidationError, match="`background` is for folders of images; source npz has no transparent"):
        Dataset(source="npz", path="d.npz", splits="splits.json", background="black")
