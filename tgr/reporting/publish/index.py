"""The page ``index.html``: all accuracies to filter and to hover over, in one file that needs no server."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Template

from tgr.evaluation.statistics import training_keys
from tgr.evaluation.summary import ALL, HEADLINE, PLACE
from tgr.reporting import labels

TEMPLATES = Path(__file__).parent / "templates"
DECIMALS = 6
MAIN = "main"
"""What the comparison of all methods is called, as its tables are; that of an ablation is `ablation-<name>`."""
CONFLICT = ["gradient_cosine", "relative_variance"]
"""Columns that only ablations have."""


def write_index(
    *,
    summaries: Sequence[pd.DataFrame],
    seeds: Sequence[pd.DataFrame],
    ablations: Sequence[pd.DataFrame],
    ablation_seeds: Sequence[pd.DataFrame],
    captions: Mapping[str, str],
    headline: str,
    files: Sequence[str],
    html: Path,
) -> None:
    """Write the page, with its data, style and script inside.

    Args:
        summaries, seeds: of all scenarios, as ``tgr.evaluation.summary.write_summary`` makes them.
        ablations, ablation_seeds: accuracies of all ablations' variants, and those of each seed
            (``tgr.analysis.ablation``).
        captions: what each ablation varies, by its name, in the same order.
        headline: the selection rule that is shown first.
        files: figures and tables to link to, relative to the page.
    """
    texts = {name: (TEMPLATES / f"index.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    compared = {MAIN: "all methods"} | {f"ablation-{name}": f"ablation: {text}" for name, text in captions.items()}
    rows = [_rows(MAIN, *pair) for pair in zip(summaries, seeds, strict=True)]
    columns = [*rows[0].columns, *CONFLICT]
    for name, *pair in zip(captions, ablations, ablation_seeds, strict=True):
        rows.append(_rows(f"ablation-{name}", *pair))
    table = pd.concat([part.reindex(columns=columns) for part in rows], ignore_index=True)
    page = Template(texts["html"], keep_trailing_newline=True).render(
        style=texts["css"].strip(),
        script=texts["js"].strip(),
        data=_data(table, compared, headline, files),
    )
    html.write_text(page, encoding="utf-8")


def _rows(comparison: str, summary: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return a summary whose methods and references are called by their labels, with the mean of each training; the
    scenario says how many replicates there are, and their spread stands for that of seeds."""
    names = dict(zip(summary["method"], summary["label"], strict=True))
    keys = training_keys(seeds)
    single = seeds.sort_values(keys).groupby([*PLACE])[[*keys, "mean"]]
    trainings: dict[Any, Any] = {place: part.to_dict("records") for place, part in single}
    rows = summary.assign(
        comparison=comparison,
        label=summary["label"] + summary["role"].map(labels.ROLES),
        reference=summary["reference"].map(lambda name: labels.method(name, names)),
        trainings=[trainings[place] for place in summary[[*PLACE]].itertuples(index=False, name=None)],
    )
    if "n_replicates" not in rows:
        return rows
    scenario = rows["scenario"] + " (" + rows["n_replicates"].astype(str) + " replicates)"
    return rows.assign(scenario=scenario, seed_std=rows["replicate_std"])


def _data(rows: pd.DataFrame, compared: Mapping[str, str], headline: str, files: Sequence[str]) -> str:
    """Return what the page's script reads, as JSON that cannot end its element."""
    table = json.loads(rows.to_json(orient="split", index=False, double_precision=DECIMALS))
    protocols = labels.in_order(set(rows["protocol"]), labels.PROTOCOLS)
    shown_first = HEADLINE["protocol"] if HEADLINE["protocol"] in protocols else protocols[0]
    about = {
        "names": {
            "comparison": dict(compared),
            "dataset": {ALL: "all datasets (episodes pooled)"},
            "protocol": dict(labels.PROTOCOLS),
            "selection": dict(labels.SELECTIONS),
        },
        "defaults": {
            "comparison": MAIN,
            "selection": headline,
            "protocol": shown_first,
            "shot": str(rows["shot"].max()),
        },
        "files": list(files),
    }
    return json.dumps(table | about, ensure_ascii=False).replace("<", "\\u003c")
