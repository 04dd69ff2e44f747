"""Shuffled rounds of teachers."""

from collections import Counter

import pytest
import torch

from tgr.meta.rounds import Rounds


@pytest.mark.parametrize(("n", "count"), [(10, 1), (10, 4), (7, 3), (3, 4)])
def test_all_are_drawn_once_before_any_is_drawn_twice(n: int, count: int) -> None:
    rounds = Rounds(n, torch.Generator().manual_seed(0))
    seen: Counter[int] = Counter()
    for _ in range(50):
        drawn = rounds.draw(count)
        assert len(set(drawn)) == len(drawn) == min(n, count)
        seen.update(drawn)
        assert max(seen.values()) - min(seen[index] for index in range(n)) <= 2
    assert sum(seen.values()) == 50 * min(n, count)


def test_enough_draws_visit_all() -> None:
    for n, count in ((100, 1), (100, 4), (23, 4)):
        rounds = Rounds(n, torch.Generator().manual_seed(1))
        assert {index for _ in range(-(-n // count)) for index in rounds.draw(count)} == set(range(n))


def test_rounds_differ() -> None:
    rounds = Rounds(8, torch.Generator().manual_seed(0))
    assert rounds.draw(8) != rounds.draw(8)
