"""The base of all configuration sections."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are immutable.

    Values are not strict, because YAML 1.1 reads `1e-3` as a string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


NAME_PATTERN = r"^[a-z0-9]+([_-][a-z0-9]+)*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=40)]
"""Identifiers that become file names: lower case letters and digits, joined by single `-` or `_`."""

ARCHITECTURES = (
    "conv4",
    "resnet10",
    "resnet18",
)
"""Each is a module of ``tgr.backbones``; beside them there are the models of timm."""
MINIMUM_RESNET_WIDTH = 8
"""Narrower ones crash PyTorch on CPUs: channels-last 1x1 convolutions of stride 2 with fewer than 8 input channels
overwrite memory in oneDNN."""
Architecture = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(ARCHITECTURES)}|timm:[A-Za-z0-9_.]+)$")]
Options = dict[str, bool | int | float | str]
"""Options of a timm model."""
