"""Figure: how unlike the teachers are, in the order of their task groups."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tgr.artifacts import load_tensors, read_json
from tgr.errors import TgrError
from tgr.reporting.figures.style import BLACK, CYCLE, save, style, width
from tgr.reporting.figures.task_map import letter

PANEL = 3.1
"""Side of the heat map in inches."""
LEGEND_COLUMNS = 3
LEFT, RIGHT, BELOW, ABOVE = 0.72, 0.75, 0.18, 0.38
"""Inches around the heat map: the groups' names, the scale, the axis label, the title."""
LINE = 0.13
"""Height of a line of text in inches."""


def write_dissimilarity_figure(
    dissimilarity_file: Path, groups_file: Path, quality_file: Path, png: Path, pdf: Path, venue: str = "icml"
) -> None:
    """Draw the matrix of pairwise dissimilarities, teachers ordered by group and pool, with the groups' boundaries.

    Args:
        quality_file: what ``tgr.analysis.task_map`` wrote of the grouping.

    Raises:
        TgrError: the two files do not speak of the same teachers.
    """
    tensors, about = load_tensors(dissimilarity_file)
    groups = read_json(groups_file)
    if groups["teachers"] != about["teachers"]:
        raise TgrError(f"{groups_file}: other teachers than in {dissimilarity_file}; delete the folder and run again")
    matrix = tensors["dissimilarity"].double().numpy()
    with style():
        figure = _draw(matrix, about["teachers"], np.asarray(groups["groups"]), read_json(quality_file), width(venue))
        save(figure, png, pdf)


def _draw(
    matrix: np.ndarray, teachers: Sequence[str], groups: np.ndarray, quality: Mapping[str, Any], inches: float
) -> Figure:
    pools = [teacher.rsplit("/", 1)[0] for teacher in teachers]
    order = sorted(range(len(teachers)), key=lambda i: (groups[i], pools[i], teachers[i]))
    names = list(dict.fromkeys(sorted(pools)))
    legend = 0.32 + 0.15 * -(-len(names) // LEGEND_COLUMNS)
    panel = min(PANEL, inches - LEFT - RIGHT)
    width, height = panel + LEFT + RIGHT, panel + ABOVE + BELOW + legend
    figure = Figure((width, height))
    main = figure.add_axes((LEFT / width, (BELOW + legend) / height, panel / width, panel / height))
    _heat_map(figure, main, matrix[np.ix_(order, order)], groups[order])
    main.set_title(_title(quality), fontsize=6.5, loc="left")
    n = len(teachers)
    main.set_xlabel(f"n = {n} teachers, {n * (n - 1) // 2} pairs, in the order of the rows")
    strip = main.inset_axes((-0.045, 0, 0.03, 1))
    _pool_strip(strip, [names.index(pools[i]) for i in order], len(names))
    _group_labels(strip, groups[order])
    handles = [Patch(color=CYCLE[i % len(CYCLE)], label=name) for i, name in enumerate(names)]
    figure.legend(
        handles=handles, title="pool of the teacher", loc="lower center", ncols=min(len(names), LEGEND_COLUMNS)
    )
    return figure


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


def _heat_map(figure: Figure, axes: Axes, matrix: np.ndarray, groups: np.ndarray) -> None:
    apart = ~np.eye(len(matrix), dtype=bool)
    shown = np.ma.masked_array(matrix, ~apart)  # the diagonal is zero by definition and would use up the colours
    low, high = (float(matrix[apart].min()), float(matrix[apart].max())) if apart.any() else (0.0, 1.0)
    image = axes.imshow(shown, cmap="cividis", vmin=low, vmax=high, interpolation="nearest", aspect="equal")
    for edge in np.nonzero(np.diff(groups))[0] + 0.5:
        axes.axhline(edge, color="white", linewidth=1.4)
        axes.axvline(edge, color="white", linewidth=1.4)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_facecolor("#E8E8E8")
    bar = figure.colorbar(image, cax=axes.inset_axes((1.025, 0, 0.04, 1)))
    bar.set_label("dissimilarity of two teachers (0 to 1)")
    bar.outline.set_linewidth(0.5)


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


def _pool_strip(axes: Axes, codes: Sequence[int], n_pools: int) -> None:
    colours = ListedColormap([CYCLE[i % len(CYCLE)] for i in range(n_pools)])
    axes.imshow(
        np.asarray(codes)[:, None], cmap=colours, vmin=-0.5, vmax=n_pools - 0.5, aspect="auto", interpolation="nearest"
    )
    axes.set_xticks([])
    axes.spines[:].set_visible(False)


def _group_labels(axes: Axes, groups: np.ndarray) -> None:
    present = list(dict.fromkeys(groups.tolist()))
    centres = np.array([float(np.nonzero(groups == group)[0].mean()) for group in present])
    names = [f"{letter(group)} (n = {int((groups == group).sum())})" for group in present]
    axes.set_yticks(_apart(centres, len(groups) * LINE / PANEL, len(groups)), names, color=BLACK)
    axes.tick_params(axis="y", length=0)
    for edge in np.nonzero(np.diff(groups))[0] + 0.5:
        axes.axhline(edge, color="white", linewidth=1.4)
