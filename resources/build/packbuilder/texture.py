"""Random backgrounds of two colours: gradients, blobs, soft stripes and weaves."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image


def random_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour that is neither very pale nor black."""
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.1, 1.0)), np.float32)


def distant_colour(rng: np.random.Generator, avoid: np.ndarray, contrast: float) -> np.ndarray:
    """A random colour whose RMS distance from `avoid` is at least `contrast` (the farthest of 20 tries otherwise)."""
    tries = [random_colour(rng) for _ in range(20)]
    distances = [float(np.sqrt(((colour - avoid) ** 2).mean())) for colour in tries]
    far = [colour for colour, distance in zip(tries, distances, strict=True) if distance >= contrast]
    return far[0] if far else tries[int(np.argmax(distances))]


def ramp(rng: np.random.Generator, side: int) -> np.ndarray:
    """Coordinate along a random direction, about -0.7 .. 0.7."""
    angle = rng.uniform(0, 2 * np.pi)
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    return np.float32(np.cos(angle)) * axis[None] + np.float32(np.sin(angle)) * axis[:, None]


def gradient(rng: np.random.Generator, side: int) -> np.ndarray:
    """A linear change from one side to the other."""
    return np.clip(ramp(rng, side) + 0.5, 0, 1)


def blobs(rng: np.random.Generator, side: int) -> np.ndarray:
    """Smooth noise: a coarse random grid, enlarged."""
    cells = int(rng.integers(3, 6))
    grid = Image.fromarray(rng.random((cells, cells), np.float32), "F")
    return np.clip(np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC)), 0, 1)


def waves(rng: np.random.Generator, side: int) -> np.ndarray:
    """Soft stripes."""
    return 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(2, 4) * ramp(rng, side) + rng.uniform(0, 2 * np.pi))


def weave(rng: np.random.Generator, side: int) -> np.ndarray:
    """Two soft stripe patterns across each other."""
    return 0.5 * (waves(rng, side) + waves(rng, side))


PATTERNS = (gradient, blobs, waves, weave)


def background(rng: np.random.Generator, side: int, avoid: np.ndarray, contrast: float) -> np.ndarray:
    """An RGB background [side, side, 3] in [0, 1] of two colours that differ from `avoid`."""
    weight = PATTERNS[int(rng.integers(len(PATTERNS)))](rng, side)[..., None]
    first = distant_colour(rng, avoid, contrast)
    second = distant_colour(rng, avoid, contrast)
    strength = rng.uniform(0.1, 0.6)  # full strength hides small drawings
    return first + (second - first) * np.float32(strength) * weight
