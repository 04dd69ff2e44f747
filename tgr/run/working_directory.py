"""The working directory of a run: whether it can be written to, and that one run at a time uses it."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from tgr.errors import TgrError
from tgr.run.slurm import jobs_logging_below

SNAKEMAKE = ".snakemake"
"""Snakemake's own folder in the working directory."""
LOCK = f"{SNAKEMAKE}/tgr.lock"
"""What a run holds as long as it lasts."""


def unwritable(folder: str) -> str | None:
    """Say that a folder cannot be written to, if it cannot; None if it can, or is not there."""
    if Path(folder).exists() and not os.access(folder, os.W_OK):
        return f"{Path(folder).absolute()}: cannot be written to; check the permissions, or use --directory"
    return None


def require_writable(folder: str) -> None:
    """Raise TgrError if a folder is there and cannot be written to."""
    if problem := unwritable(folder):
        raise TgrError(problem)


def occupy(warn: Callable[[str], None]) -> TextIO:
    """Take the working directory for this run until the returned file is closed, or the process ends.

    The kernel releases this lock when the process ends, however it ends; Snakemake's own, which the profile switches
    off, would stay after `kill -9`. Jobs in the queue of a cluster outlive the process.

    Args:
        warn: told if the file system knows no locks.

    Raises:
        TgrError: another run uses it, or jobs of an earlier one still write there.
    """
    here, lock = Path.cwd(), Path(LOCK).open("w")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise TgrError(f"another run is using {here}; wait until it ends, or use --directory") from None
    except OSError as error:
        warn(f"{here} cannot be locked ({error.strerror}): see to it that only one run uses it")
    if left := jobs_logging_below(Path(SNAKEMAKE).resolve() / "slurm_logs"):
        lock.close()
        raise TgrError(
            f"jobs of an earlier run still write to {here}; cancel them (scancel {' '.join(left)}), and run again"
        )
    return lock
