"""The task space on a plane, and whether its groups differ from what chance would group."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.manifold import MDS
from threadpoolctl import threadpool_limits

from tgr import seeds
from tgr.artifacts import load_arrays, read_json, write_json
from tgr.errors import TgrError
from tgr.pool.card import read_cards
from tgr.task_space.grouping import measure

N_RANDOM = 1000
"""Random groupings with which a grouping is compared."""
RANGE = (2.5, 97.5)
"""Percentiles that bound 95 % of the random groupings."""
ALIKE = 1e-9
"""Teachers whose dissimilarities all lie below this stand on one point."""


def map_task_space(
    *,
    dissimilarity: Path,
    groups: Path,
    teachers: Sequence[Path],
    task_map: Path,
    quality: Path,
    matrix: Path,
) -> None:
    """Write where each teacher stands (CSV), what grouping and map are worth (JSON), and all dissimilarities (Parquet).

    The map has the columns teacher, pool, domain (empty for models from elsewhere), architecture, held_out_accuracy
    (empty if unknown), group, x, y. The quality holds what the grouping says of itself (``sizes``, ``within``,
    ``between``, ``silhouette``), ``random_within`` and ``random_silhouette`` (95 % range over random groupings of the
    same sizes; None where undefined), and ``stress`` of the map (Kruskal's stress 1; 0 is perfect). The matrix has a
    row and a column for each teacher, by its key.

    Args:
        teachers: the shards of the scenario's pools.

    Raises:
        TgrError: the files do not speak of the same teachers.
    """
    arrays, about = load_arrays(dissimilarity)
    grouping = read_json(groups)
    cards = {card.key: card for folder in teachers for card in read_cards(folder)}
    if grouping["teachers"] != about["teachers"] or set(about["teachers"]) != set(cards):
        raise TgrError(f"{groups}: other teachers than in {dissimilarity}; delete the folder and run again")
    values = arrays["dissimilarity"].astype(np.float64)
    places, stress = plane(values)
    rows = []
    for key, group, (x, y) in zip(about["teachers"], grouping["groups"], places, strict=True):
        card = cards[key]
        row = {"teacher": key, "pool": card.pool, "domain": card.dataset, "architecture": card.architecture}
        rows.append(row | {"held_out_accuracy": card.held_out_accuracy, "group": group, "x": x, "y": y})
    pd.DataFrame(rows).to_csv(task_map, index=False)
    pd.DataFrame(values, index=about["teachers"], columns=about["teachers"]).to_parquet(matrix)
    worth = {key: grouping[key] for key in ("sizes", "within", "between", "silhouette")}
    labels = np.asarray(grouping["groups"])
    write_json(quality, worth | random_groupings(values, labels) | {"stress": stress, "n_random": N_RANDOM})


def plane(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Place n teachers on a plane so that distances resemble their dissimilarities.

    Metric multidimensional scaling (SMACOF) from the classical solution, which leaves nothing to chance; turned so that
    the first axis holds the largest spread, and mirrored so that the farthest teacher of each axis is on its
    positive side.

    Returns:
        places (n, 2), and Kruskal's stress 1.
    """
    if matrix.max() < ALIKE:
        return np.zeros((len(matrix), 2)), 0.0
    if len(matrix) == 2:
        return np.array([[0.5, 0.0], [-0.5, 0.0]]) * matrix.max(), 0.0
    with threadpool_limits(1):
        scaling = MDS(metric="precomputed", init="classical_mds", n_init=1, normalized_stress=True)
        places = scaling.fit_transform(matrix)
        centred = places - places.mean(0)
        turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    farthest = turned[np.abs(turned).argmax(0), [0, 1]]
    return turned * np.where(farthest < 0, -1, 1), float(scaling.stress_)


def random_groupings(matrix: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Return the 95 % range of the mean dissimilarity within random groups of the same sizes, and of the silhouette."""
    generator = seeds.numpy_generator("random groupings", len(groups))
    n_groups = int(groups.max()) + 1
    drawn = [measure(matrix, generator.permutation(groups).tolist(), n_groups) for _ in range(N_RANDOM)]
    return {
        f"random_{key}": _range([quality[key] for quality in drawn if quality[key] is not None])
        for key in ("within", "silhouette")
    }


def _range(values: Sequence[float]) -> list[float] | None:
    return [float(value) for value in np.percentile(values, RANGE)] if len(values) else None
