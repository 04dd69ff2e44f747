"""The benchmarks of the field, each from small files in its own format."""

import io
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmark_formats as formats
import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from scipy.io import savemat

from tgr.artifacts import digest, read_json
from tgr.config.teachers import Dataset
from tgr.data.dataset import ImageDataset
from tgr.data.readers import cifar100, registry
from tgr.data.sources import load_dataset
from tgr.data.splits import SPLITS, list_classes
from tgr.errors import TgrError

ROOT = Path(__file__).parents[2]
SIZES = {
    "cifar_fs": (64, 16, 20),
    "fc100": (60, 20, 20),
    "miniimagenet": (64, 16, 20),
    "cub": (100, 50, 50),
    "vgg_flower": (71, 15, 16),
}
Damage = Callable[[Path], object]


def load(source: str, path: Path | None, image_size: int | None = None, name: str = "mine") -> ImageDataset:
    entry = Dataset(source=source, path=None if path is None else str(path), image_size=image_size)
    return load_dataset(name, entry, registry.find(name, entry))


def error_of(source: str, path: Path, image_size: int | None = None) -> str:
    with pytest.raises(TgrError) as caught:
        load(source, path, image_size)
    return str(caught.value)


def names_in(dataset: ImageDataset, split: str) -> list[str]:
    return [dataset.class_names[index] for index in dataset.splits[split]]


def images_of(dataset: ImageDataset, class_name: str) -> list[bytes]:
    """Return the pixels of a class's images, sorted: (height, width, 3) each."""
    chosen = dataset.images[dataset.indices_of(dataset.class_names.index(class_name))]
    return sorted(image.permute(1, 2, 0).numpy().tobytes() for image in chosen)


# The splits


@pytest.mark.parametrize("source", SIZES)
def test_published_splits_have_their_sizes_and_a_source(source: str) -> None:
    splits = formats.published(source)
    assert tuple(len(splits[split]) for split in SPLITS) == SIZES[source]
    classes = list_classes(splits)
    assert len(set(classes)) == len(classes)
    assert read_json(registry.RESOURCES / "splits" / f"{source}.json")["source"]


def test_cifar_fs_and_fc100_split_the_same_classes() -> None:
    assert set(list_classes(formats.published("cifar_fs"))) == set(list_classes(formats.published("fc100")))
    superclasses = read_json(registry.RESOURCES / "splits/fc100.json")["superclasses"]
    assert {split: len(superclasses[split]) for split in SPLITS} == {"meta_train": 12, "meta_val": 4, "meta_test": 4}
    assert len({name for split in SPLITS for name in superclasses[split]}) == 20


def test_cub_is_split_by_position() -> None:
    splits = formats.published("cub")
    ordered = sorted(list_classes(splits))
    expected = {"meta_train": ordered[::2], "meta_val": ordered[1::4], "meta_test": ordered[3::4]}
    assert {split: sorted(splits[split]) for split in SPLITS} == expected


@pytest.mark.parametrize("source", [source for source in registry.READERS if registry.get(source).ABOUT])
def test_documentation_names_source_origin_and_licence(source: str) -> None:
    text = " ".join((ROOT / "docs/datasets/benchmarks.md").read_text().split())
    about = registry.get(source).ABOUT
    assert f"`{source}`" in text and about.licence in text
    assert about.origin.split()[0] in text


# CIFAR-100


@pytest.fixture(scope="module")
def cifar() -> dict[str, np.ndarray]:
    return formats.cifar_images()


