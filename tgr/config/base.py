"""The base of all configuration sections."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from tgr.config import architectures


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are immutable.

    Values are not strict, because YAML 1.1 reads `1e-3` as a string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Item = TypeVar("Item")


def refuse_repeats(values: list[Item]) -> list[Item]:
    """Return a list as it is; raise ValueError if an entry stands there twice."""
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value!r} stands there twice; name each once")
    return values


Distinct = Annotated[list[Item], AfterValidator(refuse_repeats), Field(json_schema_extra={"uniqueItems": True})]
"""A list without repeated entries, each of which would be trained, or shown, once more under the same name."""

WILDCARDS = frozenset("{}*?[]")


def check_path(path: str) -> str:
    """Return a path of the user's with the home directory in the place of `~`; a URL as it is.

    Raises:
        ValueError: it holds characters that the workflow or a shell takes for wildcards.
    """
    if "://" in path:
        return path
    if found := sorted(WILDCARDS & {*path}):
        raise ValueError(f"a path names one file or folder, and cannot hold {' '.join(found)}; rename it")
    try:
        return str(Path(path).expanduser()) if path.startswith("~") else path
    except RuntimeError:
        raise ValueError("nobody has this home directory; write the path out") from None


UserPath = AfterValidator(check_path)
"""Beside a type of text: it is a path."""

NAME_PATTERN = r"^[a-z0-9]+([_-][a-z0-9]+)*$"

LONGEST_NAME = 40

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]
"""Identifiers that become file names: lower case letters and digits, joined by single `-` or `_`."""

Architecture = Annotated[str, StringConstraints(pattern=architectures.pattern())]
Options = dict[str, bool | int | float | str]
"""Options of a timm model, or of own code."""

Processor = Literal["pinned", "native"]
"""Kernels: the same ones on every x86-64 processor with AVX2, or the fastest of this processor."""

Precision = Literal["ieee", "tf32"]
"""Operands of float32 products and convolutions on a GPU: exact, or rounded to ten bits."""

Launches = Literal["eager", "graph"]
"""How the kernels of a step reach a GPU: one after the other, or recorded and launched whole."""
