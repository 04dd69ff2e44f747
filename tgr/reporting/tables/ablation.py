"""The table of an ablation: variants of methods side by side, with their gradient conflict."""

import pandas as pd

from tgr.reporting import labels
from tgr.reporting.tables.accuracies import (
    below_random_note,
    bold_note,
    common_notes,
    dataset_title,
    difference_note,
    headline_note,
    labels_of,
    result_cell,
    shots_and_protocols,
)
from tgr.reporting.tables.markup import Block, Cell, Table

CONFLICT = {"gradient_cosine": "cosine", "relative_variance": "variance"}


def table(accuracies: pd.DataFrame, *, caption: str = "Ablation", headline: str = "datafree") -> Table:
    """Return a block for each dataset, a row for each variant: gradient conflict, and all shots and protocols.

    Args:
        accuracies: as ``tgr.analysis.ablation.variant_accuracies`` makes it.
        caption: what is varied.
        headline: the selection rule of the table.
    """
    reference = str(accuracies["reference"].iloc[0])
    return Table(
        frame=accuracies.drop(columns="label"),
        caption=f"{caption}, scenario {accuracies['scenario'].iloc[0]}: accuracy (%) on unseen classes",
        row_header="Variant",
        blocks=[_block(part, str(dataset)) for dataset, part in accuracies.groupby("dataset", sort=False)],
        notes=[
            *common_notes(accuracies),
            headline_note(accuracies, headline),
            *difference_note(accuracies, labels_of(accuracies)[reference]),
            bold_note(accuracies),
            *below_random_note(accuracies),
            "Gradient conflict between the teachers of a step, mean over the group steps: pairwise cosine of their "
            "gradients (higher is less conflict), and their variance relative to the squared norm of their mean.",
        ],
    )


def _block(part: pd.DataFrame, dataset: str) -> Block:
    shots, protocols = shots_and_protocols(part)
    rows: list[tuple[str, list[Cell | str | None]]] = []
    for _, variant in part.groupby("method", sort=False):
        first = variant.iloc[0]
        conflict = [None if pd.isna(first[name]) else f"{first[name]:.3g}" for name in CONFLICT]
        cells = {(row["shot"], row["protocol"]): result_cell(row) for row in variant.to_dict("records")}
        rows.append((first["label"], [*conflict, *(cells.get((shot, name)) for shot in shots for name in protocols)]))
    groups = [("gradient conflict", list(CONFLICT.values()))]
    groups += [(f"{shot}-shot", [labels.PROTOCOLS.get(name, name) for name in protocols]) for shot in shots]
    return Block(dataset_title(dataset), groups, rows)
