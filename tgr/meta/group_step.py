"""The group step: distilling several dissimilar teachers at once under gradient regularisation.

Wei et al., ICML 2024, section 3: a step draws teachers from one task group, computes each one's loss
CE(meta(x_i), y_i) + KL(teacher_i(x_i) || meta(x_i)) on its recovered images, and descends the regularised gradient.

With ``relation_weight``, ours, each loss also asks for the likeness that all teachers of the step see among its images:
so the group decides what is learnt even where its teachers have no class in common.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy, kl_div, linear, log_softmax, softmax

from tgr import launches
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.config.methods.tgr import Tgr
from tgr.data.transforms import crop_pad, random_crop_flip
from tgr.devices import exact
from tgr.errors import TgrError
from tgr.meta.group_sampler import GroupSampler
from tgr.meta.judge import Judge
from tgr.meta.likeness import mean_cosines, relational_loss
from tgr.meta.regularisation import Loss, Parameters
from tgr.meta.sources import Source
from tgr.meta.treatments import AGGREGATIONS, treated_gradient

TRUNK = "trunk."
"""What the names of a classifier's parameters begin with, but for those of its head."""


class View(NamedTuple):
    """What a step sees of a teacher.

    Attributes:
        images: (n, 3, size, size), normalised: the view that the teacher judged.
        labels: (n,), in the teacher's own label order.
        logits: (n, n_way), the teacher's.
        rows: (n_way,), the meta-model's outputs that stand for the teacher's labels.
        alike: (n, n), the mean cosines that the step's teachers see among the images; None without ``relation_weight``.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    rows: Tensor
    alike: Tensor | None = None


def teacher_loss(model: Classifier, view: View, config: Tgr) -> Loss:
    """Return one teacher's loss as a function of the meta-model's parameters."""

    def loss(parameters: Parameters) -> Tensor:
        trunk = {name.removeprefix(TRUNK): part for name, part in parameters.items() if name.startswith(TRUNK)}
        features = functional_call(model.trunk, trunk, (view.images,))
        outputs = linear(features, parameters["head.weight"], parameters["head.bias"])
        teacher_outputs = outputs[:, view.rows]
        if config.heads == "aligned":
            classification = cross_entropy(outputs, view.rows[view.labels])
        else:
            classification = cross_entropy(teacher_outputs, view.labels)
        total = classification + config.kd_weight * distillation(teacher_outputs, view.logits, config)
        if view.alike is None:
            return total
        return total + config.relation_weight * relational_loss(features, view.alike)

    return loss


def distillation(student: Tensor, teacher: Tensor, config: Tgr) -> Tensor:
    """Return T^2 KL(teacher || student), averaged over the batch (Hinton et al. 2015).

    With ``fidelity: release`` the release's term: its ``kl_div`` receives the student's probabilities where
    log-probabilities belong, and averages over all elements.
    """
    temperature = config.temperature
    if config.fidelity == "release":
        target = softmax(teacher / temperature, 1)
        return kl_div(softmax(student / temperature, 1), target, reduction="sum") / student.numel()
    return divergence(student, teacher, temperature)


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 KL(teacher || student) of logits (n, n_way), averaged over the batch (Hinton et al. 2015)."""
    target = softmax(teacher / temperature, 1)
    return temperature**2 * kl_div(log_softmax(student / temperature, 1), target, reduction="batchmean")


class GroupStep:
    """One step on several teachers of a group, each judging the view of its images that the meta-model sees.

    Args:
        model: the meta-model with the head of the teachers' classes.
        source: gives each teacher's images.
        judges: the teachers, by index.
        rows: for each teacher the model's outputs that stand for its labels.
        sampler: draws the teachers of a step.
        augmentation, order: generators of the crops, and of what a treatment draws.
    """

    def __init__(
        self,
        model: Classifier,
        source: Source,
        judges: Sequence[Judge],
        rows: Sequence[Tensor],
        sampler: GroupSampler,
        config: Tgr,
        augmentation: torch.Generator,
        order: torch.Generator,
    ) -> None:
        self.model, self._source, self._judges = model, source, judges
        self._sampler, self._config, self._augmentation, self._order = sampler, config, augmentation, order
        self._device = next(model.parameters()).device
        self._rows = [own.to(self._device) for own in rows]

    def updates(self, optimizer: torch.optim.Optimizer) -> Callable[[int], dict[str, float]]:
        """Return a function that takes the next step with an optimiser of the model, and returns values to log.

        Its argument is the step's number, for the error that it raises if a loss is not finite.
        """
        config = self._config

        def step(*drawn: Tensor) -> tuple[Tensor, ...]:
            weights: Parameters = dict(self.model.named_parameters())
            size = len(View._fields) if config.relation_weight else len(View._fields) - 1
            views = [View(*drawn[first : first + size]) for first in range(0, len(drawn), size)]
            losses = [teacher_loss(self.model, view, config) for view in views]
            with batchnorm_mode(self.model, "batch"):
                outcome = treated_gradient(
                    config.treatment,
                    losses,
                    weights,
                    config.gradient_lambda,
                    self._order,
                    through_displacement=config.fidelity == "release",
                )
            optimizer.zero_grad()
            for name, parameter in weights.items():
                # In the parameter's layout: a fused optimiser reads both in the order in which they lie in memory.
                parameter.grad = torch.empty_like(parameter).copy_(outcome.gradient[name])
            optimizer.step()
            return outcome.losses.mean(), *outcome.conflict

        run = launches.runner(step, optimizer, self._device, repeats=config.treatment not in AGGREGATIONS)

        @exact()
        def take(number: int) -> dict[str, float]:
            # The teachers judge before the step: others in each, so what they compute cannot be recorded with it.
            teachers = self._sampler.teachers()
            views = [self._view(teacher, teachers) for teacher in teachers]
            drawn = [part for view in views for part in view if part is not None]
            loss, variance, cosine, norm_squared = torch.stack(run(*drawn)).tolist()
            if not math.isfinite(loss):
                keys = f"methods.tgr.lr ({config.lr})"
                raise TgrError(f"method tgr: the loss is not finite at step {number}; lower {keys}")
            return {
                "loss": loss,
                "relative_variance": variance / max(norm_squared, torch.finfo(torch.float32).tiny),
                "gradient_variance": variance,
                "gradient_cosine": cosine,
            }

        return take

    def _view(self, teacher: int, teachers: Sequence[int]) -> View:
        """Return a fresh draw of a teacher's images, augmented, and what it and the step's teachers say of them."""
        images, labels, flips = self._source.draw(teacher)
        images, labels = images.to(self._device), labels.to(self._device)
        if self._config.augment:
            images = random_crop_flip(images, crop_pad(images.shape[-1]), flips, self._augmentation)
        opinion, alike = self._judges[teacher].opinion(images), None
        if self._config.relation_weight:
            others = [self._judges[other].opinion(images).features for other in teachers if other != teacher]
            alike = mean_cosines([opinion.features, *others])
        return View(images, labels, opinion.logits, self._rows[teacher], alike)
