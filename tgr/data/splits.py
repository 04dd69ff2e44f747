"""Which classes are for meta-training, which for validation, which for the test."""

from collections.abc import Sequence
from pathlib import Path

from tgr.artifacts import read_json
from tgr.errors import TgrError

SPLITS = ("meta_train", "meta_val", "meta_test")


def read_splits(file: Path, class_names: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Read the class lists of a JSON file, which may hold more.

    Raises:
        TgrError: a list is missing, or names a class that cannot be a folder or is not among ``class_names``.
    """
    content = read_json(file)
    for split in SPLITS:
        if not isinstance(content, dict) or not isinstance(content.get(split), list):
            raise TgrError(f"{file}: wanted a JSON object with the class lists {', '.join(SPLITS)}")
        for class_name in content[split]:
            if not isinstance(class_name, str):
                raise TgrError(f"{file}: {split} names the class {class_name!r}, which is no text; put it in quotes")
            if class_names is not None and class_name not in class_names:
                raise TgrError(f"{file}: {split} names the class {class_name!r}, which the dataset does not have")
            if class_name.startswith(".") or not class_name or not {*"/\\\0"}.isdisjoint(class_name):
                raise TgrError(f"{file}: {class_name!r} in {split} is not a plain folder name")
    return {split: content[split] for split in SPLITS}


def list_classes(splits: dict[str, list[str]]) -> list[str]:
    """Return all classes of a split: meta-train first, meta-test last."""
    return [class_name for split in SPLITS for class_name in splits[split]]


def index_splits(splits: dict[str, list[str]], class_names: Sequence[str]) -> dict[str, list[int]]:
    """Return the splits as indices into ``class_names``."""
    position = {class_name: index for index, class_name in enumerate(class_names)}
    return {split: [position[class_name] for class_name in splits[split]] for split in SPLITS}
