"""A teacher: its weights on disk as safetensors, beside the card that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from tgr.artifacts import load_tensors, save_tensors
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build, build_own
from tgr.data.transforms import normalise
from tgr.errors import TgrError
from tgr.pool.card import Card, read_cards, write_card

PIXELS_PER_CHUNK = 128 * 32 * 32
"""Pixels of one forward pass over images that need not be seen together."""


@dataclass(frozen=True)
class Teacher:
    """A trained classifier in evaluation mode, and its card.

    ``model`` maps normalised images to logits: a ``Classifier``, or a network without trunk and head.
    """

    card: Card
    model: nn.Module

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (n, n_way) for images (n, 3, size, size), uint8 or float in [0, 1], at its own size."""
        logits: Tensor = self.model(normalise(images, self.card.mean, self.card.std))
        return logits

    def logits_and_features(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, n_way) and features (n, d) for images (n, 3, size, size) in its own size and normalisation.

        If it is no ``Classifier``, its logits stand for its features.
        """
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        if isinstance(self.model, Classifier):
            features = self.model.trunk(inputs)
            return self.model.head(features), features
        logits: Tensor = self.model(inputs)
        return logits, logits

    def in_chunks(self, images: Tensor) -> tuple[Tensor, ...]:
        """Split images (n, 3, size, size) of its own size into what passes it at once."""
        return images.split(max(1, PIXELS_PER_CHUNK // self.card.image_size**2))

    @torch.no_grad()
    def ask(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (n, n_way) and features (n, d), on the CPU, for uint8 images of its own size, however many."""
        parts = [
            self.logits_and_features(normalise(part.to(self.device), self.card.mean, self.card.std))
            for part in self.in_chunks(images)
        ]
        return torch.cat([logits.cpu() for logits, _ in parts]), torch.cat([features.cpu() for _, features in parts])

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.model.parameters()).device


def save_teacher(folder: Path, model: nn.Module, card: Card) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json``; the card receives the weights' digest."""
    save_tensors(folder / card.file, model.state_dict())
    write_card(folder, card)


def load_teacher(folder: str | Path, card: Card, device: torch.device | str = "cpu") -> Teacher:
    """Load a teacher.

    Raises:
        TgrError: its file is missing, damaged, or does not fit the card.
    """
    file, n_classes = Path(folder) / card.file, len(card.classes)
    model: nn.Module
    if card.format == "outputs":
        model = build_own(card.architecture, n_classes, card.image_size, "loading", options=card.options)
    else:
        model = build(card.architecture, n_classes, card.width, card.image_size, "loading", options=card.options)
    try:
        model.load_state_dict(load_tensors(file)[0])
    except RuntimeError as error:
        raise TgrError(f"{file}: weights do not fit architecture {card.architecture}: {error}") from error
    return Teacher(card, model.to(device).eval())


def load_teachers(folders: Sequence[str | Path], device: torch.device | str = "cpu") -> list[Teacher]:
    """Load all teachers of some shards, in the order of the folders."""
    return [load_teacher(folder, card, device) for folder in folders for card in read_cards(folder)]
