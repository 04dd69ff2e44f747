"""Figure: how methods fare as something varies between scenarios, e.g. the size of the pool."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from tgr.reporting.figures.panels import band_lines, count, key, legend_below, new_figure, shots_and_protocols
from tgr.reporting.figures.style import BLACK, Looks, method_colours, method_label, method_markers, style, width

PANEL_HEIGHT = 1.7
"""Inches."""
COLUMNS = 3


@style()
def draw(sweep: pd.DataFrame, *, label: str, looks: Looks | None = None, venue: str = "icml") -> Figure:
    """Draw mean accuracies with bands of their 95 % intervals against a value.

    Args:
        sweep: rows of ``tgr.evaluation.summary.summarise`` for one selection rule, with the scenario's ``value``.
        label: what the horizontal axis says.
        looks: the methods' labels, colours and markers; None: those of their cards.
    """
    bounds = {"low": sweep["mean"] - sweep["ci95"], "mean": sweep["mean"], "high": sweep["mean"] + sweep["ci95"]}
    shown = sweep.assign(**{name: 100 * bound for name, bound in bounds.items()})
    methods = list(sweep["method"].unique())
    colours, markers = method_colours(methods, looks), method_markers(methods, looks)
    lines: dict[tuple[str], dict[str, Any]] = {
        (name,): {"color": colours[name], "marker": markers[name], "markersize": 3.4, "markeredgecolor": BLACK,
                  "markeredgewidth": 0.4, "label": method_label(name, looks)}
        for name in methods
    }  # fmt: skip
    shots, protocols = shots_and_protocols(shown)
    panels = [(shot, protocol) for shot in shots for protocol in protocols]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(width(venue) * max(columns, 2) / COLUMNS, PANEL_HEIGHT * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, (shot, protocol) in zip(grid.flat, panels, strict=False):
        band_lines(axes, shown[(shown["shot"] == shot) & (shown["protocol"] == protocol)], "value", ["method"], lines)
        axes.set_title(f"{shot}-shot, {protocols[protocol].lower()}")
        axes.set_xlabel(label)
        axes.set_xticks(sorted(shown["value"].unique()))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(axis="y")
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    grid[0, 0].set_ylabel(f"accuracy (%, n = {count(sweep['n_episodes'], 'task')})")
    legend_below(figure, [key(**look) for look in lines.values()])
    return figure
