"""Figure: what was recorded while methods trained."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter

from tgr.evaluation.curves import read_curves
from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, method_colours, method_markers, phase_label, save, style, width

QUANTITIES = {
    "loss": "training loss (nats)",
    "gradient_variance": "variance of the teachers'\ngradients, |g \u2212 mean g|\u00b2",
    "gradient_cosine": "cosine of the teachers'\ngradients, mean over pairs",
}
"""The panels, if any method recorded their values."""
LINES: tuple[Any, ...] = ("-", "--", "-.", ":")
"""For a method's phases, the first one first."""
MARKS = 6
"""Markers on a line."""
LEGEND_COLUMNS = 3
LOSS_WIDTH = 1.5
"""Of the panel with the most lines, compared to the others."""
POINTS = 60
"""Longer curves are averaged over this many stretches of steps."""


class PlainLogFormatter(LogFormatter):
    """Labels of a logarithmic axis as plain numbers: 0.6, not 6 x 10^-1."""

    def _num_to_string(self, x: float, vmin: float, vmax: float) -> str:
        return f"{x:g}"


def write_curves_figure(
    folders: Sequence[Path], methods: Mapping[str, str], png: Path, pdf: Path, venue: str = "icml"
) -> None:
    """Draw loss, gradient variance and mean pairwise gradient cosine over training, for the methods that log them.

    Lines are means over seeds and over neighbouring steps; bands reach from the lowest to the highest seed.

    Args:
        folders: model folders of one scenario.
        methods: labels by name, in the order of the legend.
    """
    curves = read_curves(folders)
    curves = curves[curves["name"].isin(QUANTITIES)]
    with style():
        shown = {name: label for name, label in methods.items() if name in set(curves["method"])}
        save(_draw(curves, shown, width(venue)), png, pdf)


def _draw(curves: pd.DataFrame, methods: Mapping[str, str], inches: float) -> Figure:
    names = [name for name in QUANTITIES if name in set(curves["name"])]
    shots = sorted(curves["shot"].unique())
    if not names:
        figure = Figure((inches, 0.8))
        figure.text(0.5, 0.5, "no method of this scenario recorded training curves", ha="center", va="center")
        return figure
    phases = _phases(curves, methods)
    legend_rows = -(-len(phases) // LEGEND_COLUMNS)
    figure = Figure((inches, 1.75 * len(shots) + 0.2 + 0.15 * legend_rows), layout="constrained")
    ratios = [LOSS_WIDTH if name == "loss" else 1 for name in names]
    axes = figure.subplots(len(shots), len(names), squeeze=False, width_ratios=ratios)
    looks = _looks(phases)
    seeds = curves["seed"].nunique()
    for row, shot in enumerate(shots):
        for column, name in enumerate(names):
            part = curves[(curves["shot"] == shot) & (curves["name"] == name)]
            if part.empty:  # no method trained so recorded it
                axes[row, column].set_axis_off()
                continue
            _panel(axes[row, column], part, looks)
            axes[row, column].set_ylabel(QUANTITIES[name])
            axes[row, column].set_xlabel(f"step (n = {seeds} seed{'' if seeds == 1 else 's'})")
        if len(shots) > 1:
            axes[row, 0].set_title("all shots" if shot == "any" else f"trained for {shot}-shot", loc="left")
    handles = [Line2D([], [], label=_phase_label(pair, methods), **looks[pair]) for pair in phases]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), LEGEND_COLUMNS))
    return figure


def _phase_label(pair: tuple[str, str], methods: Mapping[str, str]) -> str:
    return f"{labels.method(pair[0], methods)}: {phase_label(*pair)}"


def _phases(curves: pd.DataFrame, methods: Iterable[str]) -> list[tuple[str, str]]:
    """Return each method with each of its phases, in the order in which they ran."""
    first = curves.groupby(["method", "phase"])["step"].min().sort_values()
    found = [(str(method), str(phase)) for method, phase in first.index]
    return [pair for method in methods for pair in found if pair[0] == method]


def _looks(phases: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return how each phase of each method is drawn: its method's colour and marker, and a line style."""
    methods = list(dict.fromkeys(method for method, _ in phases))
    colours, markers = method_colours(methods), method_markers(methods)
    own = {method: [phase for name, phase in phases if name == method] for method in methods}
    return {
        (method, phase): {
            "color": colours[method],
            "marker": markers[method],
            "linestyle": LINES[own[method].index(phase) % len(LINES)],
        }
        for method, phase in phases
    }


def _panel(axes: Axes, part: pd.DataFrame, looks: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
    for (method, phase), own in part.groupby(["method", "phase"], sort=False):
        smooth, look = _smooth(own), looks[str(method), str(phase)]
        axes.plot(smooth.index, smooth["mean"], markevery=max(1, len(smooth) // MARKS), **look)
        axes.fill_between(smooth.index, smooth["min"], smooth["max"], color=look["color"], alpha=0.2, linewidth=0)
    name = set(part["name"])
    if part["value"].gt(0).all() and name == {"gradient_variance"}:
        axes.set_yscale("log")
        for place in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            place(PlainLogFormatter(minor_thresholds=(1, 0.4)))
    if name == {"gradient_cosine"}:
        axes.axhline(0, color=BLACK, linewidth=0.5)
    axes.grid(axis="y")
    axes.margins(x=0.02)


def _smooth(own: pd.DataFrame) -> pd.DataFrame:
    """Average over stretches of steps, then over seeds: columns mean, min and max by the stretch's middle step."""
    steps = own["step"]
    length = max(1.0, (steps.max() - steps.min() + 1) / POINTS)
    stretch = ((steps - steps.min()) / length).astype(int)
    seeds = own.assign(middle=steps.groupby(stretch).transform("mean")).groupby(["middle", "seed"])["value"].mean()
    return seeds.groupby("middle").agg(["mean", "min", "max"])
