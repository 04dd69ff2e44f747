"""Losses that are not finite are noticed: late, but each time, with the step at which it began."""

import pytest
import torch

from tgr.data.finite import TOGETHER, FiniteWatch


def watch(losses: list[float]) -> FiniteWatch:
    made = FiniteWatch(lambda step: ValueError(f"step {step}"))
    for step, loss in enumerate(losses, 1):
        made.add(step, torch.tensor(loss, requires_grad=True))
    return made


def test_finite_losses_pass() -> None:
    watch([1.0] * (2 * TOGETHER + 1)).look()
    watch([]).look()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_step_is_named_when_it_is_looked_for(bad: float) -> None:
    begun = watch([1.0, bad, bad])
    with pytest.raises(ValueError, match="step 2"):
        begun.look()


def test_a_full_set_is_looked_at_at_once_and_once() -> None:
    with pytest.raises(ValueError, match=f"step {TOGETHER + 1}"):
        watch([1.0] * TOGETHER + [float("nan")] * TOGETHER)
