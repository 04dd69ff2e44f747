"""One look for all figures: venue widths, colours for colour-blind readers, markers for readers of grey prints,
embedded fonts, reproducible bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

WIDTHS = {"icml": (3.25, 6.75), "neurips": (5.5, 5.5), "cvpr": (3.25, 6.875), "slide": (6.0, 12.0)}
"""Widths in inches of one column and of the whole text, by venue."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
"""Okabe and Ito, Color Universal Design (2008)."""
GREY = "#7F7F7F"

WINE, TEAL, OLIVE, INDIGO, ROSE = "#882255", "#44AA99", "#999933", "#332288", "#CC6677"
"""Further ones of Paul Tol's muted scheme, for figures with many methods."""

METHOD_COLOURS = {
    "pixels": GREY,
    "random": SKY,
    "best": YELLOW,
    "average": PURPLE,
    "bank": ORANGE,
    "distil": ROSE,
    "replay": GREEN,
    "tgr": VERMILION,
    "realdata": BLACK,
    "ota": BLUE,
    "dro": WINE,
    "purer": TEAL,
    "bidf_mkd": OLIVE,
    "free": INDIGO,
}
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK)

METHOD_MARKERS = {
    "pixels": "1",
    "random": "v",
    "best": "p",
    "average": "d",
    "bank": "s",
    "distil": "h",
    "replay": "^",
    "tgr": "o",
    "realdata": "*",
    "ota": "<",
    "dro": ">",
    "purer": "D",
    "bidf_mkd": "P",
    "free": "X",
}
"""What tells methods apart in grey: so many colours do not."""
MARKERS = ("8", "2", "3", "4", "H", *dict.fromkeys(METHOD_MARKERS.values()))

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.color": "#D9D9D9",
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "svg.hashsalt": "tgr",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the look inside the block, on top of matplotlib's defaults rather than of the user's settings."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


class StyledFigure(Figure):
    """A figure that is drawn in this style wherever it is shown or saved: ticks are made as late as that."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure."""
        with style():
            super().draw(renderer)


def width(venue: str, *, column: bool = False) -> float:
    """Return the width in inches of the text, or of one column, at a venue of ``WIDTHS``."""
    return WIDTHS[venue][0 if column else 1]


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """Return a colour for each method: its own, or for methods that have none the next of the palette."""
    taken = {METHOD_COLOURS[name] for name in methods if name in METHOD_COLOURS}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE)
    others = [name for name in methods if name not in METHOD_COLOURS]
    return {name: METHOD_COLOURS[name] for name in methods if name in METHOD_COLOURS} | {
        name: free[index % len(free)] for index, name in enumerate(others)
    }


def method_markers(methods: Sequence[str]) -> dict[str, str]:
    """Return a marker for each method: its own, or for methods that have none the next that is free."""
    taken = {METHOD_MARKERS[name] for name in methods if name in METHOD_MARKERS}
    free = [marker for marker in MARKERS if marker not in taken]
    others = [name for name in methods if name not in METHOD_MARKERS]
    return {name: METHOD_MARKERS[name] for name in methods if name in METHOD_MARKERS} | {
        name: free[index % len(free)] for index, name in enumerate(others)
    }


def save(figure: Figure, png: str | Path, pdf: str | Path) -> None:
    """Write a figure at its own size as PNG (200 dpi) and PDF; neither carries a date or a program's name."""
    for file in (Path(png), Path(pdf)):
        file.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure.savefig(png, format="png", metadata={"Software": None})
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
