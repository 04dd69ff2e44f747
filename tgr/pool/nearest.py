"""Which architecture a checkpoint that does not fit its own comes from: a guess, for an error message."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import torch
from torch import Tensor, nn

from tgr.backbones.fitting import fit, own_names
from tgr.config.architectures import ARCHITECTURES, TIMM
from tgr.config.existing_models import ExistingModel
from tgr.errors import TgrError

COMMON = {
    "layer1.0.conv1.weight": ("resnet18", "resnet34", "resnet50", "resnet101"),
    "blocks.0.attn.qkv.weight": ("vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224"),
    "blocks.0.0.conv_dw.weight": ("mobilenetv2_100", "mobilenetv3_large_100", "efficientnet_b0"),
    "stages.0.blocks.0.conv_dw.weight": ("convnext_tiny", "convnext_base"),
    "features.denseblock1.denselayer1.conv1.weight": ("densenet121",),
}
"""Models of timm that lie around most, by a tensor that they have; torchvision's ResNets and DenseNets have the
same names."""
ENOUGH = 0.5
"""The share of a trunk's tensors that makes a candidate worth a mention."""


def name_nearest(tensors: Mapping[str, Tensor], row: ExistingModel) -> str:
    """Return a line that names the architecture that most of the tensors fit; an empty one if none comes near.

    Only names and shapes are compared: networks are built without memory for their weights.
    """
    best, share = "", 0.0
    for name, trunk in _candidates(tensors, row.image_size):
        spelling = own_names(trunk)
        n = len(spelling.names)
        try:
            fitted = len(fit(trunk, tensors, spelling).state)
        except TgrError:
            continue  # it holds several such networks, or integers: the error at hand is another
        if fitted / n > share:
            best, share = f"{name} ({fitted} of {n} tensors before the head)", fitted / n
    return f"nearest of those tried: {best}" if share >= ENOUGH else ""


def _candidates(tensors: Mapping[str, Tensor], image_size: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield the suite's architectures, as wide as the first convolution of colour images, and common ones of timm."""
    import timm

    first = next((tensor for tensor in tensors.values() if tensor.ndim == 4 and tensor.shape[1] == 3), None)
    with torch.device("meta"):
        for name, about in ARCHITECTURES.items():
            width = len(first) if first is not None else 0
            if width >= about.minimum_width:
                module = import_module(f"tgr.backbones.{about.module}")
                trunk, _ = module.trunk(width, max(image_size, 16), **about.arguments)
                yield f"{name} with width {width}", _under("trunk", trunk)
        for known, names in COMMON.items():
            for name in names if any(stored.endswith(known) for stored in tensors) else ():
                yield f"{TIMM}:{name}", timm.create_model(name, num_classes=0)


def _under(name: str, module: nn.Module) -> nn.Module:
    parent = nn.Module()
    parent.add_module(name, module)
    return parent
