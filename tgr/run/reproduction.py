"""Has a run reproduced the committed results? Every accuracy is held against the one in ``results/reference``.

``python -m tgr.run.reproduction <configuration> [<working directory>]`` finds the committed run of this configuration
and compares all accuracies of its tables of methods and ablations. Of each it says one of three things:

- equal: mean and interval are the same numbers;
- within: the difference is one that chance explains;
- outside: it is not.

A run on other kernels, or of other code, acts as other trainings do. The difference of two independent means with the
half widths h and g has the half width sqrt(h^2 + g^2). At 95 % one number in twenty would lie outside by chance, so all
n numbers of a run count together (Bonferroni): the half width is taken at 1 - 0.05 / n, by the quantiles of the normal
distribution. What the intervals cover, the tables say: with one training for each method episodes only, and these are
the same in both runs.

Exit code: 0 if all numbers are equal or within, 1 if one is outside, 2 if the two cannot be compared.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from tgr.artifacts import provenance_path, read_frame, read_json, sha256_of
from tgr.config.load import digest_settings, load
from tgr.errors import TgrError
from tgr.run.digests import SECONDS, read
from tgr.run.provenance import find_damages, read_record
from tgr.run.recorded_settings import find_other_settings
from tgr.run.verify import RESULTS

REFERENCE = Path(__file__).parents[2] / RESULTS / "reference"
TABLES = ("main", "ablation-*")
"""The tables of accuracies; the others show the same numbers, or none."""
KEY = ["method", "dataset", "shot", "protocol", "selection"]
"""What identifies a number of a table."""
SHAPE = ["n_episodes", "n_seeds", "n_replicates", "bn_mode", "split"]
"""What must agree in both, as far as both tables have it."""
LEVEL = 0.05
"""Of all numbers together."""
EQUAL, WITHIN, OUTSIDE = "equal", "within", "outside"
DIGESTS = "digests.json"
"""In a folder of reference results: the digests of all artefacts, as ``tgr.run.digests`` lists them."""


@dataclass(frozen=True)
class Reference:
    """A committed run.

    Attributes:
        folder: where its tables are.
        run: its entry in the manifest.
    """

    folder: Path
    run: dict[str, Any]


def find_reference(config: Path) -> Reference:
    """Return the committed run of a configuration.

    Raises:
        TgrError: there is none, or the configuration has changed since.
    """
    known = [
        Reference(file.parent, run)
        for file in sorted(REFERENCE.glob("*/manifest.json"))
        for run in read_json(file)["runs"]
    ]
    settings = digest_settings(config)
    same_settings = [each for each in known if each.run["configuration"]["settings"] == settings]
    if same_settings:
        return same_settings[-1]
    for each in known:
        if Path(each.run["configuration"]["file"]).name == config.name:
            raise TgrError(
                f"{config}: has other settings than the file of this name of which {each.folder.name} in {REFERENCE} "
                f"is a run; to repeat that run, take the file of commit {each.run['commit'][:10]}"
            )
    names = ", ".join(sorted({each.run["configuration"]["file"] for each in known}))
    raise TgrError(f"{config}: no run of it is in {REFERENCE}; there are runs of {names}")


def compare(reference: Reference, run: Path) -> dict[str, pd.DataFrame]:
    """Compare the accuracies of a run with the committed ones.

    Returns:
        by the path of each table a frame with the columns of ``KEY``, in the order of the committed rows, and
        ``difference`` (the run's mean minus the committed one, a share of 1), ``allowed`` and ``verdict``.

    Raises:
        TgrError: a table is missing, or the two have other rows, or means over other samples.
    """
    names = [name for name in reference.run["tables"] if any(Path(name).match(f"{table}.csv") for table in TABLES)]
    joined = {name: _join(name, reference.folder / name, run / RESULTS / "tables" / name) for name in names}
    n_numbers = sum(map(len, joined.values()))
    if not n_numbers:
        raise TgrError(f"{reference.folder}: its manifest names no table of accuracies")
    widening = float(stats.norm.isf(LEVEL / 2 / n_numbers) / stats.norm.isf(LEVEL / 2))
    return {name: _judge(frame, widening) for name, frame in joined.items()}


def _join(name: str, committed: Path, found: Path) -> pd.DataFrame:
    """Return the rows of two tables side by side; what comes from the second has the suffix ``_run``."""
    if not found.exists():
        raise TgrError(f"{found}: is missing; finish the run first, or name the configuration of this run")
    left, right = read_frame(committed), read_frame(found)
    keys = [set(map(tuple, frame[KEY].to_numpy().tolist())) for frame in (left, right)]
    if keys[0] != keys[1]:
        [first, *_] = sorted(map(str, keys[0] ^ keys[1]))
        raise TgrError(f"{found}: has other rows than {committed}, e.g. {first}; it is a run of another configuration")
    both = left.merge(right, on=KEY, suffixes=("", "_run"), validate="one_to_one")
    for column in SHAPE:
        other = f"{column}_run"
        if other in both and (differs := both[column] != both[other]).any():
            row = both[differs].iloc[0]
            raise TgrError(
                f"{found}: {column} of {row['method']} is {row[other]}, in {committed} {row[column]}; it is a run of "
                f"another configuration"
            )
    return both


def _judge(both: pd.DataFrame, widening: float) -> pd.DataFrame:
    difference = both["mean_run"] - both["mean"]
    allowed = widening * (both["ci95"] ** 2 + both["ci95_run"] ** 2) ** 0.5
    verdict = (difference.abs() <= allowed).map({True: WITHIN, False: OUTSIDE})
    same = (both["mean_run"] == both["mean"]) & (both["ci95_run"] == both["ci95"])
    kept = [column for column in (*KEY, *SHAPE) if column in both]
    return both[kept].assign(difference=difference, allowed=allowed, verdict=verdict.where(~same, EQUAL))


def describe_table(name: str, judged: pd.DataFrame) -> str:
    """Return a table of verdicts as text: a row for each method, a column for each dataset, shot and protocol.

    A number is ``equal``, or the difference and what is allowed, in points; an exclamation mark: it is outside.
    """
    several = judged["dataset"].nunique() > 1
    cells: dict[str, dict[str, str]] = {}
    for row in judged.to_dict("records"):
        column = f"{row['dataset']} " * several + f"{row['shot']}-shot {row['protocol']}"
        text = f"{100 * row['difference']:+.1f} of {100 * row['allowed']:.1f}" + " !" * (row["verdict"] == OUTSIDE)
        cells.setdefault(row["method"], {})[column] = EQUAL if row["verdict"] == EQUAL else text
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("-")
    found = {method: set(verdicts) for method, verdicts in judged.groupby("method")["verdict"]}
    worst = [next(each for each in (OUTSIDE, WITHIN, EQUAL) if each in found[method]) for method in cells]
    return f"{name}\n{table.assign(verdict=worst).to_string()}\n"


def describe_bytes(reference: Reference, run: Path) -> str:
    """Say how many artefacts have the committed bytes, and which is the first that has not.

    Where the digests of all artefacts are committed these are compared, otherwise those of tables and figures; what
    holds seconds is left out.
    """
    file = reference.folder / DIGESTS
    if file.exists():
        expected = dict(read(file).artefacts)
    else:
        entries = [(kind, *item) for kind in ("tables", "figures") for item in reference.run.get(kind, {}).items()]
        expected = {
            f"{RESULTS}/{kind}/{name}": sha256 for kind, name, sha256 in entries if not Path(name).match(f"{SECONDS}.*")
        }
    digest_of = _recorded_digest if file.exists() else _file_digest
    differing = [name for name, sha256 in expected.items() if digest_of(run / name) != sha256]
    equal = f"{len(expected) - len(differing)} of {len(expected)} artefacts have the committed bytes"
    return f"{equal}; the first that differs or is missing: {differing[0]}" if differing else equal


def _recorded_digest(artefact: Path) -> str | None:
    """Return the digest in the record of an artefact; None without a record, or if the artefact is not as it says."""
    if not (file := provenance_path(artefact)).exists():
        return None
    record = read_record(file)
    return None if any(find_damages(artefact, record)) else str(record["sha256"])


def _file_digest(artefact: Path) -> str | None:
    return sha256_of(artefact) if artefact.exists() else None


def summarise(tables: dict[str, pd.DataFrame]) -> tuple[str, int]:
    """Return the verdict in a sentence, and the exit code."""
    rows = pd.concat(tables.values())
    counts = {verdict: int((rows["verdict"] == verdict).sum()) for verdict in (EQUAL, WITHIN, OUTSIDE)}
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    if not counts[OUTSIDE]:
        reproduced = "to the last digit" if counts[EQUAL] == len(rows) else "as far as the intervals tell"
        return f"reproduced, {reproduced}: of {len(rows)} accuracies {counted}", 0
    text = f"not reproduced: of {len(rows)} accuracies {counted}"
    if (rows["n_seeds"] == 1).all() and "n_replicates" not in rows:
        text += (
            "\nEach method was trained once, and the intervals cover episodes only: other kernels move a training as "
            "another seed does, so a number outside need not mean that something is wrong."
        )
    return text, 1


def main(arguments: Sequence[str]) -> int:
    """Compare; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tgr.run.reproduction", description="Hold a finished run against the committed results."
    )
    parser.add_argument("config", type=Path, help="the run's configuration, e.g. config/config.yaml")
    parser.add_argument(
        "directory", nargs="?", default=".", type=Path, help="working directory of the run (default: .)"
    )
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config)
        reference = find_reference(options.config)
        if other := find_other_settings(settings, options.directory):
            raise TgrError(f"{other}; it is a run of another configuration")
        tables = compare(reference, options.directory)
        made = f"commit {reference.run['commit'][:10]}, {reference.run['finished'][:10]}"
        print(f"{options.directory} against the committed run {reference.folder.name} ({made})\n")
        for name, judged in tables.items():
            print(describe_table(name, judged))
        verdict, code = summarise(tables)
        print(describe_bytes(reference, options.directory))
        print(verdict)
    except (TgrError, OSError) as error:
        print(f"not comparable: {error}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
