"""Means, intervals and paired differences of accuracies, over trainings and episodes.

An accuracy depends on the training that made the model and on the episode that it meets, and both are samples: of the
trainings that one might have run, and of the tasks that one might have drawn. Trainings and episodes are crossed, for
all models meet the same episodes, so the accuracy y of training i in episode j is

    y_ij = mean + training_i + episode_j + rest_ij        (two-way random effects, one value a cell).

The variance of the mean over I trainings and J episodes is estimated from the mean squares A of the trainings, B of the
episodes and E of the rest as (max(A - E, 0) + B) / (I J). Three or five trainings make A a poor estimate, which the
interval must pay for. Each part therefore has its own quantile of Student's t:

    half width^2 = (t(I - 1)^2 max(A - E, 0) + t(J - 1)^2 B) / (I J),

the modified large-sample interval (Graybill and Wang, Confidence Intervals on Nonnegative Linear Combinations of
Variances, JASA 1980), exact where one part dominates. Satterthwaite's single number of degrees of freedom is too
optimistic here: with three trainings that differ more than their episodes its 95 % interval covered 92 % in simulation,
this one 95 to 97 %. A p-value is the level at which the interval just excludes zero.

With a single training the interval is Student's t over the episodes, and says nothing of another training. Episodes of
several datasets are strata: the datasets are those that were chosen, not a sample.

Trainings that share their teachers and images say nothing of other teachers. Replicates draw these anew, so with
several of them a row of the table is a replicate, its accuracies averaged over the seeds within:

    y_rsj = mean + replicate_r + seed_s(r) + episode_j + (replicate x episode)_rj + rest_rsj.

The averages over s follow the model above, with trainings of the variance replicate + seed / S and a rest of the
variance (replicate x episode) + rest / S. So the same interval holds for S seeds in each of R replicates, with R - 1
degrees of freedom, whatever the five variances are; seeds make it shorter as far as they matter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from tgr.errors import TgrError

OUTSIDE = 0.05
"""One minus the confidence level of all intervals."""
SMALLEST = math.log(1e-100)
"""Logarithm of the smallest p-value that is told from zero."""
MOST_TRAININGS = 1000
"""More trainings than these are not planned."""
NEGLIGIBLE = 1e-12
"""Standard deviations below this are rounding errors of accuracies, which are multiples of 1 / (n_way * n_query)."""
UNIT = ["dataset", "episode"]
"""What identifies an episode within a scenario and a shot."""
REPLICATE, TRAINING = "replicate", "seed"
"""What identifies a training of a method. A single replicate has no column of its own."""


@dataclass(frozen=True)
class Interval:
    """A mean and the half width of its confidence interval, in the unit of the values.

    Attributes:
        n: the episodes, or the values.
        n_trainings: the independent trainings that the interval covers: seeds, or replicates if there are several; 1:
            it holds for the one that was run.
    """

    mean: float
    half_width: float
    n: int
    n_trainings: int = 1


@dataclass(frozen=True)
class Difference:
    """A paired difference to a reference, positive if the method is better.

    Attributes:
        mean, half_width, n, n_trainings: as of an interval.
        p_value: of no difference, two-sided.
        margin: half width of the 90 % interval: the two are equivalent up to any margin above ``abs(mean) + margin``
            (two one-sided tests at 5 %; Schuirmann 1987).
    """

    mean: float
    half_width: float
    n: int
    n_trainings: int
    p_value: float
    margin: float

    def equivalent(self, margin: float) -> bool:
        """Return whether the two surely differ by less than a margin."""
        return abs(self.mean) + self.margin < margin


@dataclass(frozen=True)
class Spread:
    """A mean and the parts of its variance, each with its degrees of freedom."""

    mean: float
    parts: Sequence[tuple[float, int]]
    n: int
    n_trainings: int

    def half_width(self, outside: float) -> float:
        """Return the half width of the two-sided interval that leaves a probability outside."""
        return math.sqrt(sum(float(stdtrit(freedom, outside / 2)) ** 2 * part for part, freedom in self.parts))

    def p_value(self) -> float:
        """Return the probability outside the interval that just excludes zero; 1 if the mean is zero."""
        from scipy.optimize import brentq

        if abs(self.mean) < NEGLIGIBLE:
            return 1.0

        def excess(log_p: float) -> float:
            return self.half_width(math.exp(log_p)) - abs(self.mean)

        if excess(SMALLEST) < 0:
            return 0.0
        return math.exp(brentq(excess, SMALLEST, 0.0, xtol=1e-12))


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Return the mean of independent values and its two-sided 95 % interval by Student's t.

    Raises:
        ValueError: fewer than two values.
    """
    array = np.asarray(values, dtype=np.float64)
    spread = _spread(array[None], np.zeros(len(array), dtype=np.int64))
    return Interval(spread.mean, spread.half_width(OUTSIDE), spread.n)


