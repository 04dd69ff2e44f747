"""Backbones by name: a name of ``tgr.config.architectures`` and its module here, a model of timm, or own code."""

from collections.abc import Mapping
from importlib import import_module

import torch
from torch import nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.own import own_network, own_trunk
from tgr.backbones.timm_trunk import Option, timm_trunk
from tgr.config.architectures import ARCHITECTURES, is_own
from tgr.errors import TgrError


def build(
    architecture: str,
    n_classes: int,
    width: int,
    image_size: int,
    *seed_names: str | int,
    options: Mapping[str, Option] | None = None,
) -> Classifier:
    """Return a freshly initialised classifier, in channels-last layout.

    Args:
        architecture: ``conv4``, ``resnet10``, ``resnet18``, ``resnet12``, ``timm:<name>``, or
            ``python:<module>:<callable>``.
        n_classes: outputs of the head.
        width: channels of Conv4 or of the first ResNet stage; the last two have their own.
        image_size: input size in pixels.
        seed_names: the names from which the initialisation derives.
        options: arguments of the timm model, e.g. ``{"patch_size": 4}``, or of the callable; the others have none.

    Raises:
        TgrError: unknown architecture, one that cannot take images of this size or has no features, or options that it
            does not take.
    """
    with seeds.forked("initialisation", architecture, *seed_names):
        trunk, feature_dim = _trunk(architecture, n_classes, width, image_size, options or {})
        model = Classifier(trunk, feature_dim, n_classes)
    return model.to(memory_format=torch.channels_last)


def build_own(
    architecture: str,
    n_classes: int,
    image_size: int,
    *seed_names: str | int,
    options: Mapping[str, Option] | None = None,
) -> nn.Module:
    """Return a freshly initialised network of the user's own code as it is, in channels-last layout. Raises as
    ``tgr.backbones.own.own_network``."""
    with seeds.forked("initialisation", architecture, *seed_names):
        network = own_network(architecture, n_classes, image_size, options or {})
    return network.to(memory_format=torch.channels_last)


def _trunk(
    architecture: str, n_classes: int, width: int, image_size: int, options: Mapping[str, Option]
) -> tuple[nn.Module, int]:
    if architecture.startswith("timm:"):
        return timm_trunk(architecture.removeprefix("timm:"), image_size, options)
    if is_own(architecture):
        return own_trunk(architecture, n_classes, image_size, options)
    if options:
        raise TgrError(f"architecture {architecture} takes no options, found {', '.join(options)}; timm models do")
    if architecture not in ARCHITECTURES:
        others = "timm:<name>, python:<module>:<callable>"
        raise TgrError(f"unknown architecture '{architecture}'; valid: {', '.join(ARCHITECTURES)}, {others}")
    about = ARCHITECTURES[architecture]
    # Loaded when it is wanted: torchvision, which ResNets need, takes two seconds.
    return import_module(f"tgr.backbones.{about.module}").trunk(width, image_size, **about.arguments)
