"""Weights of existing models: read, checked, and loaded into the network that their row names."""

from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from tgr.backbones.checkpoints import list_classifiers, load_in_order, read_checkpoint
from tgr.backbones.classifier import Classifier
from tgr.backbones.fitting import Fit, Spelling, fit, own_names
from tgr.backbones.own import take_apart
from tgr.backbones.registry import build, build_own
from tgr.backbones.unwrapping import Checkpoint
from tgr.config.architectures import ARCHITECTURES, TIMM, is_own
from tgr.config.existing_models import ExistingModel
from tgr.errors import TgrError, escape
from tgr.pool.nearest import name_nearest


def load_weights(row: ExistingModel, file: Path, where: str) -> nn.Module:
    """Build the network of a row of a table, and load its weights. What was chosen among them is printed.

    Args:
        file: the weights, whose digest was verified.
        where: names the row in error messages.

    Returns:
        A ``Classifier``, or an own network that cannot be taken apart.

    Raises:
        TgrError: the network cannot be built, or the weights are unsafe to read, not finite, or do not fit.
    """
    checkpoint = read_checkpoint(file, f"{where}: weights")
    size, n_classes = row.image_size, len(row.classes)
    try:
        if is_own(row.architecture):
            network = build_own(row.architecture, n_classes, size, "importing", options=row.options)
        else:
            model = build(row.architecture, n_classes, row.width, size, "importing", options=row.options)
    except TgrError as error:
        raise TgrError(f"{where}: architecture: {error}") from error
    if row.weights == "package":
        weight, bias = load_in_order(model.trunk, checkpoint.tensors, file)
        model.head.load_state_dict({"weight": weight, "bias": bias})
        return model
    if is_own(row.architecture):
        return _load_own(network, checkpoint, row, file, where)
    _load(model, _fit(model, checkpoint, _spellings(model, row, where), file, where), checkpoint, row, file, where)
    return model


def _load_own(network: nn.Module, checkpoint: Checkpoint, row: ExistingModel, file: Path, where: str) -> nn.Module:
    """Load weights by the network's own names, or by those that the suite gives to trunk and head."""
    fitted = _fit(network, checkpoint, [own_names(network)], file, where)
    if not fitted.fits and (model := take_apart(network, row.image_size)):
        parted = _fit(model, checkpoint, [own_names(model)], file, where)
        if parted.fits:
            _load(model, parted, checkpoint, row, file, where)
            return model
    _load(network, fitted, checkpoint, row, file, where)
    return take_apart(network, row.image_size) or network


def _spellings(model: Classifier, row: ExistingModel, where: str) -> list[Spelling]:
    """Return how the tensors of a classifier may be named: as here, as in timm, or as an architecture's module says."""
    names = own_names(model)
    if not row.architecture.startswith(f"{TIMM}:"):
        module = import_module(f"tgr.backbones.{ARCHITECTURES[row.architecture].module}")
        return [names, *(module.spellings(names.names) if hasattr(module, "spellings") else [])]
    classifiers = list_classifiers(model.trunk)
    if len(classifiers) != 1:
        raise TgrError(
            f"{where}: architecture: the model has {len(classifiers)} classifiers, wanted one; let your own code build "
            "it: `python:<module>:<callable>`"
        )
    of_timm = {name.replace("head", classifiers[0], 1): name for name in ("head.weight", "head.bias")}
    of_timm |= {name.removeprefix("trunk."): name for name in names.names if name.startswith("trunk.")}
    return [names, Spelling(of_timm)]


def _fit(model: nn.Module, checkpoint: Checkpoint, spellings: list[Spelling], file: Path, where: str) -> Fit:
    try:
        return fit(model, checkpoint.tensors, *spellings)
    except TgrError as error:
        raise TgrError(f"{where}: weights: {file}: {error}") from error


def _load(model: nn.Module, fitted: Fit, checkpoint: Checkpoint, row: ExistingModel, file: Path, where: str) -> None:
    """Load what fits.

    Raises:
        TgrError: it is not all, or not finite.
    """
    if not fitted.fits:
        _refuse_classes(fitted, len(row.classes), file, where)
        raise TgrError(
            f"{where}: weights: {file} does not fit architecture {row.architecture}\n{fitted.describe()}\n"
            f"{name_nearest(checkpoint.tensors, row)}".rstrip()
        )
    for name, tensor in fitted.state.items():
        if not torch.isfinite(tensor).all():
            raise TgrError(f"{where}: weights: {file}: {escape(name)} has values that are not finite")
    model.load_state_dict(fitted.state)
    for note in [*checkpoint.notes, *fitted.notes]:
        print(f"{where}: {note}")


def _refuse_classes(fitted: Fit, n_classes: int, file: Path, where: str) -> None:
    """Raise TgrError if nothing but the number of outputs is another."""
    shapes = fitted.misshapen.values()
    stored = {found[:1] for found, wanted in shapes if found[1:] == wanted[1:] and wanted[:1] == (n_classes,)}
    apart = [1 for found, wanted in shapes if found[1:] != wanted[1:] or wanted[:1] != (n_classes,)]
    if len(stored) == 1 and not (apart or fitted.missing or fitted.unexpected):
        [(n_stored,)] = stored
        raise TgrError(f"{where}: classes: {n_classes} are named, but {file} has {n_stored} outputs")