def crossed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies of one method: a row for each training, a column for each dataset and episode, in order.

    With several replicates a row is one of them: the mean over its seeds.

    Args:
        frame: rows of one scenario, method, shot, protocol and selection rule.

    Raises:
        TgrError: the trainings do not share the same episodes.
    """
    trainings = training_keys(frame)
    table = frame.set_index([*trainings, *UNIT])["accuracy"]
    wide = table.unstack(UNIT) if table.index.is_unique else None
    if wide is None or wide.isna().to_numpy().any():
        first = frame.iloc[0]
        raise TgrError(
            f"{first['method']}, {first['shot']}-shot, {first['protocol']}: the seeds do not share the same episodes; "
            f"delete the evaluation of this method and run again"
        )
    wide = wide.sort_index().sort_index(axis=1)
    return wide.groupby(level=REPLICATE).mean() if REPLICATE in trainings else wide


def training_keys(frame: pd.DataFrame) -> list[str]:
    """Return the columns that identify a training of a method."""
    return [name for name in (REPLICATE, TRAINING) if name in frame]


def training_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Return ``n_seeds``, and with several replicates ``n_replicates``, each of which has so many seeds."""
    replicates = {"n_replicates": frame[REPLICATE].nunique()} if REPLICATE in frame else {}
    return {"n_seeds": frame[TRAINING].nunique()} | replicates


def interval(table: pd.DataFrame) -> Interval:
    """Return the mean of a method's accuracies and its 95 % interval over trainings and episodes.

    Args:
        table: what ``crossed`` returns.

    Raises:
        ValueError: no dataset has two episodes.
    """
    spread = _spread(table.to_numpy(np.float64), _strata(table))
    return Interval(spread.mean, spread.half_width(OUTSIDE), spread.n, spread.n_trainings)


def difference(table: pd.DataFrame, reference: pd.DataFrame) -> Difference:
    """Return the paired difference of two methods over trainings and episodes.

    Trainings are paired by seed, or by replicate. If the methods have different ones, each is averaged over its own,
    and the difference counts as of one training.

    Args:
        table, reference: what ``crossed`` returns.

    Raises:
        TgrError: they do not share the same episodes.
    """
    return contrast([(1, table), (-1, reference)])


def contrast(terms: Sequence[tuple[float, pd.DataFrame]]) -> Difference:
    """Return a weighted sum of methods' accuracies, paired over trainings and episodes.

    Args:
        terms: weights, whose sum is zero, each with what ``crossed`` returns: 1 and -1 for a difference, four of them
            for a difference of differences. Trainings are paired as by ``difference``.

    Raises:
        TgrError: they do not share the same episodes.
    """
    spread = _paired(terms)
    mean = 0.0 if abs(spread.mean) < NEGLIGIBLE else spread.mean
    return Difference(
        mean,
        spread.half_width(OUTSIDE),
        spread.n,
        spread.n_trainings,
        spread.p_value(),
        spread.half_width(2 * OUTSIDE),
    )


