"""How large a network is, counted on the meta device, where nothing is computed."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tgr.backbones.registry import build
from tgr.backbones.timm_trunk import Option


class Size(NamedTuple):
    """What one image costs.

    Attributes:
        macs: millions of multiplications and additions of its forward pass.
        parameters: millions of weights, a head of five outputs included.
        outputs: millions of values that convolutions and linear layers give: what training keeps in memory.
        features: numbers in front of the head.
    """

    macs: float
    parameters: float
    outputs: float
    features: float


def measure(architecture: str, width: int, image_size: int, options: Mapping[str, Option]) -> Size:
    """Count what one image costs.

    Raises:
        TgrError: as ``tgr.backbones.registry.build``.
    """
    model = build(architecture, 5, width, image_size, "size", options=options).eval().to("meta")
    outputs: list[int] = []

    def record(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output.numel())

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(record)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, image_size, image_size, device="meta"))
    parameters = sum(weight.numel() for weight in model.parameters())
    return Size(counter.get_total_flops() / 2e6, parameters / 1e6, sum(outputs) / 1e6, model.feature_dim)
