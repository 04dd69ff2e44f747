"""What is wrong with a value, in words."""

from datetime import date

from pydantic_core import ErrorDetails


def describe_value(problem: ErrorDetails) -> str:
    """Return pydantic's message on a value, what to do about it, and the value.

    A name such as `no`, `12` or `2024-05-01` reaches us as a truth value, a number or a date: so YAML reads it.
    """
    message, value = problem["msg"].removeprefix("Value error, "), problem["input"]
    if problem["type"] == "string_type" and isinstance(value, bool | int | float | date):
        message += "; put it in quotes"
    if problem["type"] == "string_type" and value is None:
        message += "; put it in quotes if it is a word that YAML takes for nothing, or begins with #"
    return f"{message} (found {value!r})"
