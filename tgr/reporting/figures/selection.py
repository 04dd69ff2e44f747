"""Figure: what choosing a checkpoint by each rule gains, and what the best of many evaluations gains by chance."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION, save, style, width

LOOKS = {"datafree": ("s", GREEN), "meta_val": ("o", BLUE), "oracle": ("*", VERMILION)}
RELEASE = (50, 60)
"""The authors' release took the best of as many evaluations."""
PALE, PALER = "#BDBDBD", "#E4E4E4"
TICKS = (2, 5, 10, 20, 50, 100)
LINES: tuple[Any, ...] = ("-", "--", ":", "-.") * 3
EMPTY = "no training of this scenario has several checkpoints to choose from"


def write_selection_figure(gains_file: Path, inflation_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the tables of ``tgr.analysis.selection``."""
    gains, inflation = pd.read_csv(gains_file), pd.read_csv(inflation_file)
    with style():
        save(_draw(gains, inflation, width(venue)) if len(gains) else _empty(width(venue)), png, pdf)


def _empty(inches: float) -> Figure:
    figure = Figure((inches, 0.8))
    figure.text(0.5, 0.5, EMPTY, ha="center", va="center")
    return figure


def _draw(gains: pd.DataFrame, inflation: pd.DataFrame, inches: float) -> Figure:
    shots = sorted(gains["shot"].unique())
    rows = gains.drop_duplicates("method")[["method", "label"]]
    height = max(1.5, 0.45 + 0.2 * len(rows))
    figure = Figure((inches, height + 0.75), layout="constrained")
    axes = figure.subplots(1, len(shots) + 1, width_ratios=[1.0] * len(shots) + [0.9])
    for spot, shot in zip(axes, shots, strict=False):
        _gains_panel(spot, gains[gains["shot"] == shot], inflation[inflation["shot"] == shot], list(rows["method"]))
        spot.set_title(f"{shot}-shot, n = {int(gains.loc[gains['shot'] == shot, 'n'].max())} episodes")
        spot.set_yticks(range(len(rows)), list(rows["label"]) if spot is axes[0] else [])
    _chance_panel(axes[-1], inflation)
    reference = labels.SELECTIONS[gains["rule"].iloc[0]]
    axes[0].set_xlabel(f"accuracy minus that of the rule \u201c{reference}\u201d (points)", loc="left")
    _legend(figure, gains, inflation)
    return figure


def _gains_panel(axes: Axes, gains: pd.DataFrame, inflation: pd.DataFrame, methods: list[str]) -> None:
    for place, method in enumerate(methods):
        own = inflation[inflation["method"] == method]
        best = own[own["k"] == max(RELEASE)]
        axes.barh([place] * len(best), best["independent"] * 100, height=0.7, color=PALER, zorder=1)
        here = own[own["own"]]
        value = here["shared"].where(here["shared"].notna(), here["independent"]) * 100
        axes.barh([place] * len(here), value, height=0.7, color=PALE, zorder=1)
        for index, (rule, (marker, colour)) in enumerate(LOOKS.items()):
            row = gains[(gains["method"] == method) & (gains["rule"] == rule)]
            axes.errorbar(
                row["gain"] * 100, [place + 0.22 * (index - 1)] * len(row), xerr=row["gain_ci95"] * 100, fmt=marker,
                markersize=5 if marker == "*" else 3.2, color=colour, markeredgecolor=BLACK, markeredgewidth=0.3,
                ecolor=BLACK, elinewidth=0.6, zorder=3,
            )  # fmt: skip
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=2)
    axes.set_ylim(len(methods) - 0.45, -0.55)
    axes.margins(x=0.06)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.06 * (high - low)), high)  # bars stick to zero, and would cut marks in half
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _chance_panel(axes: Axes, inflation: pd.DataFrame) -> None:
    common = inflation[inflation.groupby("k")["method"].transform("nunique") == inflation["method"].nunique()]
    for shot, line in zip(sorted(common["shot"].unique()), LINES, strict=False):
        own = common[common["shot"] == shot].groupby("k")
        for column, colour in (("independent", BLACK), ("shared", BLUE)):
            values = own[column].agg(["mean", "min", "max"]) * 100
            axes.plot(values.index, values["mean"], line, color=colour)
            axes.fill_between(values.index, values["min"], values["max"], color=colour, alpha=0.12, linewidth=0)
    axes.axvspan(*RELEASE, color=VERMILION, alpha=0.25, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_major_formatter(FixedFormatter([str(k) for k in TICKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.set_title("expected by chance alone")
    axes.set_xlabel("best of k equal checkpoints, k")
    axes.set_ylabel("inflation (points)")
    axes.grid(axis="y")


def _legend(figure: Figure, gains: pd.DataFrame, inflation: pd.DataFrame) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=4, label=labels.SELECTIONS[rule])
        for rule, (marker, colour) in LOOKS.items()
        if rule in set(gains["rule"])
    ]
    own = "/".join(str(k) for k in sorted(inflation.loc[inflation["own"], "k"].unique()))
    handles += [
        Patch(color=PALE, label=f"chance, best of own {own}, shared episodes"),
        Patch(color=PALER, label=f"chance, best of {max(RELEASE)}, own episodes each"),
        Line2D([], [], color=BLACK, label="each evaluation its own episodes"),
        Line2D([], [], color=BLUE, label="shared episodes"),
        Patch(color=VERMILION, alpha=0.25, label="the authors\u2019 release"),
    ]
    handles += [
        Line2D([], [], color=BLACK, linestyle=line, label=f"{shot}-shot")
        for shot, line in zip(sorted(gains["shot"].unique()), LINES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
