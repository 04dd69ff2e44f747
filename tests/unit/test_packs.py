"""The embedded datasets: integrity, size, splits, duplicates and attribution. Reads the files without the readers."""

from __future__ import annotations

import hashlib
import json
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tgr import seeds

RESOURCES = Path(__file__).resolve().parents[2] / "tgr/resources"
PACKS = ("icons", "glyphs", "emoji")
SPLITS = ("meta_train", "meta_val", "meta_test")
MIN_CLASSES = {"meta_train": 30, "meta_val": 10, "meta_test": 14}
MAX_TOTAL_BYTES = 15_000_000
# RMS of thumbnails in [0, 1]. The builder separates at 0.06 before the sheet is compressed.
NEAR_DUPLICATE = 0.055
ALLOWED_LICENCES = {
    "MIT",
    "Apache-2.0",
    "ISC",
    "BSD-3-Clause",
    "OFL-1.1",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "Unlicense",
}


@cache
def index(name: str) -> dict:
    return json.loads((RESOURCES / "packs" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def tiles(name: str) -> np.ndarray:
    size, columns = index(name)["image_size"], index(name)["columns"]
    with Image.open(RESOURCES / "packs" / f"{name}.webp") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == columns * size
    grid = pixels.reshape(-1, size, columns, size, 3).transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)
    return grid[: index(name)["n_images"]]


@cache
def sources(name: str) -> list[list[str]]:
    text = lzma.decompress((RESOURCES / "packs" / f"{name}.sources.tsv.xz").read_bytes()).decode()
    return [line.split("\t") for line in text.splitlines()]


def split_of_images(name: str) -> np.ndarray:
    classes = index(name)["classes"]
    return np.repeat([SPLITS.index(entry["split"]) for entry in classes], [entry["count"] for entry in classes])


def thumbnails(name: str) -> np.ndarray:
    """16x16 (14x14 for tiles of 28) block means, one row per image."""
    images = tiles(name).astype(np.float32) / 255
    count, size = images.shape[:2]
    cells = 16 if size % 16 == 0 else 14
    block = size // cells
    return images.reshape(count, cells, block, cells, block, 3).mean((2, 4)).reshape(count, -1)


def smallest_rms(first: np.ndarray, second: np.ndarray) -> float:
    """Smallest RMS distance between a row of `first` and a row of `second`, over all pairs."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return float(np.sqrt(max(float(squares.min()), 0.0) / first.shape[1]))


@pytest.mark.parametrize("name", PACKS)
def test_index_matches_the_sheet(name: str) -> None:
    content = (RESOURCES / "packs" / f"{name}.webp").read_bytes()
    assert hashlib.sha256(content).hexdigest() == index(name)["sha256"]
    assert index(name)["name"] == name
    assert sum(entry["count"] for entry in index(name)["classes"]) == index(name)["n_images"] == len(tiles(name))


@pytest.mark.parametrize("name", PACKS)
def test_enough_classes_and_images(name: str) -> None:
    classes = index(name)["classes"]
    assert len(classes) >= 60
    assert min(entry["count"] for entry in classes) >= 60


@pytest.mark.parametrize("name", PACKS)
def test_splits_are_disjoint_and_large_enough(name: str) -> None:
    classes = index(name)["classes"]
    assert len({entry["name"] for entry in classes}) == len(classes)
    for split in SPLITS:
        assert sum(entry["split"] == split for entry in classes) >= MIN_CLASSES[split]
    assert {entry["split"] for entry in classes} == set(SPLITS)


def test_packs_have_their_native_sizes() -> None:
    assert {name: index(name)["image_size"] for name in PACKS} == {"icons": 32, "glyphs": 28, "emoji": 32}


@pytest.mark.parametrize("name", PACKS)
def test_no_near_duplicates_across_splits(name: str) -> None:
    thumbs, split = thumbnails(name), split_of_images(name)
    for number in range(len(SPLITS) - 1):
        assert smallest_rms(thumbs[split == number], thumbs[split > number]) >= NEAR_DUPLICATE


@pytest.mark.parametrize("name", PACKS)
def test_no_drawing_is_used_twice(name: str) -> None:
    classes = index(name)["classes"]
    labels = [entry["name"] for entry in classes for _ in range(entry["count"])]
    # A font face draws every character of a script, so there the class belongs to the key.
    keys = [(*line, label if name == "glyphs" else "") for line, label in zip(sources(name), labels, strict=True)]
    assert len(set(keys)) == len(keys)


def test_packs_are_small() -> None:
    assert sum(path.stat().st_size for path in (RESOURCES / "packs").iterdir()) <= MAX_TOTAL_BYTES


@pytest.mark.parametrize("name", PACKS)
def test_packs_state_licence_and_attribution(name: str) -> None:
    assert len(sources(name)) == index(name)["n_images"]
    assert {licence for licence, _, _ in sources(name)} <= ALLOWED_LICENCES
    attribution = (RESOURCES / "ATTRIBUTION.md").read_text(encoding="utf-8")
    section = attribution.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for licence, package, item in sorted(set(map(tuple, sources(name)))):
        # Icon sets of one package have authors and licences of their own.
        origin = f"{package} {item.split(':')[0]}" if package.startswith("@iconify/json@") else package
        assert f"| {origin} | {licence} |" in section, origin


def test_licence_texts_are_present() -> None:
    used = {licence for name in PACKS for licence, _, _ in sources(name)}
    for licence in used:
        assert (RESOURCES / "licenses" / f"{licence}.txt").stat().st_size > 100, licence


SECOND = json.loads((RESOURCES / "splits/icons-second.json").read_text(encoding="utf-8"))


def test_second_split_shares_meta_val_and_is_drawn_by_families() -> None:
    first = {split: [c["name"] for c in index("icons")["classes"] if c["split"] == split] for split in SPLITS}
    drawn = [name for family in SECOND["families"].values() for name in family]
    assert SECOND["meta_val"] == first["meta_val"]
    assert sorted(drawn) == sorted(first["meta_train"] + first["meta_test"]), "each class is in one family"
    assert sorted(SECOND["meta_train"] + SECOND["meta_test"]) == sorted(drawn)
    test: list[str] = []
    families = list(SECOND["families"].values())
    for position in seeds.numpy_generator("splits", "icons", "second").permutation(len(families)):
        test += families[position] if len(test) < 20 else []
    assert sorted(SECOND["meta_test"]) == sorted(test)


def test_no_near_duplicates_across_the_second_split() -> None:
    classes = index("icons")["classes"]
    splits = [next(split for split in SPLITS if c["name"] in SECOND[split]) for c in classes]
    of_image = np.repeat(splits, [c["count"] for c in classes])
    small = thumbnails("icons")
    for first, second in (("meta_train", "meta_val"), ("meta_train", "meta_test"), ("meta_val", "meta_test")):
        assert smallest_rms(small[of_image == first], small[of_image == second]) > NEAR_DUPLICATE
