"""An ablation in numbers: accuracy, over-fitting and gradient conflict of each variant."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.artifacts import read_json
from tgr.evaluation.curves import read_curves
from tgr.evaluation.selection import CRITERION
from tgr.evaluation.statistics import mean_interval, per_episode
from tgr.evaluation.summary import headline_rows, over_all_datasets, read_episodes, summarise

CONFLICT = ("relative_variance", "gradient_cosine")
"""Curves that group steps record: the variance of the teachers' gradients relative to the squared norm of their mean,
and their mean pairwise cosine."""
COLUMNS = ("variant", "method", "configured", "measure", "shot", "protocol", "mean", "low", "high", "n", "n_seeds")
"""The columns of the table that every ablation has; the others are its factors."""


def write_ablation(
    evaluations: Sequence[Path],
    models: Sequence[Path],
    variants: Mapping[str, Mapping[str, Any]],
    headline: str,
    table_file: Path,
    conflict_file: Path,
) -> None:
    """Write the table of an ablation as CSV, and its curves of gradient conflict as Parquet.

    The table has ``COLUMNS`` and a column for each factor. Its measures, as shares of 1:

    - ``accuracy``: on meta-test episodes by shot and protocol, all datasets together, with its 95 % interval;
    - ``gap``: accuracy on episodes of held-out recovered images minus that on meta-test, of the headline's checkpoint
      under nearest class mean; its interval is that of the meta-test accuracy;
    - the two of ``CONFLICT``: mean over the group steps and seeds, from the lowest to the highest seed.

    The curves have the columns variant, method, factors, shot, seed, step, name, value.

    Args:
        evaluations, models: folders of all variants.
        variants: for each variant's name the label of its method (``method``) and its factors (``changes``).
        headline: the selection rule of the checkpoints.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    episodes = read_episodes(evaluations)
    curves = read_curves(models)
    curves = curves[curves["name"].isin(CONFLICT)]
    about = pd.DataFrame(
        [
            {"variant": name, "method": own["method"], "configured": "." not in name} | dict(own["changes"])
            for name, own in variants.items()
        ]
    )
    found = [_accuracies(episodes, list(variants), headline), _gaps(evaluations, episodes, headline)]
    table = pd.concat([*found, _conflict(curves)], ignore_index=True)
    ordered = about.merge(table, on="variant", how="inner")
    factors = [column for column in about if column not in COLUMNS]
    ordered[[*COLUMNS[:3], *factors, *COLUMNS[3:]]].to_csv(table_file, index=False)
    named = about.drop(columns="configured").merge(curves.rename(columns={"method": "variant"}), on="variant")
    for factor in factors:
        named[factor] = [f"{value:g}" if isinstance(value, float) else str(value) for value in named[factor]]
    named.drop(columns="phase").to_parquet(conflict_file, index=False)


def _accuracies(episodes: pd.DataFrame, variants: Sequence[str], headline: str) -> pd.DataFrame:
    summary = summarise(episodes, variants, variants[0])
    shown = over_all_datasets(headline_rows(summary, headline))
    bounds = {"low": shown["mean"] - shown["ci95"], "high": shown["mean"] + shown["ci95"]}
    named = shown.rename(columns={"method": "variant", "n_episodes": "n"}).assign(measure="accuracy", **bounds)
    return named[["variant", "measure", "shot", "protocol", "mean", "low", "high", "n", "n_seeds"]]


def _gaps(evaluations: Sequence[Path], episodes: pd.DataFrame, headline: str) -> pd.DataFrame:
    """Return a row for each variant and shot whose checkpoints were scored on recovered and on unseen classes."""
    found = []
    for folder in map(Path, evaluations):
        about = read_json(folder / "selection.json")
        chosen = about["chosen"].get(headline)
        scores = {row["rule"]: row["accuracy"] for row in about["scores"] if row["checkpoint"] == chosen}
        if {"datafree", "oracle"} <= set(scores):
            gap = scores["datafree"] - scores["oracle"]
            found.append({"variant": about["method"], "shot": about["shot"], "gap": gap})
    if not found:
        return pd.DataFrame(columns=["variant"])
    rows = []
    unseen = episodes[(episodes["selection"] == headline) & (episodes["protocol"] == CRITERION)]
    for key, own in pd.DataFrame(found).groupby(["variant", "shot"], sort=False):
        mean = float(own["gap"].mean())
        half, n = _half_width(unseen[(unseen["method"] == key[0]) & (unseen["shot"] == key[1])])
        row = {"variant": key[0], "measure": "gap", "shot": key[1], "protocol": CRITERION, "n": n}
        rows.append(row | {"mean": mean, "low": mean - half, "high": mean + half, "n_seeds": len(own)})
    return pd.DataFrame(rows)


def _half_width(episodes: pd.DataFrame) -> tuple[float, int]:
    """Return the half width of the interval of the mean over datasets of mean accuracies, and the episodes."""
    if episodes.empty:
        return math.nan, 0
    intervals = [mean_interval(part.to_numpy()) for _, part in per_episode(episodes).groupby("dataset")]
    half = math.sqrt(sum(interval.half_width**2 for interval in intervals)) / len(intervals)
    return half, sum(interval.n for interval in intervals)


def _conflict(curves: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each variant, trained shot and measure of conflict."""
    if curves.empty:
        return pd.DataFrame(columns=["variant"])
    keys = ["method", "name", "shot"]
    seeds = curves.groupby([*keys, "seed"], sort=False)["value"].agg(["mean", "size"]).reset_index()
    found = seeds.groupby(keys, sort=False).agg(
        low=("mean", "min"), high=("mean", "max"), mean=("mean", "mean"), n=("size", "max"), n_seeds=("seed", "size")
    )
    return found.reset_index().rename(columns={"method": "variant", "name": "measure"})
