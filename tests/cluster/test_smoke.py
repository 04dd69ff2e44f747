"""The configuration `smoke`, every engine and method, through the profile `slurm`."""

import os
from pathlib import Path

import pytest
from cluster_project import Head
from slurm_lab import SlurmLab
from workflow_project import Project, copy_project


@pytest.mark.slow
def test_smoke_on_slurm_equals_a_local_run(lab: SlurmLab, tmp_path: Path) -> None:
    local, remote = (Project(copy_project(tmp_path / name).root, "config/smoke.yaml") for name in ("local", "remote"))
    head = Head(lab, remote, tmp_path / "head.log").start()
    try:
        assert head.wait() == 0, head.output()[-4000:]
    finally:
        head.kill()
        lab.cancel(*lab.jobs())
    local.run(cores=os.cpu_count() or 1)
    assert local.digests() == remote.digests()
