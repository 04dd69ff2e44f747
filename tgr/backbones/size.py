"""How large a network is: counted on the meta device, where nothing is computed, unless it is foreign code."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tgr.backbones.classifier import Classifier
from tgr.backbones.own import take_apart
from tgr.backbones.registry import build, build_own
from tgr.backbones.timm_trunk import Option
from tgr.config.architectures import is_own

N_CLASSES = 5
"""Outputs of a network whose size is counted."""


class Size(NamedTuple):
    """What one image costs.

    Attributes:
        macs: millions of multiplications and additions of its forward pass.
        parameters: millions of weights, a head of five outputs included.
        outputs: millions of values that convolutions and linear layers give: what training keeps in memory.
        features: numbers in front of the head; outputs, if there is none.
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
    if is_own(architecture):  # foreign code may not run on the meta device
        network = build_own(architecture, N_CLASSES, image_size, "size", options=options)
        model: nn.Module = take_apart(network, image_size) or network
    else:
        model = build(architecture, N_CLASSES, width, image_size, "size", options=options).eval().to("meta")
    with FlopCounterMode(display=False) as counter:
        outputs = count_outputs(model, image_size)
    parameters = sum(weight.numel() for weight in model.parameters())
    features = model.feature_dim if isinstance(model, Classifier) else N_CLASSES
    return Size(counter.get_total_flops() / 2e6, parameters / 1e6, outputs, features)


@torch.no_grad()
def count_outputs(model: nn.Module, image_size: int) -> float:
    """Return the millions of values that convolutions and linear layers give for one image.

    Args:
        model: in evaluation mode.
    """
    outputs: list[int] = []

    def record(_layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output.numel())

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(record) for layer in layers]
    model(torch.zeros(1, 3, image_size, image_size, device=next(model.parameters()).device))
    for handle in handles:
        handle.remove()
    return sum(outputs) / 1e6
