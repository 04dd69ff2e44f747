"""Faults that a run must survive. Each check works on copies of a finished project, and compares digests with it.

Most take light stages, which compute nothing: the faults are those of the workflow, and its stages take their time.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.kills import start
from tests.workflow.workflow_project import COUNTS, Project, job_counts
from tgr.artifacts import provenance_path, remove
from tgr.run.provenance import read_record
from tgr.run.verify import repair, verify

PAGE = 4096
OTHER_VOLUME = Path("/dev/shm")
"""A file system in memory that most systems have."""
LIGHT_STAGE = Path(__file__).with_name("light_stage.py")
NOT_ARTEFACTS = ("logs", "benchmarks", "report.html")
"""What no job writes as its result; the report is Snakemake's own."""
STRANGE = "späce, 文字 & $(touch pwned); 'x'"
"""A folder's name that a shell must never read."""


def without_computation(project: Project) -> Project:
    """Put a light stage in the place of every script of a project: jobs then take a second, all else is as it was."""
    for script in (project.root / "workflow/scripts").glob("*.py"):
        script.write_text(LIGHT_STAGE.read_text())
    return project


def fresh(finished: Project, root: Path) -> Project:
    """Return a copy in which nothing has run."""
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns("results", ".snakemake"), dirs_exist_ok=True)
    (root / COUNTS).parent.mkdir(exist_ok=True)
    shutil.copy(finished.root / COUNTS, root / COUNTS)
    return replace(finished, root=root)


def compare(project: Project, finished: Project) -> int:
    """Compare all digests; return their number."""
    found, wanted = project.digests(), finished.digests()
    assert found and found == wanted, sorted(path for path in {*found, *wanted} if found.get(path) != wanted.get(path))
    assert not [*(project.root / "results").rglob("*.partial*")]
    assert not verify(project.root).damages
    return len(found)


