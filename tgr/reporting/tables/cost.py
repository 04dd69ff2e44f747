"""Table of the cost: seconds and memory of every stage and method, read from the artefacts' provenance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.artifacts import provenance_path, read_json
from tgr.errors import TgrError
from tgr.evaluation.identity import read_identity
from tgr.reporting.tables.main import write_table
from tgr.reporting.tables.markup import Block, Table

COLUMNS = {"jobs": "jobs", "seconds": "seconds", "each": "seconds each", "memory_mb": "peak memory (MB)"}


def write_cost_table(
    stages: Mapping[str, tuple[Sequence[Path], int, str]],
    models: Sequence[Path],
    methods: Mapping[str, str],
    scenario: str,
    csv: Path,
    markdown: Path,
    latex: Path,
) -> None:
    """Write one row for each shared stage and for the training of each method.

    Args:
        stages: for each stage's name its artefacts, how many units they hold, and what a unit is.
        models: folders of trained models.
        methods: labels by name, in the order of the rows.

    Raises:
        TgrError: an artefact without provenance.
    """
    rows = [_row(name, artefacts, count, unit) for name, (artefacts, count, unit) in stages.items()]
    methods_of = {folder: read_identity(Path(folder) / "model.json")["method"] for folder in models}
    for method, label in methods.items():
        trained = [folder for folder in models if methods_of[folder] == method]
        rows.append(_row(f"training of {label}", trained, len(trained), "model"))
    frame = pd.DataFrame(rows)
    frame.insert(0, "scenario", scenario)
    cells = [(row["stage"], [_text(row, column) for column in COLUMNS]) for row in rows]
    table = Table(
        caption=f"Cost of scenario {scenario}",
        row_header="Stage",
        blocks=[Block("stages and methods", [("", list(COLUMNS.values()))], cells)],
        notes=[
            "Wall-clock seconds of the jobs without their start, added; each job runs in one thread, and as many jobs "
            "side by side as there are cores, so that a run takes less time than the sum. They vary with the machine "
            "and with what else it does.",
            "Peak memory: the largest resident size of one job.",
        ],
    )
    write_table(frame, table, csv, markdown, latex)


def _row(stage: str, artefacts: Sequence[Path], count: int, unit: str) -> dict[str, Any]:
    records = [read_json(provenance_path(Path(path))) for path in artefacts]
    for path, record in zip(artefacts, records, strict=True):
        if "wall_seconds" not in record or "peak_memory_mb" not in record:
            raise TgrError(f"{provenance_path(Path(path))}: lacks the job's cost; make {path} again")
    seconds = sum(record["wall_seconds"] for record in records)
    return {
        "stage": stage,
        "jobs": len(records),
        "units": count,
        "unit": unit,
        "seconds": round(seconds, 1),
        "each": round(seconds / count, 2) if count else None,
        "memory_mb": max((record["peak_memory_mb"] for record in records), default=None),
    }


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row[column]
    if value is None:
        return None
    if column == "each":
        return f"{value:.3g} / {row['unit']}"
    return f"{value:.0f}"


def count_images(recovered_folders: Sequence[Path]) -> int:
    """Return how many images were recovered."""
    reports = [read_json(file) for folder in recovered_folders for file in sorted(Path(folder).glob("teacher-*.json"))]
    return sum(report["images_per_class"] * len(report["classes"]) for report in reports)
