"""The table of pools: how good teachers and recovered images are, and how often each teacher serves."""

from typing import Any

import pandas as pd

from tgr.reporting.tables.accuracies import first_replicate_note
from tgr.reporting.tables.markup import Block, Table

COLUMNS = {
    "dataset": "domain",
    "architecture": "architecture",
    "image_size": "pixels",
    "n_teachers": "teachers",
    "n_classes": "classes each",
    "held_out_accuracy": "held-out accuracy",
    "agreement": "agreement",
    "bn_distance": "BN distance",
    "student_accuracy": "student on real images",
    "steps": "group steps each",
}
NOTES = (
    "Held-out accuracy: of the teachers on real images of their classes that they were not trained on, mean.",
    "Agreement: share of the recovered images that their teacher classifies as intended. BN distance: of the images' "
    "statistics from those stored in the teacher, mean over its BatchNorm layers; a dash without such layers.",
    "Group steps each: in how many steps the least and the most often drawn teacher took part, over all trained models "
    "with task groups.",
)


def table(pools: pd.DataFrame, *, replicates: int = 1) -> Table:
    """Return a row for each pool of a scenario.

    Args:
        pools: as ``tgr.analysis.pools.measure_pools`` makes it.
        replicates: of the scenario; the pools are those of the first.
    """
    rows = [(row["pool"], [_text(name, row[name]) for name in COLUMNS]) for row in pools.to_dict("records")]
    return Table(
        frame=pools,
        caption=f"The pools of scenario {pools['scenario'].iloc[0]}",
        row_header="Pool",
        blocks=[Block("pools", [("", list(COLUMNS.values()))], rows)],
        notes=[*NOTES, *_student_note(pools), *first_replicate_note(replicates)],
    )


def _text(column: str, value: Any) -> str | None:
    if pd.isna(value):
        return None
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if column == "bn_distance" else f"{100 * value:.1f} %"


def _student_note(pools: pd.DataFrame) -> list[str]:
    counts = sorted(pools.loc[pools["n_students"] > 0, "n_students"].unique())
    if not counts:
        return []
    return [
        "Student on real images: accuracy, on real images of a teacher's classes, of a small network trained on its "
        f"recovered images alone; mean over {' or '.join(map(str, counts))} teachers a pool. Real images serve this "
        "figure only."
    ]
