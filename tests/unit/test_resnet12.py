"""ResNet-12: the widths of the literature, and a block equal to the published one, which pools after its last ReLU."""

import pytest
import torch
from torch import Tensor, nn

from tgr.backbones.registry import build
from tgr.backbones.resnet12 import Block
from tgr.errors import TgrError


def published_block(block: Block, x: Tensor) -> Tensor:
    """The block of MetaOptNet's release, with the weights of ours: LeakyReLU, then 2x2 max-pooling."""
    conv1, norm1, _, conv2, norm2, _, conv3, norm3 = block.residual
    out = nn.functional.leaky_relu(norm1(conv1(x)), 0.1)
    out = nn.functional.leaky_relu(norm2(conv2(out)), 0.1)
    out = norm3(conv3(out)) + block.shortcut(x)
    return nn.functional.max_pool2d(nn.functional.leaky_relu(out, 0.1), 2)


def test_width_64_gives_the_published_network() -> None:
    model = build("resnet12", 5, 64, 84, "test")
    widths = [layer.out_channels for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [width for width in (64, 160, 320, 640) for _ in range(4)]
    assert model.feature_dim == 640
    assert sum(weight.numel() for weight in model.trunk.parameters()) == 12_424_320  # 12.4 M, as reported for it


def test_block_is_the_published_one() -> None:
    block = Block(3, 4).double().train()
    x = torch.randn(5, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(block(x), published_block(block, x))


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(TgrError, match="resnet12 halves images four times: 12 px is too small, use 16 or more"):
        build("resnet12", 5, 8, 12, "test")
