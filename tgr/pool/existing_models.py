"""Existing models as teachers: each row of a table is verified and becomes one teacher of a pool."""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tgr import seeds
from tgr.artifacts import refuse_placeholder, sha256_of
from tgr.backbones.checkpoints import find_package_file
from tgr.backbones.classifier import Classifier
from tgr.config.addresses import is_address
from tgr.config.existing_models import ExistingModel, describe_row, read_table
from tgr.errors import TgrError, first_line
from tgr.pool.card import Card, teacher_name
from tgr.pool.fetch import fetch_weights
from tgr.pool.teacher import Teacher, save_teacher
from tgr.pool.weights import load_weights

SAME = 1e-6
"""Logits that differ by less than this share of the largest are equal up to rounding."""
PROBABLE = 1e-4
"""Outputs that add up to 1 to within this are probabilities."""


def import_shard(*, pool: str, table: Path, members: Sequence[int], teachers: Path) -> None:
    """Take some rows of a table into a pool and write them into the folder ``teachers``, as ``pretrain_shard`` does.

    Args:
        members: rows, counted from 0.

    Raises:
        TgrError: a row is wrong, its file is missing, is not the one with the digest, is unsafe to read, or does not
            give finite logits for its classes.
    """
    rows = read_table(table)
    if max(members) >= len(rows):
        raise TgrError(f"pools.{pool}.n_teachers: {table} has {len(rows)} rows only; set n_teachers to that")
    teachers.mkdir(parents=True)
    for index in tqdm(members, desc=f"importing {pool}", unit="teacher"):
        started = time.perf_counter()
        row, where = rows[index], describe_row(table, index + 1, rows[index])
        card = _describe_teacher(pool, index, row)
        model = import_model(row, card, table.parent, where)
        seconds = round(time.perf_counter() - started, 2)
        known = "weights" if isinstance(model, Classifier) else "outputs"
        save_teacher(teachers, model, card.model_copy(update={"wall_seconds": seconds, "format": known}))
        tqdm.write(f"{card.key}: {row.name}, {row.architecture}, {len(row.classes)} classes, {seconds} s")


def _describe_teacher(pool_name: str, index: int, row: ExistingModel) -> Card:
    return Card(
        name=teacher_name(index),
        pool=pool_name,
        title=row.name,
        dataset="",
        classes=row.classes,
        architecture=row.architecture,
        width=row.width,
        options=row.options,
        image_size=row.image_size,
        mean=row.mean,
        std=row.std,
        flips=row.flips,
        held_out_accuracy=row.held_out_accuracy,
        train_accuracy=None,
        licence=row.licence,
        sha256="",
        wall_seconds=0,
    )


def import_model(row: ExistingModel, card: Card, folder: Path, where: str) -> nn.Module:
    """Verify one model.

    Args:
        folder: the folder of the table.
        where: names the row in error messages.

    Returns:
        The model, in evaluation mode: a ``Classifier``, or an own network that cannot be taken apart.

    Raises:
        TgrError: as ``import_shard``.
    """
    model = load_weights(row, _find_weights(row, folder, where), where).eval()
    _check_forward(Teacher(card, model), where)
    return model


def _find_weights(row: ExistingModel, folder: Path, where: str) -> Path:
    key = f"{where}: weights"
    file = row.find_weights(folder)
    if file is None:
        file = find_package_file(row.architecture.removeprefix("timm:"), key, "name a file of weights")
    elif is_address(row.weights) and not file.is_file():
        fetch_weights(address=row.weights, sha256=str(row.sha256), weights=file)
    if not file.is_file():
        raise TgrError(f"{key}: {file}: no such file")
    refuse_placeholder(file, key)
    sha256 = sha256_of(file)
    if row.sha256 is None and row.weights != "package":
        raise TgrError(
            f"{where}: sha256: this key is required; {file} has {sha256}, check that it is the file you mean"
        )
    if row.sha256 is not None and row.sha256 != sha256:
        raise TgrError(f"{where}: sha256: {file} has {sha256}, but the table says {row.sha256}; it is another file")
    return file


@torch.no_grad()
def _check_forward(teacher: Teacher, where: str) -> None:
    """Raise TgrError unless the model gives finite logits for each of its classes, image by image, which depend on the
    image and are no probabilities."""
    card = teacher.card
    size, n_classes = card.image_size, len(card.classes)
    three = torch.zeros(3, 3, size, size)
    three[1:] = torch.rand(2, 3, size, size, generator=seeds.torch_generator("importing", "images"))
    try:
        logits, two = teacher.logits(three), teacher.logits(three[:2])
    except Exception as error:  # whatever a foreign model may raise
        raise TgrError(f"{where}: the model cannot take 2 and 3 images of {size} px ({first_line(error)})") from error
    if not isinstance(logits, Tensor) or logits.shape != (3, n_classes):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TgrError(f"{where}: classes: the model gives {shape} for 3 images, but {n_classes} classes are named")
    if not torch.isfinite(logits).all():
        raise TgrError(f"{where}: the model gives logits that are not finite; check mean, std and its weights")
    if not torch.allclose(logits[:2], two, rtol=1e-2, atol=1e-3 * float(logits.abs().max())):
        raise TgrError(
            f"{where}: the logits of an image change with the others of its batch, or at random: the code draws at "
            "random or takes statistics of the batch even in evaluation mode; let it heed `self.training`"
        )
    if float((logits - logits[0]).abs().max()) <= SAME * float(logits.abs().max()):
        raise TgrError(
            f"{where}: mean, std: the model says the same of a black image and of two random ones; check both, and "
            "whether its weights are trained"
        )
    if bool((logits >= 0).all()) and torch.allclose(logits.sum(1), torch.ones(3), rtol=0, atol=PROBABLE):
        raise TgrError(
            f"{where}: the model gives probabilities: there is a softmax in it; let it return what goes into that, "
            "the logits"
        )
