"""`kill -9` at random moments of a run, and its resumption."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.workflow.workflow_project import ENVIRONMENT, Project

VICTIMS = ("workflow", "workflow and jobs", "job, then workflow")
"""Whom the signal meets: Snakemake alone, all processes at once as in a crash, or a job first."""


def kill_and_resume(
    project: Project, n_kills: int, longest: float, cores: int, generator: random.Random, *options: str
) -> Counter[str]:
    """Run a project again and again, each time killed at a random moment, until it is complete.

    A moment is up to ``longest`` seconds after none, one or two more artefacts were complete, so that kills meet all
    stages, however busy the machine is. After ``n_kills`` the run may finish. Nobody waits between a kill and the next
    start: jobs that outlive their workflow for a moment must not disturb those that replace them.

    Returns:
        How often each kind of victim was killed.
    """
    killed: Counter[str] = Counter()
    while killed.total() < n_kills:
        process = start(project, cores, *options)
        _wait_for(_n_complete(project) + generator.randint(0, 2), project, process)
        try:
            code = process.wait(generator.uniform(0, longest))
        except subprocess.TimeoutExpired:
            victim = generator.choice(VICTIMS)
            _kill(process, project, victim, generator)
            killed[victim] += 1
        else:
            assert code == 0, f"a run that nobody killed ended with exit code {code}"
            break
    project.run(*options, cores=cores)
    return killed


def start(project: Project, cores: int, *options: str, output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    command = project.command(*options, cores=cores)
    streams = {"stdout": output, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=project.root, env=ENVIRONMENT, start_new_session=True, **streams)


def jobs_of(project: Project) -> list[int]:
    """Return the processes that run a script of the workflow in the project's folder, where the system lists them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if Path("/proc").is_dir() else []:
        try:
            if (entry / "cwd").readlink() == project.root and b".snakemake/scripts" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _n_complete(project: Project) -> int:
    walk = os.walk(project.root / "results")  # unlike rglob it does not mind what vanishes meanwhile
    return sum(name.endswith("provenance.json") for _, _, names in walk for name in names)


def _wait_for(n_complete: int, project: Project, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and _n_complete(project) < n_complete:
        time.sleep(0.1)


def _kill(process: subprocess.Popen[bytes], project: Project, victim: str, generator: random.Random) -> None:
    if victim == "workflow and jobs":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "job, then workflow":
        for job in jobs_of(project)[:1]:
            with suppress(ProcessLookupError):
                os.kill(job, signal.SIGKILL)
        time.sleep(generator.uniform(0, 2))
    process.kill()
    process.wait()
