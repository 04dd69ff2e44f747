"""The networks that can be built: a name here and a module of ``tgr.backbones`` make an architecture."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


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
"""Those with a width of one's choice; beside them stand all of timm, as ``timm:<name>``, and the user's own code, as
``python:<module>:<callable>``. These take options instead."""
TIMM, OWN = "timm", "python"


def check_width(key: str, architecture: str, width: int) -> None:
    """Raise ValueError, which names ``key``, if an architecture has too few channels."""
    about = ARCHITECTURES.get(architecture)
    if about and width < about.minimum_width:
        raise ValueError(f"{key}: {about.kind} needs at least {about.minimum_width} channels, found {width}")


def takes_options(architecture: str) -> bool:
    """Return whether an architecture is built with options, instead of a width."""
    return architecture.startswith((f"{TIMM}:", f"{OWN}:"))


def module_of(architecture: str) -> str:
    """Return the module of ``tgr.backbones`` that builds an architecture; ``timm`` or ``python`` for the others."""
    return architecture.partition(":")[0] if takes_options(architecture) else ARCHITECTURES[architecture].module


def is_own(architecture: str) -> bool:
    """Return whether an architecture is built by the user's own code."""
    return architecture.startswith(f"{OWN}:")


def split_own(architecture: str) -> tuple[str, str]:
    """Return module and callable of ``python:<module>:<callable>``."""
    module, _, name = architecture.removeprefix(f"{OWN}:").partition(":")
    return module, name


def find_own_source(architecture: str) -> Path | None:
    """Return the file of an own architecture's module, without running it.

    Returns:
        The first on Python's path and then in the working directory; None if there is none, as for a module that an
        import hook provides.
    """
    parts = Path(*split_own(architecture)[0].split("."))
    for folder in [*sys.path, ""]:
        for file in (folder / parts / "__init__.py", folder / parts.with_suffix(".py")):
            if file.is_file():
                return file
    return None


def pattern() -> str:
    """Return the regular expression of all architectures."""
    return rf"^({'|'.join(ARCHITECTURES)}|{TIMM}:[A-Za-z0-9_.]+|{OWN}:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)$"
