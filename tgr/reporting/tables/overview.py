"""The overview: every method in every scenario, one block for each protocol."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tgr.evaluation.summary import headline_rows, over_all_datasets
from tgr.reporting import labels
from tgr.reporting.tables.accuracies import (
    below_random_note,
    bold_note,
    common_notes,
    difference_note,
    headline_note,
    labels_of,
    result_cell,
    role_label,
)
from tgr.reporting.tables.markup import Block, Table


def table(summaries: Sequence[pd.DataFrame], *, headline: str = "datafree") -> Table:
    """Return a block for each protocol, a row for each method, a column for each scenario and shot.

    Args:
        summaries: one for each scenario, as ``tgr.evaluation.summary.write_summary`` makes it.
        headline: the selection rule of the table.

    Raises:
        TgrError: no evaluation used the selection rule.
    """
    shown = headline_rows(pd.concat(map(over_all_datasets, summaries), ignore_index=True), headline)
    protocols = labels.in_order(set(shown["protocol"]), labels.PROTOCOLS)
    scenarios, methods = list(shown["scenario"].unique()), labels_of(shown)
    return Table(
        frame=shown.drop(columns="label"),
        caption="Accuracy (%) on unseen classes in all scenarios",
        row_header="Method",
        blocks=[_block(shown[shown["protocol"] == name], name, scenarios, list(methods)) for name in protocols],
        notes=[
            *common_notes(shown),
            headline_note(shown, headline),
            *difference_note(shown, _references(shown, methods)),
            bold_note(shown),
            *below_random_note(shown),
            "Scenarios with several datasets: all their episodes pooled.",
            "A dash: the method takes no part in the scenario, or has no such protocol.",
        ],
    )


def _references(shown: pd.DataFrame, methods: Mapping[str, str]) -> str:
    """Name the method to which differences are taken; if scenarios have several, each with its scenarios."""
    compared = shown[shown["difference"].notna()].drop_duplicates(["reference", "scenario"])
    scenarios = compared.groupby("reference", sort=False)["scenario"].agg(", ".join)
    named = {labels.method(str(reference), methods): where for reference, where in scenarios.items()}
    return " and ".join(named if len(named) < 2 else [f"{label} ({where})" for label, where in named.items()])


def _block(part: pd.DataFrame, protocol: str, scenarios: Sequence[str], methods: Sequence[str]) -> Block:
    shots = sorted(part["shot"].unique())
    rows = []
    for method in methods:
        rows_of_method = part[part["method"] == method]
        if rows_of_method.empty:
            continue
        cells = {(row["scenario"], row["shot"]): result_cell(row) for row in rows_of_method.to_dict("records")}
        row = [cells.get((scenario, shot)) for scenario in scenarios for shot in shots]
        rows.append((role_label(rows_of_method), row))
    groups = [(scenario, [f"{shot}-shot" for shot in shots]) for scenario in scenarios]
    return Block(labels.PROTOCOLS.get(protocol, protocol), groups, rows)
