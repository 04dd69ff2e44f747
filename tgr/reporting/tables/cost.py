"""The table of costs: seconds and memory of every stage and method."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tgr.reporting.tables.accuracies import first_replicate_note
from tgr.reporting.tables.markup import Block, Table

COLUMNS = {
    "jobs": "jobs",
    "seconds": "seconds",
    "each": "seconds each",
    "planned": "planned each",
    "memory_mb": "peak memory (MB)",
}


def table(stages: pd.DataFrame, *, replicates: int = 1) -> Table:
    """Return a row for each shared stage and for the training of each method.

    Args:
        stages: as ``tgr.analysis.cost.cost_by_stage`` makes it.
        replicates: of the scenario; the seconds are those of the first.
    """
    rows = [(row["stage"], [_text(row, name) for name in COLUMNS]) for row in stages.to_dict("records")]
    return Table(
        frame=stages,
        caption=f"Cost of scenario {stages['scenario'].iloc[0]}",
        row_header="Stage",
        blocks=[Block("stages and methods", [("", list(COLUMNS.values()))], rows)],
        notes=[
            "Wall-clock seconds of the jobs without their start, added; each job runs in one thread, and as many jobs "
            "side by side as there are cores, so that a run takes less time than the sum. They vary with the machine "
            "and with what else it does.",
            "Planned: what `make plan` estimates for a training, on an idle core of the processor on which it was "
            "calibrated (benchmarks/unit_costs.py).",
            "Peak memory: the largest resident size of one job.",
            *first_replicate_note(replicates),
        ],
    )


def _text(row: Mapping[Any, Any], column: str) -> str | None:
    if pd.isna(row[column]):
        return None
    return f"{row[column]:.3g} / {row['unit']}" if column in ("each", "planned") else f"{row[column]:.0f}"
