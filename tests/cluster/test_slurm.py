"""The profile `slurm` on a real Slurm: one run that meets every fault ends in the bytes of an undisturbed local run."""

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cluster_project import Head
from slurm_lab import SlurmLab
from workflow_project import Project, copy_project

TARGETS = ("results/tables/shapes/main.md", "results/tables/shapes/selection.md")
"""What needs every stage. Two tables, so that jobs share a submission; test_smoke.py makes everything."""
SHOW_ENVIRONMENT = """
import json, os, pathlib
pathlib.Path("environment.json").write_text(json.dumps(dict(os.environ)))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project, in a path with a space, in which nothing has run yet."""
    return copy_project(tmp_path_factory.mktemp("cluster") / "the bench")


@pytest.fixture(scope="module")
def story(lab: SlurmLab, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """What happened in a run that met one fault after the other."""
    heads: list[Head] = []

    def start(*options: str) -> Head:
        heads.append(Head(lab, project, tmp_path_factory.mktemp("log") / "head.log").start(*options))
        return heads[-1]

    told = SimpleNamespace()
    try:
        too_big(told, start)
        cancelled(told, lab, project, start)
        head_lost(told, lab, start)
        node_lost(told, lab, project, start)
        yield told
    finally:
        for head in heads:
            head.kill()
        lab.cancel(*lab.jobs())


def too_big(told, start) -> None:
    """Ask for more memory than a node has."""
    head = start("--set-resources", "load_dataset:mem_mb=99000", "--until", "load_dataset")
    told.too_big_code, told.too_big = head.wait(), head.output()


def cancelled(told, lab, project, start) -> None:
    """Cancel a job that runs, on nodes with a GPU."""
    profile = project.root / "profiles/slurm/config.yaml"
    text = profile.read_text()
    profile.write_text(text.replace("gpu: 0", "gpu: 1"))
    project.edit("workflow/scripts/draw_episodes.py", SHOW_ENVIRONMENT)
    head = start("--until", "pretrain", "draw_episodes")
    job = head.wait_for_job("pretrain")
    told.with_gpu = lab.run("scontrol", "show", "job", job)
    lab.cancel(job)
    told.cancelled_code, told.cancelled, told.cancelled_job = head.wait(), head.output(), job
    profile.write_text(text)


def head_lost(told, lab, start) -> None:
    """Kill Snakemake while jobs run; look whether it starts again before they are cancelled; cancel them as it says."""
    head = start(*TARGETS)
    head.wait_for_job("invert")
    head.kill()
    told.orphans = lab.jobs()
    refused = start(*TARGETS)
    told.refused_code, told.refused = refused.wait(), refused.output()
    told.advice = re.findall(r"\(scancel ([\d ]+)\)", told.refused)
    lab.cancel(*told.advice[0].split())


def node_lost(told, lab, project, start) -> None:
    """Run to the end, although a node dies under a job."""
    head = start(*TARGETS)
    job = head.wait_for_job("train")
    node = lab.node_of(job)
    lab.lose_node(node)
    head.wait_until(lambda: "Restarts=1" in lab.run("scontrol", "show", "job", job), "the job is not queued again")
    lab.run("slurmd", "-N", node)
    told.end_code, told.end = head.wait(), head.output()


def test_too_much_memory_is_refused_at_once(story: SimpleNamespace) -> None:
    assert story.too_big_code == 1
    assert "Memory specification can not be satisfied" in story.too_big
    assert "load_dataset" in story.too_big.split("sbatch failed")[0]


def test_gpu_of_the_profile_reaches_slurm(story: SimpleNamespace) -> None:
    assert "gres/gpu=1" in story.with_gpu or "gres:gpu:1" in story.with_gpu


def test_cancelled_job_is_named(story: SimpleNamespace) -> None:
    assert story.cancelled_code == 1
    assert f"SLURM-job '{story.cancelled_job}' failed, SLURM status is: 'CANCELLED'" in story.cancelled
    assert "Error in rule pretrain" in story.cancelled


def test_environment_reaches_the_jobs(story: SimpleNamespace, project: Project) -> None:
    found = json.loads((project.root / "environment.json").read_text())
    assert found["OMP_NUM_THREADS"] == "1" and found["MALLOC_TRIM_THRESHOLD_"] == "4294967296"
    assert re.fullmatch(rf"\d+@{re.escape(socket.gethostname())}", found["TGR_WORKFLOW_PID"])


def test_run_after_a_killed_one_waits_for_its_jobs_to_be_cancelled(story: SimpleNamespace) -> None:
    assert story.refused_code == 1 and "jobs of an earlier run still write to" in story.refused
    assert story.orphans and set(story.advice[0].split()) == set(story.orphans)


def test_run_survives_a_lost_node(story: SimpleNamespace, project: Project) -> None:
    assert story.end_code == 0, story.end[-4000:]
    assert "Error in rule" not in story.end
    assert project.planned(*TARGETS) == {}


def test_results_equal_those_of_a_local_run(story: SimpleNamespace, project: Project, tmp_path: Path) -> None:
    local = copy_project(tmp_path / "bench")
    shutil.copytree(project.root / "data", local.root / "data", dirs_exist_ok=True)
    local.run(*TARGETS, cores=os.cpu_count() or 1)
    found = project.digests()
    assert {Path(file).parts[1] for file in found} >= {"teachers", "recovered", "models", "evaluation", "tables"}
    assert local.digests() == found
    assert not [*(project.root / "results").rglob("*.partial*")]
