"""Architectures from the user's own code: ``python:<module>:<callable>``.

The user names the code and thereby trusts it; no file of weights can name any.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.timm_trunk import Option
from tgr.config.architectures import split_own
from tgr.errors import TgrError, first_line


def own_network(architecture: str, n_classes: int, image_size: int, options: Mapping[str, Option]) -> nn.Module:
    """Build a network, with weights drawn from torch's global generator.

    The callable receives ``n_classes`` or ``num_classes``, whichever it takes, ``image_size`` if it takes that, and the
    options.

    Returns:
        A network from normalised images (n, 3, image_size, image_size) to logits (n, n_classes), in evaluation mode.

    Raises:
        TgrError: the module or the callable is missing, fails, or gives something else.
    """
    make = _find_callable(architecture)
    arguments = _arguments(make, architecture, n_classes, image_size) | dict(options)
    try:
        network = make(**arguments)
    except Exception as error:  # whatever foreign code may raise
        raise TgrError(f"{architecture} cannot be built with {arguments}: {first_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise TgrError(f"{architecture} gives a {type(network).__name__}, wanted a torch.nn.Module")
    logits = _run(network.eval(), _images(image_size), architecture)
    if not isinstance(logits, Tensor) or logits.shape != (2, n_classes):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise TgrError(f"{architecture} gives {shape} for two images and {n_classes} classes, wanted (2, {n_classes})")
    return network


def take_apart(network: nn.Module, image_size: int) -> Classifier | None:
    """Return a network as trunk and head: its head is the linear layer whose output the network returns.

    Args:
        network: as ``own_network`` returns it; if it can be taken apart, its head is taken out of it.

    Returns:
        None if the network does not end with such a layer: then its outputs are all that can be used of it.
    """
    images = _images(image_size)
    given: dict[nn.Module, Tensor] = {}
    linear = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.Linear) and name}

    def note(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given[layer] = output

    handles = [layer.register_forward_hook(note) for layer in linear.values()]
    with torch.no_grad():
        logits: Tensor = network(images)
    for handle in handles:
        handle.remove()
    for name, layer in linear.items():
        if layer in given and given[layer] is logits:
            return _without(network, name, layer, images, logits)
    return None


@torch.no_grad()
def _without(network: nn.Module, name: str, layer: nn.Linear, images: Tensor, logits: Tensor) -> Classifier | None:
    """Take a layer out, unless what then comes out is not what went into it: other places may use it, too."""
    parent, _, child = name.rpartition(".")
    owner = network.get_submodule(parent)
    setattr(owner, child, nn.Identity())
    model = Classifier(network, layer.in_features, layer.out_features)
    model.head.weight.copy_(layer.weight)
    model.head.bias.copy_(torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias)
    try:
        features = network(images)
        known = features.shape == (2, layer.in_features)
        same = known and torch.allclose(model.head(features), logits, rtol=1e-4, atol=1e-5)
    except Exception:  # it asks more of the layer than its output, such as the type of its weights
        same = False
    if same:
        return model.eval()
    setattr(owner, child, layer)
    return None


def own_trunk(
    architecture: str, n_classes: int, image_size: int, options: Mapping[str, Option]
) -> tuple[nn.Module, int]:
    """Return a network without its head, in training mode, and its feature length.

    Raises:
        TgrError: as ``own_network``, or the network does not end with a linear layer.
    """
    model = take_apart(own_network(architecture, n_classes, image_size, options), image_size)
    if model is None:
        raise TgrError(
            f"{architecture} does not return what an nn.Linear gives, so it has no features for a head of ours; as an "
            "existing model, in a table, it can still be a teacher"
        )
    return model.trunk.train(), model.feature_dim


def _find_callable(architecture: str) -> Callable[..., Any]:
    module, name = split_own(architecture)
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        found = getattr(import_module(module), name, None)
    except SystemExit as error:
        raise TgrError(
            f"{architecture}: importing {module} ends the program, with exit code {error.code}: it runs as a script; "
            'put what it does then below `if __name__ == "__main__":`'
        ) from error
    except Exception as error:  # whatever foreign code may raise
        raise TgrError(
            f"{architecture}: cannot import {module} ({first_line(error)}); it is looked for on Python's path and in "
            f"the working directory, {folder}"
        ) from error
    if not callable(found):
        raise TgrError(f"{architecture}: the module {module} has no callable {name}")
    return found


def _arguments(make: Callable[..., Any], architecture: str, n_classes: int, image_size: int) -> dict[str, Any]:
    try:
        taken = signature(make).parameters
    except (TypeError, ValueError) as error:  # built-in ones may tell nothing
        raise TgrError(
            f"{architecture}: its parameters cannot be known ({error}); name one written in Python"
        ) from error
    anything = any(parameter.kind == Parameter.VAR_KEYWORD for parameter in taken.values())
    arguments: dict[str, Any] = {"image_size": image_size} if "image_size" in taken else {}
    if "n_classes" in taken:
        return arguments | {"n_classes": n_classes}
    if "num_classes" in taken or anything:
        return arguments | {"num_classes": n_classes}
    raise TgrError(f"{architecture} has no parameter n_classes or num_classes")


def _images(image_size: int) -> Tensor:
    return torch.rand(2, 3, image_size, image_size, generator=seeds.torch_generator("own", "images"))


def _run(network: nn.Module, images: Tensor, architecture: str) -> object:
    try:
        with torch.no_grad():
            return network(images)
    except Exception as error:  # whatever foreign code may raise
        raise TgrError(f"{architecture} cannot take images of {images.shape[-1]} px ({first_line(error)})") from error
