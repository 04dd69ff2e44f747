"""Figure: accuracy of all methods, one panel for each shot and protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.evaluation.summary import ALL, over_all_datasets, read_episodes, summarise
from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, GREY, method_colours, save, style, width

DATASET_MARKERS = ("s", "^", "D", "v", "<", ">", "p", "X")


def write_accuracy_figure(
    folders: Sequence[Path], methods: Mapping[str, str], headline: str, png: Path, pdf: Path, venue: str = "icml"
) -> None:
    """Draw mean accuracies with 95 % intervals over episodes; floor and ceiling are reference lines.

    With several datasets the dot is the mean over all episodes, and small hollow marks stand for each dataset.

    Args:
        folders: evaluations of one scenario.
        methods: labels by name, in the order of the rows.
        headline: the selection rule to show.
    """
    summary = summarise(read_episodes(folders), list(methods))
    shown = summary[summary["selection"] == headline]
    with style():
        save(_draw(shown, methods, width(venue)), png, pdf)


def _draw(shown: pd.DataFrame, methods: Mapping[str, str], inches: float) -> Figure:
    shots = sorted(shown["shot"].unique())
    protocols = labels.in_order(set(shown["protocol"]), labels.PROTOCOLS)
    rows = [name for name in methods if (shown.loc[shown["method"] == name, "role"] == "method").any()]
    if not rows:  # nothing but floor and ceiling
        rows = [name for name in methods if name in set(shown["method"])]
    panel_height = 0.42 + 0.17 * len(rows)
    figure = Figure((inches, panel_height * len(shots) + 0.85), layout="constrained")
    axes = figure.subplots(len(shots), len(protocols), squeeze=False, sharey=True, sharex="row")
    sizes = _sizes(over_all_datasets(shown))
    for row, shot in enumerate(shots):
        for column, protocol in enumerate(protocols):
            part = shown[(shown["shot"] == shot) & (shown["protocol"] == protocol)]
            at_shot = shown[shown["shot"] == shot]
            _panel(axes[row, column], part, at_shot[at_shot["role"] == "floor"], rows, methods)
            if row == 0:
                axes[row, column].set_title(labels.PROTOCOLS.get(protocol, protocol))
            if row == len(shots) - 1:
                axes[row, column].set_xlabel(f"accuracy (%)\n{sizes}")
        axes[row, 0].set_ylabel(f"{shot}-shot", fontweight="bold")
    _legend(figure, shown, methods)
    return figure


def _sizes(main: pd.DataFrame) -> str:
    """Say how many episodes and seeds stand behind the means."""
    episodes, seeds = _range(main["n_episodes"]), _range(main["n_seeds"])
    return f"n = {episodes} episodes, {seeds} seed{'' if seeds == '1' else 's'}"


def _range(counts: pd.Series) -> str:
    return "\u2013".join(str(count) for count in sorted({counts.min(), counts.max()}))


def _panel(axes: Axes, part: pd.DataFrame, floor: pd.DataFrame, rows: list[str], methods: Mapping[str, str]) -> None:
    datasets = sorted(set(part["dataset"]) - {ALL})
    main = over_all_datasets(part)
    colours = method_colours(rows)
    for value in over_all_datasets(floor)["mean"].drop_duplicates() * 100:
        axes.axvline(value, color=GREY, linestyle="--", linewidth=0.9, zorder=1)
    for value in main.loc[main["role"] == "ceiling", "mean"] * 100:
        axes.axvline(value, color=BLACK, linestyle=":", linewidth=0.9, zorder=1)
    for position, name in enumerate(rows):
        own = main[main["method"] == name]
        axes.errorbar(
            own["mean"] * 100, [position] * len(own), xerr=own["ci95"] * 100, fmt="o", markersize=3.6, capsize=1.8,
            color=colours[name], markeredgecolor=BLACK, markeredgewidth=0.4, ecolor=BLACK, elinewidth=0.9, zorder=3,
        )  # fmt: skip
        if len(datasets) > 1:
            for marker, dataset in zip(DATASET_MARKERS, datasets, strict=False):
                single = part[(part["method"] == name) & (part["dataset"] == dataset)]
                axes.plot(
                    single["mean"] * 100, [position + 0.32] * len(single), marker, markersize=3, color="none",
                    markeredgecolor=GREY, markeredgewidth=0.6, zorder=2,
                )  # fmt: skip
    axes.set_yticks(range(len(rows)), [labels.method(name, methods) for name in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _legend(figure: Figure, shown: pd.DataFrame, methods: Mapping[str, str]) -> None:
    roles = set(shown["role"])
    datasets = sorted(set(shown["dataset"]) - {ALL})
    mean = "mean over all episodes" if len(datasets) > 1 else "mean"
    handles = [
        Line2D([], [], color=BLACK, marker="o", markersize=3.6, linewidth=0.9, label=f"{mean}, 95 % CI over episodes")
    ]
    if "floor" in roles:
        label = f"floor: {labels.method('pixels', methods).lower()}, nearest class mean"
        handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=0.9, label=label))
    if "ceiling" in roles:
        label = f"ceiling: {labels.method('realdata', methods).lower()}"
        handles.append(Line2D([], [], color=BLACK, linestyle=":", linewidth=0.9, label=label))
    if len(datasets) > 1:
        handles += [
            Line2D([], [], color="none", marker=marker, markersize=3, markeredgecolor=GREY, label=dataset)
            for marker, dataset in zip(DATASET_MARKERS, datasets, strict=False)
        ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3))
