"""A Slurm for the tests of this folder, and the project in which a run went through every fault."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "workflow"))

from slurm_lab import SlurmLab, UnavailableError


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmLab]:
    """A running cluster."""
    lab = SlurmLab(tmp_path_factory.mktemp("slurm"))
    try:
        lab.start()
    except UnavailableError as reason:
        pytest.skip(f"no Slurm here: {reason}")
    try:
        yield lab
    finally:
        lab.stop()
