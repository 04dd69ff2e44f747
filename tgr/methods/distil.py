"""distil: the learner of `bank`, taught by all teachers, each on the images of the others too.

A recovered image bears the label of the teacher that it came from, but every teacher of the pool has an opinion of it.
In each step some teachers, drawn anew, classify the whole batch as it is augmented, and the classifier learns to agree
with each on that teacher's classes: knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) where both see the
same view of an image (Beyer et al., CVPR 2022). Ours; none of the papers rebuilt here has it.
"""

import torch
from torch import Tensor

from tgr.config.methods.distil import Distil
from tgr.meta.bank import ImageBank
from tgr.meta.group_step import divergence
from tgr.meta.heads import head_rows
from tgr.meta.pooled import Term
from tgr.methods.bank import train_on
from tgr.methods.training import Trained, Training, generator


def train(parameters: Distil, training: Training) -> Trained:
    """Train on the recovered images of all teachers, and on what other teachers say about them."""
    bank = training.bank(parameters.class_identity)
    return train_on(bank, parameters, training, distillation_term(bank, parameters, training))


def distillation_term(bank: ImageBank, parameters: Distil, training: Training) -> Term:
    """Return the distillation term: T^2 KL(teacher || meta-model) over a teacher's classes, mean over some teachers."""
    judges = training.judges()
    rows, _ = head_rows(bank, "aligned")
    order = generator(training, "opinions")

    def term(images: Tensor, logits: Tensor) -> Tensor:
        chosen = torch.randperm(len(judges), generator=order)[: parameters.teachers_per_step].tolist()
        losses = [
            divergence(logits[:, rows[index].to(logits.device)], judges[index].logits(images), parameters.temperature)
            for index in chosen
        ]
        return parameters.kd_weight * torch.stack(losses).mean()

    return term
