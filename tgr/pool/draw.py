"""Some teachers out of many."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def draw_teachers(pools: Sequence[str], count: int, order: Callable[[str, list[int]], Sequence[int]]) -> list[int]:
    """Return the indices of ``count`` teachers, ascending; each pool has as large a share as of all teachers.

    Args:
        pools: the pool of each teacher.
        order: takes a pool and its teachers' indices, and returns these in the order in which they are to be drawn.
    """
    members: dict[str, list[int]] = {}
    for index, pool in enumerate(pools):
        members.setdefault(pool, []).append(index)
    return sorted(draw_in_proportion([order(pool, own) for pool, own in members.items()], count))


def shuffled(items: Sequence[T], generator: torch.Generator) -> list[T]:
    """Return some items in random order."""
    return [items[place] for place in torch.randperm(len(items), generator=generator).tolist()]


def draw_in_proportion(pools: Iterable[Sequence[T]], count: int) -> list[T]:
    """Return the first teachers of each pool, so many that each pool has the same share of its own, to within one.

    Each has the height of its place in its pool, from 0 to 1, and those with the smallest heights are drawn: among them
    are all that are drawn for a smaller ``count``.

    Args:
        pools: for each pool its teachers, in the order in which they are to be drawn.
    """
    heights = [((place + 0.5) / len(pool), teacher) for pool in pools for place, teacher in enumerate(pool)]
    return [teacher for _, teacher in sorted(heights, key=lambda pair: pair[0])[:count]]
