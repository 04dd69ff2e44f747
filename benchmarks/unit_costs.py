"""Measure the unit costs of the planner (``make plan``) on this machine, and write tgr/resources/unit_costs.json.

Run by hand, from the project's root, with the allocator's settings of the workflow:
MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 python -m benchmarks.unit_costs
Seconds are those of one core that computes (process time), the smallest of some rounds. Resident sizes are taken from a
finished run (--run): the largest of each rule.
"""

import csv
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from benchmarks import inversion, timing
from tgr import seeds
from tgr.artifacts import write_json
from tgr.backbones.classifier import batchnorm_mode
from tgr.backbones.probe import load_probe
from tgr.backbones.registry import build
from tgr.config.teachers import Inversion, TaskSpace
from tgr.data.transforms import resize
from tgr.inversion.generator import Generator
from tgr.inversion.registry import get
from tgr.meta.learners import Episode, fomaml, maml
from tgr.plan.networks import named
from tgr.plan.units import FILE, REFERENCE
from tgr.task_space import dissimilarity
from tgr.task_space.fisher import embed
from tgr.task_space.landmarks import similarity_factor

BATCH, FEW, SIZE = 128, 8, 32
FAMILIES = {"resnet": ("resnet10", 16), "resnet12": ("resnet12", 16), "timm": ("timm:lcnet_050", 1)}
JOB = "import torch, pandas, tgr.backbones.registry, tgr.data.dataset"
MEMORY_ABOVE_DATA = ("load_dataset", "draw_episodes", "pretrain", "invert", "measure_transfer", "embed", "compare")
MEMORY_ABOVE_DATA += ("train", "evaluate")
ASSUMED = {"gpu_speedup": 40.0}


def main() -> None:
    """Measure and write."""
    options = timing.parser(__doc__, rounds=5)
    options.add_argument("--run", type=Path, help="results/benchmarks of a finished run, for the memory")
    options.add_argument("--output", type=Path, default=FILE)
    arguments = options.parse_args()
    arguments.clock = "cpu"
    timing.begin(arguments)
    rounds = 1 if arguments.quick else arguments.rounds
    few, many = (smallest(_training("conv4", 32, count), rounds) for count in (FEW, BATCH))
    train_image = (many - few) / (BATCH - FEW)
    values = {
        "command": "python -m benchmarks.unit_costs",
        "machine": _machine(),
        "job_start": _start_of_a_job(rounds),
        "load_image": smallest(_loading(), rounds) / BATCH,
        "forward_image": smallest(_forward(), rounds) / BATCH,
        "train_image": train_image,
        "invert_image": _inversion_image(rounds),
        "generator_image": smallest(_generator(), rounds) / FEW,
        "second_order": smallest(_episode(second_order=True), rounds) / smallest(_episode(second_order=False), rounds),
        "step_overhead": max(0.0, few - FEW * train_image),
        "embed_image": smallest(_embedding(), rounds) / 50,
        "compare_value": smallest(_comparison(), rounds) / (40**2 / 2 * 500),
        "compare_landmark_value": smallest(_landmarks(), rounds) / (1000 * 128 * 100),
        "figure": 3.0 if arguments.run is None else _figure(arguments.run),
        "families": {"conv4": 1.0} | {name: _family(*kind, train_image, rounds) for name, kind in FAMILIES.items()},
        "memory_mb": {"job": 1000.0} | ({} if arguments.run is None else _memory(arguments.run)),
        "assumed": ASSUMED,
    }
    write_json(arguments.output, {key: _rounded(value) for key, value in values.items()})
    print(arguments.output.read_text())


def smallest(variant: Callable[[], object], rounds: int) -> float:
    """Return the smallest process time of some calls, after one that does not count."""
    return min(timing.interleaved({"": variant}, rounds, "cpu")[""])


def _training(architecture: str, width: int, count: int) -> Callable[[], object]:
    model = build(architecture, 5, width, SIZE, "units").train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = torch.randn(count, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(count) % 5

    def step() -> None:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _family(architecture: str, width: int, train_image: float, rounds: int) -> float:
    """Return how much longer a multiplication takes than in Conv4."""
    few, many = (smallest(_training(architecture, width, count), rounds) for count in (FEW, BATCH))
    return (many - few) / (BATCH - FEW) / train_image * REFERENCE.macs / named(architecture, width, SIZE).macs


def _forward() -> Callable[[], object]:
    model = build("conv4", 5, 32, SIZE, "units").eval()
    images = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)

    def predict() -> None:
        with torch.no_grad(), batchnorm_mode(model, "batch"):
            model(images)

    return predict


def _loading() -> Callable[[], object]:
    images = torch.randint(0, 256, (BATCH, 3, 48, 48), dtype=torch.uint8)
    return lambda: resize(images, SIZE)


def _inversion_image(rounds: int) -> float:
    """Seconds of one step on one image: the difference of six steps and two, so that the start does not count."""
    teacher, labels = inversion.reference_teacher(), torch.arange(5).repeat_interleave(30)

    def steps(count: int) -> Callable[[], object]:
        config = Inversion(steps=count)
        return lambda: get("pixel")(teacher, labels, config, None, torch.Generator().manual_seed(0))

    return (smallest(steps(6), rounds) - smallest(steps(2), rounds)) / (4 * len(labels))


def _generator() -> Callable[[], object]:
    network = Generator(256, 64, SIZE).to(memory_format=torch.channels_last)
    codes = torch.randn(FEW, 256)
    return lambda: torch.autograd.grad(network(codes).mean(), list(network.parameters()))


def _episode(*, second_order: bool) -> Callable[[], object]:
    model = build("conv4", 5, 32, SIZE, "units")
    images = torch.randn(100, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(100) % 5
    episode = Episode(images[:25], labels[:25], images[25:], labels[25:])
    learner = maml if second_order else fomaml

    def run() -> None:
        with batchnorm_mode(model, "batch"):
            learner(model, dict(model.named_parameters()), episode, 0.01, 5).loss.backward()

    return run


def _embedding() -> Callable[[], object]:
    config = TaskSpace(weights="random")
    probe = load_probe(config)
    images = torch.randint(0, 256, (50, 3, SIZE, SIZE), generator=seeds.torch_generator("units"))
    return lambda: embed(probe, images.to(torch.uint8), torch.arange(50) % 5, config)


def _comparison() -> Callable[[], object]:
    embeddings = [{"layer": torch.rand(500)} for _ in range(40)]
    return lambda: dissimilarity.dissimilarity(embeddings)


def _landmarks() -> Callable[[], object]:
    values = torch.rand(1000, 100) + 0.1
    return lambda: similarity_factor([values], len(values))


def _start_of_a_job(rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", JOB], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def records(run: Path, rule: str) -> list[dict[str, str]]:
    """Return Snakemake's benchmark records of a rule."""
    files = sorted((run / rule).rglob("*.tsv"))
    return [next(csv.DictReader(file.open(), delimiter="\t")) for file in files]


def _memory(run: Path) -> dict[str, float]:
    found = {rule: [float(row["max_rss"]) for row in records(run, rule)] for rule in MEMORY_ABOVE_DATA}
    return {rule: max(values) for rule, values in found.items() if values}


def _figure(run: Path) -> float:
    rules = [folder.name for folder in run.iterdir() if folder.name.startswith(("tabulate", "plot"))]
    seconds = [float(row["cpu_time"]) for rule in rules for row in records(run, rule)]
    return max(0.0, sum(seconds) / max(1, len(seconds)) - 2.5)


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, one thread, torch {torch.__version__}"


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
