"""Are all results what they were when they were written?

``python -m tgr.run.verify [<working directory>]`` compares every artefact with its record, names each damaged or
missing file, and ends with exit code 1 if there is any. ``--repair`` moves these artefacts, and all that were made from
them, to ``results/damaged``, so that the next run makes exactly them again. Moving the damaged ones alone would not do:
Snakemake does not miss an intermediate result as long as what was made from it is there.
"""

import argparse
import fcntl
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tgr.artifacts import PROVENANCE, provenance_path, remove
from tgr.errors import TgrError
from tgr.run.provenance import Damage, find_damages, read_record
from tgr.run.working_directory import LOCK, SNAKEMAKE

RESULTS = "results"
DAMAGED = "damaged"
AT_THE_TOP = ("index.html", "paper.zip")
"""Artefacts directly in ``results``, where files of other makers may lie too."""
APART = ("logs", "benchmarks", "reference", DAMAGED)
"""Folders of ``results`` without artefacts of the workflow."""
PART = ".part"
"""The suffix of a download that was interrupted, which another run continues."""
TIMESTAMP = ".snakemake_timestamp"
"""What Snakemake puts into each folder that is an artefact."""


@dataclass(frozen=True)
class Report:
    """What became of the artefacts of a working directory.

    Attributes:
        n_artefacts: how many there are.
        damages: those that are damaged, missing, or made from something else than what is there; and why.
        dependants: those that were made from them, directly or not.
    """

    n_artefacts: int
    damages: dict[Path, list[Damage]]
    dependants: list[Path]


def verify(directory: Path) -> Report:
    """Compare all artefacts of a working directory with their records; another directory inside it is left out.

    Raises:
        TgrError: there are no results, or a run is using the directory.
    """
    if not (directory / RESULTS).is_dir():
        raise TgrError(f"{directory / RESULTS}: no such folder; nothing was made in this working directory")
    with _keep_runs_away(directory):
        artefacts = sorted(_find_artefacts(directory / RESULTS))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            examined = pool.map(lambda artefact: _examine(artefact, directory), artefacts)
            results = list(tqdm(examined, "verifying", len(artefacts), unit="artefact", disable=None))
    damaged = {artefact: damages for artefact, (_, damages) in zip(artefacts, results, strict=True) if damages}
    records = {artefact: record for artefact, (record, _) in zip(artefacts, results, strict=True) if record}
    for artefact, damage in _find_disagreements(directory, records):
        damaged.setdefault(artefact, []).append(damage)
    return Report(len(artefacts), dict(sorted(damaged.items())), _find_dependants(directory, records, damaged))


def repair(directory: Path, report: Report) -> None:
    """Move damaged artefacts, their dependants, and the records of both to ``results/damaged``."""
    with _keep_runs_away(directory):
        for artefact in [*report.damages, *report.dependants]:
            for path in (artefact, provenance_path(artefact)):
                if path.exists():
                    aside = directory / RESULTS / DAMAGED / path.relative_to(directory / RESULTS)
                    aside.parent.mkdir(parents=True, exist_ok=True)
                    remove(aside)
                    path.rename(aside)


def _find_artefacts(results: Path) -> Iterator[Path]:
    """Find artefacts: folders that have, or should have, a record; other files, and those of which a record is left."""
    for name, folders, files in os.walk(results):
        folder = Path(name)
        if folder == results:
            folders[:] = [each for each in folders if each not in APART]
            recorded = {file.removesuffix(f".{PROVENANCE}") for file in files if file.endswith(PROVENANCE)}
            yield from (folder / file for file in recorded | ({*AT_THE_TOP} & {*files}))
        elif SNAKEMAKE in folders:
            folders.clear()
        elif {PROVENANCE, TIMESTAMP} & {*files}:
            folders.clear()
            yield folder
        else:
            complete = [file for file in files if ".partial" not in file and not file.endswith(PART)]
            yield from {folder / file.removesuffix(f".{PROVENANCE}") for file in complete}
        folders[:] = [each for each in folders if not each.endswith(".partial")]


def _examine(artefact: Path, directory: Path) -> tuple[dict[str, Any] | None, list[Damage]]:
    """Return the record of an artefact, unless it is damaged, and what is wrong with the artefact or the record."""
    file = provenance_path(artefact)
    try:
        record = read_record(file)
    except TgrError as error:
        return None, [Damage(file, str(error).removeprefix(f"{file}: "))]
    if record["output"] != artefact.relative_to(directory).as_posix():
        return None, [Damage(file, f"is the record of {record['output']}")]
    return record, find_damages(artefact, record)


def _list_inputs(directory: Path, record: Mapping[str, Any]) -> dict[Path, str]:
    """Return the artefacts that another one was made from, with their digests at that time."""
    files = (item for part in record["inputs"].values() for item in part.items())
    return {directory / path: sha256 for path, sha256 in files if path.startswith(f"{RESULTS}/")}


def _find_disagreements(directory: Path, records: Mapping[Path, Mapping[str, Any]]) -> Iterator[tuple[Path, Damage]]:
    """Find artefacts that are gone, though others were made from them, and those made from what has changed since."""
    gone: dict[Path, Path] = {}
    for artefact, record in records.items():
        for source, sha256 in _list_inputs(directory, record).items():
            if source in records and records[source]["sha256"] != sha256:
                yield artefact, Damage(artefact, f"was made from another {source} than is there now")
            elif not source.exists():
                gone.setdefault(source, artefact)
    for source, artefact in gone.items():
        if source not in records:
            yield source, Damage(source, f"is missing, but {artefact} was made from it")


def _find_dependants(
    directory: Path, records: Mapping[Path, Mapping[str, Any]], damaged: Collection[Path]
) -> list[Path]:
    """Return what was made from damaged artefacts, directly or not, and is not damaged itself."""
    sources = {artefact: _list_inputs(directory, record) for artefact, record in records.items()}
    reached, before = {*damaged}, -1
    while before != len(reached):
        before = len(reached)
        reached |= {artefact for artefact, made_from in sources.items() if not reached.isdisjoint(made_from)}
    return sorted(reached - {*damaged})


@contextmanager
def _keep_runs_away(directory: Path) -> Iterator[None]:
    """Keep runs away inside the block, where the file system knows locks.

    Raises:
        TgrError: there is one.
    """
    if not (directory / LOCK).exists():
        yield
        return
    with (directory / LOCK).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TgrError(f"{directory}: a run is using this working directory; wait until it ends") from None
        except OSError as error:
            print(f"{directory} cannot be locked ({error.strerror}): see to it that no run uses it", file=sys.stderr)
        yield


def main(arguments: Sequence[str]) -> int:
    """Verify, and perhaps repair; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tgr.run.verify", description="Compare all results with their records."
    )
    parser.add_argument(
        "directory", nargs="?", default=".", type=Path, help="working directory of the run (default: .)"
    )
    parser.add_argument("--repair", action="store_true", help=f"move what is damaged to {RESULTS}/{DAMAGED}")
    options = parser.parse_args(arguments)
    try:
        report = verify(options.directory)
        for damage in (damage for damages in report.damages.values() for damage in damages):
            print(f"{damage.file}: {damage.reason}")
        if not report.damages:
            print(f"all {report.n_artefacts} artefacts are as they were written")
            return 0
        concerned = f"{len(report.damages)} damaged or missing artefacts and {len(report.dependants)} made from them"
        if not options.repair:
            print(f"{concerned} must be made again: run `make repair`, then continue the run as you started it")
            return 1
        repair(options.directory, report)
    except (TgrError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"moved {concerned} to {options.directory / RESULTS / DAMAGED}; continue the run as you started it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
