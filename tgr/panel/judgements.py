"""Judgements on disk: one file for each teacher whose recovered images a panel has judged.

Outputs are float32: a divergence of distributions depends on small differences between them, and they are few. Features
are float16: they are many, 128 numbers of a Conv4 beside 5 outputs, and only angles between them are used, which a
relative error of 0.0005 does not change. With views that are counted below, a recovered image takes
``views * (4 * outputs + 2 * features)`` bytes for each member of the panel; `make plan` knows the sum.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tgr.artifacts import load_tensors, save_tensors
from tgr.errors import TgrError
from tgr.pool.card import Card


@dataclass(frozen=True)
class Judgement:
    """What a panel says of the images recovered from one teacher.

    Attributes:
        outputs: float32 (n, views, sum of ``n_outputs``): logits of those classes of each member that were recovered.
            Views are the image as it is and, where its class allows it, mirrored.
        features: float16 (n, views, sum of ``n_features``), in front of each member's head; empty if outputs alone are
            kept.
        members: the keys of the panel's teachers.
        n_outputs, n_features: how many columns each member has.
    """

    outputs: Tensor
    features: Tensor
    members: list[str]
    n_outputs: list[int]
    n_features: list[int]

    @property
    def parts(self) -> list[tuple[Tensor, list[int]]]:
        """Its outputs and its features, each with how many columns every member has."""
        return [(self.outputs, self.n_outputs), (self.features, self.n_features)]

    def part(self, likeness: str) -> tuple[Tensor, list[int]]:
        """Return the one of ``parts`` from which the likeness of images is taken: ``features`` or ``outputs``."""
        return self.parts[likeness == "features"]


def save_judgement(folder: Path, name: str, judgement: Judgement) -> None:
    """Write ``<name>.safetensors``."""
    tensors = {"outputs": judgement.outputs, "features": judgement.features}
    about = {part: getattr(judgement, part) for part in ("members", "n_outputs", "n_features")}
    save_tensors(folder / f"{name}.safetensors", tensors, about)


def load_judgement(folder: Path, card: Card) -> Judgement:
    """Read what a panel says of the images recovered from a teacher.

    Raises:
        TgrError: the file is missing or damaged, or no judgement.
    """
    file = folder / f"{card.name}.safetensors"
    tensors, about = load_tensors(file)
    values: dict[str, Any] = {**tensors, **about}
    try:
        judgement = Judgement(**values)
        columns = [(part.shape[2], sum(sizes)) for part, sizes in judgement.parts]
    except (AttributeError, IndexError, TypeError) as error:
        raise TgrError(f"{file}: not a judgement ({error}); delete {folder} and run again") from error
    if judgement.outputs.shape[:2] != judgement.features.shape[:2] or any(have != say for have, say in columns):
        raise TgrError(f"{file}: its tensors do not belong together; delete {folder} and run again")
    return judgement
