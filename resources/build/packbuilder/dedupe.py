"""Near-duplicate removal. Two drawings are near duplicates when the RMS difference of their thumbnails is small."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from .model import SPLITS, Candidate, Drawing, key_hash
from .raster import fit_tile, on_white

THRESHOLD = 0.06
GRID = 16


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Mean over blocks of a float RGB image, flattened: 16x16 blocks, or 14x14 when the side is a multiple of 14."""
    side = image.shape[0]
    cells = GRID if side % GRID == 0 else 14
    block = side // cells
    return image.reshape(cells, block, cells, block, 3).mean((1, 3)).ravel().astype(np.float32)


def rms(thumbs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """RMS distances [n, m] between two sets of thumbnails."""
    squares = (thumbs**2).sum(1)[:, None] + (others**2).sum(1)[None] - 2 * thumbs @ others.T
    return np.sqrt(np.maximum(squares, 0) / thumbs.shape[1])


def pick_distinct(class_name: str, split: str, candidates: Iterable[Candidate], limit: int) -> list[Drawing]:
    """Render candidates in a fixed pseudo-random order; keep up to `limit` that differ from all kept before."""
    ordered = sorted(candidates, key=lambda cand: (cand.rank, key_hash(class_name, cand.source.line()), cand.source))
    kept: list[Drawing] = []
    thumbs = np.empty((limit, GRID * GRID * 3), np.float32)
    for candidate in ordered:
        if len(kept) == limit:
            break
        image = candidate.render()
        tile = None if image is None else fit_tile(image)
        if tile is None:
            continue
        thumb = thumbnail(on_white(tile))
        if kept and rms(thumb[None], thumbs[: len(kept)]).min() < THRESHOLD:
            continue
        thumbs[len(kept)] = thumb
        kept.append(Drawing(class_name, split, candidate.source, tile))
    return kept


def drop_across_splits(drawings: list[Drawing], picture: Callable[[Drawing], np.ndarray]) -> list[Drawing]:
    """Remove near duplicates between different splits; the drawing of the later split stays.

    `picture` gives the float RGB image to compare, so that the check can run before and after styling.
    """
    thumbs = np.stack([thumbnail(picture(drawing)) for drawing in drawings])
    split_index = np.array([SPLITS.index(drawing.split) for drawing in drawings])
    drop = np.zeros(len(drawings), bool)
    for earlier in range(len(SPLITS) - 1):
        mine, later = np.flatnonzero(split_index == earlier), split_index > earlier
        drop[mine] = rms(thumbs[mine], thumbs[later]).min(1) < THRESHOLD
    return [drawing for drawing, dropped in zip(drawings, drop, strict=True) if not dropped]
