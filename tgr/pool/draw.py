"""Some teachers out of many."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def draw_in_proportion(pools: Iterable[Sequence[T]], count: int) -> list[T]:
    """Return the first teachers of each pool, so many that each pool has the same share of its own, to within one.

    Each has the height of its place in its pool, from 0 to 1, and those with the smallest heights are drawn: among them
    are all that are drawn for a smaller ``count``.

    Args:
        pools: for each pool its teachers, in the order in which they are to be drawn.
    """
    heights = [((place + 0.5) / len(pool), teacher) for pool in pools for place, teacher in enumerate(pool)]
    return [teacher for _, teacher in sorted(heights, key=lambda pair: pair[0])[:count]]
