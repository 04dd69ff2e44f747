"""The page ``index.html``: all accuracies to filter and to hover over, in one file that needs no server."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.summary import ALL, summarise_scenarios
from tgr.reporting import labels

TEMPLATES = Path(__file__).parent / "templates"
PARTS = {"/* style */": "index.css", "/* script */": "index.js"}
DATA = "/* data */"
DECIMALS = 6


def write_index(
    evaluations: Sequence[Path],
    methods: Mapping[str, Mapping[str, str]],
    headline: str,
    files: Sequence[str],
    html: Path,
) -> None:
    """Write the page, with its data, style and script inside.

    Args:
        evaluations: folders ``.../<scenario>/<method>/shot-<shot>/seed-<seed>`` of all scenarios.
        methods: for each scenario, labels by method, in the order of the rows.
        headline: the selection rule that is shown first.
        files: figures and tables to link to, relative to the page.

    Raises:
        TgrError: nothing to report, or evaluations that do not belong together.
    """
    parts = []
    for scenario, summary in summarise_scenarios(evaluations, methods).items():
        names = methods[scenario]
        shown = [labels.method(str(row.method), names, str(row.role)) for row in summary.itertuples()]
        reference = [labels.method(name, names) for name in summary["reference"]]
        parts.append(summary.assign(label=shown, reference=reference))
    page = (TEMPLATES / "index.html").read_text(encoding="utf-8")
    for mark, name in PARTS.items():
        page = page.replace(mark, (TEMPLATES / name).read_text(encoding="utf-8").strip())
    data = _data(pd.concat(parts, ignore_index=True), headline, files)
    Path(html).write_text(page.replace(DATA, data), encoding="utf-8")


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
