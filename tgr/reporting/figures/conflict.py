"""Figure: how gradient conflict went while the variants of an ablation trained."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from tgr.reporting.figures.panels import legend_columns, read_frame, value_label
from tgr.reporting.figures.style import BLACK, CYCLE, save, style, width

QUANTITIES = {
    "relative_variance": "variance of the gradients,\nrelative to \u2016mean\u2016\u00b2",
    "gradient_cosine": "mean pairwise cosine\nof the gradients",
}
LINES: tuple[Any, ...] = ("-", "--", ":", "-.")
WINDOWS = 12
"""Lines are running means over one such part of the steps."""
KNOWN = ("variant", "method", "shot", "seed", "step", "name", "value")


def write_conflict_figure(conflict_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the curves that ``tgr.analysis.ablation.write_ablation`` wrote: raw ones faint, running means in front.

    Raises:
        TgrError: the file is missing or damaged.
    """
    curves = read_frame(conflict_file)
    with style():
        save(_draw(curves, width(venue)), png, pdf)


def _draw(curves: pd.DataFrame, inches: float) -> Figure:
    looks, handles = _looks(curves)
    shots = sorted(curves["shot"].unique())
    n_columns = legend_columns([str(handle.get_label()) for handle in handles], inches)
    legend_rows = -(-len(handles) // n_columns)
    figure = Figure((inches, 1.9 * len(shots) + 0.2 + 0.17 * legend_rows), layout="constrained")
    axes = figure.subplots(len(shots), len(QUANTITIES), squeeze=False)
    for row, shot in zip(axes, shots, strict=True):
        for spot, (name, label) in zip(row, QUANTITIES.items(), strict=True):
            _panel(spot, curves[(curves["shot"] == shot) & (curves["name"] == name)], looks)
            spot.set_ylabel(label)
            spot.set_xlabel("group step")
        if len(shots) > 1:
            row[0].set_title(f"trained for {shot}-shot", loc="left")
    seeds = curves["seed"].nunique()
    title = f"{seeds} seed{'s' if seeds > 1 else ''} of training"
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, title=title)
    legend.get_title().set_fontsize("small")
    return figure


def _panel(axes: Axes, curves: pd.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    smooth = {}
    for variant, own in curves.groupby("variant", sort=False):
        colour = looks[str(variant)]["color"]
        for _, raw in own.groupby("seed"):
            axes.plot(raw["step"], raw["value"], color=colour, linewidth=0.4, alpha=0.18, zorder=1)
        mean = own.groupby("step")["value"].mean()
        smooth[str(variant)] = mean.rolling(max(1, len(mean) // WINDOWS), center=True, min_periods=1).mean()
    for variant, line in smooth.items():
        axes.plot(line.index, line, zorder=2, **looks[variant])
    if curves["name"].eq("relative_variance").all() and curves["value"].gt(0).all():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.axhline(0, color=BLACK, linewidth=0.5)
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
    lines = {name: LINES[i % len(LINES)] for i, name in enumerate(dict.fromkeys(rest))}
    looks = {
        variant: {"color": colours[value], "linestyle": lines[other]}
        for variant, value, other in zip(variants["variant"], variants[factors[0]], rest, strict=True)
    }
    title = factors[0].replace("_", " ")
    handles = [Line2D([], [], color=colours[value], label=f"{title} {value_label([value])}") for value in first]
    handles += [Line2D([], [], color=BLACK, linestyle=line, label=name) for name, line in lines.items() if name]
    return looks, handles
