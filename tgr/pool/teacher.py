"""A teacher on disk: weights as safetensors, and a card that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from tgr.artifacts import digest, load_tensors, read_json, save_tensors, write_json
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build
from tgr.data.transforms import normalise
from tgr.errors import TgrError


class Card(BaseModel):
    """What is known of a teacher. Label ``i`` of its head means ``classes[i]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pool: str
    dataset: str
    classes: list[str]
    architecture: str
    width: int
    image_size: int
    mean: list[float]
    std: list[float]
    flips: bool
    held_out_accuracy: float
    train_accuracy: float
    sha256: str
    wall_seconds: float

    @property
    def key(self) -> str:
        """A name that is unique among all pools."""
        return f"{self.pool}/{self.name}"


@dataclass(frozen=True)
class Teacher:
    """A trained classifier in evaluation mode, and its card."""

    card: Card
    model: Classifier

    def logits(self, images: Tensor) -> Tensor:
        """Return logits (n, n_way) for images (n, 3, size, size), uint8 or float in [0, 1], at its own size."""
        return self.model(normalise(images, self.card.mean, self.card.std))


def teacher_name(index: int) -> str:
    """Return the file stem of a teacher."""
    return f"teacher-{index:04d}"


def save_teacher(folder: Path, model: Classifier, card: Card) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json``; the card receives the weights' digest."""
    weights = folder / f"{card.name}.safetensors"
    save_tensors(weights, model.state_dict())
    write_json(folder / f"{card.name}.json", card.model_copy(update={"sha256": digest(weights)}).model_dump())


def read_cards(folder: str | Path) -> list[Card]:
    """Read the cards of a shard, in the order of the teachers' names."""
    return [Card(**read_json(file)) for file in sorted(Path(folder).glob("teacher-*.json"))]


def load_teacher(folder: str | Path, card: Card, device: torch.device | str = "cpu") -> Teacher:
    """Load a teacher, verified against its card.

    Raises:
        TgrError: the weights are missing, damaged, or do not fit the card.
    """
    file = Path(folder) / f"{card.name}.safetensors"
    if not file.exists():
        raise TgrError(f"{file}: the weights of {card.key} are missing; delete the folder and run again")
    if digest(file) != card.sha256:
        raise TgrError(f"{file}: damaged (its SHA-256 differs from its card); delete the folder and run again")
    tensors, _ = load_tensors(file)
    model = build(card.architecture, len(card.classes), card.width, card.image_size, "loading")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise TgrError(f"{file}: weights do not fit architecture {card.architecture}: {error}") from error
    return Teacher(card, model.to(device).eval())


def load_teachers(folders: Sequence[str | Path], device: torch.device | str = "cpu") -> list[Teacher]:
    """Load all teachers of some shards, in the order of the folders."""
    return [load_teacher(folder, card, device) for folder in folders for card in read_cards(folder)]
