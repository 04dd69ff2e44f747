"""The trials of a configuration whose ablations are grids, and the best of each method."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.artifacts import read_json
from tgr.config.schema import Config
from tgr.config.variants import Variant
from tgr.errors import TgrError
from tgr.workflow.jobs import Jobs
from tgr.workflow.paths import EVALUATION, MODEL


def gather(config: Config, run: Path) -> dict[str, pd.DataFrame]:
    """Return for each scenario with ablations a row for each trial.

    Returns:
        columns method, trial (the variant), parameters (what the grid varied), a mean accuracy for each protocol and
        shot, criterion (their mean), chosen (the best of its method; of equal ones the first), seconds (of the
        training).

    Raises:
        TgrError: the configuration measures on meta-test, or a trial has not run.
    """
    if config.evaluation.split != "meta_val":
        raise TgrError(
            "evaluation.split: parameters are chosen on meta_val classes; set it, and no other classes are seen"
        )
    jobs, found = Jobs(config), {}
    for scenario in config.named_scenarios:
        names = [name for name, ablation in config.ablations.items() if ablation.scenario == scenario]
        variants = {key: about for name in names for key, about in jobs.ablations[name].items()}
        rows = [_trial(jobs, run, scenario, name, about) for name, about in variants.items()]
        if rows:
            found[scenario] = _choose(pd.DataFrame(rows))
    if not found:
        raise TgrError("ablations: there is none, so there are no trials")
    return found


def _trial(jobs: Jobs, run: Path, scenario: str, name: str, variant: Variant) -> dict[str, Any]:
    replicates = jobs.settings.replicates_of(scenario)
    evaluations = [
        run / EVALUATION.format(**job._asdict()) for one in replicates for job in jobs.evaluations(one, [name])
    ]
    models = [run / MODEL.format(**job._asdict()) for one in replicates for job in jobs.models(one, [name])]
    try:
        frame = pd.concat([pd.read_parquet(folder / "episodes.parquet") for folder in evaluations], ignore_index=True)
        seconds = sum(read_json(folder / "model.json")["wall_seconds"] for folder in models)
    except FileNotFoundError as error:
        raise TgrError(f"{name} has not run: {error.filename} is missing; run the configuration first") from error
    if set(frame["split"]) != {"meta_val"}:
        raise TgrError(f"{name} was evaluated on {', '.join(sorted(set(frame['split'])))}; run the configuration again")
    shown = frame[frame["selection"] == jobs.settings.evaluation.headline]
    means = shown.groupby(["protocol", "shot"])["accuracy"].mean().rename("mean").reset_index()
    accuracies = {f"{row['protocol']} {row['shot']}-shot": row["mean"] for row in means.to_dict("records")}
    row = {"method": variant.method, "trial": name, "parameters": _written(variant.changes)}
    return row | accuracies | {"criterion": float(means["mean"].mean()), "seconds": round(seconds, 1)}


def _choose(trials: pd.DataFrame) -> pd.DataFrame:
    best = trials.groupby("method", sort=False)["criterion"].idxmax()
    return trials.assign(chosen=trials.index.isin(best))


def _written(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {'null' if value is None else value}" for key, value in changes.items())
