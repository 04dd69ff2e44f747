"""What an earlier run left in a Slurm queue."""

import os
import shutil
import subprocess
from pathlib import Path


def jobs_logging_below(folder: Path) -> list[str]:
    """Return the numbers of this user's Slurm jobs, waiting ones included, whose log is below a folder.

    There are none where Slurm is not installed or does not answer: then nothing can be submitted either.
    """
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", f"--user={os.getuid()}", "--noheader", "--Format=JobID:20,StdOut:4096"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return []
    jobs = dict(line.split(maxsplit=1) for line in answer.stdout.splitlines() if len(line.split()) > 1)
    return [number for number, log in jobs.items() if Path(log.rstrip()).is_relative_to(folder)]
