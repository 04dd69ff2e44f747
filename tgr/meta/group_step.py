"""The group step: distilling several dissimilar teachers at once under gradient regularisation.

Wei et al., ICML 2024, section 3: a step draws teachers from one task group, computes each one's loss
CE(meta(x_i), y_i) + KL(teacher_i(x_i) || meta(x_i)) on its recovered images, and descends the regularised gradient.
"""

from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from tgr.backbones.classifier import Classifier
from tgr.config.methods.tgr import Tgr
from tgr.meta.regularisation import Loss, Parameters


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


class GroupSampler:
    """Draws teachers of one group, and some of their images, for each step, and counts how often each took part.

    A group with fewer teachers than a step wants gives all that it has. Larger groups are drawn more often, in
    proportion to their size, so that their teachers take part as often as those of small groups. A group of one teacher
    is completed by the group that follows, because a single gradient has nothing to align with.

    Args:
        groups: the group of each teacher that takes part, by the teacher's index.
        n_teachers: teachers of one step.
        replacement: draw with replacement, so that a step may have a teacher twice, as in the authors' release.
    """

    def __init__(
        self, groups: Mapping[int, int], n_teachers: int, generator: torch.Generator, *, replacement: bool = False
    ) -> None:
        present = sorted(set(groups.values()))
        self._members = [torch.tensor([i for i, g in groups.items() if g == group]) for group in present]
        self._weights = torch.tensor([max(1.0, len(m) / n_teachers) for m in self._members])
        self._n_teachers = n_teachers
        self._replacement = replacement
        self._generator = generator
        self.counts: Counter[int] = Counter()

    def teachers(self) -> list[int]:
        """Return the teachers of one step."""
        group = int(torch.multinomial(self._weights, 1, generator=self._generator))
        members = self._members[group]
        alone = len(members) == 1 and len(self._members) > 1
        others = self._members[(group + 1) % len(self._members)] if alone else members
        count = self._n_teachers - alone
        if self._replacement:
            order = torch.randint(len(others), (count,), generator=self._generator)
        else:
            order = torch.randperm(len(others), generator=self._generator)[:count]
        chosen = (members.tolist() if alone else []) + others[order].tolist()
        self.counts.update(chosen)
        return chosen

    def images(self, members: Tensor, count: int) -> Tensor:
        """Return up to ``count`` of a teacher's images, without replacement."""
        order = torch.randperm(len(members), generator=self._generator)
        return members[order[:count]]
