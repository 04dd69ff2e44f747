"""One name, one backbone."""

import torch
from torch import nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.conv4 import conv4_trunk
from tgr.backbones.resnet import resnet_trunk
from tgr.config.schema import ARCHITECTURES
from tgr.errors import TgrError


def build(architecture: str, n_classes: int, width: int, image_size: int, *seed_names: str | int) -> Classifier:
    """Return a freshly initialised classifier, in channels-last layout.

    Args:
        architecture: ``conv4``, ``resnet10``, ``resnet18``, or ``timm:<name>``.
        n_classes: outputs of the head.
        width: channels of Conv4 or of the first ResNet stage; timm models have their own.
        image_size: input size in pixels.
        seed_names: the names from which the initialisation derives.

    Raises:
        TgrError: unknown architecture, or one that cannot take images of this size.
    """
    with seeds.forked("initialisation", architecture, *seed_names):
        trunk, feature_dim = _trunk(architecture, width, image_size)
        model = Classifier(trunk, feature_dim, n_classes)
    return model.to(memory_format=torch.channels_last)


def _trunk(architecture: str, width: int, image_size: int) -> tuple[nn.Module, int]:
    if architecture == "conv4":
        if image_size < 16:
            raise TgrError(f"architecture conv4 halves images four times: {image_size} px is too small, use 16 or more")
        return conv4_trunk(width, image_size)
    if architecture == "resnet10":
        return resnet_trunk(1, width)
    if architecture == "resnet18":
        return resnet_trunk(2, width)
    if architecture.startswith("timm:"):
        return _timm_trunk(architecture.removeprefix("timm:"), image_size)
    raise TgrError(f"unknown architecture '{architecture}'; valid: {', '.join(ARCHITECTURES)}, timm:<name>")


def _timm_trunk(name: str, image_size: int) -> tuple[nn.Module, int]:
    import timm

    if not timm.is_model(name):
        raise TgrError(f"timm has no model '{name}'; see timm.list_models()")
    trunk = timm.create_model(name, num_classes=0)
    try:
        with torch.no_grad():
            features = trunk.eval()(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, AssertionError) as error:
        raise TgrError(f"timm model '{name}' cannot take images of {image_size} px: {error}") from error
    return trunk.train(), int(features.shape[-1])
