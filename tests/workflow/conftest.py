"""Projects in which the workflow ran, or has not run yet."""

import shutil
from pathlib import Path

import pytest
from workflow_project import Project, copy_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project, in a path with spaces, whose tiny configuration ran on two cores. Tests must not change it."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "a folder with spaces")
    project.run(cores=2)
    return project


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
