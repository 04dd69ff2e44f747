"""Side-by-side speed of inversion: pixel against generator engine, own channel statistics against torch.var_mean.

Run by hand: ``OMP_NUM_THREADS=1 python -m benchmarks.inversion --rounds 7``. The variants alternate within a round, so
that a busy machine slows all of them; compare medians, minima and the ratio, never absolute times of separate runs.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tgr.backbones.registry import build
from tgr.config.schema import Inversion
from tgr.inversion.registry import ENGINES, get
from tgr.inversion.statistics import channel_statistics
from tgr.pool.teacher import Card, Teacher

N_WAY = 5
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timings of each variant")
    parser.add_argument("--steps", type=int, default=5, help="inversion steps in one timing")
    parser.add_argument("--images-per-class", type=int, default=30)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32, help="channels of the Conv4 teacher")
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="cpu: for one thread on a busy machine")
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    allocator = {key: os.environ.get(key, "unset") for key in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores, {allocator}")
    print(
        f"load average {os.getloadavg()[0]:.1f}, {N_WAY * arguments.images_per_class} images, Conv4 {arguments.width}, "
        f"{arguments.clock} time\n"
    )

    teacher = _teacher(arguments.width, arguments.image_size)
    steps = {name: _engine_steps(name, teacher, arguments) for name in ENGINES}
    compare(
        "engines, milliseconds a step", interleaved(steps, arguments.rounds, clock), 1000 / arguments.steps, "pixel"
    )

    shape = (N_WAY * arguments.images_per_class, arguments.width, arguments.image_size, arguments.image_size)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    passes = {"own": lambda: _both_ways(channel_statistics, x), "var_mean": lambda: _both_ways(_var_mean, x)}
    title = f"statistics of {tuple(x.shape)}, milliseconds forward and backward"
    compare(title, interleaved(passes, arguments.rounds, clock), 1000, "own")


def interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return seconds of each variant, measured in turn after one unmeasured call of each."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for variant in variants.values():
        variant()
    for _ in range(rounds):
        for name, variant in variants.items():
            started = clock()
            variant()
            seconds[name].append(clock() - started)
    return seconds


def compare(title: str, seconds: Mapping[str, list[float]], unit: float, reference: str) -> None:
    """Print median, minimum and the ratio of medians to the reference."""
    print(title)
    base = statistics.median(seconds[reference])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"  {name:10s} median {median * unit:8.1f}   min {min(values) * unit:8.1f}   ratio {median / base:6.2f}")
    print()


def _engine_steps(name: str, teacher: Teacher, arguments: argparse.Namespace) -> Callable[[], object]:
    values = {"engine": name, "steps": arguments.steps, "images_per_class": arguments.images_per_class}
    config = Inversion.model_validate(values)
    labels = torch.arange(N_WAY).repeat_interleave(arguments.images_per_class)
    return lambda: get(name)(teacher, labels, config, None, torch.Generator().manual_seed(0))


def _both_ways(function: Callable[[Tensor], tuple[Tensor, Tensor]], x: Tensor) -> None:
    mean, variance = function(x)
    torch.autograd.grad(mean.sum() + variance.sum(), x)


def _var_mean(x: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    return mean, variance


def _teacher(width: int, size: int) -> Teacher:
    card = Card(
        name="teacher-0000",
        pool="benchmark",
        dataset="none",
        classes=[f"class-{i}" for i in range(N_WAY)],
        architecture="conv4",
        width=width,
        image_size=size,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        flips=True,
        held_out_accuracy=0.0,
        train_accuracy=0.0,
        sha256="",
        wall_seconds=0.0,
    )
    return Teacher(card, build("conv4", N_WAY, width, size, "benchmark").eval())


if __name__ == "__main__":
    main()
