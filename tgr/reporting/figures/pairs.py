"""Figure: what a second teacher adds to a base teacher, by common classes and by architecture."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.evaluation.statistics import mean_interval
from tgr.reporting.figures.panels import count, new_figure
from tgr.reporting.figures.style import BLACK, GREY, ORANGE, VERMILION, style, width

HEIGHT = 2.2
"""Inches."""


@style()
def draw(pairs: pd.DataFrame, *, base: str, venue: str = "icml") -> Figure:
    """Draw the gain in accuracy over the base teacher alone: each draw, and means with 95 % intervals over draws.

    Args:
        pairs: what ``tgr.analysis.pairs.measure_draw`` wrote, all draws together.
        base: the pool of the base's kind.
    """
    shown = pairs.assign(gain=100 * pairs["gain"])
    several = shown["other"].nunique() > 1
    figure = new_figure(width(venue) if several else width(venue) / 2, HEIGHT)
    axes = figure.subplots(1, 2 if several else 1, squeeze=False, sharey=True)[0]
    _panel(axes[0], shown[shown["other"] == base], "jaccard", VERMILION, "-")
    axes[0].set_xlabel("class overlap of the two teachers (Jaccard)")
    if several:
        _panel(axes[1], shown[shown["overlap"] == 0], "other", ORANGE, "none")
        axes[1].set_xlabel("pool whose kind the second teacher is (no common class)")
    draws = count(shown["draw"].nunique(), "draw")
    axes[0].set_ylabel(f"gain in accuracy over the base\nteacher alone (points, n = {draws})")
    figure.suptitle(f"nearest class mean on {count(shown['n_episodes'], 'unseen task')}", fontsize=7)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, x: str, colour: str, line: str) -> None:
    shared: dict[str, Any] = {"x": x, "y": "gain", "native_scale": x == "jaccard", "ax": axes}
    axes.axhline(0, color=GREY, linestyle="--", linewidth=0.9, zorder=1)
    seaborn.swarmplot(rows, color=GREY, alpha=0.5, size=2.6, zorder=2, **shared)
    bars = {"color": BLACK, "linewidth": 0.9, "zorder": 3}
    seaborn.pointplot(
        rows, errorbar=_interval, color=colour, linestyle=line, linewidth=1.1, marker="o", markersize=3.6,
        markeredgecolor=BLACK, markeredgewidth=0.4, capsize=0.03, err_kws=bars, zorder=4, **shared,
    )  # fmt: skip
    axes.grid(axis="y")


def _interval(gains: np.ndarray) -> tuple[float, float]:
    interval = mean_interval(gains)
    return interval.mean - interval.half_width, interval.mean + interval.half_width
