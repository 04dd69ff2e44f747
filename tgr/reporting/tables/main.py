"""The main table: all methods under every shot and protocol, with their differences to the reference."""

from collections.abc import Mapping, Sequence

import pandas as pd

from tgr.evaluation.summary import REFERENCE, headline_rows
from tgr.reporting import labels
from tgr.reporting.tables.accuracies import (
    below_random_note,
    bold_note,
    common_notes,
    dataset_title,
    difference_note,
    headline_note,
    labels_of,
    phase_note,
    result_cell,
    role_label,
    shots_and_protocols,
    spread_note,
)
from tgr.reporting.tables.markup import Block, Table


def table(
    summary: pd.DataFrame,
    *,
    headline: str = "datafree",
    heads: Mapping[str, Sequence[str]] | None = None,
    networks: Mapping[str, int] | None = None,
    published: Sequence[str] = (),
) -> Table:
    """Return a block for each dataset, a row for each method, a column for each shot and protocol.

    Args:
        summary: of one scenario, as ``tgr.evaluation.summary.write_summary`` makes it.
        headline: the selection rule of the table.
        heads: labels of methods by the output rows that they train in common for all teachers, e.g. ``aligned``.
        networks: how many networks an image passes at use, by the label of each method that is no single one.
        published: published accuracies of methods on the datasets of the scenario, a sentence's end each.

    Raises:
        TgrError: no evaluation used the selection rule.
    """
    shown = headline_rows(summary, headline)
    return Table(
        frame=shown.drop(columns="label"),
        caption=f"Accuracy (%) on unseen classes, scenario {shown['scenario'].iloc[0]}",
        row_header="Method",
        blocks=[_block(part, str(dataset)) for dataset, part in shown.groupby("dataset", sort=False)],
        notes=[
            *_notes(shown, headline),
            *_heads_note(heads or {}),
            *_networks_note(networks or {}),
            *_published_note(published),
        ],
    )


def _block(part: pd.DataFrame, dataset: str) -> Block:
    shots, protocols = shots_and_protocols(part)
    rows = []
    for _, rows_of_method in part.groupby("method", sort=False):
        cells = {(row["shot"], row["protocol"]): result_cell(row) for row in rows_of_method.to_dict("records")}
        rows.append((role_label(rows_of_method), [cells.get((shot, name)) for shot in shots for name in protocols]))
    groups = [(f"{shot}-shot", [labels.PROTOCOLS.get(name, name) for name in protocols]) for shot in shots]
    return Block(dataset_title(dataset), groups, rows)


def _notes(shown: pd.DataFrame, headline: str) -> list[str]:
    names = labels_of(shown)
    shots = {shot: f"{shot}-shot" for shot in shown["shot"].unique()}
    notes = [*common_notes(shown), headline_note(shown, headline), *phase_note(shown, "shot", shots)]
    notes += spread_note(shown)
    reference = shown["reference"].iloc[0]
    label = labels.method(reference, names)
    notes += difference_note(shown, label)
    if reference != REFERENCE:
        notes.append(f"TGR takes no part in this scenario: {label} is the reference instead.")
    notes.append(bold_note(shown))
    if "floor" not in set(shown["role"]):
        notes.append("No floor: the method pixels takes no part, so it is unknown who falls below it.")
    elif shown["below_floor"].any():
        below = ", ".join(labels_of(shown[shown["below_floor"]]).values())
        notes.append(f"v: below the floor (nearest class mean on raw pixels, same shot): {below}.")
    else:
        notes.append("No method is below the floor (nearest class mean on raw pixels, same shot).")
    notes += below_random_note(shown)
    if "ceiling" not in set(shown["role"]):
        notes.append("No ceiling: the method realdata takes no part.")
    return notes


def _heads_note(heads: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which output rows the methods train whose parameters leave the choice: it moves accuracies by points."""
    named = "; ".join(f"{', '.join(methods)}: {kind.replace('_', ' ')}" for kind, methods in heads.items())
    return [f"Heads: {named}."] if named else []


def _networks_note(networks: Mapping[str, int]) -> list[str]:
    """Say what methods cost at use that are no single network, and how to read the others beside them."""
    named = ", ".join(f"{count} networks of {method}" for method, count in networks.items())
    read = "read these by how much of its accuracy one network keeps"
    return [f"At use each image passes {named}, and one of any other method: {read}."] * bool(named)


def _published_note(published: Sequence[str]) -> list[str]:
    named = "; ".join(published)
    return [f"Published: {named}. Teachers, protocol and statistics may differ: context, no comparison."] * bool(named)
