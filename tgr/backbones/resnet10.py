"""ResNet-10 for small images: one block a stage."""

from torch import nn

from tgr.backbones.resnet import resnet_trunk


def trunk(width: int, image_size: int) -> tuple[nn.Module, int]:
    """Return the trunk, for images of any size, and its feature length."""
    return resnet_trunk(1, width)
