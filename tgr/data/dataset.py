"""The one form in which every dataset is used."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tgr.artifacts import load_tensors, save_tensors
from tgr.data.roots import square_root
from tgr.data.splits import SPLITS
from tgr.errors import TgrError

CHANNELS = ("red", "green", "blue")
BLOCK = 4096
"""Images whose values are counted at a time, so that not all of them are copied as wider numbers."""


@dataclass(frozen=True)
class ImageDataset:
    """Labelled images and a split of their classes.

    Attributes:
        name: the dataset's name in the configuration.
        images: uint8, (n_images, 3, size, size).
        labels: int64, (n_images,), indices into ``class_names``.
        class_names: one name for each class.
        splits: class indices of ``meta_train``, ``meta_val`` and ``meta_test``.
        flips: whether a mirrored image keeps its class.
    """

    name: str
    images: Tensor
    labels: Tensor
    class_names: list[str]
    splits: dict[str, list[int]]
    flips: bool = True

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return int(self.images.shape[-1])

    def indices_of(self, class_index: int) -> Tensor:
        """Return the images of one class, in stored order: int64, (n,)."""
        return torch.nonzero(self.labels == class_index).flatten()

    @cached_property
    def normalisation(self) -> tuple[list[float], list[float]]:
        """Mean and unbiased standard deviation of each channel over the meta-train images, in [0, 1].

        They are computed from counts of the 256 values: exact, and in little memory.

        Raises:
            TgrError: a channel has one value throughout, by whose deviation nothing can be divided.
        """
        meta_train = torch.nonzero(torch.isin(self.labels, torch.tensor(self.splits["meta_train"]))).flatten()
        counts = torch.zeros(3, 256, dtype=torch.int64)
        for block in meta_train.split(BLOCK):
            for channel, pixels in enumerate(self.images[block].unbind(1)):
                counts[channel] += torch.bincount(pixels.flatten(), minlength=256)
        values = torch.arange(256, dtype=torch.float64) / 255
        n = counts.sum(1)
        mean = (counts * values).sum(1) / n
        std = square_root((counts * (values - mean[:, None]) ** 2).sum(1) / (n - 1))
        centre, scale = ([round(value, 6) for value in values.tolist()] for values in (mean, std))
        if blank := [name for name, value in zip(CHANNELS, scale, strict=True) if not value > 0]:
            raise TgrError(
                f"dataset {self.name}: its meta-train images have one value throughout in {', '.join(blank)}, which "
                "cannot be normalised; if they show something in another channel, copy that into all three"
            )
        return centre, scale

    def save(self, path: str | Path) -> None:
        """Write the dataset as one safetensors file."""
        about = {"name": self.name, "class_names": self.class_names, "splits": self.splits, "flips": self.flips}
        save_tensors(path, {"images": self.images, "labels": self.labels}, about)

    @classmethod
    def load(cls, path: str | Path) -> "ImageDataset":
        """Read what ``save`` wrote. Tensors are views of the mapped file: images stay on disk until they are used.

        Raises:
            TgrError: the file is missing, damaged, or no dataset.
        """
        tensors, about = load_tensors(path)
        try:
            return cls(images=tensors["images"], labels=tensors["labels"], **about)
        except (KeyError, TypeError) as error:
            raise TgrError(
                f"{path}: not a dataset as the suite stores it ({error}); delete it and run again"
            ) from error


def check(dataset: ImageDataset, source: str | Path) -> ImageDataset:
    """Return the dataset if it is usable.

    Raises:
        TgrError: wrong shapes, labels without a class, a split that repeats a class or is empty.
    """
    images, labels = dataset.images, dataset.labels
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise TgrError(f"{source}: images must be uint8 (n, 3, size, size), found {images.dtype} {tuple(images.shape)}")
    if labels.shape != images.shape[:1]:
        raise TgrError(f"{source}: {len(images)} images but {len(labels)} labels")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(dataset.class_names):
        raise TgrError(f"{source}: labels must lie in 0..{len(dataset.class_names) - 1}")
    split_of: dict[int, str] = {}
    for split in SPLITS:
        if not dataset.splits.get(split):
            raise TgrError(f"{source}: the split {split} has no classes")
        for index in dataset.splits[split]:
            if index in split_of:
                name = dataset.class_names[index]
                raise TgrError(
                    f"{source}: class '{name}' is in {split_of[index]} and in {split}; splits must be disjoint"
                )
            split_of[index] = split
    return dataset
