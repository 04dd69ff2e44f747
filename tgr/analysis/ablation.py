"""An ablation in numbers: accuracy, over-fitting and gradient conflict of each variant."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.artifacts import read_json
from tgr.evaluation.curves import read_curves
from tgr.evaluation.selection import CRITERION
from tgr.evaluation.statistics import REPLICATE, crossed, interval, training_counts, training_keys
from tgr.evaluation.summary import headline_rows, over_all_datasets, read_episodes, seed_means, summarise

CONFLICT = ("gradient_cosine", "relative_variance")
"""Curves that group steps record: the mean pairwise cosine of the teachers' gradients, and their variance relative to
the squared norm of their mean."""
COLUMNS = ("variant", "method", "configured", "measure", "shot", "protocol", "mean", "low", "high", "n", "n_seeds")
"""The columns of the table that every ablation has; the others are its factors, ..."""
REPLICATES = "n_replicates"
"""... and this one, if there are several replicates."""


def summarise_ablation(
    *,
    evaluations: Sequence[Path],
    models: Sequence[Path],
    variants: Mapping[str, Mapping[str, Any]],
    headline: str,
    accuracies: Path,
    ablation: Path,
    conflict: Path,
    seeds: Path,
) -> None:
    """Write the variants' accuracies and the measures of the figure as CSV, the rest as Parquet.

    ``accuracies`` is what ``variant_accuracies`` returns, ``seeds`` that of each training at the same checkpoints
    (``tgr.evaluation.summary.seed_means``). ``ablation`` has ``COLUMNS`` and a column for each factor;
    its measures, as shares of 1:

    - ``accuracy``: on meta-test episodes by shot and protocol, all datasets together, with its 95 % interval;
    - ``gap``: accuracy on episodes of held-out recovered images minus that on meta-test, of the headline's checkpoint
      under nearest class mean; its interval is that of the meta-test accuracy;
    - the two of ``CONFLICT``: mean over the group steps and trainings, from the lowest to the highest training.

    ``conflict``, the curves of gradient conflict, has the columns variant, method, factors, shot, seed, step, name,
    value, and with several replicates ``replicate``.

    Args:
        evaluations, models: folders of all variants.
        variants: for each variant's name the label of its method (``method``) and its factors (``changes``).
        headline: the selection rule of the checkpoints.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    episodes, curves = read_episodes(evaluations), read_curves(models)
    curves = curves[curves["name"].isin(CONFLICT)]
    table = variant_accuracies(episodes, curves, variants, headline)
    table.to_csv(accuracies, index=False)
    seed_means(headline_rows(episodes, headline)).to_parquet(seeds, index=False)
    measures = [_accuracies(table), _gaps(evaluations, episodes, headline), _conflict(curves)]
    measured = pd.concat(measures, ignore_index=True)
    replicates = [REPLICATES] if REPLICATE in episodes else []
    if replicates:
        measured = measured.assign(**training_counts(episodes))
    about = pd.DataFrame(
        [
            {"variant": name, "method": variant["method"], "configured": "." not in name} | dict(variant["changes"])
            for name, variant in variants.items()
        ]
    )
    ordered = about.merge(measured, on="variant", how="inner")
    factors = [column for column in about if column not in COLUMNS]
    ordered[[*COLUMNS[:3], *factors, *COLUMNS[3:], *replicates]].to_csv(ablation, index=False)
    named = about.drop(columns="configured").merge(curves.rename(columns={"method": "variant"}), on="variant")
    for factor in factors:
        named[factor] = [_value(value) for value in named[factor]]
    named.drop(columns=["phase", "scenario"]).to_parquet(conflict, index=False)


