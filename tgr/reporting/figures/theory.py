"""Figure: the identity behind the group step in numbers, and what regularised steps do on small problems."""

from itertools import product
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tgr.reporting.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION, save, style, width

VARIANTS = {
    (False, 0.5): ("displacement held, c = 1/2", BLUE, "-", "o"),
    (True, 1.0): ("differentiated through, c = 1", VERMILION, "-", "s"),
    (False, 1.0): ("held, c = 1 (wrong)", BLUE, ":", ""),
    (True, 0.5): ("through, c = 1/2 (wrong)", VERMILION, "--", ""),
}
STRENGTH_COLOURS = (BLACK, ORANGE, GREEN, VERMILION, BLUE)
QUANTITIES = {"gradient_variance": "-", "loss": "--"}
LABELS = {"gradient_variance": "gradient variance V", "loss": "mean loss L"}


def write_theory_figure(errors_file: Path, descents_file: Path, png: Path, pdf: Path, venue: str = "icml") -> None:
    """Draw the tables of ``tgr.analysis.theory``: errors over lambda, descents over steps."""
    errors, descents = pd.read_csv(errors_file), pd.read_csv(descents_file)
    with style():
        figure = Figure((width(venue), 2.75), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
        _errors(left, errors)
        _descents(middle, descents, "start")
        _descents(right, descents, "plain")
        _legend(middle, right, descents)
        save(figure, png, pdf)


def _errors(axes: Axes, errors: pd.DataFrame) -> None:
    for (through, coefficient), (label, colour, line, marker) in VARIANTS.items():
        own = errors[(errors["through_displacement"] == through) & (errors["coefficient"] == coefficient)]
        label = f"{label}: slope {own['slope'].iloc[0]:.2f}"
        axes.plot(own["strength"], own["error"], line, color=colour, marker=marker, markersize=2.5, label=label)
        axes.fill_between(own["strength"], own["low"], own["high"], color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.set_xlabel("\u03bb (displacement of the parameters)")
    axes.set_ylabel("error of the displaced gradient,\nrelative to \u2016\u2207L\u2016")
    axes.set_title(f"{_count(errors)}: error", loc="left")
    axes.grid()
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.24), handlelength=2.2)


def _descents(axes: Axes, descents: pd.DataFrame, compared_with: str) -> None:
    shown = descents[descents["compared_with"] == compared_with]
    colours = dict(zip(sorted(shown["strength"].unique()), STRENGTH_COLOURS, strict=False))
    for strength, quantity in product(colours, QUANTITIES):
        if compared_with == "plain" and strength == 0:
            continue
        own = shown[(shown["strength"] == strength) & (shown["quantity"] == quantity)]
        colour = colours[strength]
        axes.plot(own["step"], own["mean"], QUANTITIES[quantity], color=colour)
        if compared_with == "plain" or strength == 0:  # bands of all strengths would hide each other
            axes.fill_between(own["step"], own["low"], own["high"], color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("step of gradient descent")
    if compared_with == "start":
        axes.set_yscale("log")
        axes.set_ylabel("relative to the start")
        axes.set_title(f"{_count(shown)}: descent", loc="left")
    else:
        axes.axhline(1, color=GREY, linewidth=0.8)
        axes.set_ylabel("relative to \u03bb = 0")
        axes.set_title(f"{_count(shown)}: effect of \u03bb", loc="left")
    axes.grid(axis="y")
    axes.margins(x=0.02)


def _legend(middle: Axes, right: Axes, descents: pd.DataFrame) -> None:
    for strength, colour in zip(sorted(descents["strength"].unique()), STRENGTH_COLOURS, strict=False):
        middle.plot([], [], color=colour, label=f"\u03bb = {strength:g}")
    middle.legend(loc="upper center", bbox_to_anchor=(0.45, -0.24), ncols=2)
    for quantity, line in QUANTITIES.items():
        right.plot([], [], line, color=BLACK, label=LABELS[quantity])
    right.legend(loc="upper center", bbox_to_anchor=(0.45, -0.24))


def _count(frame: pd.DataFrame) -> str:
    return f"{frame['n'].iloc[0]} problems"
