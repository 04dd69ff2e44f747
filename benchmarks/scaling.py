"""How the cost of teachers grows with image size and architecture, and the bank of images with the teachers.

Run by hand, from the project's root, with the allocator's settings of the workflow:
MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 python -m benchmarks.scaling [--quick]
Times are those of one core that computes (process time), the smallest of some rounds; memory is that of tensors.
"""

import torch

from benchmarks import timing
from benchmarks.inversion import reference_teacher
from benchmarks.unit_costs import smallest
from tgr import seeds
from tgr.backbones.registry import build
from tgr.config.teachers import Inversion
from tgr.inversion.recovered import Recovered
from tgr.inversion.registry import get
from tgr.inversion.report import Recovery
from tgr.meta.bank import bank_of_recovered
from tgr.pool.teacher import Teacher

NETWORKS = {"conv4": 32, "resnet10": 16, "resnet18": 16, "timm:lcnet_050": 1, "timm:test_efficientnet": 1}
"""Architectures and their widths, as in config/full_cpu.yaml."""
SIZES = (32, 64, 84)
BANKS = (100, 200, 400)
N_WAY, PER_CLASS, BATCH = 5, 30, 32


def main() -> None:
    """Print both tables."""
    options = timing.parser(__doc__, rounds=3)
    arguments = options.parse_args()
    arguments.clock = "cpu"
    timing.begin(arguments)
    sizes, banks = ((32,), (2,)) if arguments.quick else (SIZES, BANKS)
    rounds = 1 if arguments.quick else arguments.rounds
    print("\n| architecture | width | pixels | training step, ms an image | inversion step, ms an image |")
    print("|---|--:|--:|--:|--:|")
    for architecture, width in NETWORKS.items():
        for size in sizes:
            trained = smallest(training(architecture, width, size), rounds) / BATCH * 1000
            inverted = smallest(inversion(architecture, width, size), rounds) / BATCH * 1000
            print(f"| {architecture} | {width} | {size} | {trained:.2f} | {inverted:.2f} |", flush=True)
    print("\n| teachers | bank (MB) | while it is made (MB) |\n|--:|--:|--:|")
    for n_teachers in banks:
        recovered = [blank(index) for index in range(n_teachers)]
        kept = bank_of_recovered(recovered, 32, 2, "local").images.nbytes / 1e6
        peak = timing.peak_tensors(lambda made=recovered: bank_of_recovered(made, 32, 2, "local"))
        print(f"| {n_teachers} | {kept:.0f} | {peak:.0f} |", flush=True)


def training(architecture: str, width: int, size: int) -> timing.Variant:
    """Return one step of pre-training."""
    model = build(architecture, N_WAY, width, size, "scaling").train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % N_WAY

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def inversion(architecture: str, width: int, size: int) -> timing.Variant:
    """Return one step of the pixel engine."""
    changes = {"architecture": architecture, "width": width, "image_size": size}
    card = reference_teacher().card.model_copy(update=changes)
    teacher = Teacher(card, build(architecture, N_WAY, width, size, "scaling").eval())
    labels, config = torch.arange(BATCH) % N_WAY, Inversion(steps=1)
    return lambda: get("pixel")(teacher, labels, config, None, seeds.torch_generator("scaling"))


def blank(index: int) -> Recovered:
    """Return what could have been recovered from a teacher, black."""
    card = reference_teacher().card.model_copy(update={"name": f"teacher-{index:04d}"})
    n = N_WAY * PER_CLASS
    report = Recovery(
        name=card.name,
        pool=card.pool,
        engine="pixel",
        images_per_class=PER_CLASS,
        classes=list(range(N_WAY)),
        agreement=0.0,
        bn_distance=None,
        loss=0.0,
        sha256="",
        wall_seconds=0.0,
    )
    images = torch.zeros(n, 3, card.image_size, card.image_size, dtype=torch.uint8)
    return Recovered(images, torch.arange(n) % N_WAY, torch.zeros(n, N_WAY), card, report)


if __name__ == "__main__":
    main()