@pytest.fixture(scope="module")
def layouts(cifar: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("cifar")
    contents = formats.cifar_contents(cifar)
    formats.write_cifar_pickles(root / "around/cifar-100-python", contents)
    return {
        "folders": formats.write_cifar_folders(root / "cifar-fs", cifar),
        "folders without lists": formats.write_cifar_folders(root / "plain", cifar, lists=False),
        "pickles": root / "around/cifar-100-python",
        "folder of pickles": root / "around",
        "archive": formats.write_cifar_archive(root / "cifar-100-python.tar.gz", contents),
    }


def test_pickles_of_these_tests_are_those_that_numpy_reads(cifar: dict[str, np.ndarray]) -> None:
    batch = formats.cifar_contents(cifar)["train"]
    read = pickle.loads(formats.python2_pickle(batch), encoding="bytes")
    assert np.array_equal(read[b"data"], batch["data"]) and read[b"data"].dtype == np.uint8
    assert read[b"fine_labels"] == batch["fine_labels"]


@pytest.mark.parametrize("source", ["cifar_fs", "fc100"])
def test_all_layouts_of_cifar_give_the_same_bytes(
    source: str, layouts: dict[str, Path], cifar: dict[str, np.ndarray], tmp_path: Path
) -> None:
    digests = set()
    released = formats.write_split_folders(tmp_path / "released", cifar, source)
    for path in (*layouts.values(), released):
        dataset = load(source, path)
        dataset.save(tmp_path / "d.safetensors")
        digests.add(digest(tmp_path / "d.safetensors"))
    assert len(digests) == 1
    assert dataset.images.shape == (200, 3, 32, 32)
    assert {split: names_in(dataset, split) for split in SPLITS} == formats.published(source)
    for name, images in cifar.items():
        assert images_of(dataset, name) == sorted(image.tobytes() for image in images)


def test_what_a_folder_of_cifar_has_besides_is_counted(
    layouts: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(layouts["folders"], tmp_path / "cifar-fs")
    for name in ("apple/._0.png", "apple/notes.txt", "bear/.DS_Store"):
        (tmp_path / "cifar-fs/data" / name).touch()
    (tmp_path / "cifar-fs/data/.ipynb_checkpoints").mkdir()
    assert torch.equal(load("cifar_fs", layouts["folders"]).images, load("cifar_fs", tmp_path / "cifar-fs").images)
    assert "left out: 3 files of 2 kinds in 2 folders: 1 .txt, 2 hidden (" in capsys.readouterr().out


def test_cifar_can_be_resized(layouts: dict[str, Path]) -> None:
    assert load("cifar_fs", layouts["archive"], 16).images.shape == (200, 3, 16, 16)


def test_log_says_licence_and_whether_all_images_are_there(
    layouts: dict[str, Path],
    cifar: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load("cifar_fs", layouts["folders"])
    log = capsys.readouterr().out
    assert "CIFAR-FS (Bertinetto" in log and "licence: no licence is stated" in log
    sha256 = log.split("200 images with SHA-256 ")[1].split()[0]
    assert "accuracies cannot be compared with published ones" in log
    monkeypatch.setattr(cifar100, "SHA256", sha256)
    load("fc100", layouts["archive"])
    assert f"verified: all images of CIFAR-100, unchanged (SHA-256 {sha256})" in capsys.readouterr().out
    changed = {name: images.copy() for name, images in cifar.items()}
    changed["apple"][0, 0, 0, 0] ^= 1
    load("cifar_fs", formats.write_cifar_folders(tmp_path / "changed", changed))
    assert "verified" not in capsys.readouterr().out


def replace_image(path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(next(path.glob("data/apple/*")))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "cifar-fs does not exist; it must name cifar-100-python.tar.gz, the folder"),
        (lambda path: shutil.rmtree(path / "data"), "holds neither the files train, test, meta nor a folder data"),
        (lambda path: shutil.rmtree(path / "data/bear"), "no images of bear; wanted <class>/*.png for the 100 classes"),
        (lambda path: replace_image(path, (32, 31)), "apple_0000.png: 32x31 pixels, but CIFAR-100 has 32x32"),
        (lambda path: next(path.glob("data/bee/*")).write_bytes(b"?"), "bee_0000.png: damaged or not an image"),
        (
            lambda path: (path / "splits/bertinetto/val.txt").write_text("apple\n"),
            "val.txt: not the meta_val classes of CIFAR-FS: apple, beaver, beetle and 14 more differ",
        ),
        (
            lambda path: (path / "splits/bertinetto/val.txt").write_bytes(b"apple\xff\n"),
            "val.txt: not a list of classes in UTF-8 ('utf-8' codec can't decode byte 0xff in position 5",
        ),
    ],
)
def test_bad_folders_of_cifar_are_named(layouts: dict[str, Path], tmp_path: Path, damage: Damage, message: str) -> None:
    shutil.copytree(layouts["folders"], tmp_path / "cifar-fs")
    damage(tmp_path / "cifar-fs")
    assert message in error_of("cifar_fs", tmp_path / "cifar-fs")


def test_a_class_in_the_folder_of_another_split_is_missed(cifar: dict[str, np.ndarray], tmp_path: Path) -> None:
    folder = formats.write_split_folders(tmp_path / "released", cifar, "cifar_fs")
    name = formats.published("cifar_fs")["meta_val"][0]
    (folder / "meta_val" / name).rename(folder / "meta_train" / name)
    assert f"released: no images of {name}; wanted" in error_of("cifar_fs", folder)


def test_missing_dataset_says_where_to_get_it(tmp_path: Path) -> None:
    message = error_of("cifar_fs", tmp_path / "nowhere")
    assert message.startswith(f"datasets.mine.path: {tmp_path / 'nowhere'} does not exist; it must name ")
    assert "Get it from https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz (or leave `path` out" in message
    assert "Licence: no licence is stated" in message


def test_without_a_path_the_downloaded_archive_is_read() -> None:
    entry = Dataset(source="fc100")
    splits, archive = registry.find("mine", entry).files
    assert splits.name == "fc100.json" and archive == Path("results/downloads/cifar-100-python.tar.gz")


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        ("train", "data", None, "train has no data"),
        ("train", "fine_labels", b"none", "train has no fine_labels"),
        ("test", "fine_labels", [100] * 100, "test does not hold labelled images"),
        ("test", "fine_labels", [b"apple"] * 100, "test does not hold labelled images"),
        ("test", "fine_labels", [0], "test does not hold labelled images"),
        ("meta", "fine_label_names", [b"apple"], "meta does not name the 100 classes"),
        ("meta", "fine_label_names", [1, None], "meta does not name the 100 classes"),
        ("meta", "fine_label_names", [b"\xe9"], "meta does not name the 100 classes"),
        ("train", "data", np.zeros((100, 3072), np.int64), "an array holds b'i8', not bytes"),
    ],
)
def test_wrong_content_of_pickles_is_named(
    cifar: dict[str, np.ndarray], tmp_path: Path, file: str, key: str, value: Any, message: str
) -> None:
    contents = formats.cifar_contents(cifar)
    contents[file][key] = value
    assert message in error_of("cifar_fs", formats.write_cifar_pickles(tmp_path, contents))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:1000]), "damaged or not a tar archive"),
        (lambda file: file.write_bytes(b"<html>not found</html>"), "a web page, such as a server's error, instead of"),
        (lambda file: file.write_bytes(file.read_bytes()[:9000] + bytes(9000)), "damaged or not a tar archive"),
        (lambda file: tarfile.open(file, "w:gz").close(), "holds no cifar-100-python/train; get https://"),
    ],
)
def test_damaged_archive_is_named(layouts: dict[str, Path], tmp_path: Path, damage: Damage, message: str) -> None:
    file = Path(shutil.copy(layouts["archive"], tmp_path))
    damage(file)
    assert f"{file}: {message}" in error_of("cifar_fs", file)


