"""Figure of an ablation: lines over a numeric parameter, or a row for each variant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from tgr.reporting.figures.panels import AblationTable, Panel, legend_columns, panels_of, read_table, value_label
from tgr.reporting.figures.style import BLACK, BLUE, CYCLE, GREY, save, style, width

LINES: tuple[Any, ...] = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DECADE = 10
"""Numeric values that span this factor get a logarithmic axis."""
NO_SERIES = ""


def write_ablation_figure(table_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the table that ``tgr.analysis.ablation.write_ablation`` wrote.

    A parameter with three numbers or more becomes the horizontal axis, and what else differs the colours; without such
    a parameter each variant is a row. The method as configured is ringed, or its row is set in bold.

    Raises:
        TgrError: the table is missing or damaged.
    """
    table = read_table(table_file)
    with style():
        save(_draw_lines(table, width(venue)) if table.numeric else _draw_rows(table, width(venue)), png, pdf)


def _draw_lines(table: AblationTable, inches: float) -> Figure:
    grid = panels_of(table)
    figure = Figure((inches, 1.55 * len(grid) + 0.35), layout="constrained")
    axes = figure.subplots(len(grid), max(map(len, grid)), squeeze=False)
    series = list(dict.fromkeys(name for row in grid for panel in row for name in panel.rows["series"]))
    colours = _colours(series)
    markers = dict(zip(series, MARKERS * len(series), strict=False))
    lines = _keys(grid, LINES)
    for row, spots in zip(grid, axes, strict=True):
        for spot, panel in zip(spots, row, strict=False):
            _line_panel(spot, panel, table, colours, markers, lines)
        for spot in spots[len(row) :]:
            spot.set_axis_off()
    handles = [
        Line2D([], [], color=colours[name], marker=markers[name], markersize=3, label=name)
        for name in series
        if name != NO_SERIES
    ]
    handles += [Line2D([], [], color=BLACK, linestyle=line, label=name) for name, line in lines.items() if name]
    _legend(figure, table, handles)
    return figure


def _line_panel(
    axes: Axes,
    panel: Panel,
    table: AblationTable,
    colours: dict[str, str],
    markers: dict[str, str],
    lines: dict[str, Any],
) -> None:
    for (name, line), own in panel.rows.groupby(["series", "line"], sort=False):
        own = own.sort_values(str(table.numeric))
        values, colour = own[str(table.numeric)], colours[str(name)]
        marker = markers[str(name)]
        axes.plot(values, own["mean"], linestyle=lines[str(line)], marker=marker, markersize=3, color=colour)
        axes.fill_between(values, own["low"], own["high"], color=colour, alpha=0.18, linewidth=0)
        here = own[own["configured"]]
        axes.plot(here[str(table.numeric)], here["mean"], "o", markersize=6.5, color="none", markeredgecolor=BLACK)
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    axes.set_xlabel(str(table.numeric).replace("_", " ").replace("lambda", "\u03bb"))
    _scale(axes, sorted(panel.rows[str(table.numeric)].unique()))
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
    height = 0.5 + 0.17 * len(variants)
    figure = Figure((inches, height * len(grid) + 0.55), layout="constrained")
    axes = figure.subplots(len(grid), max(map(len, grid)), squeeze=False, sharey=True)
    markers = _keys(grid, MARKERS)
    for row, spots in zip(grid, axes, strict=True):
        for spot, panel in zip(spots, row, strict=False):
            _row_panel(spot, panel, list(variants["variant"]), markers)
        for spot in spots[len(row) :]:
            spot.set_axis_off()
        spots[0].set_yticks(range(len(names)), names)
        spots[0].set_ylim(len(names) - 0.4, -0.6)
        for tick, configured in zip(spots[0].get_yticklabels(), variants["configured"], strict=True):
            tick.set_fontweight("bold" if configured else "normal")
    axes[0, 0].set_ylabel(", ".join(columns).replace("_", " "))
    handles = [
        Line2D([], [], color=BLUE, marker=marker, markersize=3.6, linestyle="", label=name)
        for name, marker in markers.items()
        if name
    ]
    _legend(figure, table, handles)
    return figure


def _row_panel(axes: Axes, panel: Panel, variants: list[str], markers: dict[str, str]) -> None:
    own_lines = list(dict.fromkeys(panel.rows["line"]))
    for index, line in enumerate(own_lines):
        own = panel.rows[panel.rows["line"] == line]
        shift = 0.3 * (index - (len(own_lines) - 1) / 2)
        places = np.array([variants.index(name) for name in own["variant"]]) + shift
        below, above = own["mean"] - own["low"], own["high"] - own["mean"]
        axes.errorbar(
            own["mean"], places, xerr=[below, above], fmt=markers[line], markersize=3.6, capsize=1.8, color=BLUE,
            markeredgecolor=BLACK, markeredgewidth=0.4, ecolor=BLACK, elinewidth=0.9, zorder=3,
        )  # fmt: skip
        if len(own_lines) == 1 and own["configured"].sum() == 1:
            axes.axvline(own.loc[own["configured"], "mean"].item(), color=GREY, linestyle="--", linewidth=0.8, zorder=1)
    axes.set_title(panel.title)
    axes.set_xlabel(panel.unit)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=4)  # small numbers have long labels, which would run into each other
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _keys(grid: Sequence[Sequence[Panel]], looks: Sequence[Any]) -> dict[str, Any]:
    """Return a look for each of the panels' lines."""
    found = {name: None for row in grid for panel in row for name in sorted(set(panel.rows["line"]))}
    named = [name for name in found if name]
    return {NO_SERIES: looks[0]} | {name: looks[i % len(looks)] for i, name in enumerate(named)}


def _colours(series: Sequence[str]) -> dict[str, str]:
    named = [name for name in series if name != NO_SERIES]
    return {NO_SERIES: BLACK} | {name: CYCLE[i % len(CYCLE)] for i, name in enumerate(named)}


def _legend(figure: Figure, table: AblationTable, handles: list[Line2D]) -> None:
    title = table.counts
    if not handles:
        handles = [Line2D([], [], linestyle="", label="")]
    n_columns = legend_columns([str(handle.get_label()) for handle in handles], figure.get_size_inches()[0])
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, title=title)
    legend.get_title().set_fontsize("small")
