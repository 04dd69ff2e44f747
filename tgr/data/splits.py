"""Which classes are for meta-training, which for validation, which for the test."""

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from tgr.artifacts import read_json
from tgr.errors import TgrError

SPLITS = ("meta_train", "meta_val", "meta_test")


def read_splits(file: Path, class_names: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Read the class lists of a JSON file, which may hold more. Names among ``class_names`` are spelt as there.

    Raises:
        TgrError: a list is missing, or names a class that cannot be a folder or is not among ``class_names``.
    """
    content = read_json(file)
    known = None if class_names is None else normalised(class_names, file)
    for split in SPLITS:
        if not isinstance(content, dict) or not isinstance(content.get(split), list):
            raise TgrError(f"{file}: wanted a JSON object with the class lists {', '.join(SPLITS)}")
        for class_name in content[split]:
            if not isinstance(class_name, str):
                raise TgrError(f"{file}: {split} names the class {class_name!r}, which is no text; put it in quotes")
            if known is not None and normalise(class_name) not in known:
                raise TgrError(f"{file}: {split} names the class {class_name!r}, which the dataset does not have")
            if class_name.startswith(".") or not class_name or not {*"/\\\0"}.isdisjoint(class_name):
                raise TgrError(f"{file}: {class_name!r} in {split} is not a plain folder name")
    normalised(list_classes(content), file)
    return {split: [known[normalise(name)] if known else name for name in content[split]] for split in SPLITS}


def normalise(class_name: str) -> str:
    """Return a name in the one form in which names are compared: an accent and its letter may be one character or two,
    which nobody sees (Unicode normalisation)."""
    return unicodedata.normalize("NFC", class_name)


def normalised(class_names: Iterable[str], source: str | Path) -> dict[str, str]:
    """Return names by their normalised form.

    Raises:
        TgrError: two of them differ in nothing else; ``source`` is what the message calls them.
    """
    by_form: dict[str, str] = {}
    for name in class_names:
        other = by_form.setdefault(normalise(name), name)
        if other != name:
            raise TgrError(
                f"{source}: the classes {other!a} and {name!a} look alike: one name in two Unicode normalisations; "
                "make one class of them"
            )
    return by_form


def list_classes(splits: dict[str, list[str]]) -> list[str]:
    """Return all classes of a split: meta-train first, meta-test last."""
    return [class_name for split in SPLITS for class_name in splits[split]]


def index_splits(splits: dict[str, list[str]], class_names: Sequence[str]) -> dict[str, list[int]]:
    """Return the splits as indices into ``class_names``."""
    position = {class_name: index for index, class_name in enumerate(class_names)}
    return {split: [position[class_name] for class_name in splits[split]] for split in SPLITS}
