"""Figure: what a second teacher adds to a base teacher, by common classes and by architecture."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.evaluation.statistics import mean_interval
from tgr.reporting.figures.style import BLACK, GREY, ORANGE, VERMILION, save, style, width

HEIGHT = 2.2
"""Inches."""


def write_pairs_figure(draws: Sequence[Path], base: str, csv: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the gain in accuracy over the base teacher alone, with 95 % intervals over draws, and write it as CSV.

    Args:
        draws: what ``tgr.analysis.pairs.measure_draw`` wrote.
        base: the pool of the base's kind.
    """
    rows = pd.concat([pd.read_parquet(file) for file in draws], ignore_index=True)
    csv.parent.mkdir(parents=True, exist_ok=True)
    gains(rows).to_csv(csv, index=False)
    with style():
        save(_draw(rows, base, width(venue)), png, pdf)


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each kind of second teacher the mean gain and its 95 % interval (half width) over draws."""
    found = []
    for (other, overlap, jaccard), part in rows.groupby(["other", "overlap", "jaccard"], sort=False):
        interval = mean_interval(part["gain"].to_numpy())
        found.append(
            {
                "other": other,
                "overlap": overlap,
                "jaccard": jaccard,
                "accuracy": part["accuracy"].mean(),
                "base_accuracy": part["base_accuracy"].mean(),
                "gain": interval.mean,
                "gain_ci95": interval.half_width,
                "n_draws": interval.n,
                "n_episodes": part["n_episodes"].iloc[0],
            }
        )
    return pd.DataFrame(found)


def _draw(rows: pd.DataFrame, base: str, inches: float) -> Figure:
    summary = gains(rows)
    n_draws, n_episodes = summary["n_draws"].iloc[0], summary["n_episodes"].iloc[0]
    several = rows["other"].nunique() > 1
    figure = Figure((inches if several else inches / 2, HEIGHT), layout="constrained")
    axes = figure.subplots(1, 2 if several else 1, squeeze=False, sharey=True)[0]
    own = summary[summary["other"] == base]
    points = rows[rows["other"] == base]
    _marks(axes[0], list(own["jaccard"]), own, list(points["jaccard"]), points, VERMILION)
    axes[0].plot(own["jaccard"], own["gain"] * 100, color=VERMILION, zorder=2)
    axes[0].set_xlabel("class overlap of the two teachers (Jaccard)")
    axes[0].set_ylabel(f"gain in accuracy over the base\nteacher alone (points, n = {n_draws} draws)")
    if several:
        unlike = summary[summary["overlap"] == 0]
        places = {str(name): index for index, name in enumerate(unlike["other"])}
        points = rows[rows["overlap"] == 0]
        _marks(axes[1], list(places.values()), unlike, [places[name] for name in points["other"]], points, ORANGE)
        axes[1].set_xticks(list(places.values()), list(places))
        axes[1].set_xlim(-0.5, len(places) - 0.5)
        axes[1].set_xlabel("pool whose kind the second teacher is (no common class)")
    figure.suptitle(f"nearest class mean on {n_episodes} unseen tasks", fontsize=7)
    return figure


def _marks(
    axes: Axes, x: Sequence[float], summary: pd.DataFrame, points_x: Sequence[float], points: pd.DataFrame, colour: str
) -> None:
    axes.axhline(0, color=GREY, linestyle="--", linewidth=0.9, zorder=1)
    axes.plot(points_x, points["gain"] * 100, ".", color=GREY, alpha=0.5, markersize=3, zorder=1)
    axes.errorbar(
        x, summary["gain"] * 100, yerr=summary["gain_ci95"] * 100, fmt="o", markersize=3.6, capsize=1.8, color=colour,
        markeredgecolor=BLACK, markeredgewidth=0.4, ecolor=BLACK, elinewidth=0.9, zorder=3,
    )  # fmt: skip
    axes.grid(axis="y")
