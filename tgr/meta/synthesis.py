"""Images synthesised from teachers while the meta-model is trained: what PURER, BiDf-MKD and FREE share."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, kl_div, log_softmax, softmax

from tgr.backbones.classifier import Classifier
from tgr.config.learning import Meta
from tgr.data.transforms import normalise
from tgr.devices import exact
from tgr.errors import TgrError
from tgr.meta.bank import MEAN, STD, ImageBank
from tgr.meta.learners import Episode
from tgr.meta.replay import backward_episodes
from tgr.pool.teacher import Teacher

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TeacherTask:
    """Some or all of a teacher's classes, as a task: label i means ``classes[i]``.

    Attributes:
        classes: int64 (n,), indices into the card's classes.
        keys: (n,), their names among all teachers.
    """

    teacher: Teacher
    classes: Tensor
    keys: list[str]

    @classmethod
    def draw(cls, teacher: Teacher, n_classes: int, class_identity: str, generator: torch.Generator) -> "TeacherTask":
        """Draw ``n_classes`` classes of a teacher, or take all if it has no more, in the order of their names.

        What is drawn does not depend on the order in which the teacher has its classes.
        """
        keys = teacher.card.class_keys(class_identity)
        by_name = sorted(range(len(keys)), key=keys.__getitem__)
        drawn = torch.randperm(len(keys), generator=generator)[:n_classes].sort().values
        classes = torch.tensor(by_name)[drawn]
        return cls(teacher, classes, [keys[index] for index in classes.tolist()])

    @cached_property
    def columns(self) -> Tensor:
        """The task's classes, on the teacher's device."""
        return self.classes.to(self.teacher.device)

    def labels(self, per_class: int) -> Tensor:
        """Return labels 0..n-1 of ``per_class`` images of each class: int64, (n * per_class,)."""
        return torch.arange(len(self.classes)).repeat_interleave(per_class)

    def all_logits(self, images: Tensor) -> Tensor:
        """Return the logits of all classes of the teacher for images (n, 3, s, s) in [0, 1] of any size."""
        return self.teacher.logits(scale(images, self.teacher.card.image_size))

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits of the task's classes."""
        return self.all_logits(images)[:, self.columns]


Student = Callable[[Tensor], Tensor]
"""Maps images (n, 3, s, s) in [0, 1] to the meta-model's logits of a task's classes, (n, n_way)."""


def scale(images: Tensor, size: int) -> Tensor:
    """Resize float images (n, 3, s, s) to (n, 3, size, size), differentiably: bilinear with anti-aliasing."""
    if images.shape[-1] == size:
        return images
    if images.device.type == "cpu":
        return interpolate(images, (size, size), mode="bilinear", antialias=True)
    rows = _resizing(images.shape[-1], size, images.dtype, images.device)
    return rows @ images @ rows.mT


