"""The group step: distilling several dissimilar teachers at once under gradient regularisation.

Wei et al., ICML 2024, section 3: a step draws teachers from one task group, computes each one's loss
CE(meta(x_i), y_i) + KL(teacher_i(x_i) || meta(x_i)) on its recovered images, and descends the regularised gradient.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.config.methods.tgr import Tgr
from tgr.data.transforms import crop_pad, random_crop_flip
from tgr.devices import exact
from tgr.errors import TgrError
from tgr.meta.group_sampler import GroupSampler
from tgr.meta.judge import Judge
from tgr.meta.regularisation import Loss, Parameters
from tgr.meta.sources import Source
from tgr.meta.treatments import treated_gradient


def teacher_loss(model: Classifier, images: Tensor, labels: Tensor, logits: Tensor, rows: Tensor, config: Tgr) -> Loss:
    """Return one teacher's loss as a function of the meta-model's parameters.

    Args:
        images: (n, 3, size, size), normalised: the view that the teacher judged.
        labels: (n,), in the teacher's own label order.
        logits: (n, n_way), the teacher's.
        rows: (n_way,), the meta-model's outputs that stand for the teacher's labels.
    """

    def loss(parameters: Parameters) -> Tensor:
        outputs = functional_call(model, parameters, (images,))
        teacher_outputs = outputs[:, rows]
        if config.heads == "aligned":
            classification = cross_entropy(outputs, rows[labels])
        else:
            classification = cross_entropy(teacher_outputs, labels)
        return classification + config.kd_weight * distillation(teacher_outputs, logits, config)

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

    @exact()
    def backward(self, step: int) -> dict[str, float]:
        """Write the treated gradient of the next teachers into the parameters' ``grad``; return values to log.

        Raises:
            TgrError: a loss is not finite; the message names ``step``.
        """
        config = self._config
        weights: Parameters = dict(self.model.named_parameters())
        losses = [self._loss(teacher) for teacher in self._sampler.teachers()]
        with batchnorm_mode(self.model, "batch"):
            outcome = treated_gradient(
                config.treatment,
                losses,
                weights,
                config.gradient_lambda,
                self._order,
                through_displacement=config.fidelity == "release",
            )
        loss = outcome.losses.mean().item()
        if not math.isfinite(loss):
            raise TgrError(f"method tgr: the loss is not finite at step {step}; lower methods.tgr.lr ({config.lr})")
        for name, parameter in weights.items():
            parameter.grad = outcome.gradient[name]
        relative = outcome.variance / max(outcome.mean_norm_squared, torch.finfo(torch.float32).tiny)
        return {
            "loss": loss,
            "relative_variance": relative,
            "gradient_variance": outcome.variance,
            "gradient_cosine": outcome.cosine,
        }

    def _loss(self, teacher: int) -> Loss:
        """Return the loss of one teacher on a fresh draw of its images, augmented."""
        images, labels, flips = self._source.draw(teacher)
        images, labels = images.to(self._device), labels.to(self._device)
        if self._config.augment:
            images = random_crop_flip(images, crop_pad(images.shape[-1]), flips, self._augmentation)
        logits = self._judges[teacher].logits(images)
        return teacher_loss(self.model, images, labels, logits, self._rows[teacher], self._config)
