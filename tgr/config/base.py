"""The base of all configuration sections."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from tgr.config import architectures


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are immutable.

    Values are not strict, because YAML 1.1 reads `1e-3` as a string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


NAME_PATTERN = r"^[a-z0-9]+([_-][a-z0-9]+)*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=40)]
"""Identifiers that become file names: lower case letters and digits, joined by single `-` or `_`."""

Architecture = Annotated[str, StringConstraints(pattern=architectures.pattern())]
Options = dict[str, bool | int | float | str]
"""Options of a timm model, or of own code."""

Processor = Literal["pinned", "native"]
"""Kernels: the same ones on every x86-64 processor with AVX2, or the fastest of this processor."""
