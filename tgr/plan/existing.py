"""How large existing models are: what their table says of them."""

from pathlib import Path
from typing import NamedTuple

from tgr.config.existing_models import ExistingModel, describe_row, read_table
from tgr.errors import TgrError
from tgr.plan.networks import Network, named

UNKNOWN_PIXELS, UNKNOWN_CLASSES = 32, 5
"""What existing models are taken for whose table is missing."""


class Existing(NamedTuple):
    """The largest network, image size and number of classes of some existing models."""

    network: Network
    pixels: int
    n_classes: int


def largest_of(table: Path, width: int) -> Existing:
    """Return the largest models of a table; a small Conv4 if there is no such table yet.

    Raises:
        TgrError: the table is wrong, or a network cannot be built.
    """
    if not table.is_file():
        return Existing(named("conv4", width, UNKNOWN_PIXELS), UNKNOWN_PIXELS, UNKNOWN_CLASSES)
    rows = read_table(table)
    networks = [_network(row, describe_row(table, number, row)) for number, row in enumerate(rows, 1)]
    return Existing(
        max(networks, key=lambda net: net.outputs),
        max(row.image_size for row in rows),
        max(len(row.classes) for row in rows),
    )


def _network(row: ExistingModel, where: str) -> Network:
    try:
        return named(row.architecture, row.width, row.image_size, **row.options)
    except TgrError as error:
        raise TgrError(f"{where}: architecture: {error}") from error
