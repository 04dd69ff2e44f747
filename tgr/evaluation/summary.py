"""One row for each method, shot, protocol, selection rule and dataset: what tables and figures show."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.config.methods.registry import CARDS
from tgr.errors import TgrError
from tgr.evaluation.replicates import tell_replicates
from tgr.evaluation.statistics import (
    OUTSIDE,
    REPLICATE,
    TRAINING,
    Difference,
    crossed,
    difference,
    holm,
    interval,
    seed_spread,
    spread_within_replicates,
    training_keys,
)

COLUMNS = {
    "scenario", "dataset", "method", "shot", "seed", "protocol", "selection", "checkpoint", "episode", "accuracy",
    "bn_mode", "split", "phase",
}  # fmt: skip
PLACE = ("dataset", "method", "shot", "protocol", "selection")
"""What the trainings behind a row have in common, within a scenario."""
SEED_MEANS = (*PLACE, TRAINING, "mean")
ALL = "all"
"""The name under which the episodes of several datasets are pooled."""
ROLES = {name: card.role for name, card in CARDS.items()}
FLOOR = next(name for name, role in ROLES.items() if role == "floor")
APART = ("yardstick", "real", "ceiling")
"""Roles of methods that are no rivals of the others: the best of a column is found without them."""
UNTRAINED = "random"
"""The method that learns nothing: what training must improve on, ..."""
GATE = {"selection": "last", "protocol": "ncm"}
"""... by its last checkpoint, and by features alone: no selection and no fine-tuning may hide that they got worse."""
HEADLINE = {"shot": 5, "protocol": "ncm"}
"""The one number that sums a method up, with the selection rule ``evaluation.headline``: features alone, no tuning."""
REFERENCE = "tgr"
FALLBACKS = ("replay", "bank", "average", "best", "random")
"""References in the order of preference if a scenario runs without TGR."""
ENOUGH = 3
"""Fewer independent trainings than these say too little of the next one: no star, no bold. They are the replicates if
there are several, for seeds within one share its teachers and images; otherwise the seeds."""
MARGIN = 0.01
"""Methods that surely differ from the best by less than this are as good as it."""


def read_episodes(folders: Sequence[Path]) -> pd.DataFrame:
    """Read the ``episodes.parquet`` of some evaluations of one scenario, in one replicate or several.

    Returns:
        their columns, and with several replicates what ``tell_replicates`` adds.

    Raises:
        TgrError: there is none, one is damaged, or they do not belong together.
    """
    if not folders:
        raise TgrError("no evaluations to report; name at least one method and run the stage evaluate")
    frames = [_read(Path(folder) / "episodes.parquet") for folder in folders]
    frame = tell_replicates(pd.concat(frames, ignore_index=True))
    by_protocol = [("bn_mode", rows) for _, rows in frame.groupby("protocol")]
    for column, rows in [("scenario", frame), ("split", frame), *by_protocol]:
        if len(values := sorted(rows[column].unique())) != 1:
            raise TgrError(f"evaluations of one table must share {column}, found {', '.join(values)}")
    return frame


def _read(file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise TgrError(f"{file}: missing or damaged ({error}); delete the folder and run again") from error
    missing = COLUMNS - set(frame.columns)
    if missing:
        raise TgrError(f"{file}: the columns {', '.join(sorted(missing))} are missing; delete the folder and run again")
    return frame


def reference_method(methods: Sequence[str]) -> str:
    """Return the method to which differences are taken: TGR, or what stands closest to it if it does not take part."""
    for name in (REFERENCE, *FALLBACKS):
        if name in methods:
            return name
    return next((name for name in methods if ROLES.get(name, "method") == "method"), methods[0])


def summarise(frame: pd.DataFrame, methods: Sequence[str], reference: str | None = None) -> pd.DataFrame:
    """Summarise accuracies of one scenario.

    Args:
        frame: what ``read_episodes`` returns.
        methods: the methods' names in the order of the rows; those without evaluations are left out.
        reference: the method to which differences are taken; None: see ``reference_method``.

    Returns:
        columns scenario, dataset, method, role, shot, protocol, selection, bn_mode, split, n_episodes, n_seeds, phase,
        mean, ci95, seed_std, reference, difference, difference_ci95, p_value, p_holm, significant, as_good_as_best,
        below_floor, last_minus_random, last_below_random. Accuracies are shares of 1; ``ci95`` and ``difference_ci95``
        are half widths over trainings and episodes (``tgr.evaluation.statistics``). With several datasets, the dataset
        ``all`` pools their episodes and comes first. ``phase`` says which phases the training of the chosen checkpoint
        had had, e.g. ``group + replay``; where seeds differ, all that occurred, separated by ``/``. ``p_holm`` holds
        for all methods of a column together, ``significant`` says that it is below 0.05 with three trainings or more;
        ``as_good_as_best``, with as many, that a method is the best, or surely less than ``MARGIN`` away from it.
        With several replicates there are two more columns: ``n_replicates``, each with ``n_seeds`` trainings, and
        ``replicate_std``, the standard deviation of their means; ``seed_std`` is then that of seeds within one.
        ``last_minus_random``: paired difference of the last checkpoint to the untrained network under ``ncm``, whatever
        the row's protocol and rule; missing if one of the two was not evaluated so. ``last_below_random``: its interval
        lies below 0.

    Raises:
        TgrError: a method that ``methods`` does not list, or methods that do not share their episodes.
    """
    unknown = sorted(set(frame["method"]) - set(methods))
    if unknown:
        raise TgrError(f"evaluations of {', '.join(unknown)}, which the configuration does not name under `methods`")
    present = [name for name in methods if name in set(frame["method"])]
    reference = reference or reference_method(present)
    datasets = sorted(frame["dataset"].unique())
    rows: list[dict[str, Any]] = []
    for dataset in [ALL, *datasets] if len(datasets) > 1 else datasets:
        part = frame if dataset == ALL else frame[frame["dataset"] == dataset]
        for (shot, protocol, selection), cell in part.groupby(["shot", "protocol", "selection"]):
            head = {"scenario": frame["scenario"].iloc[0], "dataset": dataset, "shot": int(str(shot))}
            head |= {"protocol": protocol, "selection": selection, "bn_mode": cell["bn_mode"].iloc[0]}
            head |= {"split": frame["split"].iloc[0]}
            rows += [head | row for row in _summarise_cell(cell, present, reference)]
    table = _below_random(_below_floor(pd.DataFrame(rows)), frame)
    keys = {"dataset": [ALL, *datasets], "method": present}
    ranks = [table[column].map({name: i for i, name in enumerate(names)}) for column, names in keys.items()]
    order = table.assign(_dataset=ranks[0], _method=ranks[1]).sort_values(["_dataset", "_method"], kind="stable").index
    return table.loc[order].reset_index(drop=True)


def write_summary(*, evaluations: Sequence[Path], methods: Mapping[str, str], summary: Path, seeds: Path) -> None:
    """Write what ``summarise`` and ``seed_means`` return of a scenario as Parquet; a column ``label`` of the former
    holds the methods' labels.

    Args:
        evaluations: folders of one scenario.
        methods: labels by name, in the order of the rows.

    Raises:
        TgrError: there are no evaluations, or they do not belong together.
    """
    episodes = read_episodes(evaluations)
    table = summarise(episodes, list(methods))
    table.assign(label=table["method"].map(dict(methods))).to_parquet(summary, index=False)
    seed_means(episodes).to_parquet(seeds, index=False)


def seed_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean accuracy of each training on each dataset.

    Args:
        frame: what ``read_episodes`` returns.

    Returns:
        the columns of ``SEED_MEANS``, and ``replicate`` if there are several; ``mean`` is a share of 1. As in
        ``summarise``, the dataset ``all`` pools the episodes of several and comes first.
    """
    parts = [frame.assign(dataset=ALL), frame] if frame["dataset"].nunique() > 1 else [frame]
    keys = [*PLACE, *training_keys(frame)]
    return pd.concat(parts).groupby(keys, sort=False)["accuracy"].mean().rename("mean").reset_index()


