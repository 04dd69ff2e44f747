"""What the side-by-side measurements share: interleaved timing, peak memory, and a table.

Absolute times mean little on a machine with other work. The variants therefore take turns within a round, in one
process and with the same number of threads, and what counts is the ratio of their medians and of their minima.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile

ALLOCATOR = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
"""``cpu`` counts the seconds of all threads of this process, so that other processes disturb it less."""

Variant = Callable[[], object]


def parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all scripts have."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--rounds", type=int, default=rounds, help="timings of each variant")
    result.add_argument("--threads", type=int, default=1, help="threads of every variant; the workflow's jobs have one")
    result.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    result.add_argument("--quick", action="store_true", help="as small as it gets: only to see that the script works")
    return result


def begin(options: argparse.Namespace) -> None:
    """Set the number of threads, and print what the times depend on."""
    torch.set_num_threads(options.threads)
    allocator = ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in ALLOCATOR)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, {allocator}")
    print(f"load averages {load}; {options.clock} time, {options.rounds} interleaved rounds")


def interleaved(
    variants: Mapping[str, Variant], rounds: int, clock: str = "wall", *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Return the seconds of each variant, measured in turn, by default after one unmeasured call of each."""
    now = CLOCKS[clock]
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values() if warm_up else ():
        variant()
    for _ in range(rounds):
        for name, variant in variants.items():
            started = now()
            variant()
            seconds[name].append(now() - started)
    return seconds


def compare(title: str, seconds: Mapping[str, list[float]], ours: str, per: float = 1.0) -> None:
    """Print medians and minima in milliseconds, and how many times slower than ours each variant is.

    Args:
        per: what one timing holds, e.g. steps; times are divided by it.
    """
    print(f"\n{title}\n  {'milliseconds':34} {'median':>10} {'minimum':>10}   times ours: medians, minima")
    median, minimum = statistics.median(seconds[ours]), min(seconds[ours])
    for name, values in seconds.items():
        own = statistics.median(values), min(values)
        milliseconds = " ".join(f"{1000 * value / per:10.1f}" for value in own)
        print(f"  {name:34} {milliseconds}   {own[0] / median:6.2f} {own[1] / minimum:6.2f}")


def peak_tensors(variant: Variant) -> float:
    """Return how many MB of tensors are alive at once, at most, beyond those that were there before.

    PyTorch's own record of allocations: unlike the process's resident size it does not depend on the allocator.
    """
    variant()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        variant()
    events = recorded.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    return max(accumulate(size for _, size in changes)) / 1e6
