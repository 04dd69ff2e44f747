"""Small files in the formats in which the benchmarks are distributed."""

import csv
import io
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from tgr.artifacts import read_json
from tgr.data.readers.registry import RESOURCES
from tgr.data.splits import SPLITS, list_classes, read_splits

Images = NDArray[np.uint8]


def published(source: str) -> dict[str, list[str]]:
    """Return the class lists of a benchmark."""
    return read_splits(RESOURCES / "splits" / f"{source}.json")


def noise(n: int, size: int, seed: int = 0) -> Images:
    """Return random images (n, size, size, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def cifar_images(per_class: int = 2) -> dict[str, Images]:
    """Return random images of the 100 classes."""
    names = sorted(list_classes(published("cifar_fs")))
    return dict(zip(names, noise(100 * per_class, 32).reshape(100, per_class, 32, 32, 3), strict=True))


def write_cifar_folders(folder: Path, images: Mapping[str, Images], lists: bool = True) -> Path:
    """Write data/<class>/*.png and, as CIFAR-FS has them, splits/bertinetto/{train,val,test}.txt."""
    for name, of_class in images.items():
        (folder / "data" / name).mkdir(parents=True)
        for i, image in enumerate(of_class):
            Image.fromarray(image).save(folder / "data" / name / f"{name}_{i:04d}.png")
    if lists:
        (folder / "splits/bertinetto").mkdir(parents=True)
        for split, names in published("cifar_fs").items():
            file = folder / "splits/bertinetto" / f"{split.removeprefix('meta_')}.txt"
            file.write_text("\n".join(names) + "\n")
    return folder


def write_split_folders(folder: Path, images: Mapping[str, Images], source: str) -> Path:
    """Write meta_train/<class>/*.png, meta_val/... and meta_test/..., as the releases of data-free meta-learning have
    it, and a list that is not read."""
    for split, names in published(source).items():
        for name in names:
            (folder / split / name).mkdir(parents=True)
            for i, image in enumerate(images[name]):
                Image.fromarray(image).save(folder / split / name / f"{name}_{i:04d}.png")
    (folder / "split").mkdir()
    (folder / "split/meta_train.csv").write_text("filename,label\n../elsewhere/apple_0000.png,apple\n")
    return folder


def cifar_contents(images: Mapping[str, Images]) -> dict[str, Any]:
    """Return what the three pickles hold, the images in random order, half of them in each batch."""
    names = sorted(images)
    rows = [(label, image) for label, name in enumerate(names) for image in images[name]]
    order = np.random.default_rng(1).permutation(len(rows))
    contents: dict[str, Any] = {}
    for batch, chosen in zip(("train", "test"), np.array_split(order, 2), strict=True):
        contents[batch] = {
            "filenames": [b"picture.png"] * len(chosen),
            "batch_label": b"a batch",
            "fine_labels": [rows[i][0] for i in chosen],
            "coarse_labels": [0] * len(chosen),
            "data": np.stack([rows[i][1].transpose(2, 0, 1).ravel() for i in chosen]),
        }
    contents["meta"] = {"fine_label_names": [name.encode() for name in names], "coarse_label_names": [b"all"]}
    return contents


def write_cifar_pickles(folder: Path, contents: Mapping[str, Any]) -> Path:
    """Write the files train, test and meta."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(python2_pickle(content))
    return folder


def write_cifar_archive(file: Path, contents: Mapping[str, Any]) -> Path:
    """Write cifar-100-python.tar.gz, with the file more that the original has."""
    with tarfile.open(file, "w:gz") as archive:
        for name, content in {**contents, "file.txt~": None}.items():
            data = python2_pickle(content)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file


def python2_pickle(value: Any) -> bytes:
    """Pickle as Python 2 did with protocol 2: texts are byte strings, arrays those of an early numpy."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"}(" + b"".join(_opcodes(k.encode()) + _opcodes(v) for k, v in value.items()) + b"u"
    if isinstance(value, list | tuple):
        inner = b"(" + b"".join(map(_opcodes, value))
        return b"]" + inner + b"e" if isinstance(value, list) else inner + b"t"
    if isinstance(value, np.ndarray):
        kind = value.dtype.str.lstrip("|<").encode()
        empty = b"cnumpy.core.multiarray\n_reconstruct\n" + b"(cnumpy\nndarray\n" + _opcodes((0,)) + b"U\x01btR"
        dtype = b"cnumpy\ndtype\n" + _opcodes((kind, 0, 1)) + b"R" + _opcodes((3, b"|", None, None, None, -1, -1, 0))
        return empty + b"(K\x01" + _opcodes(value.shape) + dtype + b"b\x89" + _opcodes(value.tobytes()) + b"tb"
    if isinstance(value, bytes):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, int):
        return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)
    assert value is None
    return b"N"


def write_miniimagenet(folder: Path, per_class: int = 2, size: int = 84) -> Path:
    """Write images/*.jpg, train.csv, val.csv and test.csv; the rows are in random order."""
    (folder / "images").mkdir(parents=True)
    for number, split in enumerate(SPLITS):
        rows = [(f"{wnid}{i:08d}.jpg", wnid) for wnid in published("miniimagenet")[split] for i in range(per_class)]
        for (file, _), image in zip(rows, noise(len(rows), size, number), strict=True):
            Image.fromarray(image).save(folder / "images" / file)
        np.random.default_rng(number).shuffle(rows)
        with (folder / f"{split.removeprefix('meta_')}.csv").open("w", newline="") as opened:
            csv.writer(opened).writerows([("filename", "label"), *rows])
    return folder


def write_cub(folder: Path) -> Path:
    """Write images/<class>/*.jpg for the 200 classes: two images of different sizes, every fourth class in grey too."""
    for index, name in enumerate(sorted(list_classes(published("cub")))):
        (folder / "images" / name).mkdir(parents=True)
        for i, (width, height) in enumerate(((30, 20), (16, 24))):
            image = Image.new("RGB", (width, height), (index, 100, 30 * i))
            grey = image.convert("L") if i and index % 4 == 0 else image
            grey.save(folder / "images" / name / f"{name.split('.')[1]}_{i:04d}.jpg")
    return folder


def write_flowers(folder: Path, labels: Sequence[int] | None = None) -> Path:
    """Write jpg/image_00001.jpg, ... and imagelabels.mat; red says the label of an image, green its number."""
    labels = labels or [1 + i * 5 % 102 for i in range(204)]
    (folder / "jpg").mkdir(parents=True)
    for number, label in enumerate(labels, 1):
        image = Image.new("RGB", (20 + number % 3, 24), (label, number, 0))
        image.save(folder / "jpg" / f"image_{number:05d}.jpg", quality=100, subsampling=0)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], np.uint8)})
    return folder


def flower_names() -> list[str]:
    """Return the names of the labels 1 to 102."""
    names: list[str] = read_json(RESOURCES / "splits/vgg_flower.json")["class_names"]
    return names
