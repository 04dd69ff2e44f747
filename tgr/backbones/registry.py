"""Backbones by name."""

from collections.abc import Mapping

import torch
from torch import nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.conv4 import conv4_trunk
from tgr.backbones.timm_trunk import Option, timm_trunk
from tgr.config.base import ARCHITECTURES
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
        architecture: ``conv4``, ``resnet10``, ``resnet18``, or ``timm:<name>``.
        n_classes: outputs of the head.
        width: channels of Conv4 or of the first ResNet stage; timm models have their own.
        image_size: input size in pixels.
        seed_names: the names from which the initialisation derives.
        options: arguments of the timm model, e.g. ``{"patch_size": 4}``; the other architectures have none.

    Raises:
        TgrError: unknown architecture, one that cannot take images of this size, or options that it does not take.
    """
    with seeds.forked("initialisation", architecture, *seed_names):
        trunk, feature_dim = _trunk(architecture, width, image_size, options or {})
        model = Classifier(trunk, feature_dim, n_classes)
    return model.to(memory_format=torch.channels_last)


def _trunk(architecture: str, width: int, image_size: int, options: Mapping[str, Option]) -> tuple[nn.Module, int]:
    if architecture.startswith("timm:"):
        return timm_trunk(architecture.removeprefix("timm:"), image_size, options)
    if options:
        raise TgrError(f"architecture {architecture} takes no options, found {', '.join(options)}; timm models do")
    if architecture == "conv4":
        if image_size < 16:
            raise TgrError(f"architecture conv4 halves images four times: {image_size} px is too small, use 16 or more")
        return conv4_trunk(width, image_size)
    if architecture in ("resnet10", "resnet18"):
        from tgr.backbones.resnet import resnet_trunk  # torchvision takes two seconds to import

        return resnet_trunk(1 if architecture == "resnet10" else 2, width)
    raise TgrError(f"unknown architecture '{architecture}'; valid: {', '.join(ARCHITECTURES)}, timm:<name>")
