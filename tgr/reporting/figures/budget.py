"""Figure: accuracy against what training took: images through the meta-model, and its steps."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.reporting.figures.panels import (
    band_lines,
    count_trainings,
    key,
    legend_below,
    new_figure,
    plain_numbers,
    shots_and_protocols,
)
from tgr.reporting.figures.style import Looks, method_colours, method_label, method_markers, style, width

PANEL_HEIGHT = 2.0
"""Inches."""
AXES = {"image_passes": "image passes (thousands)", "steps": "optimiser steps"}
SPLITS = {"meta_val": "meta-val", "meta_test": "meta-test"}


@style()
def draw(budget: pd.DataFrame, *, looks: Looks | None = None, venue: str = "icml") -> Figure:
    """Draw mean accuracies over seeds with bands of their 95 % intervals, a row of panels for each shot and protocol.

    Args:
        budget: what ``tgr.analysis.budget.gather_budget`` writes.
        looks: labels, colours and markers of its lines; None: those of the cards, if lines are called as methods.
    """
    percent = {name: 100 * budget[name] for name in ("mean", "low", "high")}
    shown = budget.assign(**percent, image_passes=budget["image_passes"] / 1000)
    names = list(budget["line"].unique())
    colours, markers = method_colours(names, looks), method_markers(names, looks)
    lines = {
        (name,): {"color": colours[name], "marker": markers[name], "label": method_label(name, looks)} for name in names
    }
    shots, protocols = shots_and_protocols(shown)
    panels = [(shot, protocol) for shot in shots for protocol in protocols]
    figure = new_figure(width(venue), PANEL_HEIGHT * len(panels))
    grid = figure.subplots(len(panels), len(AXES), squeeze=False, sharex="col", sharey="row")
    for row, (shot, protocol) in zip(grid, panels, strict=True):
        part = shown[(shown["shot"] == shot) & (shown["protocol"] == protocol)]
        for axes, (x, label) in zip(row, AXES.items(), strict=True):
            band_lines(axes, part, x, ["line"], lines)
            _scale(axes, label)
            axes.set_title(f"{shot}-shot, {protocols[protocol].lower()}")
    split = SPLITS[budget["split"].iloc[0]]
    for row in grid:
        row[0].set_ylabel(f"{split} accuracy (%, n = {count_trainings(budget)})")
    legend_below(figure, [key(**look) for look in lines.values()])
    return figure


def _scale(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.set_xlabel(label)
    axes.grid(axis="y")
