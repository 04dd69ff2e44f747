"""The pools in numbers: how good teachers and recovered images are, and how often each teacher serves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from tgr.artifacts import read_json
from tgr.inversion.report import Recovery, read_report
from tgr.pool.card import Card, read_cards


def measure_pools(
    *,
    scenario: str,
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    transfers: Sequence[Path],
    models: Sequence[Path],
    pools: Path,
) -> None:
    """Write a row for each pool of a scenario as Parquet.

    Columns: scenario, pool, dataset, architecture, image_size, n_teachers, n_classes, held_out_accuracy, agreement,
    bn_distance, student_accuracy, steps (of the least and the most often drawn teacher), n_students. What is unknown
    is empty.

    Args:
        teachers, recovered: the shards of all pools, in the same order.
        transfers: what ``tgr.inversion.transfer.measure_transfer`` wrote for the pools with real images.
        models: trained models; those that count their teachers' steps are summed.
    """
    members = [
        (card, read_report(folder, card))
        for folder, shard in zip(recovered, teachers, strict=True)
        for card in read_cards(shard)
    ]
    transfer = {about["pool"]: about["teachers"] for about in map(read_json, transfers)}
    students = {pool: [one["student_accuracy"] for one in measured] for pool, measured in transfer.items()}
    sampled = _sampled(models)
    rows = []
    for pool in dict.fromkeys(card.pool for card, _ in members):
        of_pool = [(card, report) for card, report in members if card.pool == pool]
        rows.append({"scenario": scenario, "pool": pool} | _row(of_pool, students.get(pool, ()), sampled))
    pd.DataFrame(rows).to_parquet(pools, index=False)


def _sampled(models: Sequence[Path]) -> dict[str, int]:
    """Return the steps in which each teacher took part, by its key, over all models that count them."""
    totals: dict[str, int] = {}
    for folder in models:
        for key, count in read_json(folder / "model.json").get("sampled", {}).items():
            totals[key] = totals.get(key, 0) + count
    return totals


def _row(
    members: Sequence[tuple[Card, Recovery]], students: Sequence[float], sampled: Mapping[str, int]
) -> dict[str, Any]:
    cards, reports = [card for card, _ in members], [report for _, report in members]
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
        "n_students": len(students),
    }


def _common(values: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
