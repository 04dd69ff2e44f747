"""Figure: the task space on a plane."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.artifacts import read_json
from tgr.reporting.figures.style import BLACK, CYCLE, GREY, save, style, width

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
SIDE = 3.3
"""Side of the map in inches."""
AREAS = (60.0, 160.0)
"""Areas of the least and the most accurate teacher, in square points."""
UNKNOWN_AREA = 70.0
OWN = "own models"


def write_task_map_figure(map_file: Path, quality_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw what ``tgr.analysis.task_map`` wrote.

    Domain is the colour, architecture the shape, held-out accuracy the size, and the task group a letter.
    """
    teachers = pd.read_csv(map_file, keep_default_na=False, na_values={"held_out_accuracy": [""]})
    with style():
        save(_draw(teachers, read_json(quality_file), width(venue)), png, pdf)


def letter(group: int) -> str:
    """Return a group's letter; after Z come AA, AB, ..."""
    name = ""
    number = group + 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _draw(teachers: pd.DataFrame, quality: dict, inches: float) -> Figure:
    figure = Figure((min(inches, SIDE + 1.9), SIDE + 0.3), layout="constrained")
    axes = figure.subplots()
    domains = _looks(sorted(name or OWN for name in teachers["domain"]), CYCLE)
    shapes = _looks(sorted(teachers["architecture"]), MARKERS)
    known = teachers["held_out_accuracy"].dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    for row in teachers.sort_values("held_out_accuracy", ascending=False).to_dict("records"):
        colour, marker = domains[row["domain"] or OWN], shapes[row["architecture"]]
        area = _area(row["held_out_accuracy"], low, high)
        axes.scatter(row["x"], row["y"], area, colour, marker=marker, edgecolors=BLACK, linewidths=0.5)
        ink = "white" if np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)) < 0.55 else BLACK
        axes.text(
            row["x"], row["y"], letter(row["group"]), color=ink, fontsize=5.5, ha="center", va="center_baseline",
            fontweight="bold",
        )  # fmt: skip
    _frame(axes, teachers, quality)
    axes.legend(
        handles=_handles(domains, shapes, known), loc="center left", bbox_to_anchor=(1.02, 0.5), labelspacing=0.7
    )
    return figure


def _frame(axes: Axes, teachers: pd.DataFrame, quality: dict) -> None:
    axes.set_aspect("equal", "datalim")
    axes.margins(0.08)
    axes.set_xlabel("first axis of the map (dissimilarity)")
    axes.set_ylabel("second axis")
    axes.grid()
    axes.set_title(f"{len(teachers)} teachers, {teachers['group'].nunique()} groups; stress {quality['stress']:.2f}")


def _looks(names: Sequence[str], looks: Sequence[str]) -> dict[str, str]:
    return {name: looks[i % len(looks)] for i, name in enumerate(dict.fromkeys(names))}


def _area(accuracy: float, low: float, high: float) -> float:
    if np.isnan(accuracy):
        return UNKNOWN_AREA
    share = (accuracy - low) / (high - low) if high > low else 0.5
    return AREAS[0] + share * (AREAS[1] - AREAS[0])


def _handles(domains: dict[str, str], shapes: dict[str, str], known: pd.Series) -> list[Line2D]:
    def head(text: str) -> Line2D:
        return Line2D([], [], linestyle="", label=text)

    def dot(label: str, **looks: object) -> Line2D:
        return Line2D([], [], linestyle="", markeredgecolor=BLACK, markeredgewidth=0.5, label=label, **looks)  # type: ignore[arg-type]

    handles = [head("domain")]
    handles += [dot(name, marker="o", color=colour, markersize=6) for name, colour in domains.items()]
    handles += [head("architecture")]
    handles += [dot(name.removeprefix("timm:"), marker=m, color=GREY, markersize=6) for name, m in shapes.items()]
    if len(known):
        handles += [head("held-out accuracy")]
        for value in dict.fromkeys(np.linspace(known.min(), known.max(), 3).round(6)):
            size = float(np.sqrt(_area(value, float(known.min()), float(known.max()))))
            handles.append(dot(f"{100 * value:.0f} %", marker="o", color=GREY, markersize=size))
    return [*handles, head("letter: task group")]
