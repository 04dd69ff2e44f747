"""Loading the configuration, with one readable error for everything that is wrong in it."""

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tgr.config.messages import describe_value
from tgr.config.schema import Config
from tgr.errors import TgrError, escape


def load(path: str | Path) -> Config:
    """Read a YAML file and validate it.

    Raises:
        TgrError: the file cannot be read, is not YAML, or holds an invalid configuration.
    """
    path = Path(path)
    refuse_repeated_keys(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:  # the second of what looks like a date or a number, and is none
        raise TgrError(f"{path}: not valid YAML: {error}") from error
    return validate(values, path)


def digest_settings(path: str | Path) -> str:
    """Return the SHA-256 of what a configuration file sets, as hexadecimal digits: comments and layout do not count."""
    settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def refuse_repeated_keys(path: str | Path) -> None:
    """Raise TgrError if a YAML file cannot be read, or has a key twice in a section (YAML keeps the last)."""
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), yaml.SafeLoader)
    except OSError as error:
        raise TgrError(f"{path}: cannot read the configuration ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise TgrError(f"{path}: not valid YAML: {error}") from error
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            waiting.append(value)
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in lines:
                first = lines[key.value]
                raise TgrError(f"{path}: line {line}: {escape(key.value)}: this key stands in line {first} already")
            lines[key.value] = line


def validate(values: Any, source: str | Path) -> Config:
    """Validate a configuration that was already read; ``source`` names it in error messages."""
    if not isinstance(values, Mapping):
        raise TgrError(f"{source}: a configuration is a mapping of sections, not {type(values).__name__}")
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        problems = [f"{source}: {_describe(problem)}" for problem in error.errors()]
        raise TgrError("\n".join(problems)) from error


def _describe(problem: ErrorDetails) -> str:
    key = ".".join(escape(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{_suggestion(problem['loc'])}"
    if problem["type"] == "missing":
        return f"{key}: this key is required"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error" and not key:
        return message
    return f"{key}: {describe_value(problem)}"


def _suggestion(location: tuple[int | str, ...]) -> str:
    """Name the valid keys of the section in which an unknown key stands, the most similar one first."""
    section: Any = Config
    for part in location[:-1]:
        section = _step(section, part)
    model = _model(section)
    if model is None:
        return ""
    valid = list(model.model_fields)
    close = get_close_matches(str(location[-1]), valid, n=1)
    return (f"; did you mean '{close[0]}'?" if close else ".") + f" Valid keys: {', '.join(valid)}"


def _step(annotation: Any, part: int | str) -> Any:
    model = _model(annotation)
    if model is not None:
        return model.model_fields[str(part)].annotation
    arguments = get_args(annotation)
    return arguments[-1] if arguments else annotation


def _model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, UnionType):
        return next((model for model in map(_model, get_args(annotation)) if model), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
