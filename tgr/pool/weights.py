"""Weights of existing models: read, checked, and loaded into the network that their row names."""

from pathlib import Path

import torch
from torch import Tensor, nn

from tgr.backbones.checkpoints import list_classifiers, load_in_order, read_checkpoint
from tgr.backbones.classifier import Classifier
from tgr.backbones.own import take_apart
from tgr.backbones.registry import build, build_own
from tgr.config.architectures import is_own
from tgr.config.existing_models import ExistingModel
from tgr.errors import TgrError


def load_weights(row: ExistingModel, file: Path, where: str) -> nn.Module:
    """Build the network of a row of a table, and load its weights.

    Args:
        file: the weights, whose digest was verified.
        where: names the row in error messages.

    Returns:
        A ``Classifier``, or an own network that cannot be taken apart.

    Raises:
        TgrError: the network cannot be built, or the weights are unsafe to read, not finite, or do not fit.
    """
    tensors = read_checkpoint(file, f"{where}: weights")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise TgrError(f"{where}: weights: {file}: {name} has values that are not finite")
    size, n_classes = row.image_size, len(row.classes)
    try:
        if is_own(row.architecture):
            network = build_own(row.architecture, n_classes, size, "importing", options=row.options)
        else:
            model = build(row.architecture, n_classes, row.width, size, "importing", options=row.options)
    except TgrError as error:
        raise TgrError(f"{where}: architecture: {error}") from error
    if is_own(row.architecture):
        return _load_own(network, tensors, row, file, where)
    if row.weights == "package":
        weight, bias = load_in_order(model.trunk, tensors, file)
        state = model.trunk.state_dict(prefix="trunk.") | {"head.weight": weight, "head.bias": bias}
    elif row.architecture.startswith("timm:") and not any(name.startswith("trunk.") for name in tensors):
        state = _rename_timm_tensors(model, tensors, file, where)
    else:
        state = tensors
    _check_classes(state, n_classes, file, where)
    _load(model, state, row, file, where)
    return model


def _load_own(network: nn.Module, tensors: dict[str, Tensor], row: ExistingModel, file: Path, where: str) -> nn.Module:
    """Load weights by the network's own names, or by those that the suite gives to trunk and head."""
    if "head.weight" in tensors and tensors.keys() != network.state_dict().keys():
        model = take_apart(network, row.image_size)
        if model is not None:
            _load(model, tensors, row, file, where)
            return model
    _load(network, tensors, row, file, where)
    return take_apart(network, row.image_size) or network


def _load(model: nn.Module, state: dict[str, Tensor], row: ExistingModel, file: Path, where: str) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TgrError(f"{where}: weights: {file} does not fit architecture {row.architecture}: {error}") from error


def _rename_timm_tensors(model: Classifier, tensors: dict[str, Tensor], file: Path, where: str) -> dict[str, Tensor]:
    """Rename timm's tensors: its classifier becomes our head, the rest our trunk."""
    names = list_classifiers(model.trunk)
    if len(names) != 1:
        raise TgrError(
            f"{where}: architecture: the model has {len(names)} classifiers, wanted one; let your own code build it: "
            "`python:<module>:<callable>`"
        )
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
