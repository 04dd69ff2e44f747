"""What every engine minimises: the teacher's cross-entropy, and distances from the BatchNorm statistics of the teacher
or of a probe."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tgr.backbones.classifier import batchnorm_mode, frozen
from tgr.backbones.memory import chunk_size
from tgr.backbones.probe import Probe
from tgr.backbones.size import count_outputs
from tgr.config.teachers import Inversion
from tgr.data.finite import FiniteWatch
from tgr.data.transforms import crop_flip, draw_shifts, take_views, views_of
from tgr.errors import TgrError
from tgr.inversion.chunks import SetLoss
from tgr.inversion.priors import PROBE_LAYERS, look, probe_distance, require_batchnorm
from tgr.inversion.statistics import recorded_distances
from tgr.pool.teacher import Teacher

Prior = tuple[float, Callable[[Tensor], Tensor]]
"""A weight, and a mean over images (n, 3, size, size) in [0, 1]."""
Descent = Callable[[Tensor, Sequence[Prior], Tensor], Tensor]
"""Takes images (n, 3, size, size) in [0, 1], priors, and what ``draw`` has drawn, on their device; adds the gradient of
the loss, priors included, to what the images are made from, and returns the loss without a graph. All images of a
teacher are one call."""


def draw(teacher: Teacher, labels: Tensor, config: Inversion, generator: torch.Generator) -> Tensor:
    """Draw how the images of a step are shifted and mirrored: see ``draw_shifts``."""
    return draw_shifts(len(labels), config.crop_pad, teacher.card.flips, generator)


def finite_watch(teacher: Teacher) -> FiniteWatch:
    """Return a watch for the losses of an inversion."""
    return FiniteWatch(lambda _: _diverged(teacher))


@contextmanager
def objective(teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None) -> Iterator[Descent]:
    """Yield the descent of the loss of all images (Wei et al. 2024, section 4):
    CE(f(aug(x)), y) + bn_weight * mean over layers of (||var_l(x) - var_l||_2 + ||mean_l(x) - mean_l||_2).

    The paper adds the layers up. Their mean keeps one weight good for teachers of any depth: a sum over the layers of a
    deep teacher drowns its classes.

    ``aug`` shifts each image and, where the teacher's dataset allows it, mirrors half of them, as was drawn.
    ``probe_weight`` adds the distance of the images, as they are, from a probe's statistics. Images whose feature maps
    exceed ``memory_mb`` go through the networks in chunks; the gradient is the same, up to rounding.
    Inside the block the teacher is in evaluation mode and its weights need no gradient.

    Raises:
        TgrError: the probe is missing.
    """
    if config.probe_weight > 0 and probe is None:
        raise TgrError("inversion.probe_weight is set, but no probe was given; load one (tgr.backbones.probe)")
    with ExitStack() as stack:
        stack.enter_context(batchnorm_mode(teacher.model, "running"))
        stack.enter_context(frozen([teacher.model]))
        size = images_at_a_time(teacher, len(labels), config)
        if size < len(labels):
            yield _Chunked(teacher, labels, config, probe if config.probe_weight > 0 else None, size)
        else:
            yield stack.enter_context(_whole(teacher, labels, config, probe))


def images_at_a_time(teacher: Teacher, n_images: int, config: Inversion) -> int:
    """Return how many images go through a teacher together.

    Args:
        teacher: in evaluation mode.
    """
    return chunk_size(count_outputs(teacher.model, teacher.card.image_size), n_images, config.memory_mb)


@contextmanager
def _whole(teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None) -> Iterator[Descent]:
    """Yield the descent for images that fit into memory together."""
    with ExitStack() as stack:
        distances: list[Tensor] = []
        if config.bn_weight > 0:
            distances = stack.enter_context(
                recorded_distances(teacher.model, relative=config.bn_distance == "relative")
            )
        distance_from_natural = None
        if config.probe_weight > 0 and probe is not None:
            distance_from_natural = stack.enter_context(probe_distance(probe))

        def descend(images: Tensor, priors: Sequence[Prior], shifts: Tensor) -> Tensor:
            distances.clear()
            augmented, _ = crop_flip(images, shifts, config.crop_pad)
            loss = cross_entropy(teacher.logits(augmented), labels)
            if distances:
                loss = loss + config.bn_weight / len(distances) * torch.stack(distances).sum()
            if distance_from_natural is not None:
                loss = loss + config.probe_weight * distance_from_natural(images)
            for weight, prior in priors:
                loss = loss + weight * prior(images)
            loss.backward()
            return loss.detach()

        yield descend


class _Chunked:
    """The descent in chunks."""

    def __init__(self, teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None, size: int) -> None:
        self._teacher, self._labels, self._config, self._probe = teacher, labels, config, probe
        self._parts = [slice(start, start + size) for start in range(0, len(labels), size)]
        if probe is not None:
            require_batchnorm(probe)

    def __call__(self, images: Tensor, priors: Sequence[Prior], shifts: Tensor) -> Tensor:
        """Return the loss of all images after its gradient was taken."""
        config, teacher = self._config, self._teacher
        fixed = images.detach()
        views = views_of(shifts, fixed.shape[2], config.crop_pad)

        def view(images: Tensor, part: slice) -> Tensor:
            return take_views(images, views.rows[part], views.columns[part])

        losses = [self._teacher_loss(view(fixed[part], part) for part in self._parts)]
        if self._probe is not None:
            losses.append(self._probe_loss(self._probe, [fixed[part] for part in self._parts]))
        total = torch.stack([loss.value.to(fixed.device) for loss in losses]).sum()
        gradient = torch.empty_like(fixed)
        for part in self._parts:
            chunk = fixed[part].requires_grad_()
            share = len(chunk) / len(fixed)
            logits, distance = losses[0].run(teacher.logits, view(chunk, part), share)
            entropy = share * cross_entropy(logits, self._labels[part])
            (entropy + distance).backward()
            total += entropy.detach()
            for probe_loss in losses[1:]:
                _, distance = probe_loss.run(self._look, chunk, share)
                distance.backward()
            for weight, prior in priors:
                value = share * weight * prior(chunk)
                value.backward()
                total += value.detach()
            gradient[part].copy_(chunk.grad)  # type: ignore[arg-type]
        if images.is_leaf and images.grad is None:
            images.grad = gradient  # PyTorch would keep a copy
        else:
            images.backward(gradient)
        return total

    def _teacher_loss(self, chunks: Iterator[Tensor]) -> SetLoss:
        model, logits, weight = self._teacher.model, self._teacher.logits, self._config.bn_weight
        relative = self._config.bn_distance == "relative"
        return SetLoss(model, logits, chunks if weight > 0 else (), lambda d: weight * d.mean(), relative=relative)

    def _probe_loss(self, probe: Probe, chunks: Sequence[Tensor]) -> SetLoss:
        weight = self._config.probe_weight
        return SetLoss(probe.trunk, self._look, chunks, lambda d: weight * d.sum(), first=PROBE_LAYERS)

    def _look(self, images: Tensor) -> None:
        if self._probe is not None:
            look(self._probe, images)


def require_finite(value: Tensor, teacher: Teacher) -> Tensor:
    """Return the tensor if all of it is finite.

    Raises:
        TgrError: it is not.
    """
    if not torch.isfinite(value).all():
        raise _diverged(teacher)
    return value


def _diverged(teacher: Teacher) -> TgrError:
    return TgrError(
        f"inversion of {teacher.card.key}: the loss is not finite; check that the teacher's weights are, "
        "and lower inversion.lr or inversion.bn_weight"
    )
