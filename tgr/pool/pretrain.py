"""Pre-training of teachers, each on its own classes (Wei et al. 2024, section 4)."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from tgr import launches, seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build
from tgr.config.teachers import Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.data.finite import FiniteWatch
from tgr.data.transforms import crop_flip, draw_shifts, normalise
from tgr.errors import TgrError
from tgr.pool.card import Card, teacher_name
from tgr.pool.teacher import save_teacher


@dataclass(frozen=True)
class Split:
    """The images of one teacher's task: uint8 (n, 3, size, size) and labels 0..n_way-1."""

    images: Tensor
    labels: Tensor


def teacher_classes(pool: str, index: int, n_way: int, dataset: ImageDataset) -> list[int]:
    """Draw a teacher's classes from meta-train, in an arbitrary label order.

    Raises:
        TgrError: meta-train has fewer than ``n_way`` classes.
    """
    candidates = dataset.splits["meta_train"]
    if len(candidates) < n_way:
        raise TgrError(
            f"pools.{pool}.n_way: {n_way} classes wanted, but {dataset.name} meta-train has {len(candidates)}"
        )
    chosen = seeds.numpy_generator("pool", pool, "classes", index).choice(len(candidates), n_way, replace=False)
    return [candidates[i] for i in chosen]


def split_task(dataset: ImageDataset, classes: list[int], held_out: float, generator: torch.Generator) -> list[Split]:
    """Split the images of some classes into a training and a held-out part, class by class.

    Raises:
        TgrError: a class is too small for both parts.
    """
    parts: list[tuple[list[Tensor], list[Tensor]]] = [([], []), ([], [])]
    for label, class_index in enumerate(classes):
        members = dataset.indices_of(class_index)
        members = members[torch.randperm(len(members), generator=generator)]
        n_held_out = round(held_out * len(members))
        if not 0 < n_held_out < len(members):
            name = dataset.class_names[class_index]
            raise TgrError(
                f"dataset {dataset.name}: class '{name}' has {len(members)} images, too few to hold some out"
            )
        for (images, labels), chosen in zip(parts, (members[n_held_out:], members[:n_held_out]), strict=True):
            images.append(dataset.images[chosen])
            labels.append(torch.full((len(chosen),), label))
    return [Split(torch.cat(images), torch.cat(labels)) for images, labels in parts]


def pretrain_teacher(
    pool_name: str,
    index: int,
    pool: Pool,
    config: Pretrain,
    dataset: ImageDataset,
    device: torch.device,
    classes: list[int] | None = None,
) -> tuple[Classifier, Card]:
    """Train one teacher from scratch.

    Args:
        classes: indices into the dataset's classes, in the order of the teacher's labels; None: drawn.

    Raises:
        TgrError: too few classes or images, or a loss that is not finite.
    """
    started = time.perf_counter()
    name = teacher_name(index)
    classes = classes or teacher_classes(pool_name, index, pool.n_way, dataset)
    generator = seeds.torch_generator("pool", pool_name, "training", index)
    train, held_out = split_task(dataset, classes, config.held_out, generator)
    mean, std = dataset.normalisation
    names = ("pool", pool_name, index)
    model = build(pool.architecture, pool.n_way, pool.width, dataset.image_size, *names, options=pool.options)
    model = model.to(device)
    with seeds.forked("pool", pool_name, "dropout", index):  # which some timm models have
        _fit(model, train, mean, std, config, dataset.flips, generator, f"{pool_name}/{name}")
    card = Card(
        name=name,
        pool=pool_name,
        dataset=dataset.name,
        classes=[dataset.class_names[c] for c in classes],
        architecture=pool.architecture,
        width=pool.width,
        options=pool.options,
        image_size=dataset.image_size,
        mean=mean,
        std=std,
        flips=dataset.flips,
        held_out_accuracy=accuracy(model, held_out, mean, std),
        train_accuracy=accuracy(model, train, mean, std),
        sha256="",
        wall_seconds=round(time.perf_counter() - started, 2),
    )
    return model, card


