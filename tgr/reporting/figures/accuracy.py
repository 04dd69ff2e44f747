"""Figure: accuracy of all methods, one panel for each shot and protocol."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tgr.evaluation.summary import ALL, PLACE, SEED_MEANS, headline_rows, over_all_datasets
from tgr.reporting.figures.panels import (
    column_title,
    count,
    count_trainings,
    key,
    legend_below,
    means,
    new_figure,
    shots_and_protocols,
)
from tgr.reporting.figures.style import BLACK, GREY, Looks, method_colours, style, width

DATASET_MARKERS = ("s", "^", "D", "v", "<", ">", "p", "X")
FLOOR: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 0.9}
CEILING: dict[str, Any] = {"color": BLACK, "linestyle": ":", "linewidth": 0.9}
YARDSTICK: dict[str, Any] = {"color": BLACK, "linestyle": "-.", "linewidth": 0.9}
MARK: dict[str, Any] = {"linestyle": "", "markeredgewidth": 0.6}
HOLLOW = MARK | {"color": "none", "markersize": 3, "markeredgecolor": GREY}
SEED = MARK | {"color": BLACK, "markersize": 4, "marker": "|"}


@style()
def draw(
    summary: pd.DataFrame,
    seeds: pd.DataFrame | None = None,
    *,
    headline: str = "datafree",
    looks: Looks | None = None,
    venue: str = "icml",
) -> Figure:
    """Draw mean accuracies with 95 % intervals; floor, yardstick and ceiling are reference lines.

    With several datasets the dot is the mean over all episodes, and small hollow marks stand for each dataset. With
    several seeds or replicates, ticks below the dot are the means of all trainings.

    Args:
        summary: what ``tgr.evaluation.summary.summarise`` returns, with the methods' labels in a column ``label``.
        seeds: the mean of each training, as ``tgr.evaluation.summary.seed_means`` returns them; None: not drawn.
        headline: the selection rule to show.
        looks: the methods' colours; None: those of their cards.

    Raises:
        TgrError: no row of the selection rule.
    """
    shown = headline_rows(summary, headline)
    if seeds is None or not seeds.duplicated([*PLACE]).any():
        seeds = pd.DataFrame(columns=list(SEED_MEANS))
    seeds = over_all_datasets(seeds[seeds["selection"] == headline])
    single = shown["role"].isin(["method", "real"])
    rows = list(dict.fromkeys(shown.loc[single, "method"])) or list(shown["method"].unique())
    shots, protocols = shots_and_protocols(shown)
    figure = new_figure(width(venue), (0.42 + 0.17 * len(rows)) * len(shots) + 0.3)
    grid = figure.subplots(len(shots), len(protocols), squeeze=False, sharey=True, sharex="row")
    colours = method_colours(rows, looks)
    main = over_all_datasets(shown)
    for line, shot in zip(grid, shots, strict=True):
        for axes, (protocol, title) in zip(line, protocols.items(), strict=True):
            part, own_seeds = (rows[(rows["shot"] == shot) & (rows["protocol"] == protocol)] for rows in (shown, seeds))
            floor = shown[(shown["shot"] == shot) & (shown["role"] == "floor")]
            _panel(axes, part, floor, own_seeds, colours)
            axes.set_title(column_title(title, len(protocols)) if shot == shots[0] else "")
            sizes = f"n = {count(main['n_episodes'], 'episode')}, {count_trainings(main)}"
            axes.set_xlabel(f"accuracy (%)\n{sizes}" if shot == shots[-1] else "")
        line[0].set_ylabel(f"{shot}-shot", fontweight="bold")
    names = dict(zip(shown["method"], shown["label"], strict=True))
    grid[0, 0].set_yticks(range(len(rows)), [names[method] for method in rows])
    grid[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    legend_below(figure, _entries(shown, seeds, names))
    return figure


def _panel(
    axes: Axes, part: pd.DataFrame, floor: pd.DataFrame, seeds: pd.DataFrame, colours: Mapping[str, str]
) -> None:
    main = over_all_datasets(part)
    for value in over_all_datasets(floor)["mean"].drop_duplicates() * 100:
        axes.axvline(value, zorder=1, **FLOOR)
    for role, look in {"yardstick": YARDSTICK, "ceiling": CEILING}.items():
        for value in main.loc[main["role"] == role, "mean"] * 100:
            axes.axvline(value, zorder=1, **look)
    singles = _datasets(part)
    for place, (method, colour) in enumerate(colours.items()):
        rows_of_method = main[main["method"] == method]
        means(
            axes, rows_of_method["mean"] * 100, [place] * len(rows_of_method), colour, xerr=rows_of_method["ci95"] * 100
        )
        single = seeds[seeds["method"] == method]
        axes.plot(single["mean"] * 100, [place + 0.27] * len(single), zorder=2, **SEED)
        for dataset, marker in singles.items():
            single = part[(part["method"] == method) & (part["dataset"] == dataset)]
            axes.plot(single["mean"] * 100, [place + 0.32] * len(single), marker=marker, zorder=2, **HOLLOW)
    axes.margins(x=0.08)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def _datasets(shown: pd.DataFrame) -> dict[str, str]:
    """Return a marker for each dataset, if there are several."""
    names = sorted(set(shown["dataset"]) - {ALL})
    return dict(zip(names, DATASET_MARKERS, strict=False)) if len(names) > 1 else {}


def _entries(shown: pd.DataFrame, seeds: pd.DataFrame, names: Mapping[str, str]) -> list[Line2D]:
    singles, roles = _datasets(shown), shown.drop_duplicates("method").groupby("role")["method"].agg(list).to_dict()
    called = {role: " and ".join(names[method].lower() for method in methods) for role, methods in roles.items()}
    mean = "mean over all episodes" if singles else "mean"
    entries = [key(f"{mean}, 95 % CI", color=BLACK, marker="o", markersize=3.6, linewidth=0.9)]
    if len(seeds):
        entries.append(key(f"mean of one {'training' if 'replicate' in seeds else 'seed'}", **SEED))
    if "floor" in roles:
        entries.append(key(f"floor: {called['floor']}, nearest class mean", **FLOOR))
    if "yardstick" in roles:
        entries.append(key(f"{called['yardstick']}, many networks", **YARDSTICK))
    if "ceiling" in roles:
        entries.append(key(f"ceiling{'s' * (len(roles['ceiling']) > 1)}: {called['ceiling']}", **CEILING))
    return entries + [key(name, marker=marker, **HOLLOW) for name, marker in singles.items()]
