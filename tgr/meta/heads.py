"""Heads of a meta-model that learns from teachers whose classes and label orders differ."""

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
    for owner in range(int(bank.owners.max()) + 1):
        members = bank.members(owner)
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
