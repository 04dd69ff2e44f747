"""Means, intervals, the spread over seeds, and paired differences between methods.

The unit of all inference is the episode: accuracies are first averaged over seeds, episode by episode, and the
intervals then describe the choice of episodes for these trained models. The spread over seeds is a separate figure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tgr.errors import TgrError

LEVEL = 0.95
"""Confidence level of all intervals."""
NEGLIGIBLE = 1e-12
"""Standard deviations below this are rounding errors of accuracies, which are multiples of 1 / (n_way * n_query)."""
UNIT = ["dataset", "episode"]
"""What identifies an episode within a scenario and a shot."""


@dataclass(frozen=True)
class Interval:
    """A mean and the half width of its confidence interval, in the unit of the values."""

    mean: float
    half_width: float
    n: int


@dataclass(frozen=True)
class Difference:
    """A paired difference to a reference: positive if the method is better."""

    mean: float
    half_width: float
    p_value: float
    n: int


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Return the mean and its two-sided 95 % interval by Student's t.

    Raises:
        ValueError: fewer than two values.
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        raise ValueError(f"an interval needs two values or more, found {len(array)}")
    deviation = float(array.std(ddof=1))
    if deviation < NEGLIGIBLE:
        return Interval(float(array.mean()), 0.0, len(array))
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, len(array) - 1))
    return Interval(float(array.mean()), quantile * deviation / math.sqrt(len(array)), len(array))


def paired_difference(values: Sequence[float] | np.ndarray, reference: Sequence[float] | np.ndarray) -> Difference:
    """Return the mean of ``values - reference`` with its interval and the p-value of the paired t-test.

    If all differences are equal the interval has no width, and p is 1 if they are zero and 0 if they are not.

    Raises:
        ValueError: different lengths, or fewer than two pairs.
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"a paired comparison needs the same episodes, found {len(a)} and {len(b)}")
    interval = mean_interval(a - b)
    if interval.half_width == 0:
        same = abs(interval.mean) < NEGLIGIBLE
        return Difference(0.0 if same else interval.mean, 0.0, 1.0 if same else 0.0, interval.n)
    return Difference(interval.mean, interval.half_width, float(stats.ttest_rel(a, b).pvalue), interval.n)


def seed_spread(frame: pd.DataFrame) -> float | None:
    """Return the standard deviation of the per-seed mean accuracies, or None if there is one seed.

    Args:
        frame: columns ``seed`` and ``accuracy``.
    """
    means = frame.groupby("seed")["accuracy"].mean()
    return None if len(means) < 2 else float(means.std(ddof=1))


def per_episode(frame: pd.DataFrame) -> pd.Series:
    """Average over seeds: accuracies of one method, indexed by dataset and episode, in order.

    Args:
        frame: rows of one scenario, method, shot, protocol and selection rule.

    Raises:
        TgrError: the seeds do not share the same episodes.
    """
    counts = frame.groupby(UNIT)["seed"].agg(["count", "nunique"])
    n_seeds = frame["seed"].nunique()
    if not ((counts["count"] == n_seeds) & (counts["nunique"] == n_seeds)).all():
        first = frame.iloc[0]
        raise TgrError(
            f"{first['method']}, {first['shot']}-shot, {first['protocol']}: the seeds do not share the same episodes; "
            f"delete the evaluation of this method and run again"
        )
    return frame.groupby(UNIT, sort=True)["accuracy"].mean()


def compare(series: pd.Series, reference: pd.Series) -> Difference:
    """Return the paired difference of two results of ``per_episode``.

    Raises:
        TgrError: they do not share the same episodes.
    """
    if not series.index.equals(reference.index):
        raise TgrError("methods were evaluated on different episodes; delete the scenario's evaluation and run again")
    return paired_difference(series.to_numpy(), reference.to_numpy())