def full_disk(finished: Project, root: Path, *targets: str, whole: bool) -> int:
    """Run on a disk that becomes full, then again with more space.

    Args:
        whole: whether Snakemake's own notes lie on that disk too, or the results alone.
    """
    small = root if whole else root / "results"
    with mounted(small, "tmpfs", "none", "-o", "size=100m"):
        project = fresh(finished, root)
        half = sum(-(-file.stat().st_size // PAGE) * PAGE for file in _files(finished.root / "results")) // 2
        subprocess.run(["mount", "-o", f"remount,size={_used(small) + half}", small], check=True)
        output = project.run(*targets, check=False)
        assert "No space left on device" in output
        assert whole or "Traceback" not in output, output  # Snakemake prints one if it cannot write its own notes
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        project.run(*targets)
        return compare(project, finished)


def read_only(finished: Project, root: Path, *targets: str) -> int:
    """Run with results that cannot be written to, then again with write access."""
    shutil.copytree(finished.root, root)
    project, results = replace(finished, root=root), root / "results"
    remove(root / targets[0])
    with mounted(results, "none", str(results), "-o", "bind"):
        subprocess.run(["mount", "-o", "remount,bind,ro", results], check=True)
        output = project.run(*targets, check=False)
    assert "results: cannot be written to; check the permissions, or use --directory" in output
    assert "Traceback" not in output
    project.run(*targets)
    return compare(project, finished)


def two_at_once(finished: Project, root: Path, *targets: str) -> int:
    """Start two runs at once: one is refused, the other completes."""
    project = fresh(finished, root)
    runs = [start(project, 1, *targets, output=subprocess.PIPE) for _ in range(2)]
    outputs = [process.communicate()[0].decode() for process in runs]
    assert sorted(process.returncode for process in runs) == [0, 1], "\n\n".join(outputs)
    refused = outputs[[process.returncode for process in runs].index(1)]
    assert "another run is using" in refused and "Traceback" not in refused
    return compare(project, finished)


def other_volume(finished: Project, root: Path, volume: Path, *targets: str) -> int:
    """Run with results on another volume than the project."""
    project = fresh(finished, root)
    assert volume.stat().st_dev != root.stat().st_dev
    (root / "results").symlink_to(volume)
    project.run(*targets)
    return compare(project, finished)


def strange_path(finished: Project, parent: Path, *targets: str, cores: int = 2) -> int:
    """Run in a path with spaces, non-ASCII letters, and what a shell would take for a command."""
    project = fresh(finished, parent / STRANGE)
    project.run(*targets, cores=cores)
    assert not [*parent.rglob("pwned")]
    return compare(project, finished)


def damage_is_named(finished: Project, root: Path, generator: random.Random, per_kind: int | None = None) -> int:
    """Flip a bit of, truncate and remove files of artefacts, records included; return the number of tries.

    Args:
        per_kind: how many files of each stage and suffix; all if it is None.
    """
    shutil.copytree(finished.root / "results", root / "results")
    kinds: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(_files(root / "results")):
        place = file.relative_to(root / "results")
        if place.parts[0] not in NOT_ARTEFACTS:
            kinds.setdefault((place.parts[0], "".join(place.suffixes)), []).append(file)
    files = [file for kind in kinds.values() for file in generator.sample(kind, min(per_kind or len(kind), len(kind)))]
    tries = 0
    for file in files:
        content = file.read_bytes()
        flipped, position = bytearray(content), generator.randrange(8 * len(content))
        flipped[position // 8] ^= 1 << position % 8
        for damaged in (bytes(flipped), content[: generator.randrange(len(content))], None):
            file.write_bytes(damaged) if damaged is not None else file.unlink()
            named = {damage.file for damages in verify(root).damages.values() for damage in damages}
            assert named == {file}, f"{file}: {named}"
            tries += 1
            file.write_bytes(content)
    return tries


def repaired(finished: Project, root: Path, artefact: Path, *targets: str) -> tuple[int, int]:
    """Damage an artefact, repair, and run: exactly what was moved aside is made again.

    Returns:
        The number of jobs that ran, and of digests compared.
    """
    shutil.copytree(finished.root, root)
    project = replace(finished, root=root)
    damaged = root / artefact
    file = damaged
    if damaged.is_dir():
        file = next(file for file in sorted(_files(damaged)) if "provenance" not in file.name)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    report = verify(root)
    assert [*report.damages] == [damaged]
    moved = [damaged, *report.dependants]
    jobs = {_job(path) for path in moved}
    everything = [root / path for path in artefacts(finished)]
    remade = {provenance_path(path) for path in everything if path in moved or _job(path) in jobs}
    kept = {path: path.read_bytes() for path in map(provenance_path, everything) if path not in remade}
    repair(root, report)
    ran = sum(job_counts(project.run(*targets)).values())
    assert ran == len(jobs), f"{ran} jobs for {len(jobs)} of which artefacts were moved aside"
    assert all(path.read_bytes() == record for path, record in kept.items())  # a record holds the time of its job
    return ran, compare(project, finished)


def artefacts(project: Project) -> list[Path]:
    """Return all artefacts of a finished project, relative to it."""
    records = [file for file in _files(project.root / "results") if file.name.endswith("provenance.json")]
    return sorted({Path(read_record(record)["output"]) for record in records})


@contextmanager
def mounted(folder: Path, kind: str, what: str, *options: str) -> Iterator[None]:
    """Mount a file system inside the block."""
    folder.mkdir(parents=True, exist_ok=True)
    types = ["-t", kind] if kind != "none" else []
    subprocess.run(["mount", *types, *options, what, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def cannot_mount(folder: Path) -> str:
    """Return why file systems cannot be mounted here, or nothing if they can."""
    if os.geteuid() != 0:
        return "mounting a small disk needs root"
    try:
        with mounted(folder, "tmpfs", "none", "-o", "size=1m"):
            return ""
    except subprocess.CalledProcessError as error:
        return f"cannot mount a small disk ({error})"


def _job(artefact: Path) -> str:
    made = read_record(provenance_path(artefact))
    return f"{made['rule']} {made['wildcards']}"


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.name != ".snakemake_timestamp"]


def _used(folder: Path) -> int:
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize
