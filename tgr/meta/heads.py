"""Heads of a meta-model that learns from teachers whose classes and label orders differ."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tgr.backbones.classifier import Classifier
from tgr.meta.bank import ImageBank


def head_rows(bank: ImageBank, heads: str) -> tuple[list[Tensor], int]:
    """Return, for each teacher, the output rows of its labels 0..n-1, and the number of rows in all.

    Args:
        heads: ``shared`` (row = label, whatever it means), ``per_teacher`` (rows of its own), or ``aligned`` (one row
            for each class).
    """
    rows: list[Tensor] = []
    first = 0
    for members in bank.by_owner:
        n_way = int(bank.labels[members].max()) + 1
        if heads == "aligned":
            teacher_rows = torch.empty(n_way, dtype=torch.int64)
            teacher_rows[bank.labels[members]] = bank.classes[members]
        else:
            teacher_rows = torch.arange(n_way) + first
            first += n_way if heads == "per_teacher" else 0
        rows.append(teacher_rows)
    n_rows = len(bank.class_names) if heads == "aligned" else 1 + max(int(part.max()) for part in rows)
    return rows, n_rows


def with_fresh_head(model: Classifier, n_outputs: int) -> Classifier:
    """Return a classifier on the same trunk with a zero head of its own: training it moves the trunk of both."""
    sharer = Classifier(model.trunk, model.feature_dim, n_outputs)
    nn.init.zeros_(sharer.head.weight)
    nn.init.zeros_(sharer.head.bias)
    return sharer.to(next(model.parameters()).device)


class TaskRows:
    """The output rows on which teachers' tasks are distilled, where tasks are known by the names of their classes.

    Attributes:
        count: the number of rows in all.
    """

    def __init__(self, heads: str, keys: Iterable[str], n_way: int) -> None:
        """Number the rows.

        Args:
            heads: ``shared`` (``n_way`` rows, the teacher's label order, whatever it means) or ``aligned`` (one row for
                each class).
            keys: the names of the classes of all teachers.
        """
        self._row = {key: row for row, key in enumerate(sorted(set(keys)))} if heads == "aligned" else None
        self.count = n_way if self._row is None else len(self._row)

    def of(self, classes: Tensor, keys: Sequence[str]) -> Tensor:
        """Return the rows of a task's labels: int64 (n,).

        Args:
            classes: (n,), the teacher's own indices of the task's classes.
            keys: (n,), their names.
        """
        if self._row is None:
            return classes.argsort().argsort()
        return torch.tensor([self._row[key] for key in keys])


@dataclass(frozen=True)
class TwoHeads:
    """A trunk with a head on which teachers are distilled and one for episodes; with ``shared`` they are the same.

    Attributes:
        student: has a row for each class of ``rows``.
        learner: has ``n_way`` rows.
    """

    student: Classifier
    learner: Classifier
    rows: TaskRows

    @classmethod
    def build(cls, rows: TaskRows, heads: str, n_way: int, model: Callable[[int], Classifier]) -> "TwoHeads":
        """Return a fresh trunk with its heads; ``model`` makes one with a number of outputs."""
        student = model(rows.count)
        return cls(student, student if heads == "shared" else with_fresh_head(student, n_way), rows)

    def parameters(self) -> list[nn.Parameter]:
        """Return the weights of the trunk and of both heads, each once."""
        return list(dict.fromkeys([*self.student.parameters(), *self.learner.parameters()]))