def test_damaged_archive_of_another_compression_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cifar.tar.xz"
    with tarfile.open(file, "w:xz") as archive:
        member = tarfile.TarInfo("cifar-100-python/train")
        member.size = 200_000
        archive.addfile(member, io.BytesIO(np.random.default_rng(0).integers(0, 9, member.size, np.uint8).tobytes()))
    packed = bytearray(file.read_bytes())
    packed[len(packed) // 2] ^= 255
    file.write_bytes(packed)
    assert f"{file}: damaged or not a tar archive (Corrupt input data)" in error_of("cifar_fs", file)


def test_archive_that_swells_is_refused(layouts: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar100, "LARGEST", 1000)
    assert "is too large" in error_of("cifar_fs", layouts["archive"])


# miniImageNet


@pytest.fixture(scope="module")
def miniimagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return formats.write_miniimagenet(tmp_path_factory.mktemp("mini") / "miniimagenet")


def test_miniimagenet_is_read(miniimagenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load("miniimagenet", miniimagenet)
    assert dataset.images.shape == (200, 3, 84, 84)
    words = read_json(registry.RESOURCES / "splits/miniimagenet.json")["class_names"]
    for split, numbers in formats.published("miniimagenet").items():
        assert names_in(dataset, split) == [words[number] for number in numbers]
    assert names_in(dataset, "meta_train")[0] == "house finch"
    files = sorted((miniimagenet / "images").glob("n02110341*"))
    stored = dataset.images[dataset.indices_of(dataset.class_names.index("dalmatian"))]
    for file, image in zip(files, stored, strict=True):
        assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(file)))
    log = capsys.readouterr().out
    assert "licence: ImageNet's terms of access" in log
    assert "WARNING: 2 to 2 images a class instead of 600" in log


