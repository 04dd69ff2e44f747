"""distil: the learner of `bank`, taught by all teachers, each on the images of the others too.

A recovered image bears the label of the teacher that it came from, but every teacher of the pool has an opinion of it.
In each step some teachers, drawn anew, classify the whole batch as it is augmented, and the classifier learns to agree
with each on that teacher's classes: knowledge distillation (Hinton et al. 2015, arXiv 1503.02531) where both see the
same view of an image (Beyer et al., CVPR 2022). Ours; none of the papers rebuilt here has it.

With `relation_weight` the classifier also learns which images of the batch these teachers find alike, whatever their
classes: the cosines of its features shall be the mean of theirs (Tung and Mori, ICCV 2019; Park et al., CVPR 2019).
"""

import torch
from torch import Tensor

from tgr.config.methods.distil import Distil
from tgr.meta.bank import ImageBank
from tgr.meta.group_step import divergence
from tgr.meta.heads import head_rows
from tgr.meta.likeness import mean_cosines, relational_loss
from tgr.meta.pooled import Batch, Term
from tgr.methods.bank import train_on
from tgr.methods.training import Trained, Training, generator


def train(parameters: Distil, training: Training) -> Trained:
    """Train on the recovered images of all teachers, and on what other teachers say about them.

    Raises:
        TgrError: as ``tgr.methods.bank.train_on``.
    """
    bank = training.bank(parameters.class_identity)
    return train_on(bank, parameters, training, distillation_term(bank, parameters, training), parameters.start)


def distillation_term(bank: ImageBank, parameters: Distil, training: Training) -> Term:
    """Return the distillation term: T^2 KL(teacher || meta-model) over a teacher's classes, mean over some teachers.

    With ``relation_weight`` the relational loss against the same teachers is part of it.
    """
    judges = training.judges()
    rows = [own.to(training.device) for own in head_rows(bank, "aligned")[0]]
    order = generator(training, "opinions")

    def term(batch: Batch, features: Tensor, logits: Tensor) -> Tensor:
        chosen = torch.randperm(len(judges), generator=order)[: parameters.teachers_per_step].tolist()
        opinions = [judges[index].opinion(batch.images) for index in chosen]
        losses = [
            divergence(logits[:, rows[index]], opinion.logits, parameters.temperature)
            for index, opinion in zip(chosen, opinions, strict=True)
        ]
        loss = parameters.kd_weight * torch.stack(losses).mean()
        if parameters.relation_weight:
            alike = mean_cosines([opinion.features for opinion in opinions])
            loss = loss + parameters.relation_weight * relational_loss(features, alike)
        return loss

    return term
