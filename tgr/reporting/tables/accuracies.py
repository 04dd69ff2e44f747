"""What tables of accuracies have in common: cells, titles and notes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tgr.config.methods.registry import CARDS
from tgr.evaluation.statistics import OUTSIDE
from tgr.evaluation.summary import ALL, ENOUGH, GATE, HEADLINE, MARGIN, UNTRAINED
from tgr.reporting import labels
from tgr.reporting.tables.markup import Cell

REPLICATES = "n_replicates"
"""A column that summaries of several replicates have."""


def result_cell(row: Mapping[Any, Any]) -> Cell:
    """Return the cell of one row of a summary."""
    return Cell(
        mean=row["mean"],
        ci95=row["ci95"],
        seed_std=None if pd.isna(spread := row.get("replicate_std", row["seed_std"])) else spread,
        difference=None if pd.isna(row["difference"]) else row["difference"],
        difference_ci95=None if pd.isna(row["difference"]) else row["difference_ci95"],
        significant=row["significant"],
        bold=row["as_good_as_best"],
        below_floor=row["below_floor"],
        last_below_random=row["last_below_random"] and row["protocol"] == GATE["protocol"],
    )


def labels_of(summary: pd.DataFrame) -> Mapping[str, str]:
    """Return each method's label, in the order of the rows."""
    return dict(zip(summary["method"], summary["label"], strict=True))


def role_label(rows: pd.DataFrame) -> str:
    """Return the label of the method to which all rows belong, with its role: ``Pixels (floor)``."""
    return rows["label"].iloc[0] + labels.ROLES[rows["role"].iloc[0]]


def shots_and_protocols(summary: pd.DataFrame) -> tuple[list[int], list[str]]:
    """Return what a summary's columns are, in the order of the tables."""
    return sorted(summary["shot"].unique()), labels.in_order(set(summary["protocol"]), labels.PROTOCOLS)


def dataset_title(dataset: str) -> str:
    """Return the title of a dataset's block."""
    return "all datasets (episodes pooled)" if dataset == ALL else f"unseen classes of {dataset}"


def common_notes(summary: pd.DataFrame) -> list[str]:
    """Return what every table of accuracies says of its numbers."""
    episodes = summary[summary["dataset"] != ALL].groupby("dataset")["n_episodes"].max()
    each = " for each dataset" if len(episodes) > 1 else ""
    counts = "/".join(str(n) for n in sorted(set(episodes)))
    split = "meta-val" if "split" in summary and (summary["split"] == "meta_val").any() else "meta-test"
    chosen = ["Parameters are chosen on these classes: no accuracy here is a result."] if split == "meta-val" else []
    return [
        f"Mean and {covers(summary)}; {counts} {split} episodes{each}, which all methods share.",
        *chosen,
        _batchnorm_note(summary),
    ]


def _batchnorm_note(summary: pd.DataFrame) -> str:
    """Say whose statistics BatchNorm uses at test; one protocol may differ from the others."""
    said = {"batch": "of the batch (transductive)", "running": "stored in training (inductive)"}
    inductive = summary["protocol"] == "ncm_inductive"
    modes = list(summary.loc[~inductive, "bn_mode"].unique()) or ["running"]
    named = f"; {said['running']} in {labels.PROTOCOLS['ncm_inductive']}" if inductive.any() else ""
    return f"BatchNorm at test (bn_mode = {modes[0]}): statistics {said[modes[0]]}{named}."


def headline_note(shown: pd.DataFrame, headline: str) -> str:
    """Say by which rule the checkpoints were chosen, and which column is the headline, if it is there."""
    number = f"{HEADLINE['shot']}-shot {labels.PROTOCOLS[str(HEADLINE['protocol'])].lower()}"
    there = ((shown["shot"] == HEADLINE["shot"]) & (shown["protocol"] == HEADLINE["protocol"])).any()
    rule = f"Selection rule of the checkpoint: {labels.SELECTIONS[headline]}."
    return f"{rule} The headline is {number}: features alone." if there else rule


