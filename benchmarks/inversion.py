"""Inversion of a teacher: the paper's generator recipe against the pixel engine.

Run by hand, from the project's root: python -m benchmarks.inversion [--quick]
All steps of a recipe cost the same, so a few are timed and multiplied. With --teachers and --dataset the accuracy is
measured too: students that see recovered images alone are tested on real ones, for both recipes. That takes minutes a
teacher, nearly all of them for the generator.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import naive, timing
from tgr.backbones.registry import build
from tgr.config.teachers import Inversion
from tgr.data.dataset import ImageDataset
from tgr.inversion import generator, pixel
from tgr.inversion.registry import get
from tgr.inversion.stage import invert_teacher
from tgr.inversion.statistics import channel_statistics
from tgr.inversion.transfer import student_accuracy
from tgr.pool.card import Card, read_cards
from tgr.pool.teacher import Teacher, load_teacher

N_WAY, WIDTH, IMAGE_SIZE = 5, 32, 32
PIXEL, GENERATOR, PLAIN = "pixel engine", "generator engine", "paper's recipe, plain"
RECIPE_STEPS = {PIXEL: pixel.DEFAULT_STEPS, GENERATOR: generator.DEFAULT_STEPS, PLAIN: generator.DEFAULT_STEPS}


def main() -> None:
    """Print the tables."""
    options = timing.parser(__doc__, rounds=5)
    options.add_argument("--steps", type=int, default=2, help="inversion steps in one timing")
    options.add_argument("--images-per-class", type=int, default=30)
    options.add_argument("--teachers", type=Path, help="a shard of teachers, for the accuracy")
    options.add_argument("--dataset", type=Path, help="their dataset, results/datasets/<name>.safetensors")
    options.add_argument("--count", type=int, default=2, help="teachers whose images are judged")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.steps, arguments.images_per_class = 1, 1, 4
    timing.begin(arguments)
    _speed(arguments)
    _statistics(arguments)
    if arguments.teachers:
        _accuracy(arguments)


def _speed(arguments: argparse.Namespace) -> None:
    teacher = reference_teacher()
    labels = torch.arange(N_WAY).repeat_interleave(arguments.images_per_class)
    variants: dict[str, timing.Variant] = {
        PIXEL: _engine("pixel", teacher, labels, arguments.steps),
        GENERATOR: _engine("generator", teacher, labels, arguments.steps),
        PLAIN: lambda: naive.invert_by_generator(naive.conv4_like(teacher.model, "running"), labels, arguments.steps),
    }
    seconds = timing.interleaved(variants, arguments.rounds, arguments.clock)
    title = f"one step, {len(labels)} images of {IMAGE_SIZE} px, Conv4 of {WIDTH}"
    timing.compare(title, seconds, PIXEL, per=arguments.steps)
    print("\n  one teacher at the default number of steps, seconds (and times ours)")
    for unit, summary in (("medians", statistics.median), ("minima", min)):
        whole = {name: RECIPE_STEPS[name] * summary(values) / arguments.steps for name, values in seconds.items()}
        shown = ", ".join(f"{name} {value:.1f} ({value / whole[PIXEL]:.1f})" for name, value in whole.items())
        print(f"    {unit}: {shown}")


def _engine(name: str, teacher: Teacher, labels: Tensor, steps: int) -> Callable[[], object]:
    config = Inversion.model_validate({"engine": name, "steps": steps})
    return lambda: get(name)(teacher, labels, config, None, torch.Generator().manual_seed(0))


def _statistics(arguments: argparse.Namespace) -> None:
    """Compare the channel statistics with PyTorch's own."""
    shape = (N_WAY * arguments.images_per_class, WIDTH, IMAGE_SIZE, IMAGE_SIZE)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()

    def both_ways(function: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        mean, variance = function(x)
        torch.autograd.grad(mean.sum() + variance.sum(), x)

    variants = {"own": lambda: both_ways(channel_statistics), "var_mean": lambda: both_ways(naive.channel_statistics)}
    seconds = timing.interleaved(variants, arguments.rounds, arguments.clock)
    timing.compare(f"channel statistics of {tuple(x.shape)}, channels-last, forward and backward", seconds, "own")


def _accuracy(arguments: argparse.Namespace) -> None:
    """Compare students of recovered images."""
    dataset = ImageDataset.load(arguments.dataset)
    print("\naccuracy on real images of a student that saw recovered images alone, percent")
    for card in read_cards(arguments.teachers)[: arguments.count]:
        teacher = load_teacher(arguments.teachers, card, torch.device("cpu"))
        found = []
        for engine in ("pixel", "generator"):
            recovered = invert_teacher(teacher, Inversion.model_validate({"engine": engine}))
            accuracy = 100 * student_accuracy(recovered, dataset)
            found.append(f"{engine} {accuracy:.1f} ({recovered.report.wall_seconds:.0f} s of wall time)")
        print(f"  {card.key}, itself {100 * (card.held_out_accuracy or 0):.1f}: {', '.join(found)}", flush=True)


def reference_teacher() -> Teacher:
    """Return an untrained Conv4 with a card."""
    card = Card(
        name="teacher-0000",
        pool="benchmark",
        dataset="none",
        classes=[f"class-{i}" for i in range(N_WAY)],
        architecture="conv4",
        width=WIDTH,
        image_size=IMAGE_SIZE,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        flips=True,
        held_out_accuracy=0.0,
        train_accuracy=0.0,
        sha256="",
        wall_seconds=0.0,
    )
    return Teacher(card, build("conv4", N_WAY, WIDTH, IMAGE_SIZE, "benchmark").eval())


if __name__ == "__main__":
    main()
