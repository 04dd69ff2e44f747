"""Pack `glyphs`: a class is a character, an image is its glyph in one face of an open font."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from .dedupe import rms, thumbnail
from .model import ALLOWED_LICENCES, Candidate, PackSpec, Source
from .npm import DATA, package_id, read_json
from .raster import fit_tile, on_white

SCOPE = "@fontsource"
FONT_PIXELS = 96
# An all-caps face draws "f" as a small "F"; closer than this to the capital means the image would be mislabelled.
SMALL_CAPITAL = 0.12


def spec() -> PackSpec:
    """What is fixed about the pack."""
    data = read_json(DATA / "glyphs.json")
    splits = {char: part["split"] for part in data["scripts"].values() for char in part["characters"]}
    return PackSpec(
        name="glyphs",
        title="Characters in open fonts",
        description=(
            "Letters, digits and signs in open fonts. The shapes are real glyphs; the two colours of each image, its "
            "polarity and its warp are synthetic. Splits follow the script: Latin letters, digits and signs, then "
            "Cyrillic, then Greek."
        ),
        image_size=28,
        per_class=data["per_class"],
        splits=splits,
    )


def faces(metadata: dict) -> list[tuple[int, str]]:
    """Weights and styles to draw: regular, bold if much heavier, light if much lighter, each upright and italic."""
    weights = metadata["weights"]
    regular = min(weights, key=lambda weight: (abs(weight - 400), weight))
    chosen = {regular}
    chosen |= {weight for weight in (max(weights),) if weight >= regular + 300}
    chosen |= {weight for weight in (min(weights),) if weight <= regular - 200}
    return sorted((weight, style) for weight in chosen for style in metadata["styles"] if style in ("normal", "italic"))


@cache
def open_font(path: Path) -> tuple[ImageFont.FreeTypeFont, frozenset[int]] | None:
    """The font of a woff2 file and the code points it holds; None when the font library refuses it."""
    font = TTFont(path)
    code_points = frozenset(font.getBestCmap() or {})
    font.flavor = None  # unpacks the web font
    buffer = io.BytesIO()
    font.save(buffer)
    try:
        return ImageFont.truetype(io.BytesIO(buffer.getvalue()), FONT_PIXELS), code_points
    except OSError:
        return None


def draw(font: ImageFont.FreeTypeFont, char: str) -> Image.Image:
    """The character in black on a transparent canvas with room on all sides."""
    alpha = Image.new("L", (4 * FONT_PIXELS, 4 * FONT_PIXELS), 0)
    ImageDraw.Draw(alpha).text((FONT_PIXELS, FONT_PIXELS), char, font=font, fill=255)
    black = Image.new("L", alpha.size, 0)
    return Image.merge("RGBA", [black, black, black, alpha])


def is_small_capital(font: ImageFont.FreeTypeFont, char: str, image: Image.Image) -> bool:
    """Whether the face draws this lower-case letter as its capital."""
    tiles = [fit_tile(image), fit_tile(draw(font, char.upper()))]
    if tiles[0] is None or tiles[1] is None:
        return False
    lower, upper = (thumbnail(on_white(tile))[None] for tile in tiles)
    return bool(rms(lower, upper)[0, 0] < SMALL_CAPITAL)


def renderer(path: Path, char: str, check_capital: bool) -> Callable[[], Image.Image | None]:
    """A function that draws the character, or returns None when the font lacks it or draws a capital instead."""

    def render() -> Image.Image | None:
        opened = open_font(path)
        if opened is None or ord(char) not in opened[1]:
            return None
        image = draw(opened[0], char)
        if check_capital and char.islower() and is_small_capital(opened[0], char, image):
            return None
        return image

    return render


def licence_of(metadata: dict) -> str:
    """SPDX name of the licence in the metadata of a font package."""
    licence = metadata["license"]
    return licence["type"] if isinstance(licence, dict) else licence


def candidates(work: Path) -> dict[str, list[Candidate]]:
    """Every character in every face of every installed family that has a file for its script."""
    data = read_json(DATA / "glyphs.json")
    found: dict[str, list[Candidate]] = {char: [] for part in data["scripts"].values() for char in part["characters"]}
    for folder in sorted((work / "node_modules" / SCOPE).iterdir()):
        metadata = read_json(folder / "metadata.json")
        licence = licence_of(metadata)
        if licence not in ALLOWED_LICENCES:
            continue
        package = package_id(work, f"{SCOPE}/{folder.name}")
        for weight, style in faces(metadata):
            for script, part in data["scripts"].items():
                path = folder / "files" / f"{folder.name}-{script}-{weight}-{style}.woff2"
                if not path.exists():
                    continue
                source = Source(licence, package, f"{script}-{weight}-{style}")
                for char in part["characters"]:
                    check = char in part["check_capital"]
                    found[char].append(Candidate(source, renderer(path, char, check)))
    return found


def class_label(char: str) -> str:
    """ASCII label for pictures drawn with a basic font."""
    return char if char.isascii() else f"U+{ord(char):04X}"
