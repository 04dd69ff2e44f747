"""Noticing losses that are not finite without waiting for each of them."""

from collections.abc import Callable

import torch
from torch import Tensor

TOGETHER = 50
"""Losses that are looked at together."""


class FiniteWatch:
    """Looks at the losses of some steps together. To look at a loss is to wait for all that a device has to do before.

    A training that diverges so goes on for some steps; nothing comes of it.

    Args:
        complain: returns the error for a step whose loss is not finite.
    """

    def __init__(self, complain: Callable[[int], Exception]) -> None:
        self._complain = complain
        self._waiting: list[tuple[int, Tensor]] = []

    def add(self, step: int, loss: Tensor) -> None:
        """Take a loss, a scalar; raise as ``look`` does, if it is time to look."""
        self._waiting.append((step, loss.detach()))
        if len(self._waiting) >= TOGETHER:
            self.look()

    def look(self) -> None:
        """Raise the error of the first step whose loss is not finite."""
        if not self._waiting:
            return
        steps, losses = zip(*self._waiting, strict=True)
        self._waiting = []
        for step, finite in zip(steps, torch.isfinite(torch.stack(losses)).tolist(), strict=True):
            if not finite:
                raise self._complain(step)
