"""The overview: every method in every scenario, one block for each protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.summary import headline_rows, over_all_datasets, summarise_scenarios
from tgr.reporting import labels
from tgr.reporting.tables.main import TIES, common_notes, difference_note, result_cell, write_table
from tgr.reporting.tables.markup import Block, Cell, Table


def write_overview_table(
    evaluations: Sequence[Path],
    methods: Mapping[str, Mapping[str, str]],
    headline: str,
    csv: Path,
    markdown: Path,
    latex: Path,
) -> None:
    """Write the overview of some evaluations.

    Args:
        evaluations: folders ``.../<scenario>/<method>/shot-<shot>/seed-<seed>`` of all scenarios.
        methods: for each scenario, labels by method, in the order of the rows.
        headline: the selection rule of the table.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    summaries = list(summarise_scenarios(evaluations, methods).values())
    write_overview(summaries, methods, headline, csv, markdown, latex)


def write_overview(
    summaries: Sequence[pd.DataFrame],
    methods: Mapping[str, Mapping[str, str]],
    headline: str,
    csv: Path,
    markdown: Path,
    latex: Path,
) -> None:
    """Write a block for each protocol, a row for each method, a column for each scenario and shot.

    Args:
        summaries: what ``summarise`` returns, for each scenario.
        methods, headline: as for ``write_overview_table``.

    Raises:
        TgrError: nothing to report.
    """
    shown = headline_rows(pd.concat(map(over_all_datasets, summaries), ignore_index=True), headline)
    order = {name: label for names in methods.values() for name, label in names.items()}
    protocols = labels.in_order(set(shown["protocol"]), labels.PROTOCOLS)
    table = Table(
        caption="Accuracy (%) on unseen classes in all scenarios",
        row_header="Method",
        blocks=[_block(shown[shown["protocol"] == name], name, list(methods), order) for name in protocols],
        notes=[
            *common_notes(shown),
            f"Selection rule of the checkpoint: {labels.SELECTIONS[headline]}.",
            *difference_note(shown, labels.method(str(shown["reference"].iloc[0]), order)),
            f"{TIES} The ceiling sees real meta-train images and is left out.",
            "Scenarios with several datasets: all their episodes pooled.",
            "A dash: the method takes no part in the scenario, or has no such protocol.",
        ],
    )
    write_table(shown, table, csv, markdown, latex)


def _block(part: pd.DataFrame, protocol: str, scenarios: Sequence[str], methods: Mapping[str, str]) -> Block:
    shots = sorted(part["shot"].unique())
    rows: list[tuple[str, list[Cell | str | None]]] = []
    for method in methods:
        own = part[part["method"] == method]
        if own.empty:
            continue
        found = {(row.scenario, row.shot): result_cell(row) for row in own.itertuples()}
        cells: list[Cell | str | None] = [found.get((scenario, shot)) for scenario in scenarios for shot in shots]
        rows.append((labels.method(method, methods, own["role"].iloc[0]), cells))
    groups = [(scenario, [f"{shot}-shot" for shot in shots]) for scenario in scenarios]
    return Block(labels.PROTOCOLS.get(protocol, protocol), groups, rows)
