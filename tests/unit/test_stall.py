"""When a training no longer gains."""

from tgr.meta.stall import Stall


def test_counts_values_without_a_new_best() -> None:
    stall = Stall(patience=2)
    stalled = [stall.observe(value) for value in (0.2, 0.3, 0.3, 0.1, 0.2, 0.25, 0.4)]
    assert stalled == [False, False, False, True, False, True, False]


def test_forgets_its_best_when_reset() -> None:
    stall = Stall(patience=2)
    stall.observe(0.9)
    stall.observe(0.1)
    stall.reset()
    assert [stall.observe(value) for value in (0.1, 0.2, 0.2, 0.2)] == [False, False, False, True]
