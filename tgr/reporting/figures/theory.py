"""Figure: the identity behind the group step in numbers, and what regularised steps do on small problems."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tgr.reporting.figures.panels import DASHES, band_lines, count, key, new_figure
from tgr.reporting.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, style, width

VARIANTS: dict[tuple[bool, float], tuple[str, dict[str, Any]]] = {
    (False, 0.5): ("displacement held, c = 1/2", {"color": BLUE, "marker": "o"}),
    (True, 1.0): ("differentiated through, c = 1", {"color": VERMILION, "marker": "s"}),
    (False, 1.0): ("held, c = 1 (wrong)", {"color": BLUE, "dashes": DASHES[2]}),
    (True, 0.5): ("through, c = 1/2 (wrong)", {"color": VERMILION, "dashes": DASHES[1]}),
}
STRENGTH_COLOURS = (BLACK, ORANGE, GREEN, VERMILION, BLUE)
QUANTITIES = {"gradient_variance": ("gradient variance V", DASHES[0]), "loss": ("mean loss L", DASHES[1])}
BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.24)}


@style()
def draw(errors: pd.DataFrame, descents: pd.DataFrame, *, venue: str = "icml") -> Figure:
    """Draw what ``tgr.analysis.theory`` measured: errors over lambda, and descents over steps."""
    figure = new_figure(width(venue), 2.75)
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    _errors(left, errors)
    colours = dict(zip(sorted(descents["strength"].unique()), STRENGTH_COLOURS, strict=False))
    start = descents[descents["compared_with"] == "start"]
    start = start.assign(low=start["low"].where(start["strength"] == 0))  # bands of all would hide each other
    _descents(middle, start, colours, "descent", "relative to the start")
    middle.set_yscale("log")
    plain = descents[(descents["compared_with"] == "plain") & (descents["strength"] > 0)]
    _descents(right, plain, colours, "effect of \u03bb", "relative to \u03bb = 0")
    right.axhline(1, color=GREY, linewidth=0.8)
    strengths = [key(f"\u03bb = {strength:g}", color=colour) for strength, colour in colours.items()]
    middle.legend(handles=strengths, **BELOW, ncols=2)
    right.legend(handles=[key(label, color=BLACK, dashes=line) for label, line in QUANTITIES.values()], **BELOW)
    return figure


def _errors(axes: Axes, errors: pd.DataFrame) -> None:
    variant = ["through_displacement", "coefficient"]
    slopes = errors.groupby(variant)["slope"].first()
    looks = {
        name: {"markersize": 2.5, "label": f"{label}: slope {slopes[name]:.2f}"} | look
        for name, (label, look) in VARIANTS.items()
    }
    band_lines(axes, errors.rename(columns={"error": "mean"}), "strength", variant, looks)
    axes.set(xscale="log", yscale="log", xlabel="\u03bb (displacement of the parameters)")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.set_ylabel("error of the displaced gradient,\nrelative to \u2016\u2207L\u2016")
    axes.set_title(f"{_problems(errors)}: error", loc="left")
    axes.grid()
    axes.legend(**BELOW, handlelength=2.2)


def _descents(axes: Axes, shown: pd.DataFrame, colours: Mapping[float, str], title: str, unit: str) -> None:
    looks = {
        (strength, quantity): {"color": colour, "dashes": line}
        for strength, colour in colours.items()
        for quantity, (_, line) in QUANTITIES.items()
    }
    band_lines(axes, shown, "step", ["strength", "quantity"], looks)
    axes.set(xlabel="step of gradient descent", ylabel=unit)
    axes.set_title(f"{_problems(shown)}: {title}", loc="left")
    axes.grid(axis="y")
    axes.margins(x=0.02)


def _problems(frame: pd.DataFrame) -> str:
    return count(frame["n"].iloc[0], "problem")
