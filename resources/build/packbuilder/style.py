"""Synthetic appearance: warps, colours and backgrounds. Everything is a function of the drawing and its source."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from PIL import Image

from .model import Drawing, key_rng
from .raster import TILE, on_white
from .texture import background

OVERSAMPLE = 2
MAX_ROTATION = math.radians(15)
MAX_SHEAR = 0.15
INK_SCALE = (0.62, 0.92)
# Emoji have more detail and busy backgrounds, so they fill more of the tile.
EMOJI_SCALE = (0.75, 0.98)
MAX_HUE_SHIFT = 0.5
MIN_CONTRAST = 0.3


def hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB of a colour given by hue, saturation and value."""
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def warp(tile: np.ndarray, size: int, scales: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """A small random rotation, shear, scale and shift. Returns RGBA of OVERSAMPLE * size a side."""
    side = size * OVERSAMPLE
    angle, shear = rng.uniform(-MAX_ROTATION, MAX_ROTATION), rng.uniform(-MAX_SHEAR, MAX_SHEAR)
    scale = rng.uniform(*scales)
    shift_x, shift_y = rng.uniform(-0.5, 0.5, 2) * (1 - scale) * side
    # PIL wants the map from output to input coordinates.
    factor = TILE / (scale * side)
    a, b = math.cos(angle) * factor, (math.sin(angle) + shear) * factor
    d, e = -math.sin(angle) * factor, math.cos(angle) * factor
    centre = side / 2
    c = TILE / 2 - a * (centre + shift_x) - b * (centre + shift_y)
    f = TILE / 2 - d * (centre + shift_x) - e * (centre + shift_y)
    image = Image.fromarray(tile, "RGBA")
    warped = image.transform((side, side), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC)
    return np.asarray(warped)


def shrink(image: np.ndarray, size: int) -> np.ndarray:
    """Box filter a float image to size x size and round to 8 bits."""
    block = image.shape[0] // size
    small = image.reshape(size, block, size, block, 3).mean((1, 3))
    return np.clip(np.rint(small * 255), 0, 255).astype(np.uint8)


def ink_and_paper(drawing: Drawing, size: int) -> np.ndarray:
    """Icons and glyphs: dark becomes one random colour and white another, with random polarity."""
    rng = key_rng("ink-and-paper", drawing.class_name, drawing.source.line())
    lightness = on_white(warp(drawing.tile, size, INK_SCALE, rng))
    light = hsv(rng.random(), rng.uniform(0.05, 0.5), rng.uniform(0.8, 1.0))
    dark = hsv(rng.random(), rng.uniform(0.3, 1.0), rng.uniform(0.1, 0.5))
    paper, ink = (light, dark) if rng.random() < 0.5 else (dark, light)
    return shrink(paper * lightness + ink * (1 - lightness), size)


def hue_shift(rgb: np.ndarray, turn: float) -> np.ndarray:
    """Rotate the hue of float RGB by `turn` of a full circle."""
    hsv_image = np.asarray(Image.fromarray(np.rint(rgb * 255).astype(np.uint8), "RGB").convert("HSV")).copy()
    hsv_image[..., 0] = (hsv_image[..., 0].astype(int) + round(turn * 256)) % 256
    return np.asarray(Image.fromarray(hsv_image, "HSV").convert("RGB")).astype(np.float32) / 255


def is_monochrome(tile: np.ndarray) -> bool:
    """True for a drawing in black alone, which would vanish on a dark background."""
    visible = tile[tile[..., 3] > 128]
    return len(visible) > 0 and visible[:, :3].max() < 40


def on_texture(drawing: Drawing, size: int) -> np.ndarray:
    """Emoji: shift the hue, recolour black drawings, composite on a random textured background."""
    rng = key_rng("on-texture", drawing.class_name, drawing.source.line())
    rgba = warp(drawing.tile, size, EMOJI_SCALE, rng).astype(np.float32) / 255
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    if is_monochrome(drawing.tile):
        value = rng.choice([rng.uniform(0.05, 0.35), rng.uniform(0.85, 1.0)])
        colour = np.broadcast_to(hsv(rng.random(), rng.uniform(0.1, 0.9), value), colour.shape)
    else:
        colour = hue_shift(colour, rng.uniform(-MAX_HUE_SHIFT, MAX_HUE_SHIFT))
    mean_colour = (colour * alpha).sum((0, 1)) / max(float(alpha.sum()), 1e-6)
    scene = background(rng, rgba.shape[0], avoid=mean_colour, contrast=MIN_CONTRAST)
    return shrink(colour * alpha + scene * (1 - alpha), size)
