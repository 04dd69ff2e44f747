"""Reading icon sets of the npm package @iconify/json."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image

from .model import Candidate, Source
from .npm import package_id, read_json
from .raster import SVG_PIXELS, rasterise_svg

PACKAGE = "@iconify/json"


@cache
def collections(work: Path) -> dict:
    """Metadata of all sets: name, author, licence, category."""
    return read_json(work / "node_modules" / PACKAGE / "collections.json")


@cache
def icon_set(work: Path, prefix: str) -> dict:
    """All icons of a set."""
    return read_json(work / "node_modules" / PACKAGE / "json" / f"{prefix}.json")


def icon_svg(data: dict, name: str) -> str | None:
    """SVG text of one icon, letter-boxed to a square. None for animated icons."""
    icon = data["icons"][name]
    body = icon["body"].replace("currentColor", "#000")
    if "<animate" in body or "<set " in body:
        return None
    width, height = (icon.get(key, data.get(key, 16)) for key in ("width", "height"))
    left, top = (icon.get(key, data.get(key, 0)) for key in ("left", "top"))
    side = max(width, height)
    view = f"{left - (side - width) / 2} {top - (side - height) / 2} {side} {side}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SVG_PIXELS}" height="{SVG_PIXELS}" viewBox="{view}" color="#000">{body}</svg>'
    )


def renderer(work: Path, prefix: str, name: str) -> Callable[[], Image.Image | None]:
    """A function that renders the icon, or returns None when it cannot be rendered."""

    def render() -> Image.Image | None:
        svg = icon_svg(icon_set(work, prefix), name)
        if svg is None:
            return None
        try:
            return rasterise_svg(svg)
        except ValueError:
            return None

    return render


def candidate(work: Path, prefix: str, name: str, rank: int = 0) -> Candidate:
    """The candidate for one icon."""
    licence = collections(work)[prefix]["license"]["spdx"]
    source = Source(licence, package_id(work, PACKAGE), f"{prefix}:{name}")
    return Candidate(source, renderer(work, prefix, name), rank)


def icon_names(data: dict) -> list[str]:
    """Names of the icons that are not hidden, sorted."""
    return sorted(name for name, icon in data["icons"].items() if not icon.get("hidden"))
