"""Figure of an ablation: lines over a numeric parameter, or a row for each variant."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from tgr.reporting.figures.ablation_panels import AblationTable, Panel, ablation_table, panels_of
from tgr.reporting.figures.panels import (
    DASHES,
    band_lines,
    key,
    legend_below,
    means,
    new_figure,
    parameter_label,
    value_label,
)
from tgr.reporting.figures.style import BLACK, BLUE, CYCLE, GREY, style, width

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DECADE = 10
"""Numeric values that span this factor get a logarithmic axis."""
NO_SERIES = ""
Grid = list[list[Panel]]


@style()
def draw(ablation: pd.DataFrame, *, venue: str = "icml") -> Figure:
    """Draw the table of an ablation (``tgr.analysis.ablation``).

    A parameter with three numbers or more becomes the horizontal axis, and what else differs the colours; without such
    a parameter each variant is a row. The method as configured is ringed, or its row is set in bold.

    Raises:
        TgrError: the table lacks columns.
    """
    table = ablation_table(ablation)
    return _draw_lines(table, width(venue)) if table.numeric else _draw_rows(table, width(venue))


def _draw_lines(table: AblationTable, inches: float) -> Figure:
    grid = panels_of(table)
    figure = new_figure(inches, 1.55 * len(grid))
    colours = _by_name(grid, "series", BLACK, CYCLE)
    markers = _by_name(grid, "series", "s", MARKERS)
    lines = _by_name(grid, "line", DASHES[0], DASHES)
    looks = {
        (name, line): {"color": colours[name], "marker": markers[name], "dashes": lines[line], "markersize": 3}
        for name in colours
        for line in lines
    }
    for axes, panel in _spots(figure, grid):
        _line_panel(axes, panel, str(table.numeric), looks)
    entries = [key(name, **looks[name, NO_SERIES]) for name in colours if name]
    entries += [key(name, color=BLACK, dashes=line) for name, line in lines.items() if name]
    legend_below(figure, entries, table.counts)
    return figure


def _line_panel(axes: Axes, panel: Panel, parameter: str, looks: dict[tuple[str, str], dict[str, Any]]) -> None:
    band_lines(axes, panel.rows, parameter, ["series", "line"], looks)
    configured = panel.rows[panel.rows["configured"]]
    axes.plot(configured[parameter], configured["mean"], "o", markersize=6.5, color="none", markeredgecolor=BLACK)
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    axes.set_xlabel(parameter_label(parameter))
    _scale(axes, sorted(panel.rows[parameter].unique()))
    axes.grid(axis="y")


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Set the axis of the numeric parameter: logarithmic if its values span decades, ticks at the values."""
    positive = [value for value in values if value > 0]
    if min(values) >= 0 and len(positive) >= 2 and max(positive) >= DECADE * min(positive):
        if min(values) > 0:
            axes.set_xscale("log")
        else:  # zero stands one decade to the left of the smallest value
            axes.set_xscale("symlog", linthresh=min(positive), linscale=0.9)
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_major_formatter(FixedFormatter([_short(value) for value in values]))
    axes.xaxis.set_minor_locator(NullLocator())
    if len(values) > 6:
        axes.tick_params(axis="x", labelrotation=45)


def _short(value: float) -> str:
    return f"{value:g}".replace("e-0", "e-").replace("e+0", "e")


def _draw_rows(table: AblationTable, inches: float) -> Figure:
    grid = panels_of(table)
    variants = table.frame.drop_duplicates("variant")
    factors = [factor for factor in table.factors if variants[factor].nunique(dropna=False) > 1]
    columns = (["method"] if variants["method"].nunique() > 1 else []) + (factors or table.factors)
    names = [value_label(values) for values in variants[columns].itertuples(index=False)]
    figure = new_figure(inches, (0.5 + 0.17 * len(variants)) * len(grid) + 0.1)
    markers = _by_name(grid, "line", MARKERS[0], MARKERS)
    for axes, panel in _spots(figure, grid, sharey=True):
        _row_panel(axes, panel, list(variants["variant"]), markers)
        if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            axes.set_yticks(range(len(names)), names)
            axes.set_ylim(len(names) - 0.4, -0.6)
            for tick, configured in zip(axes.get_yticklabels(), variants["configured"], strict=True):
                tick.set_fontweight("bold" if configured else "normal")
    figure.axes[0].set_ylabel(parameter_label(", ".join(columns)))
    entries = [
        key(name, color=BLUE, marker=marker, markersize=3.6, linestyle="") for name, marker in markers.items() if name
    ]
    legend_below(figure, entries, table.counts)
    return figure


def _row_panel(axes: Axes, panel: Panel, variants: list[str], markers: dict[str, str]) -> None:
    lines = list(panel.rows["line"].unique())
    for shift, line in zip(0.3 * (np.arange(len(lines)) - (len(lines) - 1) / 2), lines, strict=True):
        rows = panel.rows[panel.rows["line"] == line]
        places = np.array([variants.index(name) for name in rows["variant"]]) + shift
        errors = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
        means(axes, rows["mean"], places, BLUE, markers[line], xerr=errors)
        if len(lines) == 1 and rows["configured"].sum() == 1:
            configured = rows.loc[rows["configured"], "mean"].item()
            axes.axvline(configured, color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.unit)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=4)  # small numbers have long labels, which would run into each other
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _spots(figure: Figure, grid: Grid, *, sharey: bool = False) -> Iterator[tuple[Axes, Panel]]:
    """Yield the axes of each panel; those of short rows that no panel takes are hidden."""
    axes = figure.subplots(len(grid), max(map(len, grid)), squeeze=False, sharey=sharey)
    for row, panels in zip(axes, grid, strict=True):
        yield from zip(row, panels, strict=False)
        for spare in row[len(panels) :]:
            spare.set_axis_off()


def _by_name(grid: Grid, column: str, default: Any, palette: Sequence[Any]) -> dict[str, Any]:
    """Return for each series or line of the panels one of the palette; what has no name gets the default."""
    names = dict.fromkeys(name for row in grid for panel in row for name in panel.rows[column].unique() if name)
    return {NO_SERIES: default} | {name: palette[i % len(palette)] for i, name in enumerate(names)}
