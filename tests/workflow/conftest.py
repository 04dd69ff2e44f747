"""Projects in which the workflow ran, or has not run yet."""

import fcntl
import shutil
from pathlib import Path

import pytest
from workflow_project import Project, copy_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Project:
    """A project, in a path with spaces, whose tiny configuration ran on two cores. Tests must not change it.

    Test processes share it: the first to ask makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = folder / "a folder with spaces"
        if not (folder / "made").exists():
            shutil.rmtree(root, ignore_errors=True)
            copy_project(root).run(cores=2)
            (folder / "made").touch()
    return Project(root)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    root = tmp_path / "bench"
    shutil.copytree(finished.root, root)
    return Project(root)


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing has run. Tests must not change it."""
    return copy_project(tmp_path_factory.mktemp("pristine") / "bench")
