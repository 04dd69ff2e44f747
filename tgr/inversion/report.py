"""How the inversion of a teacher went: what is known of recovered images without PyTorch."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tgr.artifacts import read_json
from tgr.errors import TgrError
from tgr.pool.card import Card


class Recovery(BaseModel):
    """How the inversion of one teacher went.

    Attributes:
        agreement: share of the images that the teacher classifies as their intended label, not augmented.
        bn_distance: distance of the images' statistics from the stored ones, mean over the BatchNorm layers; None
            without such layers.
        loss: cross-entropy plus ``bn_weight`` times the mean of the minimised distances (these, or relative ones), on
            the stored images, not augmented.
        classes: indices into the card's classes of those that were recovered, ascending.
        sha256: digest of the file of tensors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    pool: str
    engine: str
    images_per_class: int
    classes: list[int]
    agreement: float
    bn_distance: float | None
    loss: float
    sha256: str
    wall_seconds: float


def read_report(folder: Path, card: Card) -> Recovery:
    """Read what is known of the inversion of one teacher.

    Raises:
        TgrError: the report is missing, damaged, or another teacher's.
    """
    file = folder / f"{card.name}.json"
    try:
        report = Recovery(**read_json(file))
    except (ValidationError, TypeError) as error:
        raise TgrError(f"{file}: not a recovery report ({error}); delete {folder} and run again") from error
    if (report.pool, report.name) != (card.pool, card.name):
        raise TgrError(
            f"{file}: recovered from {report.pool}/{report.name}, not from {card.key}; check the folders' order"
        )
    return report
