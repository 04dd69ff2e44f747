"""Which files of a folder are its images, and which are left out: those are counted, for one warning."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tgr.data.readers.base import plural, shorten
from tgr.data.splits import SPLITS, normalise, normalised
from tgr.errors import escape

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Of the files that are read as images."""
HIDDEN, BELOW, BESIDE = "hidden", "in sub-folders", "beside the classes"


@dataclass(frozen=True)
class LeftOut:
    """What is not read.

    Attributes:
        counts: the numbers of files, by kind and by folder.
        notes: what else there is to say.
    """

    counts: Counter[tuple[str, Path]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, folder: Path, number: int = 1) -> None:
        """Count files of a kind in a folder."""
        if number:
            self.counts[kind, folder] += number

    def kinds(self, folder: Path | None = None) -> str:
        """Return how many files there are of each kind, in one folder or in all; an empty text if there are none."""
        by_kind: Counter[str] = Counter()
        for (kind, where), number in self.counts.items():
            by_kind[kind] += number if folder in (None, where) else 0
        return ", ".join(f"{number} {kind}" for kind, number in sorted(by_kind.items()) if number)

    def describe(self) -> list[str]:
        """Return the parts of the warning; none if nothing is left out."""
        kinds = plural(len({kind for kind, _ in self.counts}), "kind")
        folders = sorted({escape(folder) for _, folder in self.counts})
        counted = (
            f"{plural(self.counts.total(), 'file')} of {kinds} in {plural(len(folders), 'folder')}: {self.kinds()}"
        )
        counted += f" ({shorten(folders)})"
        return [*([counted] if self.counts else []), *self.notes]


def list_images(folder: Path, left_out: LeftOut) -> list[Path]:
    """Return the images directly in a folder, sorted by name; count everything else that lies there."""
    images = []
    for path in folder.iterdir() if folder.is_dir() else ():
        hidden = path.name.startswith(".")
        if path.is_dir():
            left_out.add(HIDDEN if hidden else BELOW, folder, sum(file.is_file() for file in path.rglob("*")))
        elif hidden or path.suffix.lower() not in SUFFIXES:
            left_out.add(HIDDEN if hidden else escape(path.suffix.lower()) or "without suffix", folder)
        else:
            images.append(path)
    return sorted(images)


def list_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are not hidden, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def has_splits(folder: Path) -> bool:
    """Return whether a folder holds one for each split, as the releases of data-free meta-learning have it:
    ``meta_train/<class>``, ``meta_val/<class>``, ``meta_test/<class>``."""
    return all((folder / split).is_dir() for split in SPLITS)


def find_split_folders(folder: Path, splits: Mapping[str, Sequence[str]], left_out: LeftOut) -> dict[str, Path]:
    """Return the folder of each class, in that of its split if there are such, as ``find_folders`` does."""
    if not has_splits(folder):
        return find_folders(folder, [name for names in splits.values() for name in names], left_out)
    found = [find_folders(folder / split, splits[split], left_out) for split in SPLITS]
    return {name: path for part in found for name, path in part.items()}


def find_folders(folder: Path, class_names: Iterable[str], left_out: LeftOut) -> dict[str, Path]:
    """Return the folder of each class, whether it is there or not; note those of no class, count images beside them.

    Raises:
        TgrError: two folders differ only by Unicode normalisation.
    """
    present = {path.name: path for path in list_folders(folder)}
    by_form = {form: present[name] for form, name in normalised(present, folder).items()}
    left_out.add(BESIDE, folder, sum(path.suffix.lower() in SUFFIXES for path in folder.iterdir() if path.is_file()))
    found = {name: by_form.pop(normalise(name), folder / name) for name in class_names}
    if by_form:
        strange = shorten([escape(path.name) for path in by_form.values()])
        left_out.notes.append(f"{plural(len(by_form), 'folder')} that no split names: {strange}")
    return found