def bold_note(shown: pd.DataFrame, left_out: str = "") -> str:
    """Explain bold type, and say which methods are no rivals.

    Args:
        left_out: a sentence about what else cannot be bold.
    """
    if independent(shown).max() < ENOUGH:
        return f"No bold: fewer than {ENOUGH} {trainings(shown)} of a method do not show which is best."
    yardsticks = labels_of(shown[shown["role"] == "yardstick"]).values()
    several = f", and so is {', '.join(yardsticks)}, which is no single network" if yardsticks else ""
    return (
        f"Bold, with {ENOUGH} {trainings(shown)} or more: the best of a column, and methods that surely differ from it "
        f"by less than {100 * MARGIN:g} point (two one-sided tests at 5 %). Who sees real meta-train images "
        f"is left out{several}. {left_out}"
    ).strip()


def below_random_note(shown: pd.DataFrame) -> list[str]:
    """Name the methods whose training ends below the untrained network, if the two were compared."""
    if not shown["last_minus_random"].notna().any():
        return []
    compared = (
        f"by nearest class mean on the same episodes, the last checkpoint of a training, whichever is shown, with the "
        f"untrained network of the method {UNTRAINED}"
    )
    flagged = shown[shown["last_below_random"]]
    if flagged.empty:
        return [f"No training ends below an untrained network (compared: {compared})."]
    names = ", ".join(labels_of(flagged).values())
    return [f"u: ends below an untrained network, with an interval that excludes 0 (compared: {compared}): {names}."]


def phase_note(summary: pd.DataFrame, by: str, names: Mapping[Any, str]) -> list[str]:
    """Say which phases of their training the chosen checkpoints had had, for methods with several phases.

    Args:
        by: a column of the summary that is named beside a phase if a method's rows differ.
        names: what its values are called.
    """
    parts = []
    for method, rows in summary.groupby("method", sort=False):
        if method not in CARDS or len(CARDS[str(method)].phases) < 2:
            continue
        phases: dict[str, list[str]] = {}
        for phase, value in rows[["phase", by]].drop_duplicates().itertuples(index=False):
            phases.setdefault(phase, []).append(names.get(value, str(value)))
        said = [f"{phase} ({', '.join(values)})" if len(phases) > 1 else phase for phase, values in phases.items()]
        parts.append(f"{rows['label'].iloc[0]}: {', '.join(said)}")
    return [f"Phases of the training before the chosen checkpoint: {'; '.join(parts)}."] if parts else []


def difference_note(shown: pd.DataFrame, reference: str) -> list[str]:
    """Explain the differences of a table, if it has any."""
    if not shown["difference"].notna().any():
        return []
    star = (
        f"* p < {OUTSIDE} for all rows of a column together (Holm)"
        if independent(shown).max() >= ENOUGH
        else f"fewer than {ENOUGH} {trainings(shown)} get no star"
    )
    shared = "episodes, replicates and seeds" if REPLICATES in shown else "episodes and seeds"
    return [f"In parentheses: paired difference to {reference} on the same {shared}, with its 95 % interval; {star}."]


def independent(summary: pd.DataFrame) -> pd.Series:
    """Return the independent trainings behind each row: replicates if there are several, otherwise seeds."""
    return summary[REPLICATES if REPLICATES in summary else "n_seeds"]


def trainings(summary: pd.DataFrame) -> str:
    """Return what independent trainings are called."""
    return "replicates" if REPLICATES in summary else "trainings"


def first_replicate_note(replicates: int) -> list[str]:
    """Say that a table is of one replicate, if there are others."""
    return [f"Of the first of {replicates} replicates."] * (replicates > 1)


def spread_note(summary: pd.DataFrame) -> list[str]:
    """Explain the standard deviations of a table, if it has any."""
    if REPLICATES in summary:
        return ["s: standard deviation of the replicates' means."]
    return ["s: standard deviation of the seeds' means."] * bool(summary["seed_std"].notna().any())


def covers(summary: pd.DataFrame) -> str:
    """Say what an interval covers: ``95 % interval over episodes, for the one training of each method``."""
    n_trainings = independent(summary)
    low, high = int(n_trainings.min()), int(n_trainings.max())
    if REPLICATES in summary:
        n_seeds = int(summary["n_seeds"].max())
        within = "a training" if n_seeds == 1 else f"{n_seeds} trainings"
        drawn = f"teachers, images, groups and {within} of each method drawn anew in each"
        return f"95 % interval over {high} replicates ({drawn}) and over episodes"
    if high == 1:
        return "95 % interval over episodes, for the one training of each method: another one may lie outside"
    counted = str(low) if low == high else f"{low} to {high}"
    return f"95 % interval over {counted} trainings of each method and over episodes"
