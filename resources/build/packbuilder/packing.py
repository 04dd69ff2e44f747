"""Writing and reading back a pack: sheet of tiles, index and sources."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path

import numpy as np
from PIL import Image

from .model import SPLITS, Drawing, PackSpec

COLUMNS = 100


def sheet(images: list[np.ndarray]) -> Image.Image:
    """Tiles in row-major order; the rest of the last row repeats the last tile, which costs no bytes."""
    rows = -(-len(images) // COLUMNS)
    size = images[0].shape[0]
    tiles = np.stack(images + [images[-1]] * (rows * COLUMNS - len(images)))
    grid = tiles.reshape(rows, COLUMNS, size, size, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(grid.reshape(rows * size, COLUMNS * size, 3), "RGB")


def read_tiles(path: Path, size: int, count: int) -> np.ndarray:
    """The images [count, size, size, 3] of a written sheet."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    return pixels.reshape(rows, size, columns, size, 3).transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)[:count]


def class_entries(spec: PackSpec, drawings: list[Drawing]) -> list[dict]:
    """Name, number of images and split of every class that has images."""
    counts: dict[str, int] = {}
    for drawing in drawings:
        counts[drawing.class_name] = counts.get(drawing.class_name, 0) + 1
    return [{"name": name, "count": counts[name], "split": spec.splits[name]} for name in spec.splits if name in counts]


def write_pack(spec: PackSpec, drawings: list[Drawing], folder: Path) -> dict:
    """Write <name>.webp, <name>.json and <name>.sources.tsv.xz; returns the index.

    `drawings` must be styled and sorted by class in the order of `spec.splits`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    webp = folder / f"{spec.name}.webp"
    sheet([drawing.image for drawing in drawings if drawing.image is not None]).save(webp, "WEBP", **spec.webp)
    index = {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "image_size": spec.image_size,
        "columns": COLUMNS,
        "n_images": len(drawings),
        "sha256": hashlib.sha256(webp.read_bytes()).hexdigest(),
        "classes": class_entries(spec, drawings),
    }
    text = json.dumps(index, indent=1, ensure_ascii=False)
    # One line per class keeps differences between versions readable.
    text = text.replace('{\n   "name"', '{"name"').replace(',\n   "', ', "').replace('"\n  }', '"}')
    (folder / f"{spec.name}.json").write_text(text + "\n", encoding="utf-8")
    lines = "".join(drawing.source.line() + "\n" for drawing in drawings)
    packed = lzma.compress(lines.encode(), format=lzma.FORMAT_XZ, preset=9 | lzma.PRESET_EXTREME)
    (folder / f"{spec.name}.sources.tsv.xz").write_bytes(packed)
    return index


def summary(index: dict) -> str:
    """One line on a pack for the console."""
    per_split = {split: sum(entry["split"] == split for entry in index["classes"]) for split in SPLITS}
    counts = [entry["count"] for entry in index["classes"]]
    return (
        f"{index['name']}: {index['n_images']} images, {len(counts)} classes {per_split}, "
        f"{min(counts)} to {max(counts)} images per class"
    )
