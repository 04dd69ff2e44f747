"""Looking for jobs of an earlier run, with a stand-in for `squeue`."""

import os
from pathlib import Path

import pytest

from tgr.run.slurm import jobs_logging_below


def put_squeue(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "squeue"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_only_jobs_that_log_below_the_folder_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, others = tmp_path / "a run/logs", tmp_path / "a run/logs-of-others"
    lines = [f"7    {ours}/rule_train/7.log   ", f"8    {others}/8.log", f"12   {ours}/12.log", "13"]
    put_squeue(tmp_path, "cat <<END\n" + "\n".join(lines) + "\nEND", monkeypatch)
    assert jobs_logging_below(ours) == ["7", "12"]


def test_a_silent_slurm_has_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_squeue(tmp_path, "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1", monkeypatch)
    assert jobs_logging_below(tmp_path) == []


def test_without_slurm_there_are_no_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jobs_logging_below(tmp_path) == []
