"""A teacher's opinion of the images that a meta-model learns from, exactly as that model sees them.

Distillation compares two outputs for the same view of an image (Beyer et al., CVPR 2022): to the teacher a crop or a
mirrored image may be another class than the image that it came from.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tgr.meta.bank import MEAN, STD
from tgr.meta.synthesis import scale
from tgr.pool.teacher import Teacher


class Opinion(NamedTuple):
    """What a teacher says of some images.

    Attributes:
        logits: (n, n_way).
        features: (n, d), in front of its head; without one, the logits of all its classes.
    """

    logits: Tensor
    features: Tensor


class Judge:
    """A teacher that classifies images in the meta-model's normalisation and size.

    Args:
        classes: (n_way,), indices into the teacher's classes; the columns of ``logits``.
    """

    def __init__(self, teacher: Teacher, classes: Sequence[int]) -> None:
        self._teacher = teacher
        self._classes = torch.tensor(classes, device=teacher.device)
        mean, std, own_mean, own_std = (
            torch.tensor(part, device=teacher.device).view(1, 3, 1, 1)
            for part in (MEAN, STD, teacher.card.mean, teacher.card.std)
        )
        # Out of the meta-model's normalisation and into the teacher's, in one pass.
        self._factor, self._offset = std / own_std, (mean - own_mean) / own_std

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits (n, n_way) of images (n, 3, size, size) as the meta-model takes them; no gradient."""
        return self.opinion(images).logits

    @torch.no_grad()
    def opinion(self, images: Tensor) -> Opinion:
        """Return logits and features of images (n, 3, size, size) as the meta-model takes them; no gradient."""
        own = scale(torch.addcmul(self._offset, images, self._factor), self._teacher.card.image_size)
        logits, features = self._teacher.logits_and_features(own)
        return Opinion(logits[:, self._classes], features)
