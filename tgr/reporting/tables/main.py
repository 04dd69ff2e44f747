"""The tables: all methods under every shot and protocol, and all selection rules side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.summary import ALL, REFERENCE, TIED, headline_rows, read_episodes, summarise
from tgr.reporting import labels
from tgr.reporting.tables.markup import Block, Cell, Table, to_latex, to_markdown

TIES = f"Bold: the best of a column and those tied with it (paired t-test on the same episodes, p >= {TIED})."


def write_main_table(
    folders: Sequence[Path], methods: Mapping[str, str], headline: str, csv: Path, markdown: Path, latex: Path
) -> None:
    """Write the main table: a row a method, a column for each shot and protocol, with differences to the reference.

    Args:
        folders: evaluations of one scenario.
        methods: labels by name, in the order of the rows.
        headline: the selection rule of the table.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    summary = summarise(read_episodes(folders), list(methods))
    shown = headline_rows(summary, headline)
    table = Table(
        caption=f"Accuracy (%) on unseen classes, scenario {shown['scenario'].iloc[0]}",
        row_header="Method",
        blocks=[_main_block(part, str(dataset), methods) for dataset, part in shown.groupby("dataset", sort=False)],
        notes=_main_notes(shown, headline, methods),
    )
    write_table(shown, table, csv, markdown, latex)


def write_selection_table(
    folders: Sequence[Path], methods: Mapping[str, str], csv: Path, markdown: Path, latex: Path
) -> None:
    """Write the second table: a row for each shot, protocol and method, a column for each selection rule.

    Args and raises as ``write_main_table``.
    """
    summary = summarise(read_episodes(folders), list(methods))
    compared = summary.groupby(["dataset", "protocol"]).filter(lambda rows: rows["selection"].nunique() > 1)
    shown = summary if compared.empty else compared
    table = Table(
        caption=f"Accuracy (%) by selection rule, scenario {summary['scenario'].iloc[0]}",
        row_header="Shot, protocol, method",
        blocks=[_selection_block(part, str(name), methods) for name, part in shown.groupby("dataset", sort=False)],
        notes=[
            *common_notes(shown),
            "Selection rules choose one checkpoint of a training: the last one; the best on held-out recovered images "
            "(data-free); the best on meta-val classes; the best on meta-test itself (oracle), which is an upper bound "
            "and no result.",
            "All rules agree for methods with one checkpoint.",
            "Protocols under which only the rule of the main table was run are left out.",
            f"{TIES} No bold for the oracle.",
        ],
    )
    write_table(summary, table, csv, markdown, latex)


def write_table(frame: pd.DataFrame, table: Table, csv: Path, markdown: Path, latex: Path) -> None:
    """Write a table as CSV (all columns of the frame), Markdown and LaTeX."""
    for file in (csv, markdown, latex):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(csv, index=False, lineterminator="\n")
    Path(markdown).write_text(to_markdown(table), encoding="utf-8")
    Path(latex).write_text(to_latex(table), encoding="utf-8")


def _main_block(part: pd.DataFrame, dataset: str, methods: Mapping[str, str]) -> Block:
    shots = sorted(part["shot"].unique())
    protocols = labels.in_order(set(part["protocol"]), labels.PROTOCOLS)
    rows: list[tuple[str, list[Cell | None]]] = []
    for method, own in part.groupby("method", sort=False):
        found = {(row.shot, row.protocol): result_cell(row) for row in own.itertuples()}
        cells = [found.get((shot, protocol)) for shot in shots for protocol in protocols]
        rows.append((labels.method(str(method), methods, own["role"].iloc[0]), cells))
    return Block(
        title=dataset_title(dataset),
        groups=[(f"{shot}-shot", [labels.PROTOCOLS.get(p, p) for p in protocols]) for shot in shots],
        rows=rows,
    )


