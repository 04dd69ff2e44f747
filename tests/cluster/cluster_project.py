"""Running the workflow on a cluster, in a copy of the project."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from slurm_lab import SlurmLab, wait_for
from workflow_project import ENVIRONMENT, Project

QUICK = (
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--max-status-checks-per-second",
    "1",
    "--latency-wait",
    "10",
)
"""What the profile sets for real clusters and a test of small jobs shortens."""
PATIENCE = 2400
"""Seconds after which a run counts as hanging."""


@dataclass
class Head:
    """A process of Snakemake that submits jobs."""

    lab: SlurmLab
    project: Project
    log: Path
    process: subprocess.Popen = field(init=False)

    def start(self, *options: str) -> "Head":
        """Start Snakemake with the profile."""
        project, environment = self.project, ENVIRONMENT | self.lab.changes
        command = [*project.command()[:3], "--profile", "profiles/slurm", "--configfile", project.config, *QUICK]
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                [*command, *options], cwd=project.root, env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        return self

    def wait_for_job(self, rule: str) -> str:
        """Wait until a job of a rule runs, and return its number."""
        self.wait_until(lambda: self.lab.jobs(f"rule_{rule}", "RUNNING"), f"no job of {rule} runs")
        return self.lab.jobs(f"rule_{rule}", "RUNNING")[0]

    def wait_until(self, condition: object, message: str) -> None:
        """Wait until a condition holds while the process runs."""
        assert callable(condition)

        def holds() -> object:
            assert self.process.poll() is None, self.output()[-4000:]
            return condition()

        wait_for(holds, message, PATIENCE)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """Kill the process, not its jobs."""
        self.process.kill()
        self.process.wait()

    def output(self) -> str:
        """Return what was printed so far."""
        return self.log.read_text()
