"""What every engine minimises: the teacher's cross-entropy and, with BatchNorm, the distance of its statistics."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from tgr.backbones.classifier import batchnorm_mode
from tgr.config.schema import Inversion
from tgr.data.transforms import random_crop_flip
from tgr.errors import TgrError
from tgr.inversion.statistics import recorded_distances
from tgr.pool.teacher import Teacher

Objective = Callable[[Tensor], Tensor]
"""Maps images (n, 3, size, size) in [0, 1] to a scalar loss."""


def intended_labels(teacher: Teacher, images_per_class: int) -> Tensor:
    """Return the labels of the images to recover, class by class: int64, (n_way * images_per_class,)."""
    return torch.arange(len(teacher.card.classes)).repeat_interleave(images_per_class)


@contextmanager
def objective(teacher: Teacher, labels: Tensor, config: Inversion, generator: torch.Generator) -> Iterator[Objective]:
    """Yield the loss of a batch (Wei et al. 2024, section 4):
    CE(f(aug(x)), y) + bn_weight * sum over layers of (||var_l(x) - var_l||_2 + ||mean_l(x) - mean_l||_2).

    ``aug`` shifts each image and, where the teacher's dataset allows it, mirrors half of them, anew at each call.
    Inside the block the teacher is in evaluation mode and its weights need no gradient.

    Raises:
        TgrError: on a call, if the loss is not finite.
    """
    nothing: list[Tensor] = []
    recording = recorded_distances(teacher.model) if config.bn_weight > 0 else nullcontext(nothing)
    with batchnorm_mode(teacher.model, "running"), _frozen(teacher.model), recording as distances:

        def loss(images: Tensor) -> Tensor:
            distances.clear()
            seen = random_crop_flip(images, config.crop_pad, teacher.card.flips, generator)
            value = nn.functional.cross_entropy(teacher.logits(seen), labels)
            if distances:
                value = value + config.bn_weight * torch.stack(distances).sum()
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


@contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Spare the gradients of the weights, a third of the backward pass."""
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, was in wanted:
            parameter.requires_grad_(was)
