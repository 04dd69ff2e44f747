"""A budget: how methods fare as they train longer, by the steps that they took and the images that these saw."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.errors import TgrError
from tgr.evaluation.curves import read_curves
from tgr.evaluation.statistics import REPLICATE, mean_interval, training_counts, training_keys
from tgr.evaluation.summary import headline_rows, over_all_datasets, read_episodes, seed_means

ANY = "any"
"""The shot of a training that serves every evaluated one."""


def gather_budget(
    *,
    evaluations: Sequence[Path],
    models: Sequence[Path],
    lines: Mapping[str, Sequence[str]],
    passes: Mapping[str, Mapping[str, Mapping[str, int]]],
    headline: str,
    budget: Path,
) -> None:
    """Write what each training took and reached as one CSV.

    Its columns: line, method (the variant's name), shot, protocol, split; ``steps``, updates of the meta-model, and
    ``image_passes``, images forward and backward through it, both means over seeds, for the number of replayed steps
    may depend on the seed; ``mean``, the accuracy as a share of 1; ``low`` and ``high``, the 95 % interval of that
    mean over seeds, empty for one seed; ``n_seeds``, ``n_episodes``. With several replicates the interval is that of
    the replicates' means, and ``n_replicates`` counts them.

    Args:
        evaluations, models: folders of all trainings.
        lines: the names of the trainings of each line.
        passes: for each training the images of one step, by the training's shot and by phase.
        headline: the selection rule of the accuracies.

    Raises:
        TgrError: evaluations that do not belong together, a training without an evaluation, or a phase whose images
            are not counted.
    """
    episodes = headline_rows(read_episodes(evaluations), headline)
    accuracies, work = over_all_datasets(seed_means(episodes)), _work(read_curves(models), passes)
    seeds = accuracies.merge(work, on=["method", *training_keys(episodes)], how="left")
    own = seeds[(seeds["trained_shot"] == ANY) | (seeds["trained_shot"] == seeds["shot"].astype(str))]
    rows = []
    for line, variants in lines.items():
        for name in variants:
            part = own[own["method"] == name]
            if part.empty:
                raise TgrError(f"{line}: {name} was not evaluated; run it again")
            for (shot, protocol), cell in part.groupby(["shot", "protocol"]):
                head = {"line": line, "method": name, "shot": shot, "protocol": protocol}
                rows.append(head | _row(cell) | {"split": episodes["split"].iloc[0]})
    n_episodes = len(episodes[["dataset", "episode"]].drop_duplicates())
    pd.DataFrame(rows).assign(n_episodes=n_episodes).to_csv(budget, index=False)


def _work(curves: pd.DataFrame, passes: Mapping[str, Mapping[str, Mapping[str, int]]]) -> pd.DataFrame:
    """Return the steps of each training and the images that they saw: every step of every phase was logged."""
    keys = ["method", *training_keys(curves), "shot"]
    counted = (
        curves.drop_duplicates([*keys, "phase", "step"]).groupby([*keys, "phase"]).size().reset_index(name="steps")
    )
    images = []
    for row in counted.to_dict("records"):
        phases = passes[row["method"]][row["shot"]]
        if row["phase"] not in phases:
            raise TgrError(f"{row['method']}: the images of its phase {row['phase']} are not counted")
        images.append(row["steps"] * phases[row["phase"]])
    work = counted.assign(image_passes=images).groupby(keys)[["steps", "image_passes"]].sum().reset_index()
    return work.rename(columns={"shot": "trained_shot"})


def _row(seeds: pd.DataFrame) -> dict[str, float]:
    mean, half = float(seeds["mean"].mean()), float("nan")
    independent = seeds.groupby(REPLICATE)["mean"].mean() if REPLICATE in seeds else seeds["mean"]
    if len(independent) > 1:
        half = mean_interval(independent.to_numpy()).half_width
    work = {name: float(seeds[name].mean()) for name in ("steps", "image_passes")}
    return work | {"mean": mean, "low": mean - half, "high": mean + half} | training_counts(seeds)
