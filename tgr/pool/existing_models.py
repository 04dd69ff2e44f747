"""Existing models as teachers: each row of a table is verified and becomes one teacher of a pool."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from tqdm import tqdm

from tgr import seeds
from tgr.artifacts import sha256_of
from tgr.backbones.checkpoints import find_package_file, list_classifiers, load_in_order, read_checkpoint
from tgr.backbones.classifier import Classifier
from tgr.backbones.containment import run_contained
from tgr.backbones.programs import load_program
from tgr.backbones.registry import build
from tgr.config.existing_models import ExistingModel, describe_row, read_table
from tgr.errors import TgrError, first_line
from tgr.pool.teacher import Card, Teacher, save_teacher, teacher_name, write_card

FORMATS: dict[str, Literal["torchscript", "exported"]] = {"torchscript": "torchscript", "exported": "exported"}
"""Architectures that are programs; all others are weights."""
PROGRAM_SECONDS = 300.0
"""How long a program may take to be loaded and to classify a few images."""


def import_shard(*, pool: str, table: Path, members: Sequence[int], teachers: Path) -> None:
    """Take some rows of a table into a pool and write them into the folder ``teachers``, as ``pretrain_shard`` does.

    Args:
        members: rows, counted from 0.

    Raises:
        TgrError: a row is wrong, its file is missing, is not the one with the digest, is unsafe to read, or does not
            give finite logits for its classes. Programs are judged in a process of their own, within
            ``PROGRAM_SECONDS``.
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
        card = card.model_copy(update={"wall_seconds": seconds})
        if model is not None:
            save_teacher(teachers, model, card)
        else:
            shutil.copyfile(table.parent / row.weights, teachers / card.file)
            write_card(teachers, card)
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
        format=FORMATS.get(row.architecture, "weights"),
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


def import_model(row: ExistingModel, card: Card, folder: Path, where: str) -> Classifier | None:
    """Verify one model.

    Args:
        folder: the folder of the table.
        where: names the row in error messages.

    Returns:
        The model, or None if it is a program, whose file is used as it is.

    Raises:
        TgrError: as ``import_shard``.
    """
    file = _find_weights(row, folder, where)
    if row.program:

        def check() -> None:
            _check_forward(Teacher(card, load_program(file, card.format)), where)

        run_contained(check, PROGRAM_SECONDS, f"{where}: weights: {file}: the program")
        return None
    model = _load_weights(row, file, where)
    _check_forward(Teacher(card, model.eval()), where)
    return model


def _find_weights(row: ExistingModel, folder: Path, where: str) -> Path:
    key = f"{where}: weights"
    if row.weights == "package":
        model = row.architecture.removeprefix("timm:")
        file = find_package_file(model, key, "name a file of weights")
    else:
        file = folder / row.weights
    if not file.is_file():
        raise TgrError(f"{key}: {file}: no such file")
    sha256 = sha256_of(file)
    if row.sha256 is None and row.weights != "package":
        raise TgrError(
            f"{where}: sha256: this key is required; {file} has {sha256}, check that it is the file you mean"
        )
    if row.sha256 is not None and row.sha256 != sha256:
        raise TgrError(f"{where}: sha256: {file} has {sha256}, but the table says {row.sha256}; it is another file")
    return file


def _load_weights(row: ExistingModel, file: Path, where: str) -> Classifier:
    size, n_classes = row.image_size, len(row.classes)
    try:
        model = build(row.architecture, n_classes, row.width, size, "importing", options=row.options)
    except TgrError as error:
        raise TgrError(f"{where}: architecture: {error}") from error
    tensors = read_checkpoint(file, f"{where}: weights")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise TgrError(f"{where}: weights: {file}: {name} has values that are not finite")
    if row.weights == "package":
        weight, bias = load_in_order(model.trunk, tensors, file)
        state = model.trunk.state_dict(prefix="trunk.") | {"head.weight": weight, "head.bias": bias}
    elif row.architecture.startswith("timm:") and not any(name.startswith("trunk.") for name in tensors):
        state = _rename_timm_tensors(model, tensors, file, where)
    else:
        state = tensors
    _check_classes(state, n_classes, file, where)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TgrError(f"{where}: weights: {file} does not fit architecture {row.architecture}: {error}") from error
    return model


def _rename_timm_tensors(model: Classifier, tensors: dict[str, Tensor], file: Path, where: str) -> dict[str, Tensor]:
    """Rename timm's tensors: its classifier becomes our head, the rest our trunk."""
    names = list_classifiers(model.trunk)
    if len(names) != 1:
        raise TgrError(f"{where}: architecture: the model has {len(names)} classifiers, wanted one; export it instead")
    parts = {f"{names[0]}.weight": "head.weight", f"{names[0]}.bias": "head.bias"}
    missing = [name for name in parts if name not in tensors]
    if missing:
        raise TgrError(f"{where}: weights: {file} has no tensor {missing[0]}, the classifier of this timm model")
    state = {parts.get(name, f"trunk.{name}"): tensor for name, tensor in tensors.items()}
    return {**state, "head.weight": state["head.weight"].flatten(1)}  # some classifiers are 1x1 convolutions


def _check_classes(state: dict[str, Tensor], n_classes: int, file: Path, where: str) -> None:
    weight = state.get("head.weight")
    if weight is not None and len(weight) != n_classes:
        raise TgrError(f"{where}: classes: {n_classes} are named, but {file} has {len(weight)} outputs")


@torch.no_grad()
def _check_forward(teacher: Teacher, where: str) -> None:
    """Raise TgrError unless the model gives finite logits for each of its classes, image by image."""
    card = teacher.card
    size, n_classes = card.image_size, len(card.classes)
    three = torch.zeros(3, 3, size, size)
    three[1:] = torch.rand(2, 3, size, size, generator=seeds.torch_generator("importing", "images"))
    try:
        logits, two = teacher.logits(three), teacher.logits(three[:2])
    except Exception as error:  # whatever a foreign program may raise
        advice = "; export it with a dynamic batch dimension" if card.format == "exported" else ""
        raise TgrError(
            f"{where}: the model cannot take 2 and 3 images of {size} px ({first_line(error)}){advice}"
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != (3, n_classes):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TgrError(f"{where}: classes: the model gives {shape} for 3 images, but {n_classes} classes are named")
    if not torch.isfinite(logits).all():
        raise TgrError(f"{where}: the model gives logits that are not finite; check mean, std and its weights")
    if not torch.allclose(logits[:2], two, rtol=1e-2, atol=1e-3 * float(logits.abs().max())):
        raise TgrError(
            f"{where}: the logits of an image change with the others of its batch, or at random: the program was "
            "exported in training mode; call eval() on the model and export it again"
        )
