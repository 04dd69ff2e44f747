"""Figure: accuracy against cost, with the Pareto front."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.reporting import labels
from tgr.reporting.figures.panels import (
    column_title,
    count,
    key,
    legend_below,
    means,
    new_figure,
    plain_numbers,
    shots_and_protocols,
)
from tgr.reporting.figures.style import BLACK, GREY, Looks, method_colours, method_markers, style, width

FLOOR: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 0.9}
FRONT: dict[str, Any] = {"color": GREY, "linewidth": 2.2, "alpha": 0.5}
SIZE = 4.2


@style()
def draw(cost: pd.DataFrame, *, looks: Looks | None = None, venue: str = "icml") -> Figure:
    """Draw the accuracy of each method against its thread-seconds: one panel for each shot and protocol.

    Args:
        cost: a row for each method, shot and protocol (``tgr.analysis.cost``).
        looks: the methods' colours and markers; None: those of their cards.
    """
    contenders = cost[cost["role"] != "floor"]
    methods = contenders.drop_duplicates("method").set_index("method")
    marks = _marks(methods, looks)
    shots, protocols = shots_and_protocols(cost)
    figure = new_figure(width(venue), 1.75 * len(shots) + 0.1)
    grid = figure.subplots(len(shots), len(protocols), squeeze=False, sharex=True, sharey="row")
    for row, shot in zip(grid, shots, strict=True):
        of_shot = cost[cost["shot"] == shot]
        for axes, (protocol, title) in zip(row, protocols.items(), strict=True):
            for value in of_shot.loc[of_shot["role"] == "floor", "mean"].drop_duplicates() * 100:
                axes.axhline(value, zorder=1, **FLOOR)
            _panel(axes, of_shot[(of_shot["protocol"] == protocol) & (of_shot["role"] != "floor")], marks)
            axes.set_title(column_title(title, len(protocols)) if shot == shots[0] else "")
            axes.set_xlabel(
                column_title("thread-seconds, given the teachers", len(protocols)) if shot == shots[-1] else ""
            )
        row[0].set_ylabel(f"{shot}-shot accuracy (%),\nn = {count(of_shot['n'], 'episode')}")
    entries = [
        key(row["label"] + labels.ROLES[row["role"]], linestyle="", markersize=SIZE, markeredgecolor=BLACK,
            markeredgewidth=0.5, **marks[method])
        for method, row in methods.to_dict("index").items()
    ]  # fmt: skip
    entries += [key("Pareto front", **FRONT), *([key("floor", **FLOOR)] if (cost["role"] == "floor").any() else [])]
    legend_below(figure, entries, f"pre-training the teachers cost {cost['teachers'].max():,.0f} thread-seconds more")
    return figure


def _panel(axes: Axes, part: pd.DataFrame, marks: Mapping[Any, Mapping[str, str]]) -> None:
    best = part[part["front"]].sort_values("seconds")
    axes.step(best["seconds"], best["mean"] * 100, where="post", zorder=2, **FRONT)
    for row in part.to_dict("records"):
        look = marks[row["method"]]
        y, error = [row["mean"] * 100], [row["ci95"] * 100]
        means(axes, [row["seconds"]], y, look["color"], look["marker"], size=SIZE, cap=0, yerr=error)
    axes.set_xscale("log")
    plain_numbers(axes.xaxis)
    axes.margins(x=0.08)
    axes.grid()


def _marks(methods: pd.DataFrame, looks: Looks | None) -> dict[Any, dict[str, str]]:
    """Return colour and marker of each method; those of no contenders are hollow."""
    colours, markers = method_colours(list(methods.index), looks), method_markers(list(methods.index), looks)
    return {
        name: {"color": colours[name] if role == "method" else "white", "marker": markers[name]}
        for name, role in zip(methods.index, methods["role"], strict=True)
    }
