"""A snapshot of a finished run for the repository: its tables and figures, and where they come from.

``python -m tgr.reporting.publish.reference [--keep] <name> <config> [<working directory>] [<key>=<value>]`` copies the
configuration's tables and the figures that documents show to ``results/reference/<name>``, writes the manifest, and
renews the tables in the documents; with ``--keep``, what the run did not make stays, under the run that made it. Keys
are those that Snakemake's ``--config`` changed, such as ``replicates=3``.

In documents, tables stand between a line such as ``<!-- table full_cpu/icons/ablation-release -->`` (its rows) or
``<!-- summary full_cpu/icons/main -->`` (accuracies only; with ``main of bank tgr -->`` of these methods alone) and the
line ``<!-- end of table -->``.

``python -m tgr.run.digests results/reference/<name>/digests.json <working directory> --write`` then adds the digests of
all artefacts, with which ``make compare`` compares those of another run.
"""

import math
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tgr.artifacts import digest, read_frame, read_json, write_json
from tgr.config.load import digest_settings, load
from tgr.errors import TgrError
from tgr.evaluation.summary import over_all_datasets
from tgr.reporting.save import save
from tgr.reporting.tables import overview
from tgr.reporting.tables.markup import MISSING

ROOT = Path(__file__).parents[3]
REFERENCE = Path("results/reference")
KINDS = ("tables", "figures")
UNKNOWN = {
    "last_minus_random": math.nan,
    "last_below_random": False,
    "p_holm": math.nan,
    "significant": False,
    "as_good_as_best": False,
}
"""What tables of earlier runs may lack, and stands in them as not measured."""
TABLE = re.compile(r"(<!-- (table|summary) (\S+)(?: of ([^>\n]+))? -->\n).*?(<!-- end of table -->)", re.DOTALL)


def take_snapshot(name: str, config: Path, run: Path, keep: bool = False, changed: Sequence[str] = ()) -> None:
    """Copy the tables and figures of a finished run and write the manifest.

    Args:
        name: the snapshot's folder.
        config: the configuration of the run.
        run: its working directory, in which other configurations may have run too.
        keep: leave what earlier runs made and this one did not; the overview is then written anew from all.
        changed: what the command line changed in the configuration, e.g. ``replicates=3``.

    Raises:
        TgrError: the run has no tables.
    """
    files = [file for suffix in ("md", "csv") for file in list_files(config, run / "results/tables", suffix)]
    if not files:
        raise TgrError(f"{run / 'results/tables'}: no tables; finish the run first")
    record = describe_run(config, run)
    if changed:
        record["command"] = f"snakemake --configfile {config.as_posix()} --config {' '.join(changed)}"
    target = ROOT / REFERENCE / name
    earlier = read_json(target / "manifest.json")["runs"] if keep else []
    if not keep:
        shutil.rmtree(target, ignore_errors=True)
    for file in files:
        _copy(file, target / file.relative_to(run / "results/tables"))
    record["figures"] = {figure: sha256 for figure, sha256 in record["figures"].items() if is_shown(name, figure)}
    for figure in record["figures"]:
        _copy(run / "results/figures" / figure, target / "figures" / figure)
    if keep:
        record["tables"]["overview.csv"] = _renew_overview(target, config)
    for one in earlier:
        for kind in KINDS:
            one[kind] = {path: sha256 for path, sha256 in one.get(kind, {}).items() if path not in record[kind]}
    write_json(target / "manifest.json", {"runs": [one for one in [*earlier, record] if one["tables"]]})


def list_files(config: Path, folder: Path, suffix: str) -> list[Path]:
    """Return the files that a configuration asks for: of its scenarios, pairs, sweeps, budgets, and of all together."""
    settings = load(ROOT / config)
    files = [*folder.glob(f"*.{suffix}")]
    files += [file for scenario in settings.named_scenarios for file in (folder / scenario).rglob(f"*.{suffix}")]
    for kind, names in (
        ("pairs", settings.pairs),
        ("sweeps", settings.sweeps),
        ("budgets", settings.budgets),
        ("contrasts", settings.contrasts),
    ):
        files += [file for name in names if (file := folder / kind / f"{name}.{suffix}").exists()]
    return sorted(files)


