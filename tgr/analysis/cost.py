"""What a scenario costs: seconds and memory by stage, and the whole chain of each method against its accuracy."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from tgr.artifacts import provenance_path, read_json
from tgr.errors import TgrError
from tgr.evaluation.identity import read_identity
from tgr.evaluation.summary import headline_rows, over_all_datasets
from tgr.pool.card import read_cards

TRAINING = "training"
STAGES = ("teachers", "recovered", "judgements", "task_space")
"""What a method may need besides its own training, in the order in which it is made."""


def measure_cost(
    *,
    summary: pd.DataFrame,
    models: Sequence[Path],
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    embeddings: Sequence[Path],
    judgements: Sequence[Path],
    task_space: Sequence[Path],
    needs: Mapping[str, Sequence[str]],
    planned: Mapping[str, float],
    headline: str,
    cost: Path,
    stages: Path,
) -> None:
    """Write what ``cost_by_method`` returns as CSV, and what ``cost_by_stage`` returns as Parquet.

    Args:
        summary: of one scenario, as ``tgr.evaluation.summary.write_summary`` makes it.
        models: the trained models of the methods in the summary.
        teachers, recovered, embeddings: the shards of the scenario's pools.
        judgements: what a panel says of the recovered images, a folder for each of their shards.
        task_space: everything behind the task groups that the scenario's figures show.
        needs: for each method those of ``STAGES`` from which it starts.
        planned: for each method the seconds that one of its trainings was estimated to take.
        headline: the selection rule of the accuracies.

    Raises:
        TgrError: an artefact does not know its cost, or they were made on different devices.
    """
    shared = {"teachers": teachers, "recovered": recovered, "judgements": judgements, "task_space": task_space}
    _require_one_device([*chain.from_iterable(shared.values()), *models])
    seconds = {stage: sum(map(thread_seconds, artefacts)) for stage, artefacts in shared.items()}
    cost_by_method(summary, models, seconds, needs, headline).to_csv(cost, index=False)
    n_teachers = sum(len(read_cards(folder)) for folder in teachers)
    units = {
        "teachers": (teachers, n_teachers, "teacher"),
        "recovered images": (recovered, n_images := count_images(recovered), "image"),
        "judgements": (judgements, n_images, "image"),
        "embeddings": (embeddings, n_teachers, "teacher"),
    }
    labels = dict(zip(summary["method"], summary["label"], strict=True))
    table = cost_by_stage(units, models, labels, planned)
    table.insert(0, "scenario", summary["scenario"].iloc[0])
    table.to_parquet(stages, index=False)


def cost_by_stage(
    stages: Mapping[str, tuple[Sequence[Path], int, str]],
    models: Sequence[Path],
    methods: Mapping[str, str],
    planned: Mapping[str, float],
) -> pd.DataFrame:
    """Return a row for each shared stage that made something, and for the training of each method.

    Args:
        stages: for each stage's name its artefacts, how many units they hold, and what a unit is.
        models: folders of trained models.
        methods: labels by name, in the order of the rows.
        planned: for each method the seconds that one of its trainings was estimated to take.

    Returns:
        columns stage, jobs, units, unit, seconds (wall clock, added), each (seconds a unit), planned (each, as
        estimated; missing for a stage that is no training), memory_mb (largest).
    """
    rows = [_stage_row(name, *stage) for name, stage in stages.items() if stage[0]]
    methods_of = {folder: read_identity(folder / "model.json")["method"] for folder in models}
    for method, label in methods.items():
        trained = [folder for folder in models if methods_of[folder] == method]
        row = _stage_row(f"training of {label}", trained, len(trained), "model")
        rows.append(row | {"planned": round(planned[method], 1)})
    return pd.DataFrame(rows)


def _stage_row(stage: str, artefacts: Sequence[Path], count: int, unit: str) -> dict[str, Any]:
    records = [cost_of(path) for path in artefacts]
    seconds = sum(record["wall_seconds"] for record in records)
    return {
        "stage": stage,
        "jobs": len(records),
        "units": count,
        "unit": unit,
        "seconds": round(seconds, 1),
        "each": round(seconds / count, 2) if count else None,
        "planned": math.nan,
        "memory_mb": max((record["peak_memory_mb"] for record in records), default=None),
    }


def cost_of(artefact: Path) -> dict[str, Any]:
    """Return the provenance of an artefact: ``wall_seconds``, ``threads`` and ``peak_memory_mb`` of its job.

    Raises:
        TgrError: it is missing or lacks one of these.
    """
    path = provenance_path(artefact)
    record = read_json(path)
    if not {"wall_seconds", "threads", "peak_memory_mb"} <= set(record):
        raise TgrError(f"{path}: lacks the job's cost; make {artefact} again")
    return record


def _require_one_device(artefacts: Sequence[Path]) -> None:
    """Raise TgrError if artefacts were computed on different devices: their seconds say nothing of each other."""
    found: dict[str, Path] = {}
    for artefact in artefacts:
        record = cost_of(artefact)
        if device := record.get("device"):
            found.setdefault(record["gpu"]["name"] if record.get("gpu") else device, artefact)
    if len(found) > 1:
        listed = ", ".join(f"{artefact} on {device}" for device, artefact in sorted(found.items()))
        raise TgrError(f"costs of different devices are not compared: {listed}; make these again on one kind of device")


def thread_seconds(artefact: Path) -> float:
    """Return the wall-clock seconds of the job that made an artefact, times its threads."""
    record = cost_of(artefact)
    return float(record["wall_seconds"]) * int(record["threads"])


def count_images(recovered: Sequence[Path]) -> int:
    """Return how many images some shards hold."""
    reports = [read_json(file) for folder in recovered for file in sorted(folder.glob("teacher-*.json"))]
    return sum(report["images_per_class"] * len(report["classes"]) for report in reports)


def cost_by_method(
    summary: pd.DataFrame,
    models: Sequence[Path],
    seconds: Mapping[str, float],
    needs: Mapping[str, Sequence[str]],
    headline: str,
) -> pd.DataFrame:
    """Return a row for each method, shot and protocol; the seconds of a method's models are averaged.

    Args:
        seconds: thread-seconds of each of ``STAGES``.
        summary, models, needs, headline: as for ``measure_cost``.

    Returns:
        columns method, label, role, shot, protocol, mean, ci95, n (episodes); ``teachers``, ``recovered``,
        ``judgements``, ``task_space`` and ``training``, the thread-seconds of what the method needs (0: it does not);
        ``seconds``, their sum without ``teachers``, which were there before; ``front``, whether no other method of the
        same shot and protocol is both cheaper and more accurate (floor and ceiling are no contenders).
    """
    shown = over_all_datasets(headline_rows(summary, headline))
    rows = []
    for row in shown.rename(columns={"n_episodes": "n"}).to_dict("records"):
        kept = {key: row[key] for key in ("method", "label", "role", "shot", "protocol", "mean", "ci95", "n")}
        spent = {stage: seconds[stage] if stage in needs[row["method"]] else 0.0 for stage in STAGES}
        spent[TRAINING] = fmean(map(thread_seconds, _models_of(models, row["method"], row["shot"])))
        rows.append(kept | spent | {"seconds": sum(spent.values()) - spent["teachers"]})
    table = pd.DataFrame(rows)
    fronts = [front(part) for _, part in table[table["role"] == "method"].groupby(["shot", "protocol"])]
    table["front"] = table.index.isin([index for rows_in_front in fronts for index in rows_in_front])
    return table


def front(rows: pd.DataFrame) -> list[Any]:
    """Return the index of the rows that no other one dominates: cheaper or as cheap, and more accurate or as accurate,
    in one of the two truly."""
    kept, best = [], float("-inf")
    for index, row in rows.sort_values(["seconds", "mean"], ascending=[True, False]).iterrows():
        if row["mean"] > best:
            kept.append(index)
            best = row["mean"]
    return kept


def _models_of(models: Sequence[Path], method: str, shot: int) -> list[Path]:
    """Return the models that serve a method's evaluations of a shot."""
    identities = {folder: read_identity(folder / "model.json") for folder in models}
    shots = {str(shot), "any"}
    serving = [folder for folder, model in identities.items() if model["method"] == method and model["shot"] in shots]
    if not serving:
        raise TgrError(f"no model of {method} serves {shot}-shot evaluations; run the stage train again")
    return serving
