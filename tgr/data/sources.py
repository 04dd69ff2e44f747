"""Datasets of any source, decoded once, at the configured size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from tgr.config.teachers import Dataset
from tgr.data.dataset import ImageDataset, check
from tgr.data.readers import registry
from tgr.data.readers.base import SourceFiles
from tgr.data.readers.images import Decoder
from tgr.data.splits import SPLITS
from tgr.data.transforms import resize
from tgr.errors import TgrError


def store_dataset(*, name: str, section: Dataset, source: Sequence[Path], images: Path | None, dataset: Path) -> None:
    """Read a dataset as ``load_dataset`` does, and write it into the file ``dataset``.

    Args:
        section: its entry in the configuration.
        source, images: its files, and its folder of images, if it has one.
    """
    stored = load_dataset(name, section, SourceFiles(source, images))
    stored.save(dataset)
    print(f"{name}: {len(stored.images)} images of {stored.image_size} px, {len(stored.class_names)} classes")


def load_dataset(name: str, config: Dataset, inputs: SourceFiles) -> ImageDataset:
    """Read a dataset and resize it as configured.

    Args:
        name: the dataset's name in the configuration.
        config: its entry there.
        inputs: what ``tgr.data.readers.registry.find`` returned for it, or the stored datasets of a mix.

    Raises:
        TgrError: a file is missing, damaged, or does not hold what it should.
    """
    if config.source == "mix":
        return mix([ImageDataset.load(file) for file in inputs.files], name, int(config.image_size or 0))
    reader = registry.get(config.source)
    if reader.ABOUT:
        print(reader.ABOUT.notice)
    source = reader.read(inputs, name)
    if not len(source.images):
        raise TgrError(f"{inputs.files[-1]}: there are no images of its classes; let each split name some")
    left_out = list(source.left_out)
    if isinstance(source.images, np.ndarray):
        height, width = source.images.shape[1:3]
        if height != width and not config.image_size:
            raise TgrError(
                f"{inputs.files[0]}: images of {width} x {height} pixels: they must be square; set "
                f"datasets.{name}.image_size to resize them"
            )
        images = torch.from_numpy(np.ascontiguousarray(source.images.transpose(0, 3, 1, 2)))
        images = resize(images, config.image_size) if config.image_size else images
    else:
        decoder = Decoder(config.background)
        images = decode(source.images, config.image_size, name, decoder)
        left_out += decoder.describe()
    if left_out:
        print(f"WARNING: datasets.{name}: left out: {'; '.join(left_out)}")
    labels = torch.tensor(source.labels, dtype=torch.int64)
    dataset = ImageDataset(name, images, labels, source.class_names, source.splits, config.flips)
    return check(dataset, inputs.files[-1])


def decode(files: Sequence[Path], image_size: int | None, name: str, decoder: Decoder) -> Tensor:
    """Decode images into one uint8 tensor (n, 3, size, size).

    Raises:
        TgrError: an image is damaged, or images differ in size, or are not square, and ``image_size`` is not given.
    """
    size = image_size or Decoder().read(files[0]).shape[0]
    images = torch.empty((len(files), 3, size, size), dtype=torch.uint8)
    for index, file in enumerate(tqdm(files, desc="decoding", unit="image")):
        image = decoder.read(file, image_size)
        if image.shape != (size, size, 3):
            height, width = image.shape[:2]
            raise TgrError(
                f"{file}: {width} x {height} pixels, where {size} x {size} were expected: images must be square and of "
                f"one size; set datasets.{name}.image_size"
            )
        images[index] = torch.from_numpy(image.transpose(2, 0, 1).copy())
    return images


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