def headline_rows(summary: pd.DataFrame, headline: str) -> pd.DataFrame:
    """Return the rows of the selection rule that tables and figures show.

    Raises:
        TgrError: there is none.
    """
    shown = summary[summary["selection"] == headline].reset_index(drop=True)
    if shown.empty:
        raise TgrError(f"evaluation.headline: no evaluation used the selection rule {headline}; run them again")
    return shown


def over_all_datasets(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all datasets of a scenario together, or of its only one; of a summary or of ``seed_means``."""
    return summary[summary["dataset"] == ALL] if ALL in set(summary["dataset"]) else summary


def _summarise_cell(cell: pd.DataFrame, methods: Sequence[str], reference: str) -> list[dict[str, Any]]:
    """Summarise all methods of one dataset, shot, protocol and selection rule."""
    frames = {name: cell[cell["method"] == name] for name in methods if (cell["method"] == name).any()}
    tables = {name: crossed(rows_of_method) for name, rows_of_method in frames.items()}
    contenders = [name for name in tables if ROLES.get(name) not in APART]
    best = max(contenders, key=lambda name: tables[name].to_numpy().mean(), default=None)
    rows = []
    for name, table in tables.items():
        accuracy = interval(table)
        row: dict[str, Any] = {
            "method": name,
            "role": ROLES.get(name, "method"),
            "n_episodes": accuracy.n,
            "n_seeds": accuracy.n_trainings,
            "phase": " / ".join(sorted(frames[name]["phase"].unique())),
            "mean": accuracy.mean,
            "ci95": accuracy.half_width,
            "seed_std": seed_spread(table),
            **_of_replicates(frames[name], table),
            "reference": reference,
            "as_good_as_best": name in contenders and best is not None and _as_good(table, tables[best]),
        }
        rows.append(row)
    compared = {name: table for name, table in tables.items() if name != reference and reference in tables}
    differences = [difference(table, tables[reference]) for table in compared.values()]
    adjusted = holm([each.p_value for each in differences])
    found = dict(zip(compared, zip(differences, adjusted, strict=True), strict=True))
    return [row | _difference_columns(*found.get(row["method"], (None, math.nan))) for row in rows]


def _of_replicates(frame: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    """Return what a row says of several replicates."""
    if REPLICATE not in frame:
        return {}
    counts = {"n_replicates": len(table), "n_seeds": frame[TRAINING].nunique()}
    return counts | {"replicate_std": seed_spread(table), "seed_std": spread_within_replicates(frame)}


def _as_good(table: pd.DataFrame, best: pd.DataFrame) -> bool:
    """Return whether a method is the best, or as good as that; with too few trainings nobody knows."""
    behind = difference(table, best)
    return behind.n_trainings >= ENOUGH and (table is best or behind.equivalent(MARGIN))


def _difference_columns(compared: Difference | None, p_holm: float) -> dict[str, Any]:
    if compared is None:
        nothing = dict.fromkeys(("difference", "difference_ci95", "p_value", "p_holm"), math.nan)
        return nothing | {"significant": False}
    return {
        "difference": compared.mean,
        "difference_ci95": compared.half_width,
        "p_value": compared.p_value,
        "p_holm": p_holm,
        "significant": compared.n_trainings >= ENOUGH and p_holm < OUTSIDE,
    }


def _below_floor(summary: pd.DataFrame) -> pd.DataFrame:
    """Add whether a mean lies below that of the floor at the same dataset and shot; the floor knows one protocol."""
    keys = ["dataset", "shot"]
    floor = summary[summary["role"] == "floor"].groupby(keys)["mean"].max().rename("floor_mean")
    joined = summary.join(floor, on=keys)
    below = (joined["mean"] < joined["floor_mean"]) & (joined["role"] != "floor")
    joined["seed_std"] = joined["seed_std"].astype("float64")
    return joined.drop(columns="floor_mean").assign(below_floor=below)


def _below_random(summary: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Add how the last checkpoints of what was trained compare with the untrained network, by nearest class mean."""
    last = frame[(frame["selection"] == GATE["selection"]) & (frame["protocol"] == GATE["protocol"])]
    found: dict[tuple[str, int, str], Difference] = {}
    for dataset, shot in set(zip(summary["dataset"], summary["shot"], strict=True)):
        part = last[(last["shot"] == shot) & ((last["dataset"] == dataset) | (dataset == ALL))]
        tables = {str(name): crossed(rows) for name, rows in part.groupby("method")}
        untrained = tables.pop(UNTRAINED, None)
        tables.pop(FLOOR, None)
        if untrained is not None:
            found |= {(dataset, shot, name): difference(table, untrained) for name, table in tables.items()}
    keys = zip(summary["dataset"], summary["shot"], summary["method"], strict=True)
    compared = [found.get(key) for key in keys]
    return summary.assign(
        last_minus_random=[math.nan if each is None else each.mean for each in compared],
        last_below_random=[each is not None and each.mean + each.half_width < 0 for each in compared],
    )
