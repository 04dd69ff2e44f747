"""Time and memory of planning a run (`snakemake --dry-run`) with many teachers.

Run by hand, from the project's root: python -m benchmarks.dag_scale [--teachers 1000 10000] [--per-job 5 20 100]
Every pool of the configuration gets so many teachers. Planning is one thread that reads a little from disk, so that
its processor seconds are its duration on a quiet machine; the wall-clock time tells how quiet this one was.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Plan:
    """What planning a run cost.

    Attributes:
        jobs: how many jobs the run has.
        cpu_seconds: processor time, user and system.
        wall_seconds: duration.
        memory_mb: largest resident size.
    """

    jobs: int
    cpu_seconds: float
    wall_seconds: float
    memory_mb: float


def plan(config: dict, n_teachers: int, teachers_per_job: int) -> Plan:
    """Plan a run from scratch whose pools have so many teachers.

    Raises:
        RuntimeError: Snakemake failed.
    """
    sizes = {"n_teachers": n_teachers, "teachers_per_job": teachers_per_job}
    config = config | {"pools": {name: pool | sizes for name, pool in config["pools"].items()}}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--configfile", str(file)]
        started = time.perf_counter()
        with (Path(folder) / "output").open("w+") as output:
            process = subprocess.Popen([*command, "--directory", folder], stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.perf_counter() - started
            output.seek(0)
            text = output.read()
    found = re.search(r"^total +(\d+)$", text, flags=re.MULTILINE)
    if status or not found:
        raise RuntimeError(text[-2000:])
    return Plan(int(found[1]), usage.ru_utime + usage.ru_stime, wall_seconds, usage.ru_maxrss / 1024)


def main() -> None:
    """Plan every combination and print one row for each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--teachers", type=int, nargs="+", default=[1000, 10000])
    arguments.add_argument("--per-job", type=int, nargs="+", default=[5, 20, 100])
    arguments.add_argument("--config", default="config/config.yaml")
    options = arguments.parse_args()
    config = yaml.safe_load(Path(options.config).read_text())
    print("| teachers a pool | teachers_per_job | jobs | processor s | wall s | memory (MB) |")
    print("|--:|--:|--:|--:|--:|--:|")
    for n_teachers in options.teachers:
        for per_job in options.per_job:
            made = plan(config, n_teachers, per_job)
            print(
                f"| {n_teachers:,} | {per_job} | {made.jobs:,} | {made.cpu_seconds:.1f} | {made.wall_seconds:.1f} "
                f"| {made.memory_mb:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
