"""From vector drawings to square RGBA tiles that are cropped to the ink."""

from __future__ import annotations

import io

import numpy as np
import resvg_py
from PIL import Image

TILE = 64
SVG_PIXELS = 128
ALPHA_VISIBLE = 16
MIN_INK = 0.025


def rasterise_svg(svg: str) -> Image.Image:
    """Render SVG text to a square RGBA image. Raises ValueError for drawings the renderer refuses."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=SVG_PIXELS, height=SVG_PIXELS)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def fit_tile(image: Image.Image) -> np.ndarray | None:
    """Crop to the visible ink, centre in a square and scale to TILE x TILE. None when there is (almost) no ink."""
    box = image.getchannel("A").point(lambda alpha: 255 if alpha > ALPHA_VISIBLE else 0).getbbox()
    if box is None:
        return None
    crop = image.crop(box)
    side = max(crop.size)
    square = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    square.paste(crop, ((side - crop.width) // 2, (side - crop.height) // 2))
    tile = np.asarray(square.resize((TILE, TILE), Image.Resampling.BOX if side >= TILE else Image.Resampling.BICUBIC))
    if tile[..., 3].mean() / 255 < MIN_INK:
        return None
    return tile


def on_white(tile: np.ndarray) -> np.ndarray:
    """Composite an RGBA tile on white; float32 RGB in [0, 1]."""
    rgba = tile.astype(np.float32) / 255
    alpha = rgba[..., 3:]
    return rgba[..., :3] * alpha + (1 - alpha)
