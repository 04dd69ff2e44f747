"""Comparing teachers by their weights: only those of one architecture can be."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tgr.config.teachers import TaskSpace
from tgr.data.roots import square_root
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered
from tgr.pool.card import Card
from tgr.pool.teacher import Teacher

ROUNDING = 1e-9
"""A tensor whose deviation is below this share of its largest value is constant."""


def dissimilarity(
    recovered: Sequence[Recovered], teachers: Sequence[Teacher], config: TaskSpace, device: torch.device
) -> Tensor:
    """Return (1 - cosine) / 2 of the teachers' trunk parameters, each tensor standardised.

    Standardising (mean 0, variance 1 within a tensor) keeps the layers with the largest weights from deciding alone.
    Weights are compared place by place, so teachers that started from different initialisations, whose channels have
    nothing to do with each other, lie near 0.5. Pairs of different architecture, width, options or image size, and
    teachers that are not a trunk and a head, have dissimilarity 1.

    Args:
        recovered, config: not used; the weights say all.

    Returns:
        float64, (n, n), symmetric, in [0, 1], with a zero diagonal.

    Raises:
        TgrError: no two teachers can be compared.
    """
    kinds = [_kind(teacher.card) for teacher in teachers]
    n = len(kinds)
    comparable = torch.tensor([[kind is not None and kind == other for other in kinds] for kind in kinds])
    if n > 1 and not comparable.triu(1).any():
        raise TgrError(
            "embedding: `parameters` compares weights of one architecture, and no two teachers of these pools share "
            "one; choose another `embedding` (fisher, features or logits)"
        )
    result = torch.ones(n, n, dtype=torch.float64)
    for kind in set(kinds) - {None}:
        members = torch.tensor([i for i, other in enumerate(kinds) if other == kind])
        unit = normalize(torch.stack([standardised(teachers[i]) for i in members.tolist()]), dim=1)
        result[members[:, None], members] = ((1 - unit @ unit.T) / 2).clamp(0, 1)
    upper = result.triu(1)
    return upper + upper.T


def _kind(card: Card) -> tuple[object, ...] | None:
    """Return what two teachers must share to be compared; None for a teacher that cannot be."""
    if card.format != "weights":
        return None
    return card.architecture, card.width, tuple(sorted(card.options.items())), card.image_size


def standardised(teacher: Teacher) -> Tensor:
    """Return the trunk's parameters (d,), float64, each tensor with mean 0 and variance 1; a constant one as zeros."""
    parts = []
    for name, parameter in teacher.model.named_parameters():
        if not name.startswith("trunk."):
            continue
        values = parameter.detach().double().cpu().flatten()
        centred = values - values.mean()
        deviation = square_root(centred.square().mean())
        constant = deviation <= ROUNDING * values.abs().max()
        parts.append(torch.zeros_like(centred) if constant else centred / deviation)
    return torch.cat(parts)
