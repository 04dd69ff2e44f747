"""Contact sheets: a look at some classes and images of a pack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .glyphs import class_label
from .model import SPLITS, key_rng
from .packing import read_tiles

ROWS_PER_SPLIT = (5, 4, 5)
COLUMNS = 14
SCALE = 2
GAP = 2
LABEL_WIDTH = 118


def pick_classes(classes: list[dict]) -> list[int]:
    """Some classes of every split, evenly spaced."""
    chosen: list[int] = []
    for split, rows in zip(SPLITS, ROWS_PER_SPLIT, strict=True):
        members = [number for number, entry in enumerate(classes) if entry["split"] == split]
        chosen += [members[i] for i in np.linspace(0, len(members) - 1, rows).round().astype(int)]
    return chosen


def write_contact_sheet(index: dict, packs: Path, path: Path) -> None:
    """Some images of some classes of every split, with class names and numbers of images."""
    size = index["image_size"]
    tiles = read_tiles(packs / f"{index['name']}.webp", size, index["n_images"])
    starts = np.cumsum([0] + [entry["count"] for entry in index["classes"]])
    cell = size * SCALE + GAP
    chosen = pick_classes(index["classes"])
    picture = Image.new("RGB", (LABEL_WIDTH + COLUMNS * cell, len(chosen) * cell), (225, 225, 230))
    pen = ImageDraw.Draw(picture)
    for row, number in enumerate(chosen):
        entry = index["classes"][number]
        pen.text((4, row * cell + cell // 2 - 14), class_label(entry["name"])[:19], fill=(0, 0, 0))
        pen.text((4, row * cell + cell // 2), f"{entry['split'][5:]}, {entry['count']}", fill=(110, 60, 0))
        picks = key_rng("contact", index["name"], entry["name"]).permutation(entry["count"])[:COLUMNS]
        for column, pick in enumerate(sorted(picks)):
            tile = Image.fromarray(tiles[starts[number] + pick]).resize((size * SCALE,) * 2, Image.Resampling.NEAREST)
            picture.paste(tile, (LABEL_WIDTH + column * cell, row * cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    # 256 colours are enough for an overview and make the file three times smaller.
    picture.quantize(256, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
