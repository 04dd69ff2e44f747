"""Figure: claims put to the test, one below the other with their intervals (a forest plot)."""

from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tgr.reporting.figures.panels import (
    count,
    count_trainings,
    key,
    legend_below,
    means,
    new_figure,
    shots_and_protocols,
)
from tgr.reporting.figures.style import BLACK, BLUE, GREY, ORANGE, style, width

COLOURS = {"confirmed": BLUE, "refuted": ORANGE, "undecided": GREY}
MARKERS = {"confirmed": "o", "refuted": "X", "undecided": "s"}
ROW_HEIGHT, MARGINS = 0.34, 0.55
"""Inches."""
LETTERS = 30
"""Letters in a line of a claim."""


@style()
def draw(contrasts: pd.DataFrame, *, margin: float, venue: str = "icml") -> Figure:
    """Draw each claim's weighted sum of accuracies in points, a panel for each shot and protocol.

    Args:
        contrasts: what ``tgr.analysis.contrasts.measure_contrasts`` writes.
        margin: the least difference that matters, as a share of 1; smaller ones are shaded.
    """
    shown = contrasts.assign(**{name: 100 * contrasts[name] for name in ("mean", "low", "high")})
    claims = list(shown["claim"].unique())
    shots, protocols = shots_and_protocols(shown)
    figure = new_figure(width(venue), (ROW_HEIGHT * len(claims) + MARGINS) * len(shots))
    grid = figure.subplots(len(shots), len(protocols), squeeze=False, sharex=True, sharey=True)
    for row, shot in zip(grid, shots, strict=True):
        for axes, (protocol, label) in zip(row, protocols.items(), strict=True):
            part = shown[(shown["shot"] == shot) & (shown["protocol"] == protocol)].set_index("claim").loc[claims]
            _panel(axes, part, 100 * margin)
            axes.set_title(f"{shot}-shot, {label.lower()}")
        row[0].set_yticks(range(len(claims)), [fill(claim, LETTERS) for claim in claims])
        row[0].set_ylim(len(claims) - 0.5, -0.5)
    for axes in grid[-1]:
        axes.set_xlabel("difference (points)")
    entries = [key(name, color=COLOURS[name], marker=MARKERS[name], linestyle="") for name in COLOURS]
    entries = [entry for entry in entries if entry.get_label() in set(shown["verdict"])]
    shaded = Patch(facecolor=GREY, alpha=0.25, label=f"does not matter (\u00b1{100 * margin:g})")
    sizes = f"{count_trainings(shown)}, n = {count(shown['n_episodes'], 'episode')}"
    legend_below(figure, [*entries, shaded], f"mean and 95 % interval; {sizes}")
    return figure


def _panel(axes: Axes, part: pd.DataFrame, margin: float) -> None:
    axes.axvspan(-margin, margin, color=GREY, alpha=0.25, linewidth=0)
    axes.axvline(0, color=BLACK, linewidth=0.7)
    for place, (mean, low, high, verdict) in enumerate(
        part[["mean", "low", "high", "verdict"]].itertuples(index=False)
    ):
        means(axes, [mean], [place], COLOURS[verdict], MARKERS[verdict], xerr=[[mean - low], [high - mean]])
    axes.grid(axis="x")
