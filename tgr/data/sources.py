"""Reading a dataset from an embedded pack, a folder of images, or an npz file."""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from tgr.artifacts import read_json
from tgr.config.schema import Dataset
from tgr.data.dataset import SPLITS, ImageDataset, check
from tgr.data.transforms import resize
from tgr.errors import TgrError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def load_dataset(name: str, config: Dataset, files: Sequence[Path]) -> ImageDataset:
    """Read a dataset and resize it as configured.

    Args:
        name: the dataset's name in the configuration.
        config: its entry there.
        files: what it is read from: a pack's index and sheet, images and splits, or the stored datasets of a mix.

    Raises:
        TgrError: a file is missing, damaged, or does not hold what it should.
    """
    if config.source == "mix":
        return mix([ImageDataset.load(file) for file in files], name, int(config.image_size or 0))
    if config.source == "pack":
        dataset = read_pack(files[0], name)
    else:
        readers: dict[str, Callable[..., ImageDataset]] = {"folder": read_folder, "npz": read_npz}
        dataset = readers[config.source](files[0], files[1], name, config.image_size)
    images = resize(dataset.images, config.image_size) if config.image_size else dataset.images
    return ImageDataset(name, images, dataset.labels, dataset.class_names, dataset.splits, config.flips)


def mix(datasets: Sequence[ImageDataset], name: str, image_size: int) -> ImageDataset:
    """Unite the classes of several datasets, split by split, at one image size, so that episodes cross domains.

    Classes are called ``<dataset>:<class>``. Mirrored images keep their class only if they do in all datasets.
    """
    class_names: list[str] = []
    labels: list[Tensor] = []
    splits: dict[str, list[int]] = {split: [] for split in SPLITS}
    for dataset in datasets:
        first = len(class_names)
        class_names += [f"{dataset.name}:{class_name}" for class_name in dataset.class_names]
        labels.append(dataset.labels + first)
        for split in SPLITS:
            splits[split] += [first + index for index in dataset.splits[split]]
    images = torch.cat([resize(dataset.images, image_size) for dataset in datasets])
    flips = all(dataset.flips for dataset in datasets)
    return check(ImageDataset(name, images, torch.cat(labels), class_names, splits, flips), name)


def read_pack(index_file: Path, name: str) -> ImageDataset:
    """Read an embedded pack: a JSON index and, beside it, a lossless sheet of tiles."""
    index = read_json(index_file)
    sheet_file = index_file.with_suffix(".webp")
    try:
        content = sheet_file.read_bytes()
    except OSError as error:
        raise TgrError(f"{sheet_file}: cannot be read ({error.strerror}); restore it from the repository") from error
    if hashlib.sha256(content).hexdigest() != index["sha256"]:
        raise TgrError(f"{sheet_file}: damaged (its SHA-256 differs from {index_file.name}); restore it")
    size, columns = index["image_size"], index["columns"]
    sheet = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    tiles = sheet.reshape(-1, size, columns, size, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, size, size)
    images = torch.from_numpy(np.ascontiguousarray(tiles[: index["n_images"]]))
    counts = torch.tensor([c["count"] for c in index["classes"]])
    labels = torch.repeat_interleave(torch.arange(len(counts)), counts)
    splits = {split: [i for i, c in enumerate(index["classes"]) if c["split"] == split] for split in SPLITS}
    return check(ImageDataset(name, images, labels, [c["name"] for c in index["classes"]], splits), index_file)


def read_folder(folder: Path, splits_file: Path, name: str, image_size: int | None = None) -> ImageDataset:
    """Read ``<folder>/<class>/*.png`` (or jpg, webp, bmp). Images of different sizes need ``image_size``."""
    splits = _read_splits(splits_file)
    class_names = [c for split in SPLITS for c in splits[split]]
    images, labels = [], []
    for label, class_name in enumerate(class_names):
        files = sorted(f for f in folder.glob(f"{class_name}/*") if f.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise TgrError(f"{folder / class_name}: no images, but {splits_file} names this class")
        images += [_read_image(file, image_size) for file in files]
        labels += [label] * len(files)
    sizes = {image.shape for image in images}
    if len(sizes) > 1:
        raise TgrError(f"{folder}: images differ in size; set datasets.{name}.image_size")
    return check(_assemble(name, torch.stack(images), torch.tensor(labels), class_names, splits), folder)


def read_npz(file: Path, splits_file: Path, name: str, image_size: int | None = None) -> ImageDataset:
    """Read ``images`` (n, size, size, 3) uint8, ``labels`` (n,) and ``class_names``; never unpickles."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("images", "labels", "class_names")}
    except OSError as error:
        raise TgrError(f"{file}: cannot be read ({error})") from error
    except KeyError as error:
        raise TgrError(f"{file}: the array {error} is missing; wanted: images, labels, class_names") from error
    except (ValueError, zipfile.BadZipFile) as error:
        raise TgrError(f"{file}: damaged, or not an npz file of plain arrays ({error})") from error
    if arrays["images"].ndim != 4 or arrays["images"].shape[-1] != 3:
        raise TgrError(f"{file}: images must be (n, size, size, 3), found {arrays['images'].shape}")
    images = torch.from_numpy(np.ascontiguousarray(arrays["images"].transpose(0, 3, 1, 2)))
    labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    class_names = [str(c) for c in arrays["class_names"]]
    return check(_assemble(name, images, labels, class_names, _read_splits(splits_file, class_names)), file)


def _assemble(
    name: str, images: Tensor, labels: Tensor, class_names: Sequence[str], splits: dict[str, list[str]]
) -> ImageDataset:
    position = {class_name: index for index, class_name in enumerate(class_names)}
    indices = {split: [position[c] for c in splits[split]] for split in SPLITS}
    return ImageDataset(name, images, labels, list(class_names), indices)


def _read_splits(file: Path, class_names: Sequence[str] | None = None) -> dict[str, list[str]]:
    splits = read_json(file)
    for split in SPLITS:
        if not isinstance(splits, dict) or not isinstance(splits.get(split), list):
            raise TgrError(f"{file}: wanted a JSON object with the class lists {', '.join(SPLITS)}")
        for class_name in splits[split]:
            if class_names is not None and class_name not in class_names:
                raise TgrError(f"{file}: {split} names the class '{class_name}', which the dataset does not have")
            if "/" in class_name or "\\" in class_name or class_name.startswith("."):
                raise TgrError(f"{file}: '{class_name}' in {split} is not a plain folder name")
    return splits


def _read_image(file: Path, size: int | None) -> Tensor:
    try:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise TgrError(f"{file}: damaged or not an image ({error})") from error
    if size:
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
