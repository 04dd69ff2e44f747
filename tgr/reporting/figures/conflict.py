"""Figure: how gradient conflict went while the variants of an ablation trained."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from tgr.reporting.figures.panels import (
    DASHES,
    count,
    curve_lines,
    key,
    legend_below,
    new_figure,
    parameter_label,
    value_label,
)
from tgr.reporting.figures.style import BLACK, CYCLE, style, width

QUANTITIES = {
    "relative_variance": "variance of the gradients,\nrelative to \u2016mean\u2016\u00b2",
    "gradient_cosine": "mean pairwise cosine\nof the gradients",
}
STRETCHES = 25
"""Curves are summarised over so many stretches of steps."""
KNOWN = ("variant", "method", "shot", "replicate", "seed", "step", "name", "value")


@style()
def draw(conflict: pd.DataFrame, *, venue: str = "icml") -> Figure:
    """Draw curves of gradient conflict (``tgr.analysis.ablation``).

    A line goes through the means over stretches of steps, all trainings together; its band holds the middle 80 % of the
    single steps.

    Args:
        conflict: columns variant, method, shot, seed, step, name, value, the ablation's factors, and ``replicate`` if
            there are several.
    """
    looks, entries = _looks(conflict)
    shots = sorted(conflict["shot"].unique())
    figure = new_figure(width(venue), 1.9 * len(shots))
    axes = figure.subplots(len(shots), len(QUANTITIES), squeeze=False)
    for row, shot in zip(axes, shots, strict=True):
        for spot, (name, label) in zip(row, QUANTITIES.items(), strict=True):
            _panel(spot, conflict[(conflict["shot"] == shot) & (conflict["name"] == name)], looks)
            spot.set(xlabel="group step", ylabel=label)
        if len(shots) > 1:
            row[0].set_title(f"trained for {shot}-shot", loc="left")
    trainings = count(conflict["seed"].nunique(), "seed")
    if "replicate" in conflict:
        trainings = f"{count(conflict['replicate'].nunique(), 'replicate')} of {trainings}"
    legend_below(figure, entries, f"mean and middle 80 % of single steps; {trainings} of training")
    return figure


def _panel(axes: Axes, curves: pd.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    length = -(-curves["step"].max() // STRETCHES)
    stretches = curves.assign(step=(curves["step"] - 1) // length * length + (length + 1) / 2)
    curve_lines(axes, stretches, "variant", looks, 80, 0.1)
    if curves["name"].eq("relative_variance").all() and curves["value"].gt(0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.axhline(0, color=BLACK, linewidth=0.5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(axis="y")
    axes.margins(x=0.02)


def _looks(curves: pd.DataFrame) -> tuple[dict[str, dict[str, Any]], list[Line2D]]:
    """Return a look for each variant, and the legend: the first factor is the colour, what else differs the line."""
    variants = curves.drop_duplicates("variant")
    factors = [str(name) for name in variants if name not in KNOWN and variants[name].nunique() > 1] or ["variant"]
    others = ["method", *factors[1:]] if variants["method"].nunique() > 1 else factors[1:]
    first = list(variants[factors[0]].unique())
    numbers = pd.to_numeric(pd.Series(first), errors="coerce")
    if len(first) >= 3 and numbers.notna().all():
        first = [first[i] for i in numbers.argsort()]
        colours = dict(zip(first, mpl.colormaps["cividis"](np.linspace(0, 0.85, len(first))), strict=True))
    else:
        colours = {value: CYCLE[i % len(CYCLE)] for i, value in enumerate(first)}
    rest = (
        [value_label(values) for values in variants[others].itertuples(index=False)] if others else [""] * len(variants)
    )
    lines = {name: DASHES[i % len(DASHES)] for i, name in enumerate(dict.fromkeys(rest))}
    looks = {
        variant: {"color": colours[value], "dashes": lines[other]}
        for variant, value, other in zip(variants["variant"], variants[factors[0]], rest, strict=True)
    }
    title = parameter_label(factors[0])
    handles = [key(f"{title} {value_label([value])}", color=colours[value]) for value in first]
    handles += [key(name, color=BLACK, dashes=line) for name, line in lines.items() if name]
    return looks, handles
