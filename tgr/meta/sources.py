"""Where the images of a training come from. ``tgr.meta.fresh`` has another source."""

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from tgr.config.learning import Meta
from tgr.meta.bank import ImageBank
from tgr.meta.learners import Episode
from tgr.meta.replay import draw_episodes


class Drawn(NamedTuple):
    """Images of one teacher.

    Attributes:
        images: (n, 3, size, size), as the meta-model takes them, not augmented.
        labels: int64 (n,), in the teacher's own label order.
        flips: bool (n,), whether a mirrored image keeps its class.
    """

    images: Tensor
    labels: Tensor
    flips: Tensor


class Source(Protocol):
    """Gives images of single teachers, and episodes of all that it has."""

    def draw(self, teacher: int) -> Drawn:
        """Return images of a teacher, by its index."""

    def episodes(self, meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device) -> list[Episode]:
        """Return the episodes of one outer step."""


class CachedImages:
    """The images that the stage `invert` has recovered: of a teacher, up to ``count`` without replacement."""

    def __init__(self, bank: ImageBank, count: int, generator: torch.Generator) -> None:
        self._bank, self._count, self._generator = bank, count, generator

    def draw(self, teacher: int) -> Drawn:
        """Return images of a teacher, by its index."""
        members = self._bank.by_owner[teacher]
        chosen = members[torch.randperm(len(members), generator=self._generator)[: self._count]]
        return Drawn(
            self._bank.gather(chosen, self._bank.images.device), self._bank.labels[chosen], self._bank.flips[chosen]
        )

    def episodes(self, meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device) -> list[Episode]:
        """Return the episodes of one outer step. Raises as ``ImageBank.sample``."""
        return draw_episodes(self._bank, meta, k_shot, generator, device)
