"""One run at a time in a working directory that can be written to."""

import os
from pathlib import Path

import pytest

from tgr.errors import TgrError
from tgr.run import working_directory


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / working_directory.SNAKEMAKE).mkdir()
    return tmp_path


def test_second_run_is_refused_until_the_first_ends(directory: Path) -> None:
    first = working_directory.occupy(pytest.fail)
    with pytest.raises(TgrError, match="another run is using"):
        working_directory.occupy(pytest.fail)
    first.close()
    working_directory.occupy(pytest.fail).close()


def test_jobs_left_in_a_queue_are_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_directory, "jobs_logging_below", lambda folder: ["4711", "4712"])
    with pytest.raises(TgrError, match="scancel 4711 4712"):
        working_directory.occupy(pytest.fail)
    monkeypatch.setattr(working_directory, "jobs_logging_below", lambda folder: [])
    working_directory.occupy(pytest.fail).close()


def test_file_system_without_locks_is_warned_of(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(os.strerror(95))

    monkeypatch.setattr(working_directory.fcntl, "flock", refuse)
    warnings: list[str] = []
    working_directory.occupy(warnings.append).close()
    assert len(warnings) == 1 and "cannot be locked" in warnings[0]


def test_folder_that_cannot_be_written_to_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert working_directory.unwritable("results") is None
    (directory / "results").mkdir()
    working_directory.require_writable("results")
    monkeypatch.setattr(working_directory.os, "access", lambda *_: False)
    with pytest.raises(TgrError, match="results: cannot be written to"):
        working_directory.require_writable("results")
