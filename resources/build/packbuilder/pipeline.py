"""The stages every pack goes through: collect, pick distinct drawings, separate the splits, style, cap, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import emoji, glyphs, icons
from .dedupe import drop_across_splits, pick_distinct
from .model import Candidate, Drawing, PackSpec
from .packing import write_pack
from .raster import on_white
from .style import ink_and_paper, on_texture

# Kept above the cap while duplicates across splits are still to be removed.
SPARE = 12

Collect = Callable[[Path], dict[str, list[Candidate]]]
Style = Callable[[Drawing, int], np.ndarray]
PACKS: dict[str, tuple[Callable[[], PackSpec], Collect, Style]] = {
    "icons": (icons.spec, icons.candidates, ink_and_paper),
    "glyphs": (glyphs.spec, glyphs.candidates, ink_and_paper),
    "emoji": (emoji.spec, emoji.candidates, on_texture),
}


def styled_picture(drawing: Drawing) -> np.ndarray:
    """The finished image as floats."""
    assert drawing.image is not None
    return drawing.image.astype(np.float32) / 255


def cap_classes(drawings: list[Drawing], spec: PackSpec) -> list[Drawing]:
    """At most `per_class` images of each class, and only classes that reach `min_per_class`."""
    totals = Counter(drawing.class_name for drawing in drawings)
    for name in spec.splits:
        if totals[name] < spec.min_per_class:
            print(f"  {spec.name}: class {name} left out, it has only {totals[name]} images", flush=True)
    seen: Counter[str] = Counter()
    kept = []
    for drawing in drawings:
        seen[drawing.class_name] += 1
        if totals[drawing.class_name] >= spec.min_per_class and seen[drawing.class_name] <= spec.per_class:
            kept.append(drawing)
    return kept


def build_pack(name: str, work: Path, out: Path) -> dict:
    """Build one pack from the packages installed below `work` into `out`; returns its index."""
    make_spec, collect, style = PACKS[name]
    spec = make_spec()
    found = collect(work)
    drawings: list[Drawing] = []
    for class_name, split in spec.splits.items():
        drawings += pick_distinct(class_name, split, found[class_name], spec.per_class + SPARE)
    distinct = len(drawings)
    drawings = drop_across_splits(drawings, lambda drawing: on_white(drawing.tile))
    separate = len(drawings)
    for drawing in drawings:
        drawing.image = style(drawing, spec.image_size)
    drawings = drop_across_splits(drawings, styled_picture)
    print(
        f"  {name}: {sum(map(len, found.values()))} candidates, {distinct} distinct ones drawn, near duplicates "
        f"across splits: {distinct - separate} before and {separate - len(drawings)} after styling",
        flush=True,
    )
    return write_pack(spec, cap_classes(drawings, spec), out)
