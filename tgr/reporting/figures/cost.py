"""Figure: accuracy against cost, with the Pareto front."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, GREY, method_colours, method_markers, save, style, width


def write_cost_figure(cost_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the table that ``tgr.analysis.cost`` wrote: one panel for each shot and protocol."""
    table = pd.read_csv(cost_file)
    with style():
        save(_draw(table, width(venue)), png, pdf)


def _draw(table: pd.DataFrame, inches: float) -> Figure:
    shots = sorted(table["shot"].unique())
    protocols = labels.in_order(set(table["protocol"]), labels.PROTOCOLS)
    methods = list(table.loc[table["role"] != "floor", "method"].drop_duplicates())
    colours = method_colours(methods)
    markers = method_markers(methods)
    figure = Figure((inches, 1.75 * len(shots) + 0.75), layout="constrained")
    axes = figure.subplots(len(shots), len(protocols), squeeze=False, sharex=True, sharey="row")
    for row, shot in zip(axes, shots, strict=True):
        floor = table[(table["shot"] == shot) & (table["role"] == "floor")]
        for spot, protocol in zip(row, protocols, strict=True):
            part = table[(table["shot"] == shot) & (table["protocol"] == protocol) & (table["role"] != "floor")]
            _panel(spot, part, floor, colours, markers)
            if shot == shots[0]:
                spot.set_title(labels.PROTOCOLS.get(protocol, protocol))
            if shot == shots[-1]:
                spot.set_xlabel("thread-seconds, given the teachers")
        row[0].set_ylabel(f"{shot}-shot accuracy (%),\nn = {int(table.loc[table['shot'] == shot, 'n'].max())} episodes")
    _legend(figure, table, methods, colours, markers)
    return figure


def _panel(
    axes: Axes, part: pd.DataFrame, floor: pd.DataFrame, colours: dict[str, str], markers: dict[str, str]
) -> None:
    for value in floor["mean"].drop_duplicates() * 100:
        axes.axhline(value, color=GREY, linestyle="--", linewidth=0.9, zorder=1)
    best = part[part["front"]].sort_values("seconds")
    axes.step(best["seconds"], best["mean"] * 100, where="post", color=GREY, linewidth=2.2, alpha=0.5, zorder=2)
    for row in part.to_dict("records"):
        face = colours[row["method"]] if row["role"] == "method" else "white"
        axes.errorbar(
            row["seconds"], row["mean"] * 100, yerr=row["ci95"] * 100, fmt=markers[row["method"]], markersize=4.2,
            color=face, markeredgecolor=BLACK, markeredgewidth=0.5, ecolor=BLACK, elinewidth=0.7, zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.08)
    axes.grid()


def _legend(
    figure: Figure, table: pd.DataFrame, methods: list[str], colours: dict[str, str], markers: dict[str, str]
) -> None:
    about = table.drop_duplicates("method").set_index("method")
    handles = [
        Line2D(
            [], [], linestyle="", marker=markers[name], markersize=4.2, markeredgecolor=BLACK, markeredgewidth=0.5,
            color=colours[name] if about.loc[name, "role"] == "method" else "white",
            label=str(about.loc[name, "label"]) + labels.ROLES[str(about.loc[name, "role"])],
        )
        for name in methods
    ]  # fmt: skip
    handles.append(Line2D([], [], color=GREY, linewidth=2.2, alpha=0.5, label="Pareto front"))
    if (table["role"] == "floor").any():
        handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=0.9, label="floor"))
    title = f"pre-training the teachers cost {table['teachers'].max():,.0f} thread-seconds more"
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=5, title=title)
    legend.get_title().set_fontsize("small")
