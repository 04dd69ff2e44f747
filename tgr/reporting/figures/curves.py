"""Figure: what was recorded while methods trained."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tgr.reporting.figures.panels import (
    DASHES,
    Look,
    count,
    curve_lines,
    key,
    legend_below,
    new_figure,
    plain_numbers,
    sentence,
)
from tgr.reporting.figures.style import (
    BLACK,
    Looks,
    looks_of_cards,
    method_colours,
    method_label,
    method_markers,
    phase_label,
    style,
    width,
)

QUANTITIES = {
    "loss": "training loss (nats)",
    "gradient_variance": "variance of the teachers'\ngradients, |g \u2212 mean g|\u00b2",
    "gradient_cosine": "cosine of the teachers'\ngradients, mean over pairs",
}
"""The panels, if any method recorded their values."""
LOSS_WIDTH = 1.5
"""Of the panel with the most lines, compared to the others."""
POINTS = 60
"""Longer curves are averaged over this many stretches of steps."""
MARK_EVERY = 0.25
"""Distance of the markers on a line, as a share of the panel's diagonal."""
EMPTY = "no method of this scenario recorded training curves"


@style()
def draw(curves: pd.DataFrame, *, looks: Looks | None = None, venue: str = "icml") -> Figure:
    """Draw loss, gradient variance and mean pairwise gradient cosine over training, for the methods that log them.

    Lines are means over seeds and over neighbouring steps; bands reach from the lowest to the highest seed.

    Args:
        curves: what ``tgr.evaluation.curves.read_curves`` returns.
        looks: the methods in the order of the legend, with their labels, colours, markers and phases; None: the cards.
    """
    looks = looks_of_cards() if looks is None else looks
    curves = curves[curves["name"].isin(list(QUANTITIES))]
    if curves.empty:
        return sentence(EMPTY, venue)
    lines = _lines(curves, looks)
    curves = _stretches(curves.assign(line=curves["method"] + ": " + curves["phase"]))
    names = [name for name in QUANTITIES if name in set(curves["name"])]
    shots = sorted(curves["shot"].unique())
    figure = new_figure(width(venue), 1.75 * len(shots))
    ratios = [LOSS_WIDTH if name == "loss" else 1 for name in names]
    grid = figure.subplots(len(shots), len(names), squeeze=False, width_ratios=ratios)
    for row, shot in zip(grid, shots, strict=True):
        for axes, name in zip(row, names, strict=True):
            _panel(axes, curves[(curves["shot"] == shot) & (curves["name"] == name)], lines, name)
            axes.set(ylabel=QUANTITIES[name], xlabel=f"step (n = {count(curves['seed'].nunique(), 'seed')})")
        if len(shots) > 1:
            row[0].set_title("all shots" if shot == "any" else f"trained for {shot}-shot", loc="left")
    legend_below(figure, [key(**look) for look in lines.values()])
    return figure


def _lines(curves: pd.DataFrame, looks: Looks) -> dict[str, Look]:
    """Return how each phase of each method is drawn: its method's colour and marker, and a line style of its own."""
    first = curves.groupby(["method", "phase"])["step"].min().sort_values()
    trained = list(first.index.get_level_values("method").unique())
    methods = [name for name in looks if name in trained] + [name for name in trained if name not in looks]
    colours, markers = method_colours(methods, looks), method_markers(methods, looks)
    return {
        f"{method}: {phase}": {
            "label": f"{method_label(method, looks)}: {phase_label(method, phase, looks)}",
            "color": colours[method],
            "marker": markers[method],
            "dashes": DASHES[i % len(DASHES)],
        }
        for method in methods
        for i, phase in enumerate(first[method].index)
    }


def _stretches(curves: pd.DataFrame) -> pd.DataFrame:
    """Average each curve over stretches of steps; ``step`` becomes the middle of the stretch."""
    keys = ["line", "shot", "name"]
    start, end = (curves.groupby(keys)["step"].transform(which) for which in ("min", "max"))
    stretch = ((curves["step"] - start) / ((end - start + 1) / POINTS).clip(lower=1)).astype(int)
    middle = curves.groupby([*keys, stretch])["step"].transform("mean")
    return curves.assign(step=middle).groupby([*keys, "seed", "step"])["value"].mean().reset_index()


def _panel(axes: Axes, part: pd.DataFrame, lines: dict[str, Look], name: str) -> None:
    if part.empty:  # no method trained so recorded it
        axes.set_axis_off()
        return
    curve_lines(axes, part, "line", lines, 100, 0.2, markevery=MARK_EVERY, markersize=3.2, markeredgewidth=0)
    if name == "gradient_variance" and part["value"].gt(0).all():
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
    if name == "gradient_cosine":
        axes.axhline(0, color=BLACK, linewidth=0.5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(axis="y")
    axes.margins(x=0.02)
