"""The campaign of faults in its full form, run by hand: `make test-faults`. Short form: tests/workflow/test_faults.py.

``python -m tests.faults.campaign`` (``--help`` lists its options) prints a line for each check, with counts, and ends
with exit code 1 if one fails. What computes nothing comes first. Mounting small disks needs root; without it those
checks are left out, and the output says so.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults import checks
from tests.faults.kills import kill_and_resume
from tests.workflow.workflow_project import REPOSITORY, Project, copy_project

FIRST = "results/tables/shapes/main.csv"


class Campaign:
    """Checks against a finished project with light stages, and against one with the real ones."""

    def __init__(self, folder: Path, generator: random.Random, patience: float) -> None:
        self.folder = folder
        self.generator = generator
        self.real = replace(copy_project(folder / "real"), patience=patience)
        self.light = checks.without_computation(checks.fresh(self.real, folder / "light"))
        self.failed: list[str] = []

    def check(self, name: str, action: Callable[[], str]) -> None:
        """Do one check and print what it found."""
        started = time.perf_counter()
        try:
            found = action()
        except Exception:
            traceback.print_exc()
            self.failed.append(name)
            found = "FAILED"
        print(f"{name}: {found} ({time.perf_counter() - started:.0f} s)", flush=True)

    def undisturbed(self, finished: Project) -> str:
        """Make all that the other checks compare with."""
        finished.run()
        return f"{len(finished.digests())} files in {len(checks.artefacts(finished))} artefacts"

    def refused(self, kind: str) -> str:
        """Try bad input: a module of tests beside this one."""
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"tests/faults/test_{kind}.py"]
        done = subprocess.run(command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()[-1]

    def kills(self, finished: Project, n_kills: int, longest: float) -> str:
        """Kill runs until there were so many kills, in one project after another."""
        killed: Counter[str] = Counter()
        compared = rounds = 0
        while killed.total() < n_kills:
            rounds += 1
            project = checks.fresh(finished, self.folder / f"{finished.root.name}-kills-{rounds}")
            cores = self.generator.choice([1, 2, 8])
            killed += kill_and_resume(project, n_kills - killed.total(), longest, cores, self.generator)
            compared += checks.compare(project, finished)
            assert project.planned() == {}
        by_victim = ", ".join(f"{count} of {victim}" for victim, count in sorted(killed.items()))
        return f"{killed.total()} kills survived ({by_victim}), {rounds} runs completed, {compared} digests equal"

    def cores(self, finished: Project, cores: int) -> str:
        """Run in a strange path, on some number of cores."""
        compared = checks.strange_path(finished, self.folder / f"{finished.root.name}-cores-{cores}", cores=cores)
        return f"{compared} digests equal"

    def volume(self) -> str:
        """Run with results on another volume."""
        with tempfile.TemporaryDirectory(dir=checks.OTHER_VOLUME) as volume:
            return f"{checks.other_volume(self.light, self.folder / 'volume', Path(volume))} digests equal"

    def repairs(self) -> str:
        """Damage each artefact, and see what would be made again; make one again for each of some stages."""
        jobs = compared = 0
        found = checks.artefacts(self.light)
        for index, artefact in enumerate(self.generator.sample(found, 12)):
            done = checks.repaired(self.light, self.folder / f"repair-{index}", artefact)
            jobs, compared = jobs + done[0], compared + done[1]
        return f"12 damaged artefacts, {jobs} jobs, exactly those expected, {compared} digests equal"

    def disks(self) -> None:
        """Check what needs small disks."""
        reason = checks.cannot_mount(self.folder / "mount")
        if reason:
            print(f"full and read-only disks: left out, because {reason}")
            return
        for where, whole in (("results", False), ("everything", True)):
            full = self.folder / f"full-{where}"
            self.check(
                f"full disk below {where}",
                lambda full=full, whole=whole: f"{checks.full_disk(self.light, full, whole=whole)} digests equal",
            )
        read_only = self.folder / "read-only"
        self.check("read-only results", lambda: f"{checks.read_only(self.light, read_only, FIRST)} digests equal")


def run(campaign: Campaign, n_kills: int, n_real_kills: int) -> None:
    """Do all checks."""
    for kind in ("malformed", "hostile"):
        campaign.check(f"{kind} input", lambda kind=kind: campaign.refused(kind))
    light, real, folder = campaign.light, campaign.real, campaign.folder
    campaign.check("undisturbed run, light stages", lambda: campaign.undisturbed(light))
    campaign.check("two runs at once", lambda: f"{checks.two_at_once(light, folder / 'two')} digests equal")
    campaign.check("results on another volume", campaign.volume)
    campaign.disks()
    campaign.check("kill -9, light stages", lambda: campaign.kills(light, n_kills, 6))
    campaign.check("repair", campaign.repairs)
    campaign.check("undisturbed run, real stages", lambda: campaign.undisturbed(real))
    campaign.check(
        "damage to every file",
        lambda: f"{checks.damage_is_named(real, folder / 'damage', campaign.generator)} named",
    )
    for cores in (1, 8):
        campaign.check(f"real stages, strange path, --cores {cores}", lambda c=cores: campaign.cores(real, c))
    campaign.check("kill -9, real stages", lambda: campaign.kills(real, n_real_kills, 12))


def main() -> int:
    """Run the campaign in a temporary folder; return the exit code."""
    parser = argparse.ArgumentParser(description="Faults that a run must survive.")
    parser.add_argument("--kills", type=int, default=50, help="kills of runs with light stages")
    parser.add_argument("--real-kills", type=int, default=8, help="kills of runs with real stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=1200, help="seconds after which a run counts as hung")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        campaign = Campaign(Path(folder).resolve(), random.Random(options.seed), options.patience)
        run(campaign, options.kills, options.real_kills)
    print(f"failed: {', '.join(campaign.failed)}" if campaign.failed else "all checks passed")
    return 1 if campaign.failed else 0


if __name__ == "__main__":
    sys.exit(main())
