"""Accuracy against cost: the whole chain of each method in thread-seconds, and which methods nothing dominates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from tgr.artifacts import provenance_path, read_json
from tgr.errors import TgrError
from tgr.evaluation.identity import read_identity
from tgr.evaluation.summary import headline_rows, over_all_datasets, read_episodes, summarise

TRAINING = "training"
STAGES = ("teachers", "recovered", "task_space")
"""What a method may need besides its own training, in the order in which it is made."""


def write_cost(
    evaluations: Sequence[Path],
    models: Sequence[Path],
    stages: Mapping[str, Sequence[Path]],
    needs: Mapping[str, Sequence[str]],
    methods: Mapping[str, str],
    headline: str,
    file: Path,
) -> None:
    """Write a row for each method, shot and protocol as CSV.

    Columns: method, label, role, shot, protocol, mean, ci95, n (episodes); ``teachers``, ``recovered``, ``task_space``
    and ``training``, the thread-seconds of what the method needs (0: it does not); ``seconds``, their sum without
    ``teachers``, which were there before; ``front``, whether no other method of the same shot and protocol is both
    cheaper and more accurate (floor and ceiling are no contenders).

    Args:
        evaluations, models: folders of one scenario; the seconds of a method's models are averaged.
        stages: the artefacts of each of ``STAGES``.
        needs: for each method those stages from which it starts.
        methods: labels by name, in the order of the rows.
        headline: the selection rule of the accuracies.

    Raises:
        TgrError: an artefact does not know its cost, or nothing to report.
    """
    summary = summarise(read_episodes(evaluations), list(methods))
    shown = over_all_datasets(headline_rows(summary, headline))
    made = {stage: sum(map(thread_seconds, stages[stage])) for stage in STAGES}
    rows = [_row(row, made, needs, _models_of(models, row["method"], row["shot"])) for row in shown.to_dict("records")]
    table = pd.DataFrame(rows)
    table.insert(1, "label", table["method"].map(dict(methods)))
    fronts = [front(part) for _, part in table[table["role"] == "method"].groupby(["shot", "protocol"])]
    table["front"] = table.index.isin([index for found in fronts for index in found])
    table.to_csv(file, index=False)


def thread_seconds(artefact: Path) -> float:
    """Return the wall-clock seconds of the job that made an artefact, times its threads.

    Raises:
        TgrError: its provenance is missing or does not say.
    """
    path = provenance_path(Path(artefact))
    record = read_json(path)
    if "wall_seconds" not in record or "threads" not in record:
        raise TgrError(f"{path}: lacks the job's cost; make {artefact} again")
    return float(record["wall_seconds"]) * int(record["threads"])


def front(rows: pd.DataFrame) -> list[Any]:
    """Return the index of the rows that no other one dominates: cheaper or as cheap, and more accurate or as accurate,
    in one of the two truly."""
    found, best = [], float("-inf")
    for index, row in rows.sort_values(["seconds", "mean"], ascending=[True, False]).iterrows():
        if row["mean"] > best:
            found.append(index)
            best = row["mean"]
    return found


def _models_of(models: Sequence[Path], method: str, shot: int) -> list[Path]:
    """Return the models that serve a method's evaluations of a shot."""
    serving = []
    for folder in map(Path, models):
        model = read_identity(folder / "model.json")
        if model["method"] == method and model["shot"] in (str(shot), "any"):
            serving.append(folder)
    if not serving:
        raise TgrError(f"no model of {method} serves {shot}-shot evaluations; run the stage train again")
    return serving


def _row(
    row: Mapping[Any, Any], made: Mapping[str, float], needs: Mapping[str, Sequence[str]], models: Sequence[Path]
) -> dict[str, Any]:
    kept = {key: row[key] for key in ("method", "role", "shot", "protocol", "mean", "ci95")}
    spent = {stage: made[stage] if stage in needs[row["method"]] else 0.0 for stage in STAGES}
    spent[TRAINING] = fmean(map(thread_seconds, models))
    return kept | {"n": row["n_episodes"]} | spent | {"seconds": sum(spent.values()) - spent["teachers"]}
