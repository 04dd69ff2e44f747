"""ResNet-10 and ResNet-18 for small images: 3x3 stem, no first pooling (He et al., CVPR 2016)."""

from torch import nn
from torchvision.models.resnet import BasicBlock


def trunk(width: int, image_size: int, blocks: int) -> tuple[nn.Module, int]:
    """Return a trunk of four stages of ``blocks`` residual blocks, for images of any size, and its feature length,
    ``8 * width``."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage in range(4):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(_block(channels, width << stage, stride))
            channels = width << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels


def _block(inputs: int, outputs: int, stride: int) -> BasicBlock:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return BasicBlock(inputs, outputs, stride, shortcut)
