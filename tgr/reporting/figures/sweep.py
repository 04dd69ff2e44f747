"""Figure: how methods fare as something varies between scenarios, e.g. the size of the pool."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.evaluation.summary import headline_rows, over_all_datasets, summarise_scenarios
from tgr.reporting import labels
from tgr.reporting.figures.style import BLACK, method_colours, method_markers, save, style, width

PANEL_HEIGHT = 1.7
"""Inches."""


def write_sweep_figure(
    folders: Sequence[Path],
    scenarios: Mapping[str, float],
    methods: Mapping[str, str],
    label: str,
    headline: str,
    csv: Path,
    png: Path,
    pdf: Path,
    venue: str = "icml",
) -> None:
    """Draw mean accuracies with 95 % intervals over episodes against a value; write what is drawn as CSV.

    Args:
        folders: evaluations of all scenarios.
        scenarios: the value of each scenario, by name.
        methods: labels by name, in the order of the legend.
        label: what the horizontal axis says.
        headline: the selection rule to show.

    Raises:
        TgrError: no evaluation used the selection rule.
    """
    summaries = summarise_scenarios(folders, dict.fromkeys(scenarios, methods))
    parts = [over_all_datasets(summary).assign(value=scenarios[name]) for name, summary in summaries.items()]
    shown = headline_rows(pd.concat(parts, ignore_index=True), headline)
    csv.parent.mkdir(parents=True, exist_ok=True)
    shown.to_csv(csv, index=False)
    with style():
        save(_draw(shown, methods, label, width(venue)), png, pdf)


def _draw(shown: pd.DataFrame, methods: Mapping[str, str], label: str, inches: float) -> Figure:
    panels = [
        (shot, protocol)
        for shot in sorted(shown["shot"].unique())
        for protocol in labels.in_order(set(shown["protocol"]), labels.PROTOCOLS)
    ]
    columns = min(3, len(panels))
    n_rows = -(-len(panels) // columns)
    figure = Figure((inches * max(columns, 2) / 3, PANEL_HEIGHT * n_rows + 0.4), layout="constrained")
    axes = figure.subplots(n_rows, columns, squeeze=False, sharex=True)
    for one, (shot, protocol) in zip(axes.flat, panels, strict=False):
        part = shown[(shown["shot"] == shot) & (shown["protocol"] == protocol)]
        _panel(one, part, methods)
        one.set_title(f"{shot}-shot, {labels.PROTOCOLS.get(protocol, protocol).lower()}")
        one.set_xlabel(label)
    for one in axes.flat[len(panels) :]:
        one.remove()
    n_episodes = shown["n_episodes"].max()
    axes[0, 0].set_ylabel(f"accuracy (%, n = {n_episodes} tasks)")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6))
    return figure


def _panel(axes: Axes, part: pd.DataFrame, methods: Mapping[str, str]) -> None:
    colours, markers = method_colours(list(methods)), method_markers(list(methods))
    for name, title in methods.items():
        own = part[part["method"] == name].sort_values("value")
        if own.empty:
            continue
        axes.errorbar(
            own["value"], own["mean"] * 100, yerr=own["ci95"] * 100, marker=markers[name], markersize=3.4, capsize=1.8,
            color=colours[name], markeredgecolor=BLACK, markeredgewidth=0.4, elinewidth=0.9, label=title,
        )  # fmt: skip
    axes.set_xticks(sorted(part["value"].unique()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y")
