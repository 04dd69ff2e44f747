"""How much recovered images teach: a student sees nothing else, and is tested on real images of the same classes.

That a teacher agrees with its own images says little, since noise can be made to convince a network (Szegedy et al.,
Intriguing properties of neural networks, ICLR 2014). A student that starts from scratch is not convinced by noise.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tgr import seeds
from tgr.artifacts import write_json
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.backbones.registry import build
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import crop_pad, normalise, random_crop_flip
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, load_recovered

WIDTH = 32
STEPS = 100
BATCH_SIZE = 64
TEST_BATCH = 250
LR = 3e-3


def student_accuracy(
    recovered: Recovered, dataset: ImageDataset, *seed_names: str | int, device: torch.device | str = "cpu"
) -> float:
    """Return the accuracy on real images of a Conv4 that was trained on recovered images alone.

    At the test BatchNorm uses the statistics of mixed batches of real images, as evaluation does by default: those of
    recovered images would measure how alike the colours are, rather than what the student has learnt.

    Args:
        recovered: what a teacher of the dataset gave.
        dataset: the real images; all those of the recovered classes are the test.
        seed_names: the names from which all random draws derive, besides the teacher's key.

    Raises:
        TgrError: the teacher learnt from another dataset.
    """
    card = recovered.card
    if card.dataset != dataset.name:
        raise TgrError(f"{card.key}: a teacher of dataset '{card.dataset}' cannot be tested on '{dataset.name}'")
    names = ("transfer", card.key, *seed_names)
    student = build("conv4", len(recovered.classes), WIDTH, card.image_size, *names).to(device)
    generator = seeds.torch_generator(*names)
    _fit(student, recovered, generator, device)
    return _accuracy(student, recovered, dataset, generator, device)


def _fit(student: Classifier, recovered: Recovered, generator: torch.Generator, device: torch.device | str) -> None:
    card = recovered.card
    images, labels = recovered.images.to(device), recovered.labels.to(device)
    optimizer = torch.optim.Adam(student.parameters(), lr=LR)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    student.train()
    for _ in range(STEPS):
        chosen = torch.randperm(len(labels), generator=generator)[:BATCH_SIZE].to(device)
        seen = normalise(images[chosen], card.mean, card.std)
        batch = random_crop_flip(seen, crop_pad(card.image_size), card.flips, generator)
        loss = nn.functional.cross_entropy(student(batch), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    student.eval()


@torch.no_grad()
def _accuracy(
    student: Classifier,
    recovered: Recovered,
    dataset: ImageDataset,
    generator: torch.Generator,
    device: torch.device | str,
) -> float:
    images, labels = _real_images(recovered, dataset)
    order = torch.randperm(len(labels), generator=generator)
    card, right = recovered.card, 0
    with batchnorm_mode(student, "batch"):
        for chosen in order.chunk(-(-len(order) // TEST_BATCH)):
            predicted = student(normalise(images[chosen].to(device), card.mean, card.std)).argmax(1).cpu()
            right += int((predicted == labels[chosen]).sum())
    return round(right / len(labels), 6)


def _real_images(recovered: Recovered, dataset: ImageDataset) -> tuple[Tensor, Tensor]:
    """Return the real images of the recovered classes, and labels that index these classes."""
    members = [dataset.indices_of(dataset.class_names.index(name)) for name in recovered.classes]
    labels = torch.arange(len(members)).repeat_interleave(torch.tensor([len(indices) for indices in members]))
    return dataset.images[torch.cat(members)], labels


def measure_transfer(
    *,
    recovered: Sequence[Path],
    teachers: Sequence[Path],
    dataset: Path,
    n_teachers: int,
    transfer: Path,
    device: torch.device,
) -> None:
    """Measure the first teachers of a pool, and write the JSON file ``transfer``.

    Its ``teachers`` have ``name``, ``architecture``, ``held_out_accuracy`` (the teacher's, on real images),
    ``agreement`` (of the teacher with its recovered images) and ``student_accuracy``.

    Raises:
        TgrError: a file is missing or damaged, or the teachers learnt from another dataset.
    """
    real = ImageDataset.load(dataset)
    pool = load_recovered(recovered, teachers)[:n_teachers]
    rows = [
        {
            "name": one.card.name,
            "architecture": one.card.architecture,
            "held_out_accuracy": one.card.held_out_accuracy,
            "agreement": one.report.agreement,
            "student_accuracy": student_accuracy(one, real, device=device),
        }
        for one in tqdm(pool, desc="training students", unit="teacher")
    ]
    write_json(transfer, {"pool": pool[0].card.pool, "n_classes": len(pool[0].classes), "teachers": rows})
