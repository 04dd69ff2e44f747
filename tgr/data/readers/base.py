"""What a reader of a dataset gives: which files it needs, and images that are not decoded yet.

A reader is a module with three names:
    ABOUT: where the images come from; None if they are the user's or the project's own.
    find(name, config, resources) -> SourceFiles: the files of a dataset, named ``name`` and configured by ``config``;
        ``resources`` is the folder ``tgr/resources``.
    read(inputs, name) -> Source: what these files hold.
Nothing here imports torch, because the workflow asks for the files at every start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgr.errors import TgrError


@dataclass(frozen=True)
class SourceFiles:
    """What a dataset is read from.

    Attributes:
        files: read as a whole, in the order in which the reader expects them.
        folder: images, too many to name each of them.
    """

    files: Sequence[Path]
    folder: Path | None = None

    def images(self) -> Path:
        """Return the folder of images of a dataset that has one."""
        assert self.folder is not None
        return self.folder


@dataclass(frozen=True)
class Source:
    """Labelled images that are not decoded yet, and a split of their classes.

    Attributes:
        images: files, or an array uint8 (n, size, size, 3).
        labels: indices into ``class_names``, (n,).
        class_names: one name for each class.
        splits: class indices of ``meta_train``, ``meta_val`` and ``meta_test``.
        left_out: what lies there and is not read, in words: the parts of a warning.
    """

    images: Sequence[Path] | NDArray[np.uint8]
    labels: Sequence[int] | NDArray[np.int64]
    class_names: list[str]
    splits: dict[str, list[int]]
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class About:
    """Where the images of a benchmark come from.

    Attributes:
        title: the benchmark and its publication.
        origin: where to get it.
        layout: what the configuration's ``path`` must name.
        licence: what its makers allow.
    """

    title: str
    origin: str
    layout: str
    licence: str

    @property
    def notice(self) -> str:
        """The lines for a log."""
        return f"{self.title}\nlicence: {self.licence}"

    def incomparable(self, found: str, published: str) -> str:
        """Return the warning for a dataset that can be used but is not the published one."""
        return f"WARNING: {found} instead of {published}: accuracies cannot be compared with published ones"

    def missing(self, name: str, what: str) -> TgrError:
        """Return the error for a dataset that is not where the configuration says."""
        return TgrError(
            f"datasets.{name}.path: {what}; it must name {self.layout}. Get it from {self.origin}. "
            f"Licence: {self.licence}"
        )


def require_path(name: str, path: str | None, about: About) -> Path:
    """Return the ``path`` of a dataset.

    Raises:
        TgrError: it is not there.
    """
    assert path is not None  # the configuration's model asks for it
    if not Path(path).exists():
        raise about.missing(name, f"{path} does not exist")
    return Path(path)


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def shorten(names: Sequence[str]) -> str:
    """Return the first three of many names, and how many more there are."""
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
