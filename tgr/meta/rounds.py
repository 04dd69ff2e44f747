"""Drawing teachers in shuffled rounds, so that none is left out by chance."""

import torch


class Rounds:
    """Draws some of ``n`` teachers at a time; no teacher comes a second time before all have come once.

    A draw that crosses from one round to the next holds no teacher twice either.
    """

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self._n, self._generator = n, generator
        self._waiting: list[int] = []

    def draw(self, count: int) -> list[int]:
        """Return ``count`` different indices below ``n``, or all of them if there are no more."""
        count = min(count, self._n)
        drawn, self._waiting = self._waiting[:count], self._waiting[count:]
        if len(drawn) < count:
            order = torch.randperm(self._n, generator=self._generator).tolist()
            fresh = [index for index in order if index not in drawn]
            missing = count - len(drawn)
            # Those drawn already belong to the old round: they come again in the new one.
            self._waiting = fresh[missing:] + drawn
            drawn += fresh[:missing]
        return drawn
