"""The images of CIFAR-100, which CIFAR-FS and FC100 share, in any of the layouts in which they are distributed.

The images of each class are put in the order of their SHA-256, so that all layouts give the same dataset, bit for bit,
and one digest tells whether all images are there.
"""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tgr.artifacts import refuse_placeholder
from tgr.config.teachers import Dataset
from tgr.data.download import CIFAR100
from tgr.data.readers.base import About, Source, SourceFiles, require_path, shorten
from tgr.data.readers.images import Decoder
from tgr.data.readers.listing import LeftOut, find_split_folders, has_splits, list_images
from tgr.data.splits import index_splits, list_classes, read_splits
from tgr.data.unpickling import read_pickle
from tgr.errors import TgrError

Images = NDArray[np.uint8]
"""(n, 32, 32, 3)"""
ABOUT = About(
    title="CIFAR-100 (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009)",
    origin=f"{CIFAR100.url} (or leave `path` out: then it is downloaded)",
    layout="cifar-100-python.tar.gz, the folder with its files train, test and meta, or a folder with "
    "data/<class>/*.png for the 100 classes, or meta_train/<class>/*.png, meta_val/... and meta_test/...",
    licence=CIFAR100.licence,
)
SIZE = 32
SHA256 = "223d6794f61099373027925b7f9171c0fe26d4bb80ddbec6cbab32319dc640fb"
"""Of the digests of all 60,000 images, sorted within each class, classes sorted by name; measured on a copy in the
layout of CIFAR-FS."""
BATCHES = ("train", "test")
META = "meta"
PICKLES = (*BATCHES, META)
ARCHIVE_FOLDER = "cifar-100-python"
LARGEST = 200_000_000
"""Bytes of a member; `train` has 155 MB."""


def find(name: str, config: Dataset, splits: Path, about: About) -> SourceFiles:
    """Return the file of splits, and then either the archive, or the three pickles, or a folder of images.

    Raises:
        TgrError: none of them is there.
    """
    if config.path is None:
        return SourceFiles([splits, Path(CIFAR100.path)])
    path = require_path(name, config.path, about)
    if path.is_file():
        return SourceFiles([splits, path])
    for folder in (path, path / ARCHIVE_FOLDER):
        pickles = [folder / file for file in PICKLES]
        if all(file.is_file() for file in pickles):
            return SourceFiles([splits, *pickles])
    if has_splits(path):
        return SourceFiles([splits], path)
    if (path / "data").is_dir():
        return SourceFiles([splits], path / "data")
    raise about.missing(name, f"{path} holds neither the files {', '.join(PICKLES)} nor a folder data")


def read(inputs: SourceFiles) -> Source:
    """Read all images, and say in the log whether they are exactly those of CIFAR-100.

    Raises:
        TgrError: a class is missing, or a file is damaged or not what it should be.
    """
    splits_file, *files = inputs.files
    splits = read_splits(splits_file)
    class_names = list_classes(splits)
    left_out: list[str] = []
    if files:
        by_class = _read_pickles(files, class_names)
    else:
        by_class, left_out = _read_folders(inputs.images(), splits)
    images, labels, digests = [], [], {}
    for label, class_name in enumerate(class_names):
        class_images, digests[class_name] = _sort_by_digest(by_class.pop(class_name))
        images.append(class_images)
        labels += [label] * len(class_images)
    print(_describe_match(digests))
    return Source(np.concatenate(images), labels, class_names, index_splits(splits, class_names), left_out)


def _read_folders(folder: Path, splits: Mapping[str, Sequence[str]]) -> tuple[dict[str, Images], list[str]]:
    """Return the images of each class, and what is left out."""
    left_out, decoder = LeftOut(), Decoder()
    class_names = [name for names in splits.values() for name in names]
    folders = find_split_folders(folder, splits, left_out)
    files = {class_name: list_images(folders[class_name], left_out) for class_name in class_names}
    empty = [class_name for class_name in class_names if not files[class_name]]
    if empty:
        raise TgrError(f"{folder}: no images of {shorten(empty)}; wanted <class>/*.png for the 100 classes")
    by_class = {
        class_name: np.stack([_read_cifar_image(file, decoder) for file in files[class_name]])
        for class_name in tqdm(class_names, desc="decoding", unit="class")
    }
    return by_class, [*left_out.describe(), *decoder.describe()]


