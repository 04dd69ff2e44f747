"""Projects in which the workflow ran, or has not run yet."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from workflow_project import Project, copy_project

MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakeOnce:
    """A function that returns a folder, in a path with spaces, which test processes share: the first that asks for its
    name makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()

    def make_once(name: str, make: Callable[[Path], object]) -> Path:
        folder = (base if worker_id == "master" else base.parent) / name
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            root = folder / "a folder with spaces"
            if not (folder / "made").exists():
                shutil.rmtree(root, ignore_errors=True)
                make(root)
                (folder / "made").touch()
        return root

    return make_once


@pytest.fixture(scope="session")
def finished(once: MakeOnce) -> Project:
    """A project whose tiny configuration ran on two cores. Tests must not change it."""
    return Project(once("finished", lambda root: copy_project(root).run(cores=2)))


@pytest.fixture(scope="session")
def reported(once: MakeOnce, finished: Project) -> Project:
    """A copy of the finished project with its report. Tests must not change it."""

    def report(root: Path) -> None:
        shutil.copytree(finished.root, root)
        Project(root).run("--report", "results/report.html")

    return Project(once("reported", report))


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
