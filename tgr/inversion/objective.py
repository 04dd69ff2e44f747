"""What every engine minimises: the teacher's cross-entropy, and distances from the BatchNorm statistics of the teacher
or of a probe."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from tgr.backbones.classifier import batchnorm_mode, frozen
from tgr.backbones.probe import Probe
from tgr.config.teachers import Inversion
from tgr.data.transforms import random_crop_flip
from tgr.errors import TgrError
from tgr.inversion.priors import probe_distance
from tgr.inversion.statistics import recorded_distances
from tgr.pool.teacher import Teacher

Objective = Callable[[Tensor], Tensor]
"""Maps images (n, 3, size, size) in [0, 1] to a scalar loss."""


@contextmanager
def objective(
    teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None, generator: torch.Generator
) -> Iterator[Objective]:
    """Yield the loss of a batch (Wei et al. 2024, section 4):
    CE(f(aug(x)), y) + bn_weight * mean over layers of (||var_l(x) - var_l||_2 + ||mean_l(x) - mean_l||_2).

    The paper adds the layers up. Their mean keeps one weight good for teachers of any depth: a sum over the layers of a
    deep teacher drowns its classes.

    ``aug`` shifts each image and, where the teacher's dataset allows it, mirrors half of them, anew at each call.
    ``probe_weight`` adds the distance of the images, as they are, from a probe's statistics.
    Inside the block the teacher is in evaluation mode and its weights need no gradient.

    Raises:
        TgrError: the probe is missing; or, on a call, the loss is not finite.
    """
    with ExitStack() as stack:
        stack.enter_context(batchnorm_mode(teacher.model, "running"))
        stack.enter_context(frozen([teacher.model]))
        distances: list[Tensor] = []
        if config.bn_weight > 0:
            distances = stack.enter_context(
                recorded_distances(teacher.model, relative=config.bn_distance == "relative")
            )
        distance_from_natural = None
        if config.probe_weight > 0:
            if probe is None:
                raise TgrError("inversion.probe_weight is set, but no probe was given; load one (tgr.backbones.probe)")
            distance_from_natural = stack.enter_context(probe_distance(probe))

        def loss(images: Tensor) -> Tensor:
            distances.clear()
            augmented = random_crop_flip(images, config.crop_pad, teacher.card.flips, generator)
            value = nn.functional.cross_entropy(teacher.logits(augmented), labels)
            if distances:
                value = value + config.bn_weight / len(distances) * torch.stack(distances).sum()
            if distance_from_natural is not None:
                value = value + config.probe_weight * distance_from_natural(images)
            return require_finite(value, teacher)

        yield loss


def require_finite(value: Tensor, teacher: Teacher) -> Tensor:
    """Return the tensor if all of it is finite.

    Raises:
        TgrError: it is not.
    """
    if not torch.isfinite(value).all():
        raise TgrError(
            f"inversion of {teacher.card.key}: the loss is not finite; check that the teacher's weights are, "
            "and lower inversion.lr or inversion.bn_weight"
        )
    return value
