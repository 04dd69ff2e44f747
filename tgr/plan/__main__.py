"""Print what a configuration will take: ``python -m tgr.plan config/config.yaml [--cores 2]``."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from tgr.config.load import load
from tgr.config.schema import Config
from tgr.errors import TgrError
from tgr.plan.planner import Cost, costs, total
from tgr.plan.shapes import UNKNOWN, known_shape
from tgr.plan.units import Units, load_units

HEADINGS = ("rule", "jobs", "CPU hours", "GPU hours", "memory (GB)", "disk (GB)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or an error, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("config", help="a configuration file")
    parser.add_argument("--cores", type=int, default=2, help="jobs at a time")
    options = parser.parse_args(arguments)
    try:
        config, units = load(options.config), load_units()
        print("\n".join(lines(config, units, options.cores)))
    except TgrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def lines(config: Config, units: Units, cores: int) -> list[str]:
    """Return the table and what it rests on."""
    parts = costs(config, units)
    everything = total(parts)
    rows = [cells(cost, units) for cost in [*parts, everything]]
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    table = ["  ".join(_aligned(row, widths)) for row in [HEADINGS, *rows]]
    rule = "-" * len(table[0])
    return [
        *table[:1],
        rule,
        *table[1:-1],
        rule,
        table[-1],
        "",
        f"On {cores} idle cores: about {_hours(everything.seconds / cores)} hours, "
        f"up to {cores * everything.memory_mb / 1000:.1f} GB of memory.",
        "Estimates, good to a factor of two: steps and images are counted from the configuration and multiplied",
        f"by unit costs ({units.machine}; `{units.command}`).",
        f"GPU hours are not measured: a GPU is taken for {units.assumed['gpu_speedup']:.0f} such cores.",
        *_assumptions(config),
    ]


def cells(cost: Cost, units: Units) -> tuple[str, ...]:
    """Return one row of the table."""
    work = cost.seconds - cost.jobs * units.job_start
    gpu = _hours(cost.jobs * units.job_start + work / units.assumed["gpu_speedup"]) if cost.device else ""
    memory, disk = cost.memory_mb / 1000, cost.disk_mb / 1000
    return cost.rule, str(cost.jobs), _hours(cost.seconds), gpu, f"{memory:.1f}", f"{disk:.2f}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"


def _assumptions(config: Config) -> Iterator[str]:
    """Say what the plan knows nothing of."""
    for name, dataset in config.datasets.items():
        if dataset.source != "mix" and known_shape(name, dataset) is None:
            size = f"{UNKNOWN.classes} classes of {UNKNOWN.images // UNKNOWN.classes} images"
            yield f"datasets.{name}: taken for {size} of {dataset.image_size or UNKNOWN.pixels} px."


if __name__ == "__main__":
    sys.exit(main())
