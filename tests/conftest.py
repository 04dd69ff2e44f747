"""Fixtures that several test folders share."""

import json
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parent.parent
SPLITS = {"meta_train": 5, "meta_val": 3, "meta_test": 3}


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the project."""
    return REPOSITORY


def write_shapes(folder: Path, per_class: int = 12, size: int = 16) -> None:
    """Write a small dataset of coloured stripes and its split: ``shapes.npz`` and ``splits.json``."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    names = [f"{split}_{i}" for split, count in SPLITS.items() for i in range(count)]
    labels = np.repeat(np.arange(len(names)), per_class)
    rows = np.arange(size)[None, :, None, None]
    wave = np.sin(rows * (labels + 1)[:, None, None, None] * 0.4)
    colour = generator.uniform(0.3, 1, (len(names), 1, 1, 3))[labels]
    noise = generator.normal(0, 0.1, (len(labels), size, size, 3))
    images = np.clip((wave * colour * 0.5 + 0.5 + noise) * 255, 0, 255).astype(np.uint8)
    np.savez(folder / "shapes.npz", images=images, labels=labels, class_names=np.array(names))
    splits = {split: [name for name in names if name.startswith(split)] for split in SPLITS}
    (folder / "splits.json").write_text(json.dumps(splits))
