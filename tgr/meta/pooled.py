"""Training one classifier over all classes of an image bank."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import trange

from tgr import launches
from tgr.backbones.classifier import Classifier
from tgr.config.methods.bank import ClassifierTraining
from tgr.data.finite import FiniteWatch
from tgr.data.transforms import crop_flip, crop_pad, draw_shifts
from tgr.errors import TgrError
from tgr.meta.bank import ImageBank

Observer = Callable[[int, dict[str, Tensor]], None]


class Batch(NamedTuple):
    """Images of one step, on the model's device.

    Attributes:
        chosen: int64 (n,), which images of the bank they are.
        mirrored: bool (n,), which of them the augmentation mirrored.
        images: (n, 3, size, size), normalised and augmented.
    """

    chosen: Tensor
    mirrored: Tensor
    images: Tensor


Term = Callable[[Batch, Tensor, Tensor], Tensor]
"""Maps a batch, the model's features of it (n, feature_dim) and its logits (n, classes) to a scalar."""


def fit_pooled(
    model: Classifier,
    bank: ImageBank,
    config: ClassifierTraining,
    generator: torch.Generator,
    observe: Observer,
    term: Term | None = None,
) -> None:
    """Minimise the cross-entropy over all classes with Adam and cosine decay.

    Args:
        model: its head has one row for each class of the bank; trained in place.
        observe: called after every step with its number (from 1) and values to log, scalars on the model's device.
        term: what is added to the cross-entropy.

    Raises:
        TgrError: the loss is not finite.
    """
    device = next(model.parameters()).device
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    choose = batch_sampler(bank, config.teachers_per_batch, config.batch_size, generator)
    classes, pad = bank.classes.to(device), crop_pad(bank.images.shape[-1])
    watch = FiniteWatch(
        lambda number: TgrError(f"the loss is not finite at step {number}; lower the learning rate ({config.lr})")
    )

    def draw() -> Tensor:
        chosen = choose()
        shifts = [draw_shifts(len(chosen), pad, bank.flips[chosen], generator)] if config.augment else []
        return torch.cat([chosen[:, None], *shifts], 1)

    def step(drawn: Tensor) -> tuple[Tensor, Tensor]:
        chosen = drawn[:, 0].contiguous()
        images, mirrored = bank.gather(chosen, device), torch.zeros(len(chosen), dtype=torch.bool, device=device)
        if config.augment:
            images, mirrored = crop_flip(images, drawn[:, 1:], pad)
        labels = classes[chosen]
        features = model.trunk(images)
        logits = model.head(features)
        loss = cross_entropy(logits, labels)
        if term is not None:
            loss = loss + term(Batch(chosen, mirrored, images), features, logits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach(), (logits.detach().argmax(1) == labels).float().mean()

    # A term may draw as it goes, so that no step is like another.
    run = launches.runner(step, optimizer, device, repeats=term is None)
    for number in trange(1, config.steps + 1, desc="pooled classifier", unit="step"):
        model.train()
        loss, accuracy = run(draw())
        watch.add(number, loss)
        scheduler.step()
        observe(number, {"loss": loss, "train_accuracy": accuracy})
    watch.look()


def batch_sampler(
    bank: ImageBank, owners_per_batch: int | None, batch_size: int, generator: torch.Generator
) -> Callable[[], Tensor]:
    """Return a function that draws image indices, from a few teachers a batch or (None) from all at once."""
    members = bank.by_owner
    n_owners = len(members)

    def draw() -> Tensor:
        if owners_per_batch is None or n_owners == 1:
            return torch.randint(len(bank.classes), (batch_size,), generator=generator)
        owners = torch.randperm(n_owners, generator=generator)[:owners_per_batch].tolist()
        sizes = [batch_size // len(owners) + (i < batch_size % len(owners)) for i in range(len(owners))]
        return torch.cat(
            [
                members[o][torch.randint(len(members[o]), (n,), generator=generator)]
                for o, n in zip(owners, sizes, strict=True)
            ]
        )

    return draw
