"""Trained models on disk, as evaluation reads them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from tgr.artifacts import load_tensors, read_json
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build
from tgr.errors import TgrError

PIXELS = "pixels"
"""The architecture without weights: its features are the normalised pixels."""
ENSEMBLE = "ensemble"
"""The architecture without weights whose features are those of teachers (``tgr.evaluation.ensemble``)."""


class CheckpointRecord(BaseModel):
    """One line of ``model.json``.

    Attributes:
        file: the weights.
        step: the training step after which they were written.
        phases: those of the training until then, e.g. ``group`` and ``replay``; none for a method without curves.
    """

    file: str
    step: int
    phases: list[str] = []


class Member(BaseModel):
    """A teacher of an ensemble.

    Attributes:
        key: its name among all pools.
        sha256: of its file.
    """

    key: str
    sha256: str


class ModelCard(BaseModel):
    """What ``model.json`` says of a trained model; keys that evaluation does not need are ignored."""

    architecture: str
    width: int
    options: dict[str, bool | int | float | str] = {}
    image_size: int
    mean: list[float]
    std: list[float]
    checkpoints: list[CheckpointRecord]
    members: list[Member] = []


@dataclass(frozen=True)
class TrainedModel:
    """A model folder: its card, and its checkpoints in the order of training."""

    folder: Path
    card: ModelCard

    @property
    def steps(self) -> list[int]:
        """The training step of each checkpoint; a model without weights counts as one checkpoint at step 0."""
        return [checkpoint.step for checkpoint in self.card.checkpoints] or [0]

    def phase(self, checkpoint: int) -> str:
        """Return the phases of the training up to a checkpoint, e.g. ``group + replay``; empty if it has none."""
        return " + ".join(self.card.checkpoints[checkpoint].phases) if self.card.checkpoints else ""

    def load(self, checkpoint: int, n_way: int, device: torch.device | str = "cpu") -> Classifier:
        """Load a checkpoint as a classifier of ``n_way`` classes, in channels-last layout.

        A checkpoint without ``head.*`` gets a head of zeros: adaptation to each task starts from there.

        Raises:
            TgrError: the weights are missing, damaged, or do not fit the card or ``n_way``.
        """
        card = self.card
        if card.architecture == PIXELS:
            return _pixels(card.image_size, n_way).to(device)
        file = self.folder / card.checkpoints[checkpoint].file
        tensors, _ = load_tensors(file)
        model = build(card.architecture, n_way, card.width, card.image_size, "loading", options=card.options)
        _check_head(tensors, model, n_way, file)
        if "head.weight" not in tensors:
            tensors |= {f"head.{name}": torch.zeros_like(value) for name, value in model.head.state_dict().items()}
        try:
            model.load_state_dict(tensors)
        except RuntimeError as error:
            raise TgrError(f"{file}: weights do not fit architecture {card.architecture}: {error}") from error
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            raise TgrError(f"{file}: weights that are not finite; the training diverged, lower its learning rate")
        return model.to(device).eval()


def read_model(folder: str | Path) -> TrainedModel:
    """Read a model folder.

    Raises:
        TgrError: ``model.json`` is missing, damaged or incomplete, or a checkpoint that it names is missing.
    """
    file = Path(folder) / "model.json"
    try:
        card = ModelCard.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise TgrError(f"{file}: {key}: {first['msg']}; delete the folder and run again") from error
    if card.architecture == ENSEMBLE and not card.members:
        raise TgrError(f"{file}: names no members; delete the folder and run again")
    if card.architecture not in (PIXELS, ENSEMBLE) and not card.checkpoints:
        raise TgrError(f"{file}: names no checkpoints; delete the folder and run again")
    for checkpoint in card.checkpoints:
        if card.architecture != PIXELS and not (file.parent / checkpoint.file).exists():
            raise TgrError(f"{file.parent / checkpoint.file}: the checkpoint is missing; delete the folder, run again")
    return TrainedModel(file.parent, card)


def _check_head(tensors: dict[str, Tensor], model: Classifier, n_way: int, file: Path) -> None:
    weight = tensors.get("head.weight")
    if weight is not None and weight.shape != model.head.weight.shape:
        raise TgrError(
            f"{file}: the head has shape {tuple(weight.shape)}, but {n_way}-way evaluation wants "
            f"{tuple(model.head.weight.shape)}; train with the same n_way, or write the checkpoint without its head"
        )


def _pixels(image_size: int, n_way: int) -> Classifier:
    model = Classifier(nn.Flatten(), 3 * image_size**2, n_way)
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter)
    return model
