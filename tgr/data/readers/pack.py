"""Embedded packs: a JSON index and, beside it, a lossless sheet of square tiles."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tgr.artifacts import read_json
from tgr.config.teachers import Dataset
from tgr.data.readers.base import Source, SourceFiles
from tgr.data.splits import SPLITS
from tgr.errors import TgrError

ABOUT = None


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the index and the sheet."""
    index = resources / "packs" / f"{config.pack or name}.json"
    return SourceFiles([index, index.with_suffix(".webp")])


def read(inputs: SourceFiles, name: str) -> Source:
    """Cut the sheet into images.

    Raises:
        TgrError: the sheet cannot be read or is not the one that the index describes.
    """
    index_file, sheet_file = inputs.files
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
    splits = {split: [i for i, c in enumerate(index["classes"]) if c["split"] == split] for split in SPLITS}
    return Source(tiles[: index["n_images"]], labels, [c["name"] for c in index["classes"]], splits)