def _fit(
    model: Classifier,
    train: Split,
    mean: list[float],
    std: list[float],
    config: Pretrain,
    flips: bool,
    generator: torch.Generator,
    name: str,
) -> None:
    device = next(model.parameters()).device
    optimizer = make_optimizer(model.parameters(), config)
    scheduler = _scheduler(optimizer, config, config.epochs * _batches(len(train.labels), config))
    images, labels = normalise(train.images.to(device), mean, std), train.labels.to(device)
    run = launches.runner(training_step(model, optimizer, images, labels, config), optimizer, device)
    watch = FiniteWatch(
        lambda _: TgrError(f"pre-training of {name}: the loss is not finite; lower pretrain.lr ({config.lr})")
    )
    model.train()
    for number, drawn in enumerate(draw_batches(train, config, flips, generator)):
        (loss,) = run(drawn)
        watch.add(number, loss)
        scheduler.step()
    watch.look()
    model.eval()


def draw_batches(train: Split, config: Pretrain, flips: bool, generator: torch.Generator) -> Iterator[Tensor]:
    """Draw all that is random in the steps of a teacher's training, but for dropout.

    Yields:
        for each step int64 (n, 4), on the CPU: the index of each image, and what ``draw_shifts`` has drawn for it;
        (n, 1) if images are not augmented.
    """
    pad = _pad(train.images, config)
    for _ in range(config.epochs):
        order = torch.randperm(len(train.labels), generator=generator)
        for chosen in order.chunk(_batches(len(order), config)):
            shifts = [draw_shifts(len(chosen), pad, flips, generator)] if config.augment else []
            yield torch.cat([chosen[:, None], *shifts], 1)


def training_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, config: Pretrain
) -> launches.Step:
    """Return a step of a training: from what ``draw_batches`` yields, on the model's device, to the loss, a scalar.

    Args:
        images: all of the teacher's, normalised (n, 3, size, size), on that device.
        labels: int64 (n,), there too.
    """

    def step(drawn: Tensor) -> tuple[Tensor]:
        loss = batch_loss(model, images, labels, drawn, config)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return (loss.detach(),)

    return step


def batch_loss(
    model: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, drawn: Tensor, config: Pretrain
) -> Tensor:
    """Return the loss of a step, a scalar.

    Args:
        model: maps normalised images to logits.
        images, labels: as for ``training_step``.
        drawn: one tensor of those that ``draw_batches`` yields, on the model's device.
    """
    chosen = drawn[:, 0].contiguous()
    batch = images[chosen]
    if config.augment:
        batch, _ = crop_flip(batch, drawn[:, 1:], _pad(images, config))
    return nn.functional.cross_entropy(model(batch), labels[chosen], label_smoothing=config.label_smoothing)


def _pad(images: Tensor, config: Pretrain) -> int:
    return round(config.crop_shift * images.shape[-1])


def _batches(n_images: int, config: Pretrain) -> int:
    return max(1, n_images // config.batch_size)


def make_optimizer(parameters: Iterable[Tensor], config: Pretrain) -> torch.optim.Optimizer:
    """Return the optimiser of a teacher's training."""
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=config.lr, fused=True)
    return torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)


def _scheduler(optimizer: torch.optim.Optimizer, config: Pretrain, steps: int) -> LRScheduler:
    if config.schedule == "one_cycle":
        return OneCycleLR(optimizer, config.lr, total_steps=steps, cycle_momentum=False)
    if config.schedule == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    return ConstantLR(optimizer, factor=1)


@torch.no_grad()
def accuracy(model: Classifier, split: Split, mean: list[float], std: list[float]) -> float:
    """Return the share of images that the model, in evaluation mode, classifies correctly."""
    device = next(model.parameters()).device
    right = 0
    for images, labels in zip(split.images.split(256), split.labels.split(256), strict=True):
        right += int((model(normalise(images.to(device), mean, std)).argmax(1).cpu() == labels).sum())
    return round(right / len(split.labels), 6)


def pretrain_shard(
    *,
    pool: str,
    members: Sequence[int],
    kind: Pool,
    pretrain: Pretrain,
    dataset: ImageDataset,
    teachers: Path,
    device: torch.device,
) -> None:
    """Train the ``members`` of a pool, given by their indices, and write them into the folder ``teachers``."""
    teachers.mkdir(parents=True)
    for index in tqdm(members, desc=f"pre-training {pool}", unit="teacher"):
        model, card = pretrain_teacher(pool, index, kind, pretrain, dataset, device)
        save_teacher(teachers, model, card)
        tqdm.write(f"{card.key}: held-out accuracy {card.held_out_accuracy:.3f}, {card.wall_seconds:.1f} s")