def _selection_block(part: pd.DataFrame, dataset: str, methods: Mapping[str, str]) -> Block:
    rules = labels.in_order(set(part["selection"]), labels.SELECTIONS)
    rows: list[tuple[str, list[Cell | None]]] = []
    for shot in sorted(part["shot"].unique()):
        for protocol in labels.in_order(set(part["protocol"]), labels.PROTOCOLS):
            at = part[(part["shot"] == shot) & (part["protocol"] == protocol)]
            for method, own in at.groupby("method", sort=False):
                found = {row.selection: _selected(row) for row in own.itertuples()}
                label = labels.method(str(method), methods, own["role"].iloc[0])
                name = f"{shot}-shot, {labels.PROTOCOLS.get(protocol, protocol)}, {label}"
                rows.append((name, [found.get(rule) for rule in rules]))
    groups = [("selection rule", [labels.SELECTIONS.get(rule, rule) for rule in rules])]
    return Block(dataset_title(dataset), groups, rows)


def _selected(row: "pd.core.frame.Pandas") -> Cell:  # type: ignore[name-defined]
    return Cell(row.mean, row.ci95, bold=row.tied_with_best and row.selection != "oracle")


def result_cell(row: "pd.core.frame.Pandas") -> Cell:  # type: ignore[name-defined]
    """Return the cell of one row of ``summarise``."""
    return Cell(
        mean=row.mean,
        ci95=row.ci95,
        seed_std=None if pd.isna(row.seed_std) else row.seed_std,
        difference=None if pd.isna(row.difference) else row.difference,
        difference_ci95=None if pd.isna(row.difference) else row.difference_ci95,
        significant=not pd.isna(row.p_value) and row.p_value < TIED,
        bold=row.tied_with_best,
        below_floor=row.below_floor,
    )


def dataset_title(dataset: str) -> str:
    """Return the title of a dataset's block."""
    return "all datasets (episodes pooled)" if dataset == ALL else f"unseen classes of {dataset}"


def common_notes(summary: pd.DataFrame) -> list[str]:
    """Return what every table of accuracies says of its numbers."""
    episodes = summary[summary["dataset"] != ALL].groupby("dataset")["n_episodes"].max()
    each = " for each dataset" if len(episodes) > 1 else ""
    counts = "/".join(str(n) for n in sorted(set(episodes)))
    seeds = _range(summary["n_seeds"])
    bn_mode = {"batch": "of the batch (transductive)", "running": "stored in training (not transductive)"}
    mode = summary["bn_mode"].iloc[0]
    return [
        f"Mean and 95 % confidence interval (Student's t) over {counts} meta-test episodes{each}, which all methods "
        f"share; {seeds}.",
        f"BatchNorm at test (bn_mode = {mode}): statistics {bn_mode[mode]}.",
    ]


def difference_note(shown: pd.DataFrame, reference: str) -> list[str]:
    """Explain the differences of a table, if it has any."""
    if not shown["difference"].notna().any():
        return []
    return [
        f"In parentheses: paired difference to {reference} on the same episodes, with its 95 % interval; * p < {TIED} "
        "(paired t-test, not corrected for the number of comparisons)."
    ]


def _range(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    text = str(low) if low == high else f"{low} to {high}"
    if high == 1:
        return "one seed of meta-training"
    return f"accuracies averaged over {text} seeds of meta-training first"


def _main_notes(shown: pd.DataFrame, headline: str, methods: Mapping[str, str]) -> list[str]:
    notes = [*common_notes(shown), f"Selection rule of the checkpoint: {labels.SELECTIONS[headline]}."]
    if shown["seed_std"].notna().any():
        notes.append("s: standard deviation of the seeds' means.")
    reference = shown["reference"].iloc[0]
    notes += difference_note(shown, labels.method(reference, methods))
    if reference != REFERENCE:
        notes.append(
            f"{labels.method(REFERENCE, methods)} takes no part in this scenario: "
            f"{labels.method(reference, methods)} is the reference instead."
        )
    notes.append(f"{TIES} The ceiling sees real meta-train images and is left out.")
    if "floor" not in set(shown["role"]):
        notes.append("No floor: the method pixels takes no part, so it is unknown who falls below it.")
    elif shown["below_floor"].any():
        falling = set(shown.loc[shown["below_floor"], "method"])
        below = [label for name, label in methods.items() if name in falling]
        notes.append(f"v: below the floor (nearest class mean on raw pixels, same shot): {', '.join(below)}.")
    else:
        notes.append("No method is below the floor (nearest class mean on raw pixels, same shot).")
    if "ceiling" not in set(shown["role"]):
        notes.append("No ceiling: the method realdata takes no part.")
    return notes
