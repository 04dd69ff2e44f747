"""The networks that can be built: a name here and a module of ``tgr.backbones`` make an architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class About:
    """What is said of an architecture.

    Attributes:
        module: of ``tgr.backbones``; its ``trunk(width, image_size, **arguments)`` returns the trunk and the length of
            its features. The planner takes architectures of one module to be alike.
        arguments: what tells it from others of that module.
        kind, minimum_width: what the error for fewer channels calls it, and how many it needs.
    """

    module: str
    arguments: Mapping[str, int] = field(default_factory=dict)
    kind: str = ""
    minimum_width: int = 1


# ResNets of fewer than 8 channels crash PyTorch on CPUs: channels-last 1x1 convolutions of stride 2 with so few input
# channels overwrite memory in oneDNN.
ARCHITECTURES = {
    "conv4": About("conv4"),
    "resnet10": About("resnet", {"blocks": 1}, "a ResNet", minimum_width=8),
    "resnet18": About("resnet", {"blocks": 2}, "a ResNet", minimum_width=8),
    "resnet12": About("resnet12"),
}
"""Those with a width of one's choice; beside them stand all of timm, as ``timm:<name>``."""
TIMM = "timm"


def check_width(key: str, architecture: str, width: int) -> None:
    """Raise ValueError, which names ``key``, if an architecture has too few channels."""
    about = ARCHITECTURES.get(architecture)
    if about and width < about.minimum_width:
        raise ValueError(f"{key}: {about.kind} needs at least {about.minimum_width} channels, found {width}")


def module_of(architecture: str) -> str:
    """Return the module of ``tgr.backbones`` that builds an architecture, or ``timm``."""
    return TIMM if architecture.startswith(f"{TIMM}:") else ARCHITECTURES[architecture].module


def pattern(*others: str) -> str:
    """Return the regular expression of all architectures, and of further names."""
    return rf"^({'|'.join([*ARCHITECTURES, *others])}|{TIMM}:[A-Za-z0-9_.]+)$"
