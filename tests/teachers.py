"""Cards of teachers, and reports of inversions, that several test modules need."""

from typing import Any

from tgr.inversion.report import Recovery
from tgr.pool.card import Card


def make_card(index: int = 0, n_way: int = 3, **changes: Any) -> Card:
    """Return the card of a small Conv4; ``changes`` replace its entries."""
    values: dict[str, Any] = {
        "name": f"teacher-{index:04d}",
        "pool": "pool",
        "dataset": "d",
        "classes": [f"class-{i}" for i in range(n_way)],
        "architecture": "conv4",
        "width": 8,
        "image_size": 16,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "flips": True,
        "held_out_accuracy": 1.0,
        "train_accuracy": 1.0,
        "sha256": "",
        "wall_seconds": 0.0,
    }
    return Card(**values | changes)


def make_report(card: Card, images_per_class: int, **changes: Any) -> Recovery:
    """Return the report of an inversion that recovered all classes of a teacher; ``changes`` replace its entries."""
    values: dict[str, Any] = {
        "name": card.name,
        "pool": card.pool,
        "engine": "pixel",
        "images_per_class": images_per_class,
        "classes": list(range(len(card.classes))),
        "agreement": 1.0,
        "bn_distance": 0.0,
        "loss": 0.0,
        "sha256": "",
        "wall_seconds": 0.0,
    }
    return Recovery(**values | changes)