def list_documents() -> list[Path]:
    """Return the files that may show tables and figures: the README and all below ``docs``."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def is_shown(name: str, figure: str) -> bool:
    """Return whether a document shows a figure of a snapshot."""
    path = (REFERENCE / name / "figures" / figure).as_posix()
    return any(f"{path})" in document.read_text(encoding="utf-8") for document in list_documents())


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def _renew_overview(target: Path, config: Path) -> str:
    """Write the overview from the main tables of all scenarios; return its digest."""
    settings = load(ROOT / config)
    summaries = []
    for scenario in settings.named_scenarios:
        if (main := target / scenario / "main.csv").exists():
            labels = {name: variant.parameters.label for name, variant in settings.main_methods(scenario).items()}
            summary = read_frame(main)
            missing = {column: value for column, value in UNKNOWN.items() if column not in summary}
            summaries.append(summary.assign(**missing, label=summary["method"].map(labels)))
    table = overview.table(summaries, headline=settings.evaluation.headline)
    save(table, target / "overview.csv", target / "overview.md")
    return digest(target / "overview.csv")


def describe_run(config: Path, run: Path) -> dict[str, Any]:
    """Say what a run was made from and what it cost."""
    costs = pd.concat([pd.read_csv(file, sep="\t") for file in sorted((run / "results/benchmarks").rglob("*.tsv"))])
    tables = list_files(config, run / "results/tables", "csv")
    figures = list_files(config, run / "results/figures", "png")
    records = [read_json(file.with_name(f"{file.name}.provenance.json")) for file in tables]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=run, capture_output=True, text=True, check=True).stdout
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "command": f"make reproduce CONFIG={config.as_posix()}",
        "configuration": {"file": config.as_posix(), "settings": digest_settings(ROOT / config)},
        "commit": commit.strip(),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, no GPU, shared virtual machine",
        "jobs": len(costs),
        "job_core_minutes": round(float(costs["s"].sum()) / 60, 1),
        "peak_memory_of_a_job_mb": round(float(pd.to_numeric(costs["max_rss"], errors="coerce").max())),
        "versions": records[0]["versions"],
        "finished": max(record["finished"] for record in records),
        "tables": {file.relative_to(run / "results/tables").as_posix(): digest(file) for file in tables},
        "figures": {file.relative_to(run / "results/figures").as_posix(): digest(file) for file in figures},
    }


def fill_in_tables(text: str) -> str:
    """Return a document with the committed tables between its marks.

    Raises:
        TgrError: there is no such table, its file holds several, or a method is not among its rows.
    """

    def fill(match: re.Match[str]) -> str:
        start, kind, name, methods, end = match.groups()
        file = ROOT / REFERENCE / f"{name}.{'md' if kind == 'table' else 'csv'}"
        try:
            table = read_rows(file) if kind == "table" else format_accuracies(_read_methods(file, methods))
        except OSError as error:
            raise TgrError(f"{file}: cannot be read ({error.strerror}), but a document shows it") from error
        return f"{start}\n{table}\n{end}"

    return TABLE.sub(fill, text)


def _read_methods(file: Path, methods: str | None) -> pd.DataFrame:
    """Read the rows of the methods that a document names, in its order; all rows if it names none."""
    table = pd.read_csv(file)
    names = table["method"].unique() if methods is None else methods.split()
    if missing := set(names) - set(table["method"]):
        raise TgrError(f"{file}: no row of {', '.join(sorted(missing))}, but a document shows it")
    return pd.concat([table[table["method"] == name] for name in names])


def read_rows(file: Path) -> str:
    """Return the rows of the one table in a Markdown file, without its title and notes.

    Raises:
        TgrError: the file holds several tables.
    """
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    if sum(line.startswith("|--") for line in lines) != 1:
        raise TgrError(f"{file}: several tables; let the document show a summary, or a link")
    return "\n".join(lines) + "\n"


def format_accuracies(table: pd.DataFrame) -> str:
    """Return the accuracies of a main table in percent, with intervals, as Markdown: one row a method.

    Of several datasets, those of all episodes pooled.
    """
    names = {"finetune": "finetune", "finetune_tuned": "tuned", "ncm": "ncm", "ncm_inductive": "inductive"}
    table = over_all_datasets(table)
    shown = [name for name in names if name in set(table["protocol"])]
    columns = [(shot, protocol) for shot in sorted(table["shot"].unique()) for protocol in shown]
    lines = ["| method | " + " | ".join(f"{shot}-shot {names[protocol]}" for shot, protocol in columns) + " |"]
    lines.append("|---|" + "--:|" * len(columns))
    for method, part in table.groupby("method", sort=False):
        role = part["role"].iloc[0]
        rows = part.to_dict("records")
        cells = {(r["shot"], r["protocol"]): f"{100 * r['mean']:.1f} ± {100 * r['ci95']:.1f}" for r in rows}
        label = f"`{method}`" + ("" if role == "method" else f" ({role})")
        lines.append(f"| {label} | " + " | ".join(cells.get(column, MISSING) for column in columns) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Take the snapshot and renew the documents; return the exit code."""
    keep, changed = "--keep" in arguments, [argument for argument in arguments if "=" in argument]
    name, config, *run = (argument for argument in arguments if argument not in ("--keep", *changed))
    take_snapshot(name, Path(config), Path(*run), keep, changed)
    for document in list_documents():
        document.write_text(fill_in_tables(document.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
