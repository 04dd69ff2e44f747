"""Variants of methods: what an ablation compares."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated

from pydantic import Field, ValidationError

from tgr.config.base import Distinct
from tgr.config.messages import shorten
from tgr.config.methods.base import MethodParameters

Value = bool | int | float | str | None
Factors = dict[str, Annotated[Distinct[Value], Field(min_length=1)]]
"""Parameters, each with the values that it takes."""


@dataclass(frozen=True)
class Variant:
    """A method with its parameters.

    Attributes:
        method: a key of ``methods``.
        changes: the values of an ablation's factors.
        parameters: all parameters.
    """

    method: str
    changes: Mapping[str, Value]
    parameters: MethodParameters


def changed(method: str, configured: MethodParameters, changes: Mapping[str, Value]) -> MethodParameters:
    """Return the parameters of a method with some of them changed.

    Raises:
        ValueError: there is no such parameter, or a value that it does not take.
    """
    try:
        return type(configured).model_validate(configured.model_dump() | dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            valid = ", ".join(sorted(type(configured).model_fields))
            raise ValueError(f"{method}.{first['loc'][0]}: unknown key; valid: {valid}") from error
        raise ValueError(f"{method}.{first['loc'][0]}: {first['msg']} (found {shorten(first['input'])})") from error


def vary(method: str, configured: MethodParameters, factors: Factors) -> dict[str, Variant]:
    """Return a method under all combinations of some factors.

    Names list what differs from the method as configured, e.g. ``tgr.grouping-random.treatment-none``, so that
    ablations which meet in a variant share its training; what differs in nothing is the method itself.

    Raises:
        ValueError: a value that the method does not take.
    """
    combinations = [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
    return dict(named_variant(method, configured, changes) for changes in combinations)


def named_variant(method: str, configured: MethodParameters, changes: Mapping[str, Value]) -> tuple[str, Variant]:
    """Return a method with some changes, and its name as ``vary`` gives it.

    Raises:
        ValueError: a value that the method does not take.
    """
    parameters = changed(method, configured, changes)
    different = [key for key in changes if getattr(parameters, key) != getattr(configured, key)]
    name = ".".join([method, *(f"{key}-{_slug(getattr(parameters, key))}" for key in different)])
    return name, Variant(method, changes, parameters)


def _slug(value: Value) -> str:
    """Return a value as a part of a name: a float by as few digits as tell it from all others."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).lower()
