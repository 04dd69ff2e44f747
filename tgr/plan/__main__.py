"""Print what a configuration will take: ``python -m tgr.plan config/config.yaml [--cores 2] [--gpu-costs gpu.json]``;
with ``--methods``, what each method takes in each scenario, and how long it would train at the cost of `tgr`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tgr.config.load import load
from tgr.config.schema import Config
from tgr.errors import TgrError
from tgr.plan.gpu import COMMAND, GpuCosts, load_gpu_costs, on_gpu
from tgr.plan.methods import REFERENCE, MethodCost, method_costs, reference_of
from tgr.plan.planner import Cost, costs, total
from tgr.plan.shapes import UNKNOWN, known_shape
from tgr.plan.units import Units, load_units

METHOD_HEADINGS = ("training", "images", "panel", "task space", "all", "visits", "of tgr", "equal cost")
HEADINGS = ("rule", "jobs", "CPU hours", "GPU hours", "memory (GB)", "disk (GB)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, or an error, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make plan", description=__doc__)
    parser.add_argument("config", help="a configuration file")
    parser.add_argument("--cores", type=int, default=2, help="jobs at a time")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--methods", action="store_true", help="compare the costs of the methods instead")
    choice.add_argument("--gpu-costs", type=Path, metavar="FILE", help=f"of a GPU, as `{COMMAND}` measures them")
    options = parser.parse_args(arguments)
    try:
        config, units = load(options.config), load_units()
        gpu = load_gpu_costs(options.gpu_costs) if options.gpu_costs else None
        print("\n".join(method_lines(config, units) if options.methods else lines(config, units, options.cores, gpu)))
    except TgrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def lines(config: Config, units: Units, cores: int, gpu: GpuCosts | None = None) -> list[str]:
    """Return the table and what it rests on; without costs of a GPU, its hours are a guess."""
    parts = costs(config, units)
    everything = total(parts)
    on_device = {cost.rule: cost.seconds for cost in costs(config, on_gpu(units, gpu)) if cost.device}
    rows = [cells(cost, on_device.get(cost.rule)) for cost in [*parts, everything]]
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
        *_about_gpu(units, gpu),
        *_assumptions(config),
    ]


def method_lines(config: Config, units: Units) -> Iterator[str]:
    """Yield for each scenario a table of the methods that train or read images, and what the tables rest on."""
    for scenario in config.named_scenarios:
        costs = [cost for cost in method_costs(config, units, scenario) if cost.total >= 1]
        reference = reference_of(costs)
        rows = [(scenario, *METHOD_HEADINGS), *(method_cells(cost, reference) for cost in costs)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        table = ["  ".join(_aligned(row, widths)) for row in rows]
        yield from (table[0], "-" * len(table[0]), *table[1:], "")
    yield "Seconds of one core for one seed; of a training for each shot, the mean. Teachers were there before."
    yield f"equal cost: how long the method would train if all of it took as long as {REFERENCE} does."
    yield f"Estimates by unit costs ({units.machine}; `{units.command}`)."


def method_cells(cost: MethodCost, reference: MethodCost | None) -> tuple[str, ...]:
    """Return the row of one method."""
    seconds = [
        f"{value:.0f}" for value in (cost.training, cost.recovered, cost.judgements, cost.task_space, cost.total)
    ]
    visits = f"{cost.visits:.1f}" if cost.visits else ""
    if reference is None:
        return cost.method, *seconds, visits, "", ""
    equal = cost.lengths_at(reference.total) if cost.equal_cost else None
    written = ", ".join(f"{name}: {value}" for name, value in equal.items()) if equal else ""
    return cost.method, *seconds, visits, f"{cost.total / reference.total:.2f}", f"{{{written}}}" if written else ""


def cells(cost: Cost, on_device: float | None) -> tuple[str, ...]:
    """Return one row of the table, from what the rule takes and the seconds in which a GPU does it, if it does."""
    gpu = "" if on_device is None else _hours(on_device)
    memory, disk = cost.memory_mb / 1000, cost.disk_mb / 1000
    return cost.rule, str(cost.jobs), _hours(cost.seconds), gpu, f"{memory:.1f}", f"{disk:.2f}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"


def _about_gpu(units: Units, gpu: GpuCosts | None) -> Iterator[str]:
    """Say what the hours of a GPU rest on."""
    if gpu:
        yield "GPU hours: the same counts by unit costs of a GPU, for one job at a time"
        yield f"({gpu.machine}; `{gpu.command}`)."
    else:
        yield f"GPU hours are a guess: a GPU is taken for {units.assumed['gpu_speedup']:.0f} such cores."
        yield f"`{COMMAND}` measures one; give its file as --gpu-costs."


def _assumptions(config: Config) -> Iterator[str]:
    """Say what the plan knows nothing of."""
    for name, dataset in config.datasets.items():
        if dataset.source != "mix" and known_shape(name, dataset) is None:
            size = f"{UNKNOWN.classes} classes of {UNKNOWN.images // UNKNOWN.classes} images"
            yield f"datasets.{name}: taken for {size} of {dataset.image_size or UNKNOWN.pixels} px."


if __name__ == "__main__":
    sys.exit(main())
