"""distil: the learner of `bank`, which all teachers teach, on each other's images too.

A recovered image bears the label of the teacher that it came from, but every teacher of the pool has an opinion of it.
In each step some teachers, drawn anew, classify the whole batch as it is augmented, and the classifier learns to agree
with each on that teacher's classes: knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) where both see the
same view of an image (Beyer et al., CVPR 2022). Ours; none of the papers rebuilt here has it.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate, kl_div, log_softmax, softmax

from tgr.config.methods.baselines import Distil
from tgr.meta.bank import MEAN, STD, ImageBank
from tgr.meta.pooled import Term
from tgr.methods.bank import train_on
from tgr.methods.training import Trained, Training, generator


def train(parameters: Distil, training: Training) -> Trained:
    """Train on the recovered images of all teachers, and on what other teachers say about them."""
    bank = training.bank(parameters.class_identity)
    return train_on(bank, parameters, training, opinions(bank, parameters, training))


def opinions(bank: ImageBank, parameters: Distil, training: Training) -> Term:
    """Return the distillation term: T^2 KL(teacher || meta-model) over a teacher's classes, mean over some teachers."""
    rows = _rows(bank, parameters.class_identity, training)
    order = generator(training, "opinions")
    mean, std = (torch.tensor(part, device=training.device).view(1, 3, 1, 1) for part in (MEAN, STD))
    temperature = parameters.temperature

    def term(images: Tensor, logits: Tensor) -> Tensor:
        plain = images * std + mean
        chosen = torch.randperm(len(rows), generator=order)[: parameters.teachers_per_step].tolist()
        losses = []
        for index in chosen:
            outputs, own = rows[index]
            with torch.no_grad():
                said = training.teachers[index].logits(_sized(plain, training.teachers[index].card.image_size))
            target = softmax(said[:, own] / temperature, 1)
            losses.append(kl_div(log_softmax(logits[:, outputs] / temperature, 1), target, reduction="batchmean"))
        return parameters.kd_weight * temperature**2 * torch.stack(losses).mean()

    return term


def _rows(bank: ImageBank, class_identity: str, training: Training) -> list[tuple[Tensor, Tensor]]:
    """Return, for each teacher, the bank's classes that it knows, and its outputs for these."""
    position = {name: index for index, name in enumerate(bank.class_names)}
    return [
        (
            torch.tensor([position[key] for key in one.class_keys(class_identity)], device=training.device),
            torch.tensor(one.report.classes, device=training.device),
        )
        for one in training.recovered
    ]


def _sized(images: Tensor, size: int) -> Tensor:
    return images if images.shape[-1] == size else interpolate(images, (size, size), mode="bilinear", antialias=True)
