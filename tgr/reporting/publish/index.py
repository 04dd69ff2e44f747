"""The page ``index.html``: all accuracies to filter and to hover over, in one file that needs no server."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Template

from tgr.evaluation.summary import ALL
from tgr.reporting import labels

TEMPLATES = Path(__file__).parent / "templates"
DECIMALS = 6


def write_index(*, summaries: Sequence[pd.DataFrame], headline: str, files: Sequence[str], html: Path) -> None:
    """Write the page, with its data, style and script inside.

    Args:
        summaries: of all scenarios, as ``tgr.evaluation.summary.write_summary`` makes them.
        headline: the selection rule that is shown first.
        files: figures and tables to link to, relative to the page.
    """
    texts = {name: (TEMPLATES / f"index.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    page = Template(texts["html"], keep_trailing_newline=True).render(
        style=texts["css"].strip(),
        script=texts["js"].strip(),
        data=_data(pd.concat(map(_named, summaries), ignore_index=True), headline, files),
    )
    html.write_text(page, encoding="utf-8")


def _named(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary whose methods and references are called by their labels, with their roles; the scenario says how
    many replicates there are, and their spread stands for that of seeds."""
    names = dict(zip(summary["method"], summary["label"], strict=True))
    label = summary["label"] + summary["role"].map(labels.ROLES)
    named = summary.assign(label=label, reference=summary["reference"].map(lambda name: labels.method(name, names)))
    if "n_replicates" not in named:
        return named
    scenario = named["scenario"] + " (" + named["n_replicates"].astype(str) + " replicates)"
    return named.assign(scenario=scenario, seed_std=named["replicate_std"])


def _data(summary: pd.DataFrame, headline: str, files: Sequence[str]) -> str:
    """Return what the page's script reads, as JSON that cannot end its element."""
    table = json.loads(summary.to_json(orient="split", index=False, double_precision=DECIMALS))
    protocols = labels.in_order(set(summary["protocol"]), labels.PROTOCOLS)
    about = {
        "names": {
            "dataset": {ALL: "all datasets (episodes pooled)"},
            "protocol": dict(labels.PROTOCOLS),
            "selection": dict(labels.SELECTIONS),
        },
        "defaults": {"selection": headline, "protocol": protocols[0], "shot": str(summary["shot"].max())},
        "files": list(files),
    }
    return json.dumps(table | about, ensure_ascii=False).replace("<", "\\u003c")