def test_folders_of_the_releases_give_the_same_images(
    miniimagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, numbers in formats.published("miniimagenet").items():
        for number in numbers:
            (tmp_path / "mini" / split / number).mkdir(parents=True)
            for file in (miniimagenet / "images").glob(f"{number}*"):
                shutil.copy(file, tmp_path / "mini" / split / number)
    first, again = load("miniimagenet", miniimagenet, 16), load("miniimagenet", tmp_path / "mini", 16)
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)
    assert first.class_names == again.class_names and first.splits == again.splits
    (tmp_path / "mini/meta_test/n02110341").rename(tmp_path / "mini/meta_test/dalmatian")
    assert "no images in meta_test/n02110341; wanted the 100 classes by their WordNet" in error_of(
        "miniimagenet", tmp_path / "mini", 16
    )


def test_order_of_the_rows_does_not_matter(miniimagenet: Path, tmp_path: Path) -> None:
    first = load("miniimagenet", miniimagenet, 16)
    assert first.images.shape == (200, 3, 16, 16)
    shutil.copytree(miniimagenet, tmp_path / "mini")
    head, *rows = (tmp_path / "mini/train.csv").read_text().splitlines()
    (tmp_path / "mini/train.csv").write_text("\n".join([head, *sorted(rows, reverse=True)]))
    again = load("miniimagenet", tmp_path / "mini", 16)
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)


def test_lists_that_a_spreadsheet_saved_give_the_same_images(
    miniimagenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(miniimagenet, tmp_path / "mini")
    for file in (tmp_path / "mini").glob("*.csv"):
        head, rows = file.read_text().split("\n", 1)
        text = f"\ufeff{head.replace(',', ' , ')}\r\n;\r\n{rows}".replace(",", ";")
        file.write_bytes(text.encode())
    (tmp_path / "mini/images/stray.jpg").touch()
    first, again = load("miniimagenet", miniimagenet, 16), load("miniimagenet", tmp_path / "mini", 16)
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)
    assert f"left out: 1 in {tmp_path}/mini/images that no list names: stray.jpg" in capsys.readouterr().out


