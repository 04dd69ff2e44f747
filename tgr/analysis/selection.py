"""Selection inflation: how much an accuracy rises by choosing the checkpoint on the very episodes that measure it.

Let the k checkpoints of a training be equally good. The mean accuracies A_1 ... A_k over n test episodes then share
their expectation mu, and differ by the choice of episodes only: A_j = mu + sigma Z_j with sigma the standard error of a
mean, and, n being large, (Z_j) jointly normal with common correlation rho. Writing
Z_j = sqrt(rho) U + sqrt(1 - rho) V_j with independent standard normal U and V_j,

    E[max_j A_j] - mu = sigma sqrt(1 - rho) m_k,    m_k = E[max of k independent standard normals]
                      = integral of z k phi(z) Phi(z)^(k - 1) dz.

rho is zero if each evaluation draws its own episodes, and that of the checkpoints' accuracies, episode by episode, if
they share frozen ones. If checkpoints differ in truth, the best of them stands out and the bias of its estimate is
smaller; what is gained besides is a choice that test classes made, which is no result either.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tgr.artifacts import read_json
from tgr.evaluation.selection import CRITERION
from tgr.evaluation.statistics import crossed, difference, interval, training_keys
from tgr.evaluation.summary import read_episodes

COUNTS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 60, 80, 100)
"""Evaluations among which the best is taken; the authors' release took the best of 50 to 60."""
RULES = ("last", "datafree", "meta_val", "oracle")
GAINS = ("method", "label", "shot", "rule", "mean", "ci95", "gain", "gain_ci95", "n", "n_seeds")
INFLATION = ("method", "label", "shot", "k", "own", "sigma", "rho", "independent", "shared", "n")


@cache
def expected_maximum(k: int) -> float:
    """Return m_k, the expected maximum of k independent standard normal variables.

    Raises:
        ValueError: k is less than one.
    """
    from scipy import integrate, stats

    if k < 1:
        raise ValueError(f"a maximum of {k} values")
    if k == 1:
        return 0.0
    value, _ = integrate.quad(lambda z: z * k * stats.norm.pdf(z) * stats.norm.cdf(z) ** (k - 1), -10, 10)
    return float(value)


def measure_selection(*, evaluations: Sequence[Path], methods: Mapping[str, str], gains: Path, inflation: Path) -> None:
    """Write two tables, CSV, of the methods whose trainings have several checkpoints; accuracies are those of
    nearest class mean, which all selection rules compare, on meta-test episodes of all datasets.

    ``gains``, a row for each shot and rule: mean accuracy with its 95 % interval over ``n`` episodes, and
    ``gain``, the paired difference to the first rule (``last``) with its interval; ``n_seeds`` counts the seeds, or the
    replicates if there are several.
    ``inflation``, a row for each shot and ``k``: what the best of ``k`` equally good checkpoints would show too
    much, if each evaluation drew its own episodes (``independent``), or all share theirs (``shared``, with ``rho`` as
    found; empty if it was not). ``own`` marks the training's own number of checkpoints; ``sigma`` is the standard error
    of one seed.

    Args:
        evaluations: folders of one scenario.
        methods: labels by name, in the order of the rows.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    counts = _checkpoints(evaluations)
    episodes = read_episodes(evaluations)
    episodes = episodes[episodes["protocol"] == CRITERION]
    gain_rows, inflation_rows = [], []
    for name, label in methods.items():
        for shot in sorted(shot for method, shot in counts if method == name):
            accuracies = episodes[(episodes["method"] == name) & (episodes["shot"] == shot)]
            if counts[name, shot] < 2 or accuracies.empty:
                continue
            head = {"method": name, "label": label, "shot": shot}
            gain_rows += [head | row for row in _gains(accuracies)]
            inflation_rows += [head | row for row in _inflation(accuracies, counts[name, shot])]
    pd.DataFrame(gain_rows, columns=list(GAINS)).to_csv(gains, index=False)
    pd.DataFrame(inflation_rows, columns=list(INFLATION)).to_csv(inflation, index=False)


def _checkpoints(evaluations: Sequence[Path]) -> dict[tuple[str, int], int]:
    """Return how many checkpoints each method and shot were chosen from."""
    counts = {}
    for folder in map(Path, evaluations):
        about = read_json(folder / "selection.json")
        scored = {row["checkpoint"] for row in about["scores"]}
        counts[about["method"], about["shot"]] = max(1, len(scored))
    return counts


def _gains(accuracies: pd.DataFrame) -> list[dict[str, Any]]:
    tables = {
        rule: crossed(accuracies[accuracies["selection"] == rule])
        for rule in RULES
        if rule in set(accuracies["selection"])
    }
    reference = next(iter(tables.values()))
    rows = []
    for rule, table in tables.items():
        accuracy, gain = interval(table), difference(table, reference)
        row = {"rule": rule, "mean": accuracy.mean, "ci95": accuracy.half_width, "gain": gain.mean}
        rows.append(row | {"gain_ci95": gain.half_width, "n": accuracy.n, "n_seeds": accuracy.n_trainings})
    return rows


def _inflation(accuracies: pd.DataFrame, k_own: int) -> list[dict[str, Any]]:
    seeds = [part for _, part in accuracies.groupby(training_keys(accuracies))]
    sigma = float(np.mean([standard_error(part[part["selection"] == part["selection"].iloc[0]]) for part in seeds]))
    rhos = [rho for part in seeds for rho in correlations(part)]
    rho = float(np.mean(rhos)) if rhos else math.nan
    n = crossed(accuracies[accuracies["selection"] == accuracies["selection"].iloc[0]]).shape[1]
    rows = []
    for k in sorted({*COUNTS, k_own}):
        independent = sigma * expected_maximum(k)
        shared = math.nan if math.isnan(rho) else independent * math.sqrt(1 - max(0.0, rho))
        row = {"k": k, "own": k == k_own, "sigma": sigma, "rho": rho, "independent": independent}
        rows.append(row | {"shared": shared, "n": n})
    return rows


def standard_error(accuracies: pd.DataFrame) -> float:
    """Return the standard error of the mean over datasets of mean accuracies over episodes, of one checkpoint."""
    parts = [part.to_numpy() for _, part in accuracies.groupby("dataset")["accuracy"]]
    return math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in parts)) / len(parts)


def correlations(accuracies: pd.DataFrame) -> list[float]:
    """Return the correlations over episodes between every two checkpoints of one seed, dataset by dataset.

    Only checkpoints that some rule chose have their episodes kept; without two different ones there is no correlation.
    """
    distinct = accuracies.drop_duplicates(["dataset", "checkpoint", "episode"])
    coefficients = []
    for _, part in distinct.groupby("dataset"):
        wide = part.pivot(index="episode", columns="checkpoint", values="accuracy").to_numpy().T
        with warnings.catch_warnings():  # of constant accuracies, which have no correlation
            warnings.simplefilter("ignore", RuntimeWarning)
            coefficients += [float(np.corrcoef(a, b)[0, 1]) for a, b in combinations(wide, 2)]
    return [value for value in coefficients if not math.isnan(value)]