def _read_cifar_image(file: Path, decoder: Decoder) -> NDArray[np.uint8]:
    image = decoder.read(file)
    if image.shape != (SIZE, SIZE, 3):
        raise TgrError(f"{file}: {image.shape[1]}x{image.shape[0]} pixels, but CIFAR-100 has {SIZE}x{SIZE}")
    return image


def _read_pickles(files: Sequence[Path], class_names: Sequence[str]) -> dict[str, Images]:
    """Read the archive, or the files that were unpacked from it."""
    where = files[0]
    for file in files:
        refuse_placeholder(file)
    contents = _unpack(where) if len(files) == 1 else {file.name: file.read_bytes() for file in files}
    named = _read_entry(contents, META, "fine_label_names", list, where)
    names = [name.decode("latin-1") if isinstance(name, bytes) else repr(name) for name in named]
    if sorted(names) != sorted(class_names):
        raise TgrError(f"{where}: {META} does not name the 100 classes of CIFAR-100; take the original file")
    images, labels = [], []
    for batch in BATCHES:
        pixels = _read_entry(contents, batch, "data", np.ndarray, where)
        fine = _read_entry(contents, batch, "fine_labels", list, where)
        known = all(isinstance(label, int) and 0 <= label < len(names) for label in fine)
        if pixels.shape != (len(fine), 3 * SIZE * SIZE) or not known:
            raise TgrError(f"{where}: {batch} does not hold labelled images of CIFAR-100; take the original file")
        images.append(pixels.reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1))
        labels += fine
    pooled_images, pooled_labels = np.concatenate(images), np.array(labels)
    return {class_name: pooled_images[pooled_labels == names.index(class_name)] for class_name in class_names}


def _unpack(archive: Path) -> dict[str, bytes]:
    """Return the contents of the three pickles in the archive, without writing anything to disk."""
    contents = {}
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                path = Path(member.name)
                if member.isfile() and path.name in PICKLES and path.parent.name == ARCHIVE_FOLDER:
                    if member.size > LARGEST:
                        raise TgrError(f"{archive}: {member.name} is too large ({member.size} bytes) to be CIFAR-100")
                    contents[path.name] = opened.extractfile(member).read()  # type: ignore[union-attr]
    except TgrError:
        raise
    except Exception as error:  # the readers of damaged archives, each of its own compression, raise many kinds
        raise TgrError(f"{archive}: damaged or not a tar archive ({error}); get it again") from error
    missing = [file for file in PICKLES if file not in contents]
    if missing:
        raise TgrError(f"{archive}: holds no {ARCHIVE_FOLDER}/{missing[0]}; get {CIFAR100.url}")
    return contents


def _read_entry(contents: Mapping[str, bytes], file: str, key: str, kind: type, where: Path) -> Any:
    value = read_pickle(contents[file], f"{where} ({file})").get(key)
    if not isinstance(value, kind):
        raise TgrError(f"{where}: {file} has no {key}; take the original file")
    return value


def _sort_by_digest(images: Images) -> tuple[Images, list[bytes]]:
    """Return images in the order of their digests, and the digests."""
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    order = sorted(range(len(images)), key=digests.__getitem__)
    return images[order], [digests[index] for index in order]


def _describe_match(digests: Mapping[str, Sequence[bytes]]) -> str:
    sha256 = hashlib.sha256(b"".join(digest for name in sorted(digests) for digest in digests[name])).hexdigest()
    if sha256 == SHA256:
        return f"verified: all images of CIFAR-100, unchanged (SHA-256 {sha256})"
    n_images = sum(map(len, digests.values()))
    return ABOUT.incomparable(f"{n_images} images with SHA-256 {sha256}", f"the 60000 with {SHA256}")
