"""The table of selection rules: what each of them gives, the oracle beside them."""

import pandas as pd

from tgr.reporting import labels
from tgr.reporting.tables.accuracies import (
    bold_note,
    common_notes,
    dataset_title,
    phase_note,
    role_label,
    shots_and_protocols,
)
from tgr.reporting.tables.markup import Block, Cell, Table


def table(summary: pd.DataFrame) -> Table:
    """Return a block for each dataset, a row for each shot, protocol and method, a column for each selection rule.

    Args:
        summary: of one scenario, as ``tgr.evaluation.summary.write_summary`` makes it.
    """
    compared = summary.groupby(["dataset", "protocol"]).filter(lambda rows: rows["selection"].nunique() > 1)
    shown = summary if compared.empty else compared
    return Table(
        frame=summary.drop(columns="label"),
        caption=f"Accuracy (%) by selection rule, scenario {summary['scenario'].iloc[0]}",
        row_header="Shot, protocol, method",
        blocks=[_block(part, str(dataset)) for dataset, part in shown.groupby("dataset", sort=False)],
        notes=[
            *common_notes(shown),
            "Selection rules choose one checkpoint of a training: the last one; the best on held-out recovered images "
            "(data-free); the best on meta-val classes; the best on meta-test itself (oracle), which is an upper bound "
            "and no result.",
            "All rules agree for methods with one checkpoint.",
            "Protocols under which only the rule of the main table was run are left out.",
            *phase_note(shown, "selection", labels.SELECTIONS),
            bold_note(shown, "The oracle is left out."),
        ],
    )


def _block(part: pd.DataFrame, dataset: str) -> Block:
    rules = labels.in_order(set(part["selection"]), labels.SELECTIONS)
    shots, protocols = shots_and_protocols(part)
    rows = []
    for shot in shots:
        for protocol in protocols:
            cell = part[(part["shot"] == shot) & (part["protocol"] == protocol)]
            for _, rows_of_method in cell.groupby("method", sort=False):
                cells = {
                    row["selection"]: Cell(
                        row["mean"], row["ci95"], bold=row["as_good_as_best"] and row["selection"] != "oracle"
                    )
                    for row in rows_of_method.to_dict("records")
                }
                name = f"{shot}-shot, {labels.PROTOCOLS.get(protocol, protocol)}, {role_label(rows_of_method)}"
                rows.append((name, [cells.get(rule) for rule in rules]))
    return Block(dataset_title(dataset), [("selection rule", [labels.SELECTIONS.get(r, r) for r in rules])], rows)
