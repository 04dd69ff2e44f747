"""Figure: what choosing a checkpoint by each rule gains, and what the best of many evaluations gains by chance."""

import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from tgr.reporting import labels
from tgr.reporting.figures.panels import DASHES, count, key, legend_below, means, new_figure, sentence
from tgr.reporting.figures.style import BLACK, BLUE, GREEN, GREY, VERMILION, style, width

LOOKS = {"datafree": ("s", GREEN), "meta_val": ("o", BLUE), "oracle": ("*", VERMILION)}
CHANCE = {"independent": ("each evaluation its own episodes", BLACK), "shared": ("shared episodes", BLUE)}
RELEASE = (50, 60)
"""The authors' release took the best of as many evaluations."""
PALE, PALER = "#BDBDBD", "#E4E4E4"
TICKS = (2, 5, 10, 20, 50, 100)
EMPTY = "no training of this scenario has several checkpoints to choose from"


@style()
def draw(gains: pd.DataFrame, inflation: pd.DataFrame, *, venue: str = "icml") -> Figure:
    """Draw the two tables of ``tgr.analysis.selection``."""
    if gains.empty:
        return sentence(EMPTY, venue)
    shots = sorted(gains["shot"].unique())
    methods = dict(zip(gains["method"], gains["label"], strict=True))
    figure = new_figure(width(venue), max(1.5, 0.45 + 0.2 * len(methods)) + 0.15)
    axes = figure.subplots(1, len(shots) + 1, width_ratios=[1.0] * len(shots) + [0.9])
    for spot, shot in zip(axes, shots, strict=False):
        of_shot = gains[gains["shot"] == shot]
        _gains_panel(spot, of_shot, inflation[inflation["shot"] == shot], list(methods))
        spot.set_title(f"{shot}-shot, n = {count(of_shot['n'], 'episode')}")
        spot.set_yticks(range(len(methods)), list(methods.values()) if spot is axes[0] else [])
    dashes = {shot: DASHES[i % len(DASHES)] for i, shot in enumerate(shots)}
    _chance_panel(axes[-1], inflation, dashes)
    reference = labels.SELECTIONS[gains["rule"].iloc[0]]
    axes[0].set_xlabel(f"accuracy minus that of the rule \u201c{reference}\u201d (points)", loc="left")
    lines = [key(f"{shot}-shot", color=BLACK, dashes=dash) for shot, dash in dashes.items()]
    legend_below(figure, [*_entries(gains, inflation), *(lines if len(shots) > 1 else [])])
    return figure


def _gains_panel(axes: Axes, gains: pd.DataFrame, inflation: pd.DataFrame, methods: list[str]) -> None:
    places = {method: place for place, method in enumerate(methods)}
    release = inflation[inflation["k"] == max(RELEASE)]
    axes.barh(release["method"].map(places), release["independent"] * 100, height=0.7, color=PALER, zorder=1)
    trained = inflation[inflation["own"]]
    chance = trained["shared"].fillna(trained["independent"])
    axes.barh(trained["method"].map(places), chance * 100, height=0.7, color=PALE, zorder=1)
    for shift, (rule, (marker, colour)) in zip((-0.22, 0, 0.22), LOOKS.items(), strict=True):
        rows = gains[gains["rule"] == rule]
        size = 5 if marker == "*" else 3.2
        y = rows["method"].map(places) + shift
        means(axes, rows["gain"] * 100, y, colour, marker, size=size, cap=0, xerr=rows["gain_ci95"] * 100)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=2)
    axes.set_ylim(len(methods) - 0.45, -0.55)
    axes.margins(x=0.06)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.06 * (high - low)), high)  # bars stick to zero, and would cut marks in half
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _chance_panel(axes: Axes, inflation: pd.DataFrame, dashes: dict[int, tuple[float, ...]]) -> None:
    common = inflation[inflation.groupby("k")["method"].transform("nunique") == inflation["method"].nunique()]
    for column, (_, colour) in CHANCE.items():
        seaborn.lineplot(
            common.assign(inflation=100 * common[column]), x="k", y="inflation", style="shot", dashes=dashes,
            errorbar=("pi", 100), err_kws={"alpha": 0.12, "linewidth": 0}, color=colour, legend=False, ax=axes,
        )  # fmt: skip
    axes.axvspan(*RELEASE, color=VERMILION, alpha=0.25, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_major_formatter(FixedFormatter([str(k) for k in TICKS]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.set_title("expected by chance alone")
    axes.set(xlabel="best of k equal checkpoints, k", ylabel="inflation (points)")
    axes.grid(axis="y")


def _entries(gains: pd.DataFrame, inflation: pd.DataFrame) -> list[Line2D | Patch]:
    checkpoints = "/".join(str(k) for k in sorted(inflation.loc[inflation["own"], "k"].unique()))
    return [
        *(
            key(labels.SELECTIONS[rule], linestyle="", marker=marker, color=colour, markersize=4)
            for rule, (marker, colour) in LOOKS.items()
            if rule in set(gains["rule"])
        ),
        Patch(color=PALE, label=f"chance, best of own {checkpoints}, shared episodes"),
        Patch(color=PALER, label=f"chance, best of {max(RELEASE)}, own episodes each"),
        *(key(label, color=colour) for label, colour in CHANCE.values()),
        Patch(color=VERMILION, alpha=0.25, label="the authors\u2019 release"),
    ]
