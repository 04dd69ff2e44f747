"""All methods: a name here, its card ``tgr.config.methods.<name>`` and its module ``tgr.methods.<name>``."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import Field, create_model, model_validator

from tgr.config.base import Section
from tgr.config.methods.base import MethodParameters

NAMES = (
    "pixels",
    "random",
    "best",
    "average",
    "ota",
    "dro",
    "bank",
    "distil",
    "panel",
    "replay",
    "purer",
    "bidf_mkd",
    "free",
    "tgr",
    "ensemble",
    "realbank",
    "realdata",
    "realproto",
)
"""In the order of the tables."""


def _card(name: str) -> type[MethodParameters]:
    """Return the class of a method: that of ``bidf_mkd`` is ``BidfMkd``."""
    return getattr(import_module(f"tgr.config.methods.{name}"), name.title().replace("_", ""))


def _field(card: type[MethodParameters]) -> tuple[Any, Any]:
    summary = (card.__doc__ or "").partition("\n")[0].removesuffix(".")
    source = f"; {card.citation}" if card.citation else ""
    return card | None, Field(None, description=f"{summary}{source}.")


CARDS = {name: _card(name) for name in NAMES}
_FIELDS: dict[str, Any] = {name: _field(card) for name, card in CARDS.items()}
_Sections: Any = create_model("_Sections", __base__=Section, **_FIELDS)


class Methods(_Sections):
    """The methods to run. A method takes part if its key is present; `{}`, or nothing, means its default parameters."""

    @model_validator(mode="before")
    @classmethod
    def _fill_empty(cls, values: Any) -> Any:
        """Take a key without a value, which YAML reads as null, for a method with its default parameters."""
        if not isinstance(values, Mapping):
            return values
        return {name: {} if value is None else value for name, value in values.items()}

    def active(self) -> dict[str, MethodParameters]:
        """Return the methods that take part, by name, in the order of the tables."""
        return {name: getattr(self, name) for name in CARDS if getattr(self, name) is not None}


def parameters_of(method: str, values: dict[str, object]) -> MethodParameters:
    """Return the parameters of a method from plain values.

    Raises:
        pydantic.ValidationError: unknown method, unknown key, or a value out of bounds.
    """
    return Methods.model_validate({method: values}).active()[method]


def bibliography() -> dict[str, str]:
    """Return the entry of each method that has a paper of its own."""
    return {name: card.bibtex for name, card in CARDS.items() if card.bibtex}


def entry_key(entry: str) -> str:
    """Return the key by which an entry of a bibliography is cited."""
    return re.split(r"[{,\s]+", entry)[1]
