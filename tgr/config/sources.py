"""Where images may come from: a name here and its module ``tgr.data.readers.<name>`` make a source of datasets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class Shape:
    """How large a dataset is.

    Attributes:
        classes, images: how many there are.
        pixels: height and width of an image; of images that differ in size, the usual ones.
    """

    classes: int
    images: int
    pixels: int


@dataclass(frozen=True)
class About:
    """What the configuration asks of a source.

    Attributes:
        path: whether the key ``path`` is required, may be left out, or is forbidden.
        splits: whether the user gives the split of the classes.
        transparent: whether its files may have transparent pixels, under which the user chooses a colour.
        uneven: whether images differ in size, so that `image_size` is required.
        shape: of a benchmark; None if it differs from dataset to dataset.
    """

    path: Literal["required", "optional", "forbidden"] = "required"
    splits: bool = False
    transparent: bool = False
    uneven: bool = False
    shape: Shape | None = None


SOURCES = {
    "pack": About(path="forbidden"),
    "folder": About(splits=True, transparent=True),
    "npz": About(splits=True),
    "cifar_fs": About(path="optional", shape=Shape(100, 60_000, 32)),
    "fc100": About(path="optional", shape=Shape(100, 60_000, 32)),
    "miniimagenet": About(shape=Shape(100, 60_000, 84)),
    "cub": About(uneven=True, shape=Shape(200, 11_788, 84)),
    "vgg_flower": About(uneven=True, shape=Shape(102, 8189, 84)),
    "mix": About(path="forbidden"),
}
"""``mix`` has no reader: its images are those of other datasets. A path that is optional means a download."""
PACKS = {"icons": Shape(101, 8888, 32), "glyphs": Shape(105, 9240, 28), "emoji": Shape(79, 6693, 32)}
"""The embedded packs, in ``resources/packs``."""
SAME_IMAGES = {"cifar_fs": "CIFAR-100", "fc100": "CIFAR-100"}
"""Benchmarks that split the classes of the same images, each in its own way."""
PACK_SPLITS = {"icons": ("second",)}
"""Further splits of the classes of packs, in ``resources/splits/<pack>-<split>.json``."""

if TYPE_CHECKING:
    SourceName = str
    PackName = str
else:
    SourceName = Literal[tuple(SOURCES)]
    PackName = Literal[tuple(PACKS)]