def append(file: Path, row: str) -> None:
    file.write_text(file.read_text().rstrip() + f"\n{row}\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "does not exist; it must name a folder with images/*.jpg"),
        (lambda path: (path / "val.csv").unlink(), "has no val.csv; it must name"),
        (lambda path: shutil.rmtree(path / "images"), "has no images; it must name"),
        (
            lambda path: (path / "val.csv").write_text("file,class\n"),
            "val.csv: the first line names no column filename; it has: file",
        ),
        (lambda path: (path / "val.csv").write_bytes(b"\xff\xfe\x00"), "val.csv: not a CSV file"),
        (
            lambda path: (path / "val.csv").write_text("filename,label\n"),
            "val.csv: not the meta_val classes of miniImageNet: n01855672, n02091244, n02114548 and 13 more differ",
        ),
        (
            lambda path: append(path / "test.csv", "n0153282900000000.jpg,n01532829"),
            "test.csv: not the meta_test classes of miniImageNet: n01532829 differ",
        ),
        (lambda path: append(path / "train.csv", "../x.jpg,n01532829"), "the row '../x.jpg,n01532829' does not name"),
        (lambda path: append(path / "train.csv", "x.jpg"), "train.csv: row 129: has more or fewer cells than the head"),
        (lambda path: append(path / "train.csv", "x.jpg,"), "the row 'x.jpg,' does not name an image"),
        (lambda path: append(path / "train.csv", "x.jpg,n01532829"), "images: x.jpg are listed but missing"),
        (
            lambda path: append(path / "train.csv", "n0153282900000000.jpg,n01532829"),
            "n0153282900000000.jpg are listed more than once",
        ),
        (
            lambda path: Image.new("RGB", (80, 84)).save(path / "images/n0153282900000000.jpg"),
            "images must be square and of one size; set datasets.mine.image_size",
        ),
    ],
)
def test_bad_miniimagenet_is_named(miniimagenet: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    shutil.copytree(miniimagenet, tmp_path / "mini")
    damage(tmp_path / "mini")
    assert message in error_of("miniimagenet", tmp_path / "mini")


# CUB-200-2011


@pytest.fixture(scope="module")
def cub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return formats.write_cub(tmp_path_factory.mktemp("cub") / "CUB_200_2011")


def test_cub_is_read(cub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load("cub", cub, 8)
    assert dataset.images.shape == (400, 3, 8, 8)
    assert {split: names_in(dataset, split) for split in SPLITS} == formats.published("cub")
    for index in (0, 1, 2, 199):
        name = sorted(dataset.class_names)[index]
        first, second = dataset.images[dataset.indices_of(dataset.class_names.index(name))].float().mean((2, 3))
        torch.testing.assert_close(first, torch.tensor([index, 100.0, 0.0]), atol=2, rtol=0)
        assert (second.max() - second.min() < 1) == (index % 4 == 0)  # a grey image has three equal channels
    log = capsys.readouterr().out
    assert "research and teaching that is not commercial" in log
    assert "WARNING: 400 images instead of 11788" in log


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "does not exist; it must name the unpacked folder CUB_200_2011"),
        (lambda path: shutil.rmtree(path / "images"), "has no folder images"),
        (lambda path: shutil.rmtree(path / "images/200.Common_Yellowthroat"), "200.Common_Yellowthroat differ"),
        (lambda path: (path / "images/201.Dodo").mkdir(), "not the 200 classes of CUB-200-2011: 201.Dodo differ"),
        (
            lambda path: [file.unlink() for file in (path / "images/013.Bobolink").iterdir()],
            "013.Bobolink: no images",
        ),
    ],
)
def test_bad_cub_is_named(cub: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    shutil.copytree(cub, tmp_path / "cub")
    damage(tmp_path / "cub")
    assert message in error_of("cub", tmp_path / "cub", 8)


# VGG-Flower


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return formats.write_flowers(tmp_path_factory.mktemp("flowers") / "flowers")


def test_flowers_get_the_class_that_their_label_says(flowers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load("vgg_flower", flowers, 8)
    assert dataset.images.shape == (204, 3, 8, 8)
    assert {split: names_in(dataset, split) for split in SPLITS} == formats.published("vgg_flower")
    for label, name in enumerate(formats.flower_names(), 1):
        images = dataset.images[dataset.indices_of(dataset.class_names.index(name))].float().mean((2, 3))
        assert len(images) == 2 and images[0, 1] < images[1, 1]
        torch.testing.assert_close(images[:, 0], torch.full((2,), float(label)), atol=2, rtol=0)
    log = capsys.readouterr().out
    assert "licence: no licence is stated; research use" in log
    assert "WARNING: 204 images instead of 8189" in log


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: shutil.rmtree(path), "does not exist; it must name a folder with jpg/image_00001.jpg"),
        (lambda path: (path / "imagelabels.mat").unlink(), "has no imagelabels.mat"),
        (lambda path: shutil.rmtree(path / "jpg"), "has no jpg"),
        (lambda path: (path / "imagelabels.mat").write_bytes(b"MATLAB" * 40), "imagelabels.mat: damaged, or not a"),
        (lambda path: savemat(path / "imagelabels.mat", {"x": 1}), "imagelabels.mat: damaged, or not a MATLAB file"),
        (
            lambda path: savemat(path / "imagelabels.mat", {"labels": np.arange(102, dtype=np.uint8)}),
            "labels must be the numbers 1 to 102",
        ),
        (lambda path: (path / "jpg/image_00007.jpg").unlink(), "image_00007.jpg: missing, but"),
    ],
)
def test_bad_flowers_are_named(flowers: Path, tmp_path: Path, damage: Damage, message: str) -> None:
    shutil.copytree(flowers, tmp_path / "flowers")
    damage(tmp_path / "flowers")
    assert message in error_of("vgg_flower", tmp_path / "flowers", 8)


# The configuration


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"source": "miniimagenet"}, "source miniimagenet needs `path`, where its files lie"),
        ({"source": "cub", "path": "cub"}, "source cub needs `image_size`"),
        ({"source": "vgg_flower", "path": "f"}, "source vgg_flower needs `image_size`"),
        ({"source": "cifar_fs", "splits": "s.json"}, "`splits` belongs to the sources folder and npz"),
        ({"source": "pack", "path": "x"}, "`path` is not for the source pack"),
    ],
)
def test_incomplete_entry_is_refused(entry: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dataset(**entry)


@pytest.mark.parametrize("source", registry.READERS)
def test_readers_have_what_a_reader_needs(source: str) -> None:
    reader = registry.get(source)
    assert callable(reader.find) and callable(reader.read) and hasattr(reader, "ABOUT")
    assert source in registry.module(source)


def test_unknown_reader_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        registry.get("mix")
