"""Data passed between the stages of the builder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SPLITS = ("meta_train", "meta_val", "meta_test")
ALLOWED_LICENCES = frozenset(
    {
        "MIT",
        "Apache-2.0",
        "ISC",
        "BSD-3-Clause",
        "OFL-1.1",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC0-1.0",
        "Unlicense",
    }
)


@dataclass(frozen=True, order=True)
class Source:
    """Where one drawing comes from: `item` is the icon, font face or file inside the npm package."""

    licence: str
    package: str
    item: str

    def line(self) -> str:
        """One line of the sources file."""
        return f"{self.licence}\t{self.package}\t{self.item}"


@dataclass(frozen=True)
class Candidate:
    """A drawing that may enter a class. It is rendered only when its turn comes.

    `rank` orders candidates coarsely (lower first) before the hash does; variants of a drawing get a higher rank.
    """

    source: Source
    render: Callable[[], Image.Image | None]
    rank: int = 0


@dataclass
class Drawing:
    """A rendered candidate: square RGBA `tile` before styling, RGB `image` after it."""

    class_name: str
    split: str
    source: Source
    tile: np.ndarray
    image: np.ndarray | None = None


@dataclass(frozen=True)
class PackSpec:
    """What is fixed about a pack: its texts, geometry and limits, and the classes with their splits in order."""

    name: str
    title: str
    description: str
    image_size: int
    per_class: int
    splits: dict[str, str]
    webp: dict[str, object] = field(default_factory=lambda: {"lossless": True, "quality": 100, "method": 6})
    min_per_class: int = 60


def key_hash(*parts: object) -> int:
    """A 64-bit number that depends only on the text of `parts`, the same on every machine."""
    digest = hashlib.sha256("|".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def key_rng(*parts: object) -> np.random.Generator:
    """A random generator seeded by the text of `parts`."""
    return np.random.Generator(np.random.PCG64(key_hash(*parts)))