def variant_accuracies(
    episodes: pd.DataFrame, curves: pd.DataFrame, variants: Mapping[str, Mapping[str, Any]], headline: str
) -> pd.DataFrame:
    """Return the summary of an ablation's variants, at the headline's checkpoints.

    Differences are paired, to the method as configured; if it is not among the variants, to the first one.

    Returns:
        the columns of ``tgr.evaluation.summary.summarise``, a variant's name in the column ``method``; the two of
        ``CONFLICT``, mean over all steps, shots and seeds; a column for each factor; ``label``, e.g. ``TGR: grouping
        random, treatment none``.
    """
    reference = next((name for name in variants if "." not in name), next(iter(variants)))
    shown = headline_rows(summarise(episodes, list(variants), reference), headline)
    means = curves.pivot_table(index="method", columns="name", values="value", aggfunc="mean")
    table = shown.merge(means.reindex(columns=list(CONFLICT)).reset_index(), on="method", how="left")
    for factor in dict.fromkeys(factor for about in variants.values() for factor in about["changes"]):
        table[factor] = table["method"].map({name: about["changes"].get(factor) for name, about in variants.items()})
    return table.assign(label=table["method"].map({name: _label(about) for name, about in variants.items()}))


def _label(variant: Mapping[str, Any]) -> str:
    changes = [f"{factor} {_value(value).replace('_', ' ')}" for factor, value in variant["changes"].items()]
    return f"{variant['method']}: {', '.join(changes)}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _accuracies(table: pd.DataFrame) -> pd.DataFrame:
    shown = over_all_datasets(table)
    bounds = {"low": shown["mean"] - shown["ci95"], "high": shown["mean"] + shown["ci95"]}
    named = shown.rename(columns={"method": "variant", "n_episodes": "n"}).assign(measure="accuracy", **bounds)
    return named[["variant", "measure", "shot", "protocol", "mean", "low", "high", "n", "n_seeds"]]


def _gaps(evaluations: Sequence[Path], episodes: pd.DataFrame, headline: str) -> pd.DataFrame:
    """Return a row for each variant and shot whose checkpoints were scored on recovered and on unseen classes."""
    gaps = []
    for folder in map(Path, evaluations):
        about = read_json(folder / "selection.json")
        chosen = about["chosen"].get(headline)
        scores = {row["rule"]: row["accuracy"] for row in about["scores"] if row["checkpoint"] == chosen}
        if {"datafree", "oracle"} <= set(scores):
            gap = scores["datafree"] - scores["oracle"]
            gaps.append({"variant": about["method"], "shot": about["shot"], "gap": gap})
    if not gaps:
        return pd.DataFrame(columns=["variant"])
    rows = []
    unseen = episodes[(episodes["selection"] == headline) & (episodes["protocol"] == CRITERION)]
    for key, part in pd.DataFrame(gaps).groupby(["variant", "shot"], sort=False):
        mean = float(part["gap"].mean())
        half, n = _half_width(unseen[(unseen["method"] == key[0]) & (unseen["shot"] == key[1])])
        row = {"variant": key[0], "measure": "gap", "shot": key[1], "protocol": CRITERION, "n": n}
        rows.append(row | {"mean": mean, "low": mean - half, "high": mean + half, "n_seeds": len(part)})
    return pd.DataFrame(rows)


def _half_width(episodes: pd.DataFrame) -> tuple[float, int]:
    """Return the half width of the interval of the mean accuracy, and the episodes."""
    if episodes.empty:
        return math.nan, 0
    accuracy = interval(crossed(episodes))
    return accuracy.half_width, accuracy.n


def _conflict(curves: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each variant, trained shot and measure of conflict."""
    if curves.empty:
        return pd.DataFrame(columns=["variant"])
    keys = ["method", "name", "shot"]
    seeds = curves.groupby([*keys, *training_keys(curves)], sort=False)["value"].agg(["mean", "size"]).reset_index()
    measures = seeds.groupby(keys, sort=False).agg(
        low=("mean", "min"), high=("mean", "max"), mean=("mean", "mean"), n=("size", "max"), n_seeds=("seed", "size")
    )
    return measures.reset_index().rename(columns={"method": "variant", "name": "measure"})
