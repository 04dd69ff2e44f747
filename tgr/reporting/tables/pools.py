"""Table of the pools: how good teachers and recovered images are, and how often each teacher serves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from tgr.artifacts import read_json
from tgr.inversion.recovered import Recovery, read_report
from tgr.pool.teacher import Card, read_cards
from tgr.reporting.tables.main import write_table
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


def write_pools_table(
    teacher_folders: Sequence[Path],
    recovered_folders: Sequence[Path],
    transfers: Sequence[Path],
    models: Sequence[Path],
    scenario: str,
    csv: Path,
    markdown: Path,
    latex: Path,
) -> None:
    """Write one row for each pool of a scenario.

    Args:
        teacher_folders, recovered_folders: the shards of all pools, in the same order.
        transfers: what ``tgr.inversion.transfer.measure_transfer`` wrote for the pools with real images.
        models: trained models; those that count their teachers' steps are summed.
    """
    cards = [card for folder in teacher_folders for card in read_cards(folder)]
    reports = [
        read_report(Path(folder), card)
        for folder, teachers in zip(recovered_folders, teacher_folders, strict=True)
        for card in read_cards(teachers)
    ]
    measured = [read_json(file) for file in transfers]
    students = {about["pool"]: [one["student_accuracy"] for one in about["teachers"]] for about in measured}
    sampled = _sampled(models)
    rows = []
    for pool in dict.fromkeys(card.pool for card in cards):
        own = [(card, report) for card, report in zip(cards, reports, strict=True) if card.pool == pool]
        rows.append({"pool": pool} | _row(own, students.get(pool, ()), sampled))
    frame = pd.DataFrame(rows)
    frame.insert(0, "scenario", scenario)
    cells = [(str(row["pool"]), [_text(column, row[column]) for column in COLUMNS]) for row in rows]
    table = Table(
        caption=f"The pools of scenario {scenario}",
        row_header="Pool",
        blocks=[Block("pools", [("", list(COLUMNS.values()))], cells)],
        notes=_notes(students),
    )
    write_table(frame, table, csv, markdown, latex)


def _sampled(models: Sequence[Path]) -> dict[str, int]:
    """Return the steps in which each teacher took part, by its key, over all models that count them."""
    totals: dict[str, int] = {}
    for folder in models:
        for key, count in read_json(Path(folder) / "model.json").get("sampled", {}).items():
            totals[key] = totals.get(key, 0) + count
    return totals


def _row(own: Sequence[tuple[Card, Recovery]], students: Sequence[float], sampled: Mapping[str, int]) -> dict[str, Any]:
    cards, reports = [card for card, _ in own], [report for _, report in own]
    counts = [sampled[card.key] for card in cards if card.key in sampled]
    return {
        "dataset": _common([card.dataset or "own models" for card in cards]),
        "architecture": _common([card.architecture for card in cards]),
        "image_size": _common([str(card.image_size) for card in cards]),
        "n_teachers": len(cards),
        "n_classes": _common([str(len(card.classes)) for card in cards]),
        "held_out_accuracy": _mean([card.held_out_accuracy for card in cards]),
        "agreement": _mean([report.agreement for report in reports]),
        "bn_distance": _mean([report.bn_distance for report in reports]),
        "student_accuracy": _mean(students),
        "steps": f"{min(counts)} to {max(counts)}" if counts else None,
    }


def _common(values: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _text(column: str, value: Any) -> str | None:
    if value is None or not isinstance(value, float):
        return None if value is None else str(value)
    return f"{value:.2f}" if column == "bn_distance" else f"{100 * value:.1f} %"


def _notes(students: Mapping[str, Sequence[float]]) -> list[str]:
    counts = sorted({len(accuracies) for accuracies in students.values()})
    notes = [
        "Held-out accuracy: of the teachers on real images of their classes that they were not trained on, mean.",
        "Agreement: share of the recovered images that their teacher classifies as intended. BN distance: of the "
        "images' statistics from those stored in the teacher, mean over its BatchNorm layers; a dash without such "
        "layers.",
        "Group steps each: in how many steps the least and the most often drawn teacher took part, over all trained "
        "models with task groups.",
    ]
    if counts:
        notes.append(
            "Student on real images: accuracy, on real images of a teacher's classes, of a small network trained on "
            f"its recovered images alone; mean over {' or '.join(map(str, counts))} teachers a pool. Real images serve "
            "this figure only."
        )
    return notes
