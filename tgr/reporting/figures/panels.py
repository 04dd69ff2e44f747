"""What several figures share: a panel for each shot and protocol, lines with bands, legends below, counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogFormatter

from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, StyledFigure, width

DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1), (4, 1, 1, 1))
"""Styles of lines: lengths of dashes and gaps; the first one is solid."""
Look = Mapping[str, Any]
"""How a line is drawn: ``color``, ``dashes`` and if need be ``marker``."""
KEY, LETTER = 0.54, 0.049
"""Width in inches of a legend's mark with the gaps around it, and of a letter."""
HANDLE = 2.4
"""Length of a legend's lines, in font sizes: long enough to tell dashes from a solid line."""


def new_figure(inches: float, height: float) -> Figure:
    """Return an empty figure that pyplot does not know, with a canvas, for which seaborn asks."""
    figure = StyledFigure((inches, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def sentence(text: str, venue: str) -> Figure:
    """Return a figure that says why there is nothing to show."""
    figure = StyledFigure((width(venue), 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def shots_and_protocols(frame: pd.DataFrame) -> tuple[list[int], dict[str, str]]:
    """Return the shots, and the protocols with their labels in the order of the tables: a panel for each pair."""
    protocols = labels.in_order(set(frame["protocol"]), labels.PROTOCOLS)
    return sorted(frame["shot"].unique()), {name: labels.PROTOCOLS.get(name, name) for name in protocols}


def column_title(protocol: str, columns: int) -> str:
    """Return the label of a protocol as the title of one of some columns, in two lines where they are narrow."""
    return protocol.replace(", ", ",\n") if columns > 3 else protocol


def band_lines(axes: Axes, frame: pd.DataFrame, x: str, by: list[str], looks: Mapping[Any, Look]) -> None:
    """Draw a line through ``mean`` and a band from ``low`` to ``high`` for each look, by the values of ``by``."""
    groups = dict(iter(frame.sort_values(x).groupby(by)))
    for name, look in looks.items():
        if name in groups:
            rows = groups[name]
            axes.plot(rows[x], rows["mean"], **look)
            axes.fill_between(rows[x], rows["low"], rows["high"], color=look["color"], alpha=0.18, linewidth=0)


def curve_lines(
    axes: Axes, curves: pd.DataFrame, by: str, looks: Mapping[str, Look], percent: float, opacity: float, **options: Any
) -> None:
    """Draw the mean of ``value`` over ``step``, with a band that holds the middle ``percent`` of its values."""
    import seaborn  # takes over a second, and most figures do without

    for name, look in looks.items():
        rows = curves[curves[by] == name]
        line = {"linestyle": (0, look["dashes"]) if look["dashes"] else "-"}
        seaborn.lineplot(
            rows, x="step", y="value", errorbar=("pi", percent), err_kws={"alpha": opacity, "linewidth": 0}, ax=axes,
            color=look["color"], marker=look.get("marker", ""), **line, **options,
        )  # fmt: skip


def means(
    axes: Axes, x: Any, y: Any, colour: str, marker: str = "o", *, size: float = 3.6, cap: float = 1.8, **errors: Any
) -> None:
    """Draw means as outlined marks, with the bars of their intervals in black.

    Args:
        x, y: a list or a column each.
        errors: ``xerr`` or ``yerr``: half widths, or what lies below and above.
    """
    axes.errorbar(
        x, y, fmt=marker, color=colour, markersize=size, markeredgecolor=BLACK, markeredgewidth=0.4, capsize=cap,
        ecolor=BLACK, elinewidth=0.9, zorder=3, **errors,
    )  # fmt: skip


class PlainLogFormatter(LogFormatter):
    """Labels of a logarithmic axis as plain numbers: 0.6, not 6 x 10^-1."""

    def _num_to_string(self, x: float, vmin: float, vmax: float) -> str:
        return f"{x:g}"


def plain_numbers(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, between powers of ten too if it spans less than one."""
    for place in (axis.set_major_formatter, axis.set_minor_formatter):
        place(PlainLogFormatter(minor_thresholds=(1, 0.4)))


def key(label: str, **look: Any) -> Line2D:
    """Return an entry of a legend."""
    return Line2D([], [], label=label, **look)


def legend_below(figure: Figure, entries: Sequence[Line2D | Patch], title: str | None = None) -> None:
    """Make a figure higher by a legend below all panels, in as few rows as its width allows."""
    columns = _columns([str(entry.get_label()) for entry in entries], figure.get_figwidth())
    rows = -(-len(entries) // columns)
    figure.set_figheight(figure.get_figheight() + 0.12 + 0.155 * rows + (0.16 if title else 0))
    shown = list(entries) or [key("", linestyle="")]
    legend = figure.legend(handles=shown, loc="outside lower center", ncols=columns, title=title, handlelength=HANDLE)
    legend.get_title().set_fontsize("small")


def _columns(names: Sequence[str], inches: float) -> int:
    """Return into how many columns, filled one after the other, entries of a legend fit side by side."""
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        parts = [names[i : i + rows] for i in range(0, len(names), rows)]
        if len(parts) == columns and sum(KEY + LETTER * max(map(len, part)) for part in parts) <= inches:
            return columns
    return 1


def count(number: object, noun: str) -> str:
    """Return e.g. ``1 seed`` or ``3 seeds``; for several numbers the least and the greatest."""
    text = span(number) if isinstance(number, pd.Series) else f"{number}"
    return f"{text} {noun}{'' if text == '1' else 's'}"


def count_trainings(rows: pd.DataFrame) -> str:
    """Return how often the rows of a summary were trained, e.g. ``3 seeds`` or ``5 replicates of 2 seeds``."""
    seeds = count(rows["n_seeds"], "seed")
    if "n_replicates" not in rows:
        return seeds
    replicates = count(rows["n_replicates"], "replicate")
    return f"{replicates} of {seeds}" if rows["n_seeds"].max() > 1 else replicates


def span(numbers: pd.Series) -> str:
    """Return the least and the greatest number, e.g. ``60\u2013120``, or the only one."""
    return "\u2013".join(f"{number:g}" for number in sorted({numbers.min(), numbers.max()}))


def value_label(values: Sequence[object]) -> str:
    """Return the label of a combination of factors' values, e.g. ``random, none``."""
    parts = ["null" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value) for value in values]  # type: ignore[call-overload]
    return ", ".join(part.replace("_", " ") for part in parts)


def parameter_label(name: str) -> str:
    """Return what figures call a parameter, e.g. ``gradient \u03bb``."""
    return name.replace("_", " ").replace("lambda", "\u03bb")
