"""Does a run give the results that another processor gave? A list of digests to commit, and the comparison with it.

``python -m tgr.run.digests <list> <working directory>`` names the first artefact, in the order in which artefacts are
made from one another, that differs from the list; ``--write`` makes the list from that run.
"""

import argparse
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from tgr.artifacts import PROVENANCE, read_json, write_json
from tgr.errors import TgrError
from tgr.run.provenance import read_record
from tgr.run.verify import APART, RESULTS

SECONDS = "cost*"
"""Artefacts of this name hold seconds, which differ from run to run, and so does all that is made from them."""
PAGE = f"{RESULTS}/index.html"
"""It shows what is in the tables, and changes with its looks."""


@dataclass(frozen=True)
class Digests:
    """What a run gave, and what computed it.

    Attributes:
        processor: as in the provenance of the job that had most kernels loaded.
        versions: of Python and the libraries, likewise.
        artefacts: the SHA-256 of each artefact by its path, each after those that it was made from.
    """

    processor: dict[str, Any]
    versions: dict[str, str]
    artefacts: dict[str, str]


def collect(directory: Path) -> Digests:
    """Return the digests of a working directory's results, by their records; those that hold seconds are left out,
    and so is the page of all accuracies.

    Raises:
        TgrError: there are no results, or a record is damaged.
    """
    records = {str(record["output"]): record for record in _read_records(directory / RESULTS)}
    if not records:
        raise TgrError(f"{directory / RESULTS}: there are no results")
    sources = {output: sorted(_made_from(records[output]) & records.keys()) for output in sorted(records)}
    artefacts: dict[str, str] = {}
    of_seconds: set[str] = set()
    for output in TopologicalSorter(sources).static_order():
        if Path(output).match(SECONDS) or not of_seconds.isdisjoint(sources[output]):
            of_seconds.add(output)
        elif output != PAGE:
            artefacts[output] = records[output]["sha256"]
    richest = max(records.values(), key=lambda record: (len(record["versions"]), record["output"]))
    return Digests(richest["processor"], richest["versions"], artefacts)


def read(file: Path) -> Digests:
    """Read a list.

    Raises:
        TgrError: it is missing or no list.
    """
    try:
        return Digests(**read_json(file))
    except TypeError as error:
        raise TgrError(f"{file}: is no list of digests") from error


def difference(expected: Digests, found: Digests) -> str | None:
    """Say which artefact is the first that differs, and what computed the two; None if all are equal."""
    if expected.artefacts.keys() != found.artefacts.keys():
        return f"the list is of another configuration: {_name_some(expected.artefacts.keys() ^ found.artefacts.keys())}"
    differing = [name for name, sha256 in expected.artefacts.items() if found.artefacts[name] != sha256]
    if not differing:
        return None
    versions = {
        name: f"{expected.versions.get(name)} -> {found.versions.get(name)}"
        for name in expected.versions | found.versions
        if expected.versions.get(name) != found.versions.get(name)
    }
    return "\n".join(
        [
            f"{differing[0]} is the first of {len(differing)} artefacts, among {len(expected.artefacts)}, that differ",
            f"expected: {_describe(expected.processor)}",
            f"here:     {_describe(found.processor)}",
            f"versions that differ: {versions or 'none'}",
        ]
    )


def _read_records(results: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(results.rglob(f"*{PROVENANCE}")):
        if file.relative_to(results).parts[0] not in APART:
            yield read_record(file)


def _made_from(record: Mapping[str, Any]) -> set[str]:
    return {path for part in record["inputs"].values() for path in part}


def _name_some(names: Collection[str]) -> str:
    return f"{len(names)} artefacts are in one of the two only, e.g. {min(names)}"


def _describe(processor: Mapping[str, Any]) -> str:
    settings = " ".join(f"{name}={value!r}" for name, value in processor["environment"].items())
    kernels = ", ".join(f"{name} {value}" for name, value in processor["kernels"].items())
    return f"{processor['model']}; {settings}; {kernels}"


def main(arguments: Sequence[str]) -> int:
    """Compare, or write; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tgr.run.digests", description="Compare the results of a run with a list of digests."
    )
    parser.add_argument("list", type=Path, help="the list, e.g. tests/workflow/digests.json")
    parser.add_argument("directory", type=Path, help="working directory of the run")
    parser.add_argument("--write", action="store_true", help="make the list from this run")
    options = parser.parse_args(arguments)
    try:
        found = collect(options.directory)
        if options.write:
            write_json(options.list, asdict(found))
            print(f"wrote the digests of {len(found.artefacts)} artefacts to {options.list}")
            return 0
        problem = difference(read(options.list), found)
    except (TgrError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(problem or f"all {len(found.artefacts)} artefacts equal those of the list")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
