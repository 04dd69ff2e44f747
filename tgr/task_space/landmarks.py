"""Similarity of thousands of tasks through landmarks.

All pairs of n tasks of d values cost n^2 d. The Nyström method (Williams and Seeger, NIPS 2000; for grouping Fowlkes et
al., PAMI 2004) compares each task with m landmarks only: with C the similarities (n, m) to the landmarks and W those of
the landmarks among themselves (m, m), all similarities are about C W^+ C^T. Those to landmarks stay exact. What two
tasks have in common with each other but with no landmark is lost, so they come out a little less alike than they are.
"""

import logging
from collections.abc import Iterable

import torch
from torch import Tensor

from tgr.data.roots import square_root

logger = logging.getLogger(__name__)

DIRECT_LIMIT = 1000
"""More tasks than this are compared through landmarks, fewer pair by pair."""

N_LANDMARKS = 128

CHUNK_ELEMENTS = 1 << 18
"""Numbers in one working tensor: 1 MiB of float32, which stays in the cache of a core."""

SMALLEST_EIGENVALUE = 1e-4
"""Directions of W below this share of its largest eigenvalue are rounding, and left out."""


def choose_landmarks(n: int) -> Tensor:
    """Return the indices of ``N_LANDMARKS`` tasks, evenly spaced, so that each pool has its share."""
    return torch.linspace(0, n - 1, min(n, N_LANDMARKS)).round().long()


def similarity_factor(layers: Iterable[Tensor], n: int) -> Tensor:
    """Return a factor F (n, at most ``N_LANDMARKS``), float32: F F^T is about the mean similarity of all pairs.

    Args:
        layers: for each layer the tasks' values (n, d), not negative.
    """
    chosen = choose_landmarks(n)
    logger.warning("%d tasks are more than %d: compared through %d landmarks", n, DIRECT_LIMIT, len(chosen))
    total, count = torch.zeros(n, len(chosen), dtype=torch.float64), 0
    for values in layers:
        total += similarity_to(values.float(), values[chosen].float())
        count += 1
    columns = total / count
    among_landmarks = columns[chosen]
    eigenvalues, vectors = torch.linalg.eigh((among_landmarks + among_landmarks.T) / 2)
    kept = eigenvalues > SMALLEST_EIGENVALUE * eigenvalues[-1]
    return (columns @ (vectors[:, kept] * eigenvalues[kept].rsqrt())).float()


def similarity_to(values: Tensor, references: Tensor) -> Tensor:
    """Return the similarity of one layer's values (n, d) to references (m, d): cos(r, 1 - r), r = a / (a + b).

    Entries that are zero in both count in neither vector, as in ``tgr.task_space.dissimilarity``. With k the number of
    the others, p = sum r and q = sum r^2, the cosine is (p - q) / sqrt(q (k - 2 p + q)): two sums over one quotient.
    """
    n, d = values.shape
    counted = torch.full((n, len(references)), float(d), dtype=torch.float64)
    if not (values > 0).all():
        counted -= (values == 0).float() @ (references == 0).float().T
    result = torch.empty(n, len(references), dtype=torch.float64)
    for start in range(0, n, rows := max(1, CHUNK_ELEMENTS // (len(references) * d))):
        a = values[start : start + rows, None]
        share = (a + references).clamp_(min=torch.finfo(values.dtype).tiny).reciprocal_().mul_(a)
        p, q = share.sum(-1).double(), torch.linalg.vector_norm(share, dim=-1).double().square()
        k = counted[start : start + rows]
        norms = square_root((q * (k - 2 * p + q)).clamp_(min=0))
        result[start : start + rows] = torch.where(norms > 0, (p - q) / norms, (k == 0).double())
    return result.clamp_(0, 1)
