"""panel: the learner of `bank`, taught by a panel of teachers that has judged each recovered image once.

Teachers together know more than any student gets: what they find alike, side by side, tells unseen classes apart better
than any single one of them. The stage `judge` asks them about every recovered image, plain and mirrored, and keeps the
answers; a training then costs no more than `bank`, however many teachers are on the panel. The loss of a step is

    CE + kd_weight * mean over the panel of T^2 KL(member || meta-model) + cka_weight * (1 - CKA).

- The divergence is knowledge distillation (Hinton et al., Distilling the Knowledge in a Neural Network, 2015, arXiv
  1503.02531), on each member's classes.
- CKA compares the batch's features with what all members say side by side: linear centred kernel alignment (Kornblith
  et al., ICML 2019, arXiv 1905.00414) as a loss that keeps similarities (Tung and Mori, Similarity-Preserving Knowledge
  Distillation, ICCV 2019, arXiv 1907.09682; Park et al., Relational Knowledge Distillation, CVPR 2019, arXiv
  1904.05068). It knows of no classes, so teachers need not agree on any, and with `likeness: outputs` of no layers.
- Function matching (Beyer et al., Knowledge Distillation: A Good Teacher Is Patient and Consistent, CVPR 2022, arXiv
  2106.05237) lets both see the same view of an image. Here they share the mirroring; crops are the student's alone.

Ours, all but the terms: the panel over recovered images, its cache, the principal components of the joint features, and
the start from the best teacher's trunk. The ancestor is `distil`, which asks teachers anew in every step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, softmax

from tgr.config.methods.panel import Panel
from tgr.devices import hold
from tgr.errors import TgrError
from tgr.inversion.holdout import holdout_mask
from tgr.meta.bank import ImageBank
from tgr.meta.components import joint_components
from tgr.meta.heads import head_rows
from tgr.meta.likeness import linear_cka
from tgr.meta.pooled import Batch, Term
from tgr.methods.bank import train_on
from tgr.methods.training import Trained, Training, generator
from tgr.panel.judgements import Judgement, load_judgement

ABSENT = -1e9
"""The logit of a class that a member does not have: its probability is zero."""


def train(parameters: Panel, training: Training) -> Trained:
    """Train on the recovered images of all teachers, and on what the panel says about them.

    Raises:
        TgrError: a judgement is missing, damaged or another panel's, or as ``tgr.methods.bank.train_on``.
    """
    bank = training.bank(parameters.class_identity)
    return train_on(bank, parameters, training, panel_term(bank, parameters, training), parameters.start)


def panel_term(bank: ImageBank, parameters: Panel, training: Training) -> Term:
    """Return what is added to the cross-entropy: the divergence from the panel, and how unlike it finds images.

    Raises:
        TgrError: a judgement is missing, damaged or another panel's.
    """
    cache = Cache.read(training, parameters.likeness)
    keys = [teacher.card.key for teacher in training.teachers]
    rows = head_rows(bank, "aligned")[0]
    members = Members([rows[keys.index(key)] for key in cache.members], training.device)
    first, outputs, joint = (hold(part, training.device) for part in (cache.first, cache.outputs, cache.joint))

    def term(batch: Batch, features: Tensor, logits: Tensor) -> Tensor:
        views = first[batch.chosen] + batch.mirrored
        said, found = (part[views.to(part.device)].to(logits) for part in (outputs, joint))
        divergence = members.divergence(logits, said, parameters.temperature)
        return parameters.kd_weight * divergence + parameters.cka_weight * (1 - linear_cka(features, found))

    return term


class Members:
    """The classes of the panel's members, side by side.

    Args:
        rows: for each member the outputs of the meta-model that stand for its classes.
    """

    def __init__(self, rows: Sequence[Tensor], device: torch.device) -> None:
        self._count, self._most = len(rows), max(map(len, rows))
        padded = torch.zeros(self._count, self._most, dtype=torch.int64)
        columns, first = padded.clone(), 0
        absent = torch.ones(self._count, self._most, dtype=torch.bool)
        for index, own in enumerate(rows):
            padded[index, : len(own)], absent[index, : len(own)] = own, False
            columns[index, : len(own)] = torch.arange(first, first + len(own))
            first += len(own)
        self._rows, self._columns = padded.flatten().to(device), columns.flatten().to(device)
        self._absent = absent.to(device)

    def divergence(self, logits: Tensor, outputs: Tensor, temperature: float) -> Tensor:
        """Return T^2 KL(member || meta-model) on each member's classes, mean over the members and the batch.

        Args:
            logits: (n, classes), the meta-model's.
            outputs: (n, sum of the members' classes), the members' logits side by side.
        """
        student, target = (
            values.index_select(1, index).view(-1, self._count, self._most).masked_fill(self._absent, ABSENT)
            for values, index in ((logits / temperature, self._rows), (outputs / temperature, self._columns))
        )
        total = kl_div(log_softmax(student, 2), softmax(target, 2), reduction="sum")
        return temperature**2 * total / (len(logits) * self._count)


@dataclass(frozen=True)
class Cache:
    """What the panel says of the images of the bank, one row for each view.

    Attributes:
        first: int64 (images of the bank,), the row of each image as it is; that of the mirrored one is the next.
        outputs: float32 (views, sum of the members' classes).
        joint: (views, components), what the likeness of images is taken from.
        members: the keys of the panel's teachers.
    """

    first: Tensor
    outputs: Tensor
    joint: Tensor
    members: list[str]

    @classmethod
    def read(cls, training: Training, likeness: str) -> "Cache":
        """Read the judgement of every image that is not held out for selection.

        What the likeness is taken from is read one teacher's images after another, some times over; outputs and
        components stay in memory.

        Raises:
            TgrError: a judgement is missing or damaged, or not that of these images by one panel.
        """
        held_out = training.meta.held_out_per_class

        def judged() -> Iterator[tuple[Judgement, Tensor]]:
            for folder, recovered in zip(training.judgements, training.recovered, strict=True):
                yield load_judgement(folder, recovered.card), ~holdout_mask(recovered.labels, held_out)

        def blocks() -> Iterator[Tensor]:
            for judgement, kept in judged():
                yield judgement.part(likeness)[0][kept].flatten(0, 1).to(torch.get_default_dtype())

        outputs, n_views, first = [], [], None
        for (judgement, kept), folder in zip(judged(), training.judgements, strict=True):
            first = first or judgement
            if len(judgement.outputs) != len(kept) or _panel(judgement, likeness) != _panel(first, likeness):
                raise TgrError(f"method panel: {folder} is of other images or another panel; delete it and run again")
            outputs.append(judgement.outputs[kept].flatten(0, 1))
            n_views.append(torch.full((int(kept.sum()),), judgement.outputs.shape[1]))
        if first is None or not any(_panel(first, likeness)[1]):
            raise TgrError(f"method panel: no panel has judged the {likeness} of the images; it starts from that")
        views = torch.cat(n_views)
        joint = joint_components(blocks, first.part(likeness)[1], generator(training, "components"))
        return cls(views.cumsum(0) - views, torch.cat(outputs), joint, first.members)


def _panel(judgement: Judgement, likeness: str) -> tuple[list[str], list[int]]:
    """Return who judged, and how many columns of what the likeness is taken from each member has."""
    return judgement.members, judgement.part(likeness)[1]
