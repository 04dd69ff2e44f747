"""What is known of a teacher without its weights, and without PyTorch."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tgr.artifacts import digest, read_json, write_json
from tgr.errors import TgrError


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


def teacher_name(index: int) -> str:
    """Return the file stem of a teacher."""
    return f"teacher-{index:04d}"


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