def trainings_for(terms: Sequence[tuple[float, pd.DataFrame]], half_width: float) -> int | None:
    """Return how many trainings, or replicates, would make the interval of a contrast as short as wanted.

    The parts of the variance are taken as they were found, and the episodes stay the same.

    Args:
        terms: as of ``contrast``.

    Returns:
        None if a single training says nothing of others, or if the episodes alone make it longer.
    """
    spread = _paired(terms)
    if spread.n_trainings == 1:
        return None
    (episodes, freedom), (trainings, _) = spread.parts

    def planned(count: int) -> float:
        parts = [(episodes, freedom), (trainings * spread.n_trainings / count, count - 1)]
        return replace(spread, parts=parts).half_width(OUTSIDE)

    return next((count for count in range(2, MOST_TRAININGS + 1) if planned(count) <= half_width), None)


def seed_spread(table: pd.DataFrame) -> float | None:
    """Return the standard deviation of the mean accuracies of trainings, or of replicates; None if there is one.

    Args:
        table: what ``crossed`` returns.
    """
    return None if len(table) < 2 else float(table.mean(axis=1).std(ddof=1))


def spread_within_replicates(frame: pd.DataFrame) -> float | None:
    """Return the standard deviation of the seeds' mean accuracies within a replicate, or None if there is one seed.

    Args:
        frame: as for ``crossed``, of several replicates.
    """
    means = frame.groupby([REPLICATE, TRAINING])["accuracy"].mean()
    variances = means.groupby(REPLICATE).var(ddof=1)
    return None if variances.isna().any() else math.sqrt(float(variances.mean()))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm, 1979): each is valid for the whole family."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _paired(terms: Sequence[tuple[float, pd.DataFrame]]) -> Spread:
    """Return the spread of a contrast.

    Raises:
        TgrError: the methods do not share the same episodes.
    """
    first = terms[0][1]
    if not all(table.columns.equals(first.columns) for _, table in terms):
        raise TgrError("methods were evaluated on different episodes; delete the scenario's evaluation and run again")
    if all(table.index.equals(first.index) for _, table in terms):
        values = sum(weight * table.to_numpy(np.float64) for weight, table in terms)
    else:
        values = sum(weight * table.mean().to_numpy(np.float64) for weight, table in terms)[None]  # type: ignore[index]
    return _spread(np.asarray(values), _strata(first))


def _strata(table: pd.DataFrame) -> np.ndarray:
    """Return the number of each column's dataset."""
    return pd.factorize(table.columns.get_level_values(UNIT[0]))[0]


def _spread(values: np.ndarray, strata: np.ndarray) -> Spread:
    """Return the mean of (trainings, episodes) values and the parts of its variance.

    Raises:
        ValueError: no stratum has two episodes.
    """
    n_trainings, n_episodes = values.shape
    freedom = n_episodes - len(set(strata.tolist()))
    if freedom < 1:
        raise ValueError(f"an interval needs two values or more, found {n_episodes}")
    cells, mean = n_trainings * n_episodes, float(values.mean())
    members = strata[None] == np.unique(strata)[:, None]
    weights = members / members.sum(1, keepdims=True)
    by_episode = values.mean(0)
    of_stratum = (weights @ by_episode)[strata]
    episodes = n_trainings * float(np.square(by_episode - of_stratum).sum()) / freedom
    parts = [(_unrounded(episodes) / cells, freedom)]
    if n_trainings > 1:
        trainings = n_episodes * float(values.mean(1).var(ddof=1))
        rest = values - (values @ weights.T)[:, strata] - by_episode + of_stratum
        unexplained = float(np.square(rest).sum()) / ((n_trainings - 1) * freedom)
        parts.append((_unrounded(max(trainings - unexplained, 0.0)) / cells, n_trainings - 1))
    return Spread(mean, parts, n_episodes, n_trainings)


def _unrounded(square: float) -> float:
    return 0.0 if square < NEGLIGIBLE**2 else square
