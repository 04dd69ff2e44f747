"""One look for all figures: venue widths, colours for colour-blind readers, markers for readers of grey prints,
embedded fonts, reproducible bytes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

from tgr.config.methods.registry import CARDS

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

CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK)

MARKERS = (
    "4", "+", "x", "8", "2", "3", "H", "1", "v", "p", "d", "s", "h", "^", "o", "*", "<", ">", "D", "P", "X",
)  # fmt: skip
"""Those for methods that have none of their own, the unused ones first."""

Looks = Mapping[str, Mapping[str, Any]]
"""For each method ``label``, ``colour``, ``marker`` (either may be None) and ``phases``: plain values of the cards."""

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


def looks_of_cards() -> Looks:
    """Return how the cards of all methods say that figures show them."""
    return {name: card.look() for name, card in CARDS.items()}


def method_colours(methods: Sequence[str], looks: Looks | None = None) -> dict[str, str]:
    """Return a colour for each method: that of its look, or the next of the palette that is free; None: the cards'."""
    return _given_or_next(methods, "colour", looks, CYCLE)


def method_markers(methods: Sequence[str], looks: Looks | None = None) -> dict[str, str]:
    """Return a marker for each method: that of its look, or the next that is free; None: the cards'."""
    return _given_or_next(methods, "marker", looks, MARKERS)


def method_label(method: str, looks: Looks | None = None) -> str:
    """Return what a method is called; one without a look stands for itself; None: the cards'."""
    looks = looks_of_cards() if looks is None else looks
    return looks.get(method, {}).get("label", method)


def phase_label(method: str, phase: str, looks: Looks | None = None) -> str:
    """Return what a phase of a method's training is called; one without a label stands for itself; None: the cards'."""
    looks = looks_of_cards() if looks is None else looks
    return looks.get(method, {}).get("phases", {}).get(phase, phase)


def _given_or_next(methods: Sequence[str], key: str, looks: Looks | None, palette: Sequence[str]) -> dict[str, str]:
    looks = looks_of_cards() if looks is None else looks
    given = {name: looks[name][key] for name in methods if name in looks and looks[name][key] is not None}
    free = [value for value in palette if value not in given.values()] or list(palette)
    others = [name for name in methods if name not in given]
    return given | {name: free[index % len(free)] for index, name in enumerate(others)}
