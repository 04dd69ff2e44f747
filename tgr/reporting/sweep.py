"""Figure: how methods fare as something varies between scenarios, e.g. the size of the pool."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgr.errors import TgrError
from tgr.evaluation.summary import ALL, read_episodes, summarise
from tgr.reporting import labels
from tgr.reporting.style import BLACK, method_colours, save, style, width

MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p", "X")
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
    by_scenario: dict[str, list[Path]] = {name: [] for name in scenarios}
    for folder in folders:
        by_scenario[Path(folder).parents[2].name].append(Path(folder))
    parts = [
        summarise(read_episodes(own), list(methods)).assign(value=scenarios[name]) for name, own in by_scenario.items()
    ]
    summary = pd.concat(parts, ignore_index=True)
    shown = summary[summary["selection"] == headline]
    if shown.empty:
        raise TgrError(f"evaluation.headline: no evaluation used the selection rule {headline}; run them again")
    shown = pd.concat([_pooled(part) for _, part in shown.groupby("scenario", sort=False)], ignore_index=True)
    csv.parent.mkdir(parents=True, exist_ok=True)
    shown.to_csv(csv, index=False)
    with style():
        save(_draw(shown, methods, label, width(venue)), png, pdf)


def _pooled(part: pd.DataFrame) -> pd.DataFrame:
    """Keep the mean over all datasets of a scenario, where there are several."""
    return part[part["dataset"] == ALL] if ALL in set(part["dataset"]) else part


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
    colours = method_colours(list(methods))
    for marker, (name, title) in zip(MARKERS * len(methods), methods.items(), strict=False):
        own = part[part["method"] == name].sort_values("value")
        if own.empty:
            continue
        axes.errorbar(
            own["value"], own["mean"] * 100, yerr=own["ci95"] * 100, marker=marker, markersize=3.4, capsize=1.8,
            color=colours[name], markeredgecolor=BLACK, markeredgewidth=0.4, elinewidth=0.9, label=title,
        )  # fmt: skip
    axes.set_xticks(sorted(part["value"].unique()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y")
