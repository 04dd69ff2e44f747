"""Figure: what was recorded while methods trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.evaluation.curves import read_curves
from tgr.reporting import labels
from tgr.reporting.style import BLACK, method_colours, save, style, width

QUANTITIES = {
    "loss": "loss",
    "gradient_variance": "gradient variance",
    "gradient_cosine": "mean pairwise cosine\nof gradients",
}
"""The panels, if any method recorded their values."""
LINES: tuple[Any, ...] = ("-", "--", "-.", ":")
POINTS = 60
"""Longer curves are averaged over this many stretches of steps."""


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
    figure = Figure((inches, 1.65 * len(shots) + 0.6), layout="constrained")
    axes = figure.subplots(len(shots), len(names), squeeze=False)
    phases = labels.in_order(set(curves["phase"]), labels.PHASES)
    lines = {phase: LINES[i % len(LINES)] for i, phase in enumerate(phases)}
    for row, shot in enumerate(shots):
        for column, name in enumerate(names):
            part = curves[(curves["shot"] == shot) & (curves["name"] == name)]
            if part.empty:  # no method trained so recorded it
                axes[row, column].set_axis_off()
                continue
            _panel(axes[row, column], part, list(methods), lines)
            axes[row, column].set_ylabel(QUANTITIES[name])
            axes[row, column].set_xlabel("step")
        if len(shots) > 1:
            axes[row, 0].set_title("all shots" if shot == "any" else f"trained for {shot}-shot", loc="left")
    colours = method_colours(list(methods))
    handles = [Line2D([], [], color=colours[name], label=labels.method(name, methods)) for name in methods]
    handles += [
        Line2D([], [], color=BLACK, linestyle=lines[phase], linewidth=0.9, label=labels.PHASES.get(phase, phase))
        for phase in phases
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    return figure


def _panel(axes: Axes, part: pd.DataFrame, methods: list[str], lines: dict[str, Any]) -> None:
    colours = method_colours(methods)
    for (method, phase), own in part.groupby(["method", "phase"], sort=False):
        smooth = _smooth(own)
        colour = colours[str(method)]
        axes.plot(smooth.index, smooth["mean"], color=colour, linestyle=lines[str(phase)])
        axes.fill_between(smooth.index, smooth["min"], smooth["max"], color=colour, alpha=0.2, linewidth=0)
    name = set(part["name"])
    if part["value"].gt(0).all() and name == {"gradient_variance"}:
        axes.set_yscale("log")
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
