"""Task groups: several ways to decide which teachers share a group.

The paper groups unlike teachers (Wei et al. 2024: spectral clustering with the dissimilarity as affinity). On pools of
several domains that tends to one large group and some single teachers; ``balanced`` pursues the same end in groups of
equal size. The others are the controls: alike teachers, anyone, all together.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.cluster import KMeans, SpectralClustering
from threadpoolctl import threadpool_limits

from tgr import seeds
from tgr.artifacts import load_arrays, write_json

logger = logging.getLogger(__name__)

IDENTICAL = 1e-9
"""Teachers whose dissimilarities all lie below this cannot be told apart; what is left is rounding."""

SKLEARN_SEEDS = 2**32

SWAPS = 50
"""Swaps tried for each teacher on the way to groups of a given level."""

STARTS = 10
"""Random starts of the search for balanced groups; the best end is kept. Large pools get one."""

DENSE_LIMIT = 2000
"""Larger matrices stay in the precision in which they come, and only a few of their eigenvectors are computed."""

TOLERANCE = 1e-4
"""Relative accuracy of the eigenvalues of large matrices."""

KMEANS_STARTS = 30
"""Random starts of k-means on the eigenvectors (Wei et al. 2024)."""

BLOCK_ROWS = 512


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


def group_teachers(*, scenario: str, grouping: str, dissimilarity: Path, groups: Path) -> None:
    """Write the task groups of a scenario's teachers, and what they are worth, into the JSON file ``groups``.

    Args:
        grouping: e.g. ``fisher-heterogeneous-5``: the embedding, the kind (with ``@`` its level) and the number.
        dissimilarity: the file of that embedding's dissimilarities.

    Raises:
        TgrError: that file is missing or damaged.
    """
    arrays, about = load_arrays(dissimilarity)
    _, kind, n_groups = grouping.split("-")
    kind, _, level = kind.partition("@")
    seed = seeds.derive("groups", scenario)
    result = group(arrays["dissimilarity"], kind, int(n_groups), seed, float(level or 1))
    named = {"teachers": about["teachers"], "groups": result.labels, "n_groups": int(n_groups)}
    write_json(groups, named | result.quality)


def group(dissimilarity: np.ndarray, kind: str, n_groups: int, seed: int, level: float = 1) -> Groups:
    """Group teachers.

    Where the matrix says nothing (all teachers alike, or as many groups as teachers) they are dealt out in turn, since
    any grouping is as good.

    Args:
        dissimilarity: (n, n), symmetric, not negative, with a zero diagonal.
        kind: ``heterogeneous`` (spectral clustering of the dissimilarity), ``balanced`` (unlike teachers in groups
            whose sizes differ by one at most), ``homogeneous`` (spectral clustering of one minus the dissimilarity),
            ``random`` (anyone, sizes as for ``balanced``), or ``single`` (all teachers together).
        n_groups: number of groups, at most n; ``single`` makes one, whatever this says. Spectral clustering may leave
            a group empty; the quality reports the sizes.
        seed: of k-means and the eigenvectors' start (its lower 32 bits count), and of the random groups.
        level: of ``balanced`` groups: from 0 (alike teachers) to 1 (unlike ones), the mean dissimilarity within groups
            as a share of what swaps reach.
    """
    n_groups = 1 if kind == "single" else n_groups
    matrix, n = dissimilarity, len(dissimilarity)
    if n <= DENSE_LIMIT:
        matrix = matrix.astype(np.float64)
    if n_groups in (1, n):
        raw_labels = np.arange(n) % n_groups
    else:
        with threadpool_limits(1):  # the same rounding, hence the same groups, whatever the number of cores
            if kind == "balanced" and level != 1:
                raw_labels = _balance_at_level(matrix, n_groups, seed, level)
            else:
                raw_labels = KINDS[kind](matrix, n_groups, seed)
    labels = _number_by_appearance(raw_labels)
    quality = measure(matrix, labels, n_groups)
    if quality["n_small"]:
        logger.warning("%d task groups have fewer than two teachers; sizes: %s", quality["n_small"], quality["sizes"])
    return Groups(labels, quality)


def _blocks(n: int) -> list[slice]:
    """Return slices of rows: what is computed in them needs little memory beside a large matrix."""
    return [slice(start, start + BLOCK_ROWS) for start in range(0, n, BLOCK_ROWS)]


def _number_by_appearance(labels: np.ndarray) -> list[int]:
    order = list(dict.fromkeys(labels.tolist()))
    return [order.index(label) for label in labels.tolist()]


def _heterogeneous(matrix: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    return _spectral(matrix, matrix, n_groups, seed)


def _homogeneous(matrix: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    return _spectral(matrix, (1 - matrix).clip(min=0), n_groups, seed)


def _spectral(matrix: np.ndarray, affinity: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    n = len(matrix)
    if matrix.max() < IDENTICAL or _largest_off_diagonal(affinity) < IDENTICAL:
        return np.arange(n) % n_groups
    state = np.random.RandomState(seed % SKLEARN_SEEDS)
    if n <= DENSE_LIMIT:
        clustering = SpectralClustering(n_groups, affinity="precomputed", n_init=KMEANS_STARTS, random_state=state)
        return clustering.fit_predict(affinity)
    coordinates = spectral_coordinates(affinity, n_groups, state)
    return KMeans(n_groups, n_init=KMEANS_STARTS, random_state=state).fit_predict(coordinates)


def _largest_off_diagonal(matrix: np.ndarray) -> float:
    return max(float(np.triu(matrix[rows], rows.start + 1).max()) for rows in _blocks(len(matrix)))


def spectral_coordinates(affinity: np.ndarray, n_groups: int, state: np.random.RandomState) -> np.ndarray:
    """Return the n_groups largest eigenvectors of D^-1/2 A D^-1/2, scaled by D^-1/2, as scikit-learn clusters them.

    Lanczos iterations by products alone: those of scikit-learn factorise the matrix, a copy of it in float64. The
    diagonal of the affinity A (n, n) does not count; D are its row sums. One is added to all eigenvalues, so that the
    tolerance is not relative to eigenvalues near zero, among which any choice is as good.
    """
    n, diagonal = len(affinity), affinity.diagonal().copy()
    degrees = affinity.sum(1, dtype=np.float64) - diagonal
    scale = 1 / np.sqrt(np.where(degrees > 0, degrees, 1))

    def product(vector: np.ndarray) -> np.ndarray:
        scaled = (scale * vector.ravel()).astype(affinity.dtype)
        return vector.ravel() + scale * (affinity @ scaled - diagonal * scaled)

    operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
    start = state.uniform(-1, 1, n)
    _, vectors = eigsh(operator, n_groups, which="LA", v0=start, tol=TOLERANCE)
    return vectors[:, ::-1] * scale[:, None]


def _random(matrix: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.arange(len(matrix)) % n_groups)


def _balanced(matrix: np.ndarray, n_groups: int, seed: int) -> np.ndarray:
    """Return the best of some searches, each from a random start; among equals the first."""
    if abs(matrix).max() < IDENTICAL:
        return np.arange(len(matrix)) % n_groups
    starts = np.random.default_rng(seed)
    count = STARTS if len(matrix) <= DENSE_LIMIT else 1
    ends = [
        _swap_until_best(matrix, starts.permutation(np.arange(len(matrix)) % n_groups), n_groups) for _ in range(count)
    ]
    return ends[int(np.argmax([_sum_within(matrix, labels) for labels in ends]))]


def _sum_within(matrix: np.ndarray, labels: np.ndarray) -> float:
    """Return the sum of the dissimilarities inside the groups, each pair twice."""
    return float(matrix[labels[:, None] == labels].sum())


def _balance_at_level(matrix: np.ndarray, n_groups: int, seed: int, level: float) -> np.ndarray:
    """Return balanced groups whose mean dissimilarity lies at ``level`` between the lowest and the highest found.

    The search starts from the nearer end and makes those random swaps that bring the mean closer to the target.
    """
    ends = _balanced(-matrix, n_groups, seed), _balanced(matrix, n_groups, seed)
    low, high = (_sum_within(matrix, labels) for labels in ends)
    target = low + level * (high - low)
    labels = ends[round(level)].copy()
    missing = target - _sum_within(matrix, labels)
    swaps = np.random.default_rng(seed)
    for _ in range(SWAPS * len(matrix)):
        i, j = swaps.choice(len(matrix), 2, replace=False)
        group_of_i, group_of_j = labels == labels[i], labels == labels[j]
        gain = 2 * ((matrix[i] - matrix[j]) @ (group_of_j.astype(float) - group_of_i) - 2 * matrix[i, j])
        if labels[i] != labels[j] and abs(missing - gain) < abs(missing):
            labels[[i, j]] = labels[[j, i]]
            missing -= gain
    return labels


def _swap_until_best(matrix: np.ndarray, labels: np.ndarray, n_groups: int) -> np.ndarray:
    """Swap pairs of teachers between groups as long as that adds dissimilarity inside the groups.

    Each teacher in turn makes its best swap, until none gains: a local optimum. Swaps keep the sizes, hence the number
    of pairs, so the largest sum is the largest mean. A sweep takes O(n^2).
    """
    labels, everyone = labels.copy(), np.arange(len(labels))
    to_group = matrix @ np.eye(n_groups)[labels]  # (n, n_groups): sum of dissimilarities to each group's members
    swapped = True
    while swapped:
        swapped = False
        for i in everyone:
            group_i = labels[i]
            # i joins the group that j leaves, and j the one that i leaves.
            gain = to_group[i, labels] - to_group[i, group_i] + to_group[:, group_i] - to_group[everyone, labels]
            gain = np.where(labels == group_i, 0, gain - 2 * matrix[i])
            j = int(gain.argmax())
            if gain[j] > IDENTICAL:
                group_j = labels[j]
                to_group[:, group_i] += matrix[:, j] - matrix[:, i]
                to_group[:, group_j] += matrix[:, i] - matrix[:, j]
                labels[i], labels[j] = group_j, group_i
                swapped = True
    return labels


KINDS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "heterogeneous": _heterogeneous,
    "balanced": _balanced,
    "homogeneous": _homogeneous,
    "random": _random,
}
"""Kind to a function of (matrix, n_groups, seed) that returns a label for each teacher; ``single`` needs none."""


def measure(matrix: np.ndarray, labels: list[int], n_groups: int) -> dict[str, Any]:
    """Describe a grouping of teachers with dissimilarities (n, n)."""
    groups = np.asarray(labels)
    members = np.eye(n_groups)[groups]
    sizes = members.sum(0)
    to_group = matrix @ members.astype(matrix.dtype)  # (n, n_groups): each teacher's sum to each group's members
    to_own_group = to_group[np.arange(len(groups)), groups].astype(np.float64)
    within, everything = to_own_group.sum() / 2, to_group.sum(dtype=np.float64) / 2
    n_within, n_pairs = (sizes * (sizes - 1)).sum() / 2, len(groups) * (len(groups) - 1) / 2
    scored = 2 <= len(set(labels)) < len(labels)
    return {
        "sizes": sizes.astype(int).tolist(),
        "n_small": int((sizes < 2).sum()),
        "within": float(within / n_within) if n_within else None,
        "between": float((everything - within) / (n_pairs - n_within)) if n_pairs > n_within else None,
        "silhouette": _silhouette(to_group, to_own_group, groups, sizes) if scored else None,
    }


def _silhouette(to_group: np.ndarray, to_own_group: np.ndarray, groups: np.ndarray, sizes: np.ndarray) -> float:
    """Return the mean silhouette (Rousseeuw 1987) from sums of distances; a teacher alone in its group counts 0."""
    inside = to_own_group / np.maximum(sizes[groups] - 1, 1)
    means = np.where(sizes > 0, to_group / np.maximum(sizes, 1), np.inf)
    means[np.arange(len(groups)), groups] = np.inf
    outside = means.min(1)
    larger = np.maximum(inside, outside)
    values = np.where(larger > 0, (outside - inside) / np.where(larger > 0, larger, 1), 0)
    return float(np.where(sizes[groups] > 1, values, 0).mean())
