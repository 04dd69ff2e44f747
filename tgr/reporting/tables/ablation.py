"""Table of an ablation: variants of methods side by side, with their gradient conflict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.evaluation.curves import read_curves
from tgr.evaluation.summary import headline_rows, read_episodes, summarise
from tgr.reporting import labels
from tgr.reporting.tables.main import TIES, common_notes, dataset_title, difference_note, result_cell, write_table
from tgr.reporting.tables.markup import Block, Cell, Table

CONFLICT = {"gradient_cosine": "cosine", "relative_variance": "variance"}


def write_ablation_table(
    evaluations: Sequence[Path],
    models: Sequence[Path],
    variants: Mapping[str, Mapping[str, Any]],
    caption: str,
    headline: str,
    csv: Path,
    markdown: Path,
    latex: Path,
) -> None:
    """Write a row for each variant: mean gradient conflict over the group steps, and all shots and protocols.

    Differences are paired, to the method as configured; if it is not among the variants, to the first one.

    Args:
        evaluations, models: folders of all variants.
        variants: for each variant's name the label of its method (``method``) and its factors (``changes``).
        headline: the selection rule of the table.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    reference = next((name for name in variants if "." not in name), next(iter(variants)))
    summary = summarise(read_episodes(evaluations), list(variants), reference)
    shown = headline_rows(summary, headline)
    frame = shown.merge(_conflict(models), on="method", how="left")
    for factor in dict.fromkeys(factor for about in variants.values() for factor in about["changes"]):
        frame[factor] = frame["method"].map({name: about["changes"].get(factor) for name, about in variants.items()})
    names = {name: variant_label(about) for name, about in variants.items()}
    table = Table(
        caption=f"{caption}, scenario {shown['scenario'].iloc[0]}: accuracy (%) on unseen classes",
        row_header="Variant",
        blocks=[_block(part, str(dataset), names) for dataset, part in frame.groupby("dataset", sort=False)],
        notes=[
            *common_notes(shown),
            f"Selection rule of the checkpoint: {labels.SELECTIONS[headline]}.",
            *difference_note(shown, names[reference]),
            TIES,
            "Gradient conflict between the teachers of a step, mean over the group steps: pairwise cosine of their "
            "gradients (higher is less conflict), and their variance relative to the squared norm of their mean.",
        ],
    )
    write_table(frame, table, csv, markdown, latex)


def variant_label(about: Mapping[str, Any]) -> str:
    """Return a variant's label, e.g. ``TGR: grouping random, treatment none``."""
    changes = ", ".join(f"{factor} {_value(value)}" for factor, value in about["changes"].items())
    return f"{about['method']}: {changes}"


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _conflict(models: Sequence[Path]) -> pd.DataFrame:
    """Return the mean of each measure of conflict, by method, over steps, shots and seeds."""
    curves = read_curves(models)
    chosen = curves[curves["name"].isin(CONFLICT)]
    wide = chosen.pivot_table(index="method", columns="name", values="value", aggfunc="mean")
    return wide.reindex(columns=list(CONFLICT)).reset_index()


def _block(part: pd.DataFrame, dataset: str, names: Mapping[str, str]) -> Block:
    shots = sorted(part["shot"].unique())
    protocols = labels.in_order(set(part["protocol"]), labels.PROTOCOLS)
    rows: list[tuple[str, list[Cell | str | None]]] = []
    for method, own in part.groupby("method", sort=False):
        conflict = [None if pd.isna(own[name].iloc[0]) else f"{own[name].iloc[0]:.3g}" for name in CONFLICT]
        found = {(row.shot, row.protocol): result_cell(row) for row in own.itertuples()}
        results = [found.get((shot, protocol)) for shot in shots for protocol in protocols]
        rows.append((names[str(method)], [*conflict, *results]))
    groups = [("gradient conflict", list(CONFLICT.values()))]
    groups += [(f"{shot}-shot", [labels.PROTOCOLS.get(p, p) for p in protocols]) for shot in shots]
    return Block(dataset_title(dataset), groups, rows)
