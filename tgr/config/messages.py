"""What is wrong with a value, in words."""

from datetime import date
from reprlib import Repr
from typing import Any

from pydantic_core import ErrorDetails

MOST_BITS = 1000
"""Of a whole number that is written out."""


class _Shortened(Repr):
    """Writes values as ``repr`` does, but of long or deep ones a part: aliases in YAML make huge lists of few bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxlist = self.maxtuple = self.maxdict = 10
        self.maxstring = self.maxother = 200

    def repr_int(self, x: int, level: int) -> str:
        return f"a number of {x.bit_length()} bits" if x.bit_length() > MOST_BITS else repr(x)


shorten: Any = _Shortened().repr
"""Returns the text of a value, shortened if it is long or deep."""


def describe_value(problem: ErrorDetails) -> str:
    """Return pydantic's message on a value, what to do about it, and the value.

    A name such as `no`, `12` or `2024-05-01` reaches us as a truth value, a number or a date: so YAML reads it.
    """
    message, value = problem["msg"].removeprefix("Value error, "), problem["input"]
    if problem["type"] == "string_type" and isinstance(value, bool | int | float | date):
        message += "; put it in quotes"
    if problem["type"] == "string_type" and value is None:
        message += "; put it in quotes if it is a word that YAML takes for nothing, or begins with #"
    return f"{message} (found {shorten(value)})"