@lru_cache(maxsize=64)
def _resizing(before: int, after: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix (after, before) that resizes one axis: products have a deterministic gradient on a GPU,
    PyTorch's own resizing has none."""
    pixels = torch.eye(before, dtype=dtype)[None, None]
    return interpolate(pixels, (after, before), mode="bilinear", antialias=True)[0, 0].to(device)


def as_meta_input(images: Tensor, size: int) -> Tensor:
    """Return images (n, 3, s, s) in [0, 1] as the meta-model takes them, differentiably."""
    return normalise(scale(images, size), MEAN, STD)


def distillation(student: Tensor, teacher: Tensor, reduction: str = "mean") -> Tensor:
    """Return KL(teacher || student) of logits (n, n_way): a scalar, or (n,) values with ``reduction="none"``."""
    divergence = kl_div(log_softmax(student, 1), softmax(teacher, 1), reduction="none").sum(1)
    return divergence if reduction == "none" else divergence.mean()


def boundary_losses(
    task: TeacherTask, labels: Tensor, student: Student | None, weight: float, images: Tensor
) -> Tensor:
    """Return what images lose that a teacher shall know and a student shall not know as well: (n,).

    The teacher's cross-entropy, less ``weight`` times KL(teacher || student) where both name the same class. The
    student is a constant: images are led by the teacher's gradient alone, away from what the student says of them. Led
    by the student's gradient too, they would become images on which the student fails, whatever the teacher sees.

    Args:
        labels: (n,), of the task.
        student: None if there is none, or not yet.
        images: (n, 3, s, s) in [0, 1].
    """
    logits = task.all_logits(images)
    losses = cross_entropy(logits, task.columns[labels], reduction="none")
    if student is None or weight == 0:
        return losses
    with torch.no_grad():
        known = student(images)
    teacher = logits[:, task.columns]
    agree = known.argmax(1) == teacher.argmax(1)
    return losses - weight * agree * distillation(known, teacher, reduction="none")


@exact()  # a difference of two losses is about as small as the rounding of operands
def zero_order_gradient(
    losses: Callable[[Tensor], Tensor], images: Tensor, directions: int, step: float, generator: torch.Generator
) -> Tensor:
    """Estimate the gradient of the sum of ``losses`` from its values alone, as for a black-box teacher.

    The forward difference (d / step) (l(x + step u) - l(x)) u, averaged over ``directions`` draws of u from the unit
    sphere of the d values of an image; its mean is the gradient of l, smoothed over a ball of radius ``step``.

    Args:
        losses: maps images (n, ...) to one loss each, (n,); called ``directions + 1`` times.
    """
    images, values = images.detach(), images[0].numel()
    with torch.no_grad():
        start = losses(images)
        estimate = torch.zeros_like(images)
        for _ in range(directions):
            drawn = torch.randn(len(images), values, generator=generator, dtype=images.dtype)
            unit = (drawn / drawn.norm(dim=1, keepdim=True)).view(images.shape).to(images.device)
            slope = (losses(images + step * unit) - start) * (values / step / directions)
            estimate += slope.view(-1, *[1] * (images.ndim - 1)) * unit
    return estimate


class ClassMemory:
    """Images synthesised so far, by class, at the meta-model's size; of each class the newest are kept."""

    def __init__(self, size: int, per_class: int) -> None:
        self.size, self._per_class = size, per_class
        self._images: dict[str, Tensor] = {}

    def add(self, images: Tensor, labels: Tensor, keys: Sequence[str]) -> None:
        """Add images (n, 3, s, s) in [0, 1] with labels (n,) that index ``keys``."""
        pixels = scale(images.detach(), self.size).mul(255).round().clamp(0, 255).to("cpu", torch.uint8)
        for label, key in enumerate(keys):
            stored = self._images.get(key, pixels[:0])
            self._images[key] = torch.cat([stored, pixels[labels == label]])[-self._per_class :]

    def episodes(self, meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device) -> list[Episode]:
        """Draw a meta-batch from the classes that have enough images; nothing while these are fewer than ``n_way``.

        Raises:
            TgrError: no class can ever hold enough.
        """
        needed = k_shot + meta.n_query
        if needed > self._per_class:
            raise TgrError(
                f"memory_per_class: {self._per_class} images a class are kept, but an episode needs {needed}; raise it"
            )
        ready = sorted(key for key, images in self._images.items() if len(images) >= needed)
        if len(ready) < meta.n_way:
            return []
        return [self._episode(ready, meta, k_shot, generator, device) for _ in range(meta.meta_batch_size)]

    def _episode(
        self, ready: list[str], meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device
    ) -> Episode:
        keys = [ready[index] for index in generator.choice(len(ready), meta.n_way, replace=False)]
        drawn = []
        for key in keys:
            chosen = generator.choice(len(self._images[key]), k_shot + meta.n_query, replace=False)
            drawn.append(self._images[key][torch.from_numpy(chosen)])
        images = torch.stack(drawn).to(device)
        labels = torch.arange(meta.n_way, device=device)
        return Episode(
            normalise(images[:, :k_shot].flatten(0, 1), MEAN, STD),
            labels.repeat_interleave(k_shot),
            normalise(images[:, k_shot:].flatten(0, 1), MEAN, STD),
            labels.repeat_interleave(meta.n_query),
        )

    def bank(self) -> ImageBank:
        """Return all images as a bank of one owner."""
        keys = sorted(self._images)
        classes = torch.cat([torch.full((len(self._images[key]),), index) for index, key in enumerate(keys)])
        images = normalise(torch.cat([self._images[key] for key in keys]), MEAN, STD)
        zeros = torch.zeros_like(classes)
        return ImageBank(images, classes, keys, zeros, classes, flips=zeros.bool())


class MemoryReplay:
    """Replays meta-batches of remembered images. What is due before enough classes are filled is caught up later.

    Attributes:
        owed: meta-batches that are due and have not been replayed.
    """

    def __init__(
        self,
        what: str,
        model: Classifier,
        optimizer: torch.optim.Optimizer,
        memory: ClassMemory,
        k_shot: int,
        meta: Meta,
        generator: np.random.Generator,
    ) -> None:
        """Replay ``memory`` to ``model``, which has ``meta.n_way`` outputs; ``what`` names the training in errors."""
        self._what, self._model, self._optimizer = what, model, optimizer
        self._memory, self._k_shot, self._meta, self._generator = memory, k_shot, meta, generator
        self.owed = 0

    def run(self, count: int, step: int) -> dict[str, float]:
        """Train on ``count`` meta-batches and on those that are owed.

        Returns:
            the means over these meta-batches, if there are any, and ``replay_owed``.

        Raises:
            TgrError: a loss is not finite, or no class can ever hold enough images.
        """
        self.owed += count
        device, gathered = next(self._model.parameters()).device, []
        while self.owed:
            batch = self._memory.episodes(self._meta, self._k_shot, self._generator, device)
            if not batch:
                break
            self._optimizer.zero_grad()
            gathered.append(backward_episodes(self._what, self._model, batch, self._meta, step))
            self._optimizer.step()
            self.owed -= 1
        means = (
            {name: float(np.mean([values[name] for values in gathered])) for name in gathered[0]} if gathered else {}
        )
        return means | {"replay_owed": float(self.owed)}

    def finish(self) -> None:
        """Say so if the training ends with meta-batches that were never replayed."""
        if self.owed:
            logger.warning(
                "%s: %d meta-batches were never replayed, because fewer than %d classes have the %d images of an "
                "episode; train for more steps, or make more images of a class",
                self._what,
                self.owed,
                self._meta.n_way,
                self._k_shot + self._meta.n_query,
            )
