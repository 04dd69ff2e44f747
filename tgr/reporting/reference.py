"""A snapshot of a finished run for the repository: its tables, and where they come from.

``python -m tgr.reporting.reference [--keep] <name> <config> [<working directory>]`` copies the tables to
``results/reference/<name>``, writes the manifest, and puts tables into the documents that show them; with ``--keep``,
tables that the run did not make stay, under the run that made them. In documents, tables stand between lines such as
``<!-- table full_cpu/overview -->`` (as it is) or ``<!-- summary full_cpu/icons/main -->`` (accuracies only) and
``<!-- end of table -->``.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from tgr.artifacts import digest, read_json, write_json
from tgr.config.load import load
from tgr.errors import TgrError
from tgr.reporting.markup import MISSING
from tgr.reporting.overview import write_overview

ROOT = Path(__file__).parents[2]
REFERENCE = Path("results/reference")
DOCUMENTS = (Path("README.md"), Path("docs/results.md"))
TABLE = re.compile(r"(<!-- (table|summary) (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def take(name: str, config: Path, run: Path, keep: bool = False) -> None:
    """Copy the tables of a finished run and write the manifest.

    Args:
        name: the snapshot's folder.
        config: the configuration of the run.
        run: its working directory.
        keep: leave tables of earlier runs that this one did not make; the overview is then written anew from all.

    Raises:
        TgrError: the run has no tables.
    """
    files = sorted(file for suffix in ("md", "csv") for file in (run / "results/tables").rglob(f"*.{suffix}"))
    if not files:
        raise TgrError(f"{run / 'results/tables'}: no tables; finish the run first")
    target = ROOT / REFERENCE / name
    earlier = read_json(target / "manifest.json")["runs"] if keep else []
    if not keep:
        shutil.rmtree(target, ignore_errors=True)
    for file in files:
        copy = target / file.relative_to(run / "results/tables")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    made = account(config, run)
    if keep:
        made["tables"]["overview.csv"] = _renew_overview(target, config)
    for one in earlier:
        one["tables"] = {path: sha256 for path, sha256 in one["tables"].items() if path not in made["tables"]}
    write_json(target / "manifest.json", {"runs": [one for one in [*earlier, made] if one["tables"]]})


def _renew_overview(target: Path, config: Path) -> str:
    """Write the overview from the main tables of all scenarios; return its digest."""
    settings = load(ROOT / config)
    methods = {
        scenario: {name: variant.parameters.label for name, variant in settings.main_methods(scenario).items()}
        for scenario in settings.scenarios
        if (target / scenario / "main.csv").exists()
    }
    summaries = [pd.read_csv(target / scenario / "main.csv") for scenario in methods]
    with TemporaryDirectory() as folder:
        files = target / "overview.csv", target / "overview.md", Path(folder) / "overview.tex"
        write_overview(summaries, methods, settings.evaluation.headline, *files)
    return digest(target / "overview.csv")


def account(config: Path, run: Path) -> dict[str, Any]:
    """Say what a run was made from and what it cost."""
    costs = pd.concat([pd.read_csv(file, sep="\t") for file in sorted((run / "results/benchmarks").rglob("*.tsv"))])
    tables = sorted((run / "results/tables").rglob("*.csv"))
    records = [read_json(file.with_name(f"{file.name}.provenance.json")) for file in tables]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=run, capture_output=True, text=True, check=True).stdout
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "command": f"make reproduce CONFIG={config.as_posix()}",
        "configuration": {"file": config.as_posix(), "sha256": digest(ROOT / config)},
        "commit": commit.strip(),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, no GPU, shared virtual machine",
        "jobs": len(costs),
        "job_core_minutes": round(float(costs["s"].sum()) / 60, 1),
        "peak_memory_of_a_job_mb": round(float(pd.to_numeric(costs["max_rss"], errors="coerce").max())),
        "versions": records[0]["versions"],
        "finished": max(record["finished"] for record in records),
        "tables": {file.relative_to(run / "results/tables").as_posix(): digest(file) for file in tables},
    }


def filled(text: str) -> str:
    """Return a document with the committed tables between its marks.

    Raises:
        TgrError: there is no such table.
    """

    def fill(match: re.Match[str]) -> str:
        file = ROOT / REFERENCE / f"{match[3]}.{'md' if match[2] == 'table' else 'csv'}"
        try:
            table = file.read_text(encoding="utf-8") if match[2] == "table" else summary(pd.read_csv(file))
        except OSError as error:
            raise TgrError(f"{file}: cannot be read ({error.strerror}), but a document shows it") from error
        return f"{match[1]}\n{table}\n{match[4]}"

    return TABLE.sub(fill, text)


def summary(table: pd.DataFrame) -> str:
    """Return the accuracies of a main table in percent, with intervals, as Markdown: one row a method."""
    names = {"finetune": "finetune", "finetune_tuned": "tuned", "ncm": "ncm"}
    columns = [(shot, protocol) for shot in sorted(table["shot"].unique()) for protocol in names]
    lines = ["| method | " + " | ".join(f"{shot}-shot {names[protocol]}" for shot, protocol in columns) + " |"]
    lines.append("|---|" + "--:|" * len(columns))
    for method, own in table.groupby("method", sort=False):
        role = own["role"].iloc[0]
        rows = own.to_dict("records")
        found = {(r["shot"], r["protocol"]): f"{100 * r['mean']:.1f} ± {100 * r['ci95']:.1f}" for r in rows}
        label = f"`{method}`" + ("" if role == "method" else f" ({role})")
        lines.append(f"| {label} | " + " | ".join(found.get(column, MISSING) for column in columns) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Take the snapshot and renew the documents; return the exit code."""
    keep = "--keep" in arguments
    name, config, *run = (argument for argument in arguments if argument != "--keep")
    take(name, Path(config), Path(*run), keep)
    for document in DOCUMENTS:
        file = ROOT / document
        file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
