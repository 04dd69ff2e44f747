"""Figure: how unlike the teachers are, in the order of their task groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tgr.errors import TgrError
from tgr.reporting.figures.panels import count, legend_below, new_figure
from tgr.reporting.figures.style import CYCLE, style, width
from tgr.reporting.figures.task_map import letter

SIDE = 3.1
"""Side of the heat map in inches."""
MOST = 1000
"""Teachers that are drawn: more would be smaller than a dot of the printer, and cost a minute and gigabytes."""
LINE = 0.13
"""Height of a line of text in inches."""


@style()
def draw(
    dissimilarity: pd.DataFrame, task_map: pd.DataFrame, quality: Mapping[str, Any], *, venue: str = "icml"
) -> Figure:
    """Draw the dissimilarities of all pairs of teachers, ordered by group and pool, with the groups' boundaries.

    Args:
        dissimilarity: square, by the teachers' keys.
        task_map: columns teacher, pool and group.
        quality: what ``tgr.analysis.task_map`` says of the grouping.

    Raises:
        TgrError: the two frames do not speak of the same teachers.
    """
    if set(task_map["teacher"]) != set(dissimilarity.index):
        raise TgrError("the dissimilarity and the task map speak of other teachers; delete both and run again")
    teachers = task_map.sort_values(["group", "pool", "teacher"])
    pools = sorted(teachers["pool"].unique())
    colours = {pool: CYCLE[i % len(CYCLE)] for i, pool in enumerate(pools)}
    every = -(-len(teachers) // MOST)
    shown = teachers.iloc[::every]
    figure = new_figure(min(SIDE + 1.5, width(venue)), SIDE + 0.55)
    axes = figure.subplots()
    _heat_map(axes, dissimilarity.loc[shown["teacher"], shown["teacher"]].to_numpy(float))
    axes.set_title(_title(quality), fontsize=6.5, loc="left")
    axes.set_xlabel(_counts(len(teachers), every))
    strip = axes.inset_axes((-0.045, 0, 0.03, 1))
    palette = ListedColormap([colours[pool] for pool in shown["pool"]])
    strip.imshow(np.arange(len(shown))[:, None], cmap=palette, aspect="auto", interpolation="nearest")
    strip.set_xticks([])
    strip.spines[:].set_visible(False)
    _groups(axes, strip, shown["group"].to_numpy(), teachers["group"].value_counts().to_dict())
    entries = [Patch(color=colour, label=pool) for pool, colour in colours.items()]
    legend_below(figure, entries, "pool of the teacher")
    return figure


def _heat_map(axes: Axes, matrix: np.ndarray) -> None:
    seaborn.heatmap(
        matrix, mask=np.eye(len(matrix), dtype=bool),  # zero by definition, which would use up the colours
        cmap="cividis", square=True, xticklabels=False, yticklabels=False, rasterized=True, ax=axes,
        cbar_ax=axes.inset_axes((1.025, 0, 0.04, 1)), cbar_kws={"label": "dissimilarity of two teachers (0 to 1)"},
    )  # fmt: skip
    axes.set_facecolor("#E8E8E8")


def _counts(n: int, every: int) -> str:
    thinned = f"\n(one in {every} is drawn)" if every > 1 else ""
    return f"{count(n, 'teacher')}, {count(n * (n - 1) // 2, 'pair')}, in the order of the rows{thinned}"


def _groups(axes: Axes, strip: Axes, groups: np.ndarray, sizes: Mapping[Any, int]) -> None:
    """Part the groups by white lines, and name them beside the strip."""
    edges = np.flatnonzero(np.diff(groups)) + 1
    for edge in edges.tolist():
        axes.axhline(edge, color="white", linewidth=1.4)
        axes.axvline(edge, color="white", linewidth=1.4)
        strip.axhline(edge - 0.5, color="white", linewidth=1.4)
    parts = np.split(np.arange(len(groups)), edges)
    names = [f"{letter(group)} (n = {sizes[group]})" for group in (int(groups[part[0]]) for part in parts)]
    centres = np.array([part.mean() for part in parts])
    strip.set_yticks(_apart(centres, len(groups) * LINE / SIDE, len(groups)), names)
    strip.tick_params(axis="y", length=0)


def _apart(places: np.ndarray, gap: float, n: int) -> np.ndarray:
    """Move ascending places so that neighbours keep a gap, if there is room for it among n rows."""
    gap = min(gap, (n - 1) / max(1, len(places) - 1))
    moved = places.copy()
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    limit = n - 1.0
    for i in reversed(range(len(moved))):
        moved[i] = limit = min(moved[i], limit)
        limit -= gap
    return moved


def _title(quality: Mapping[str, Any]) -> str:
    """Compare the grouping with random ones of the same sizes."""
    within, silhouette = quality["random_within"], quality["random_silhouette"]
    lines = [
        f"within groups {_number(quality['within'])}{_by_chance(within)}; between {_number(quality['between'])}",
        f"silhouette {_number(quality['silhouette'])}{_by_chance(silhouette)}",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}".replace("-", "\u2212")


def _by_chance(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f" (by chance {_number(bounds[0])} to {_number(bounds[1])})"
