"""Embedded packs: a JSON index and, beside it, a lossless sheet of square tiles."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tgr.artifacts import read_json
from tgr.config.teachers import Dataset
from tgr.data.readers.base import Source, SourceFiles
from tgr.data.splits import SPLITS, index_splits, read_splits
from tgr.errors import TgrError

ABOUT = None


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the index and the sheet, and another split of the classes than that of the index if it is wanted."""
    pack = config.pack or name
    index = resources / "packs" / f"{pack}.json"
    drawn = [resources / "splits" / f"{pack}-{config.splits}.json"] if config.splits else []
    return SourceFiles([index, index.with_suffix(".webp"), *drawn])


def read(inputs: SourceFiles, name: str) -> Source:
    """Cut the sheet into images.

    Raises:
        TgrError: the sheet cannot be read or is not the one that the index describes.
    """
    index_file, sheet_file, *drawn = inputs.files
    index = read_json(index_file)
    try:
        content = sheet_file.read_bytes()
    except OSError as error:
        raise TgrError(f"{sheet_file}: cannot be read ({error.strerror}); restore it from the repository") from error
    if hashlib.sha256(content).hexdigest() != index["sha256"]:
        raise TgrError(f"{sheet_file}: damaged (its SHA-256 differs from {index_file.name}); restore it")
    size, columns = index["image_size"], index["columns"]
    sheet = np.asarray(Image.open(BytesIO(content)).convert("RGB"))
    tiles = sheet.reshape(-1, size, columns, size, 3).transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)
    labels = np.repeat(np.arange(len(index["classes"])), [c["count"] for c in index["classes"]])
    names = [c["name"] for c in index["classes"]]
    splits = {split: [c["name"] for c in index["classes"] if c["split"] == split] for split in SPLITS}
    if drawn:
        splits = read_splits(drawn[0], names)
    return Source(tiles[: index["n_images"]], labels, names, index_splits(splits, names))
