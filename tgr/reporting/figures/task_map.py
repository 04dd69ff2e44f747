"""Figure: the task space on a plane."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.reporting.figures.panels import count, key, new_figure
from tgr.reporting.figures.style import BLACK, CYCLE, GREY, style, width

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
SIDE = 3.3
"""Side of the map in inches."""
AREAS = (60.0, 160.0)
"""Areas of the least and the most accurate teacher, in square points."""
FROM_ELSEWHERE = "own models"


@style()
def draw(task_map: pd.DataFrame, quality: Mapping[str, Any], *, venue: str = "icml") -> Figure:
    """Draw each teacher where ``tgr.analysis.task_map`` placed it.

    Domain is the colour, architecture the shape, held-out accuracy the size, and the task group a letter.

    Args:
        task_map: columns teacher, domain (empty for models from elsewhere), architecture, held_out_accuracy (empty if
            unknown), group, x, y.
        quality: holds the map's ``stress``.
    """
    figure = new_figure(min(width(venue), SIDE + 1.9), SIDE + 0.3)
    axes = figure.subplots()
    known = task_map["held_out_accuracy"].dropna()
    teachers = task_map.assign(
        domain=task_map["domain"].fillna("").replace("", FROM_ELSEWHERE),
        architecture=task_map["architecture"].str.removeprefix("timm:"),
        area=_areas(task_map["held_out_accuracy"].fillna(known.mean() if len(known) else 0.0)),
    ).sort_values("area", ascending=False)
    colours, shapes = _looks(teachers["domain"], CYCLE), _looks(teachers["architecture"], MARKERS)
    seaborn.scatterplot(
        teachers, x="x", y="y", hue="domain", style="architecture", palette=colours, markers=shapes, legend=False,
        size="area", sizes=(teachers["area"].min(), teachers["area"].max()), edgecolor=BLACK, linewidth=0.5, ax=axes,
    )  # fmt: skip
    for row in teachers.to_dict("records"):
        _letter(axes, row, colours[row["domain"]])
    entries = [*_entries(colours, shapes, known), _head("letter: task group")]
    axes.legend(handles=entries, loc="center left", bbox_to_anchor=(1.02, 0.5), labelspacing=0.7)
    axes.set_aspect("equal", "datalim")
    axes.margins(0.08)
    axes.set(xlabel="first axis of the map (dissimilarity)", ylabel="second axis")
    groups = count(teachers["group"].nunique(), "group")
    axes.set_title(f"{count(len(teachers), 'teacher')}, {groups}; stress {quality['stress']:.2f}")
    axes.grid()
    return figure


def letter(group: int) -> str:
    """Return a group's letter; after Z come AA, AB, ..."""
    name = ""
    number = group + 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _letter(axes: Axes, row: Mapping[Any, Any], colour: str) -> None:
    ink = "white" if np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)) < 0.55 else BLACK
    axes.text(
        row["x"], row["y"], letter(row["group"]), color=ink, fontsize=5.5, fontweight="bold", ha="center",
        va="center_baseline",
    )  # fmt: skip


def _looks(names: pd.Series, looks: tuple[str, ...]) -> dict[str, str]:
    return {name: looks[i % len(looks)] for i, name in enumerate(sorted(names.unique()))}


def _areas(accuracy: pd.Series) -> pd.Series:
    """Return the areas of marks, or the middle one if all teachers are equally accurate."""
    spread = accuracy.max() - accuracy.min()
    share = (accuracy - accuracy.min()) / spread if spread > 0 else accuracy * 0 + 0.5
    return AREAS[0] + share * (AREAS[1] - AREAS[0])


def _entries(colours: Mapping[str, str], shapes: Mapping[str, str], known: pd.Series) -> list[Line2D]:
    shared = {"linestyle": "", "markeredgecolor": BLACK, "markeredgewidth": 0.5, "markersize": 6}
    entries = [_head("domain"), *(key(name, marker="o", color=colour, **shared) for name, colour in colours.items())]
    entries += [_head("architecture"), *(key(name, marker=m, color=GREY, **shared) for name, m in shapes.items())]
    if len(known):
        values = pd.Series(np.linspace(known.min(), known.max(), 3)).round(6).drop_duplicates()
        dots = [shared | {"markersize": float(np.sqrt(area))} for area in _areas(values)]
        entries += [_head("held-out accuracy")]
        entries += [
            key(f"{100 * value:.0f} %", marker="o", color=GREY, **dot) for value, dot in zip(values, dots, strict=True)
        ]
    return entries


def _head(text: str) -> Line2D:
    return key(text, linestyle="")
