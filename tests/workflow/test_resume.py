"""Interrupted, moved, and differently parallel runs end in the same bytes."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from workflow_project import ENVIRONMENT, Project, copy_project

from tests.faults.kills import jobs_of

HOLD_THE_LOCK = """
import fcntl, time
file = open(".snakemake/tgr.lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)
"""

TARGETS = ("results/evaluation/shapes/bank/shot-1/seed-0", "results/embeddings/shapes-conv4/shard-0")
"""Eleven jobs: all that compute for one method, and an embedding."""
REACHED = {"datasets", "episodes", "teachers", "recovered", "embeddings", "models", "evaluation"}
"""Their stages. What follows from them takes one thread, too, and the bytes of the smoke run are compared."""

pytestmark = pytest.mark.slow


def test_killed_run_on_one_core_completes_to_the_digests_of_an_undisturbed_run_on_two(
    finished: Project, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "bench")
    process = subprocess.Popen(
        project.command(*TARGETS, cores=1),
        cwd=project.root,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for(lambda: any((project.root / "results").glob("teachers/*/.shard-*.partial")), process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (project.root / "results/teachers/shapes-conv4/shard-0").exists()
    _wait_for(lambda: not jobs_of(project), None, "a job outlived its workflow")

    output = project.run(*TARGETS, cores=1)

    assert "Error" not in output
    actual, expected = project.digests(), finished.digests()
    assert {path: expected[path] for path in actual} == actual
    assert {Path(path).parts[1] for path in actual} == REACHED
    assert not [*(project.root / "results").rglob("*.partial*")]
    assert project.planned(*TARGETS) == {}


def test_second_run_in_the_same_folder_is_refused(project: Project) -> None:
    project.edit("tgr/reporting/figures/curves.py")
    holder = subprocess.Popen(["python3", "-c", HOLD_THE_LOCK], cwd=project.root, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout and holder.stdout.readline() == "locked\n"
        output = project.run(check=False)
    finally:
        holder.kill()
        holder.wait()
    assert "another run is using" in output
    assert project.planned() == {"plot_curves": 1}


def test_half_written_output_is_never_taken_for_done(project: Project) -> None:
    """A stage that fails leaves no output, and one line says why."""
    (project.root / "results/recovered/shapes-conv4/shard-0/teacher-0000.safetensors").write_bytes(b"damaged")
    project.edit("tgr/task_space/fisher.py")
    output = project.run("results/embeddings/shapes-conv4/shard-0", check=False)
    lines = [line for line in output.splitlines() if line.startswith("error in embed (pool=shapes-conv4, shard=0): ")]
    assert len(lines) == 1
    assert "teacher-0000.safetensors" in lines[0]
    assert "Traceback" not in output
    assert not (project.root / "results/embeddings/shapes-conv4/shard-0").exists()


def _wait_for(condition: object, process: subprocess.Popen | None, message: str = "", seconds: int = 300) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "the workflow ended early"
        assert time.monotonic() < end, message or "waited too long"
        time.sleep(0.02)
