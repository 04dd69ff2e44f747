"""Task groups of dissimilar teachers (Wei et al. 2024: spectral clustering with the dissimilarity as affinity)."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits
from torch import Tensor

from tgr.errors import TgrError

logger = logging.getLogger(__name__)

IDENTICAL = 1e-9
"""Teachers whose dissimilarities all lie below this cannot be told apart; what is left is rounding."""

SKLEARN_SEEDS = 2**32


@dataclass(frozen=True)
class Groups:
    """The group of each teacher, numbered in the order of first appearance, and what the grouping looks like.

    ``quality`` holds ``sizes`` (teachers of each group), ``n_small`` (groups of fewer than two, in which no gradients
    can be aligned), ``within`` and ``between`` (mean dissimilarity of pairs in the same and in different groups), and
    ``silhouette``, with the dissimilarity as distance. A number that is not defined is None. Groups of unlike teachers
    have ``within`` above ``between`` and a negative silhouette.
    """

    labels: list[int]
    quality: dict[str, Any]


def group(dissimilarity: Tensor, n_groups: int, seed: int) -> Groups:
    """Group teachers so that unlike ones share a group.

    Teachers that are all alike are dealt out in turn, since any grouping of them is as good.

    Args:
        dissimilarity: (n, n), symmetric, not negative, with a zero diagonal.
        n_groups: number of groups, at most n. Spectral clustering may leave one empty; the quality reports the sizes.
        seed: of k-means and of the eigenvectors' start; only its lower 32 bits count.

    Raises:
        TgrError: the matrix is not a dissimilarity, or there are more groups than teachers.
    """
    matrix = _check(dissimilarity, n_groups)
    n = len(matrix)
    if n_groups in (1, n) or matrix.max() < IDENTICAL:
        labels = [i % n_groups for i in range(n)]
    else:
        labels = _spectral(matrix, n_groups, seed)
    quality = measure(matrix, labels, n_groups)
    if quality["n_small"]:
        logger.warning("%d task groups have fewer than two teachers; sizes: %s", quality["n_small"], quality["sizes"])
    return Groups(labels, quality)


def _check(dissimilarity: Tensor, n_groups: int) -> np.ndarray:
    matrix = dissimilarity.detach().cpu().double().numpy()
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise TgrError(f"task_space: a dissimilarity is a square matrix, found {matrix.shape}")
    symmetric = np.allclose(matrix, matrix.T, rtol=1e-9, atol=0)
    if not np.isfinite(matrix).all() or (matrix < 0).any() or matrix.diagonal().any() or not symmetric:
        raise TgrError("task_space: a dissimilarity must be finite, symmetric, not negative, and zero on the diagonal")
    if not 1 <= n_groups <= len(matrix):
        raise TgrError(f"task_space.n_groups: {n_groups} groups of {len(matrix)} teachers; choose 1 to {len(matrix)}")
    return matrix


def _spectral(matrix: np.ndarray, n_groups: int, seed: int) -> list[int]:
    clustering = SpectralClustering(
        n_groups, affinity="precomputed", n_init=30, random_state=np.random.RandomState(seed % SKLEARN_SEEDS)
    )
    with threadpool_limits(1):  # the same rounding, hence the same groups, whatever the number of cores
        found = clustering.fit_predict(matrix).tolist()
    order = list(dict.fromkeys(found))
    return [order.index(label) for label in found]


def measure(matrix: np.ndarray, labels: list[int], n_groups: int) -> dict[str, Any]:
    """Describe a grouping of teachers with dissimilarities (n, n)."""
    groups = np.asarray(labels)
    same = groups[:, None] == groups[None]
    pairs = np.triu(np.ones_like(same), 1)
    sizes = np.bincount(groups, minlength=n_groups).tolist()
    scored = 2 <= len(set(labels)) < len(labels)
    return {
        "sizes": sizes,
        "n_small": sum(size < 2 for size in sizes),
        "within": _mean(matrix[pairs & same]),
        "between": _mean(matrix[pairs & ~same]),
        "silhouette": float(silhouette_score(matrix, groups, metric="precomputed")) if scored else None,
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
