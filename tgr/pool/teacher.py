"""A teacher on disk: weights as safetensors, and a card that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from tgr.artifacts import digest, load_tensors, read_json, save_tensors, write_json
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build, build_own
from tgr.data.transforms import normalise
from tgr.errors import TgrError

PIXELS_PER_CHUNK = 128 * 32 * 32
"""Pixels of one forward pass over images that need not be seen together."""


class Card(BaseModel):
    """What is known of a teacher. Label ``i`` of its head means ``classes[i]``.

    A model from elsewhere has no ``dataset`` (empty) but the ``title`` that its table gives it, and may lack accuracies
    (None). ``format`` says what its file holds: ``weights`` of a trunk and a linear head, or those of an own network of
    which ``outputs`` alone can be used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pool: str
    title: str = ""
    dataset: str
    classes: list[str]
    architecture: str
    width: int
    options: dict[str, bool | int | float | str] = {}
    format: Literal["weights", "outputs"] = "weights"
    image_size: int
    mean: list[float]
    std: list[float]
    flips: bool
    held_out_accuracy: float | None
    train_accuracy: float | None
    licence: str = ""
    sha256: str
    wall_seconds: float

    @property
    def key(self) -> str:
        """A name that is unique among all pools."""
        return f"{self.pool}/{self.name}"

    def class_keys(self, class_identity: str) -> list[str]:
        """Return a name for each class that is unique in a scenario.

        Args:
            class_identity: ``shared`` (a class of a dataset is the same for all teachers that know it) or ``local``
                (each teacher's classes are its own). Models from elsewhere have local classes anyway.
        """
        shared = class_identity == "shared" and self.dataset
        return [f"{self.dataset if shared else self.key}/{name}" for name in self.classes]

    @property
    def file(self) -> str:
        """The name of the file of weights, beside the card."""
        return f"{self.name}.safetensors"


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


def teacher_name(index: int) -> str:
    """Return the file stem of a teacher."""
    return f"teacher-{index:04d}"


def save_teacher(folder: Path, model: nn.Module, card: Card) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json``; the card receives the weights' digest."""
    save_tensors(folder / card.file, model.state_dict())
    write_card(folder, card)


def write_card(folder: Path, card: Card) -> None:
    """Write ``<name>.json`` with the digest of the file beside it."""
    verified = card.model_copy(update={"sha256": digest(folder / card.file)})
    write_json(folder / f"{card.name}.json", verified.model_dump())


def read_cards(folder: str | Path) -> list[Card]:
    """Read the cards of a shard, in the order of the teachers' names.

    Raises:
        TgrError: a card is damaged or incomplete.
    """
    return [_read_card(file) for file in sorted(Path(folder).glob("teacher-*.json"))]


def _read_card(file: Path) -> Card:
    try:
        card = Card.model_validate(read_json(file))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "card"
        raise TgrError(f"{file}: {key}: {problem['msg']}; delete the folder and run again") from error
    if card.name != file.stem:
        raise TgrError(f"{file}: name: the card is that of {card.name!r}; delete the folder and run again")
    return card


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
