"""Recovered images on disk: tensors as safetensors, beside the report that says how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from tgr.artifacts import digest, load_tensors, save_tensors, write_json
from tgr.inversion.report import Recovery, read_report
from tgr.pool.card import Card, read_cards


@dataclass(frozen=True)
class Recovered:
    """The images recovered from one teacher.

    Attributes:
        images: uint8, (n, 3, size, size).
        labels: int64, (n,), indices into ``report.classes``.
        logits: float32, (n, n_classes), the teacher's outputs for these classes on these images.
        card: the teacher's card.
        report: how the inversion went.
    """

    images: Tensor
    labels: Tensor
    logits: Tensor
    card: Card
    report: Recovery

    @property
    def classes(self) -> list[str]:
        """The names of the classes that were recovered: all of the teacher's, or some if it has very many."""
        return [self.card.classes[index] for index in self.report.classes]

    def class_keys(self, class_identity: str) -> list[str]:
        """Return ``Card.class_keys`` of those classes that were recovered."""
        keys = self.card.class_keys(class_identity)
        return [keys[index] for index in self.report.classes]


def save_recovered(folder: Path, recovered: Recovered) -> None:
    """Write ``<name>.safetensors`` and ``<name>.json``; the report receives the tensors' digest."""
    file = folder / f"{recovered.card.name}.safetensors"
    save_tensors(file, {part: getattr(recovered, part) for part in ("images", "labels", "logits")})
    report = recovered.report.model_copy(update={"sha256": digest(file)})
    write_json(file.with_suffix(".json"), report.model_dump())


def load_recovered(recovered_folders: Sequence[str | Path], teacher_folders: Sequence[str | Path]) -> list[Recovered]:
    """Load what was recovered from all teachers of some shards, in the order of the folders.

    Args:
        recovered_folders: one folder for each of ``teacher_folders``, in the same order.

    Raises:
        TgrError: a file is missing, damaged, or does not belong to its teacher.
    """
    folders = zip(recovered_folders, teacher_folders, strict=True)
    return [_load(Path(folder), card) for folder, teachers in folders for card in read_cards(teachers)]


def _load(folder: Path, card: Card) -> Recovered:
    tensors, _ = load_tensors(folder / f"{card.name}.safetensors")
    return Recovered(**tensors, card=card, report=read_report(folder, card))
