"""Documents generated from the configuration: the JSON schema for editors, and in the README the files and the keys.

``python -m tgr.config.generate`` writes them; with ``--check`` it only says whether they are up to date.
"""

import json
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from tgr.config.base import NAME_PATTERN
from tgr.config.schema import Config
from tgr.errors import TgrError

ROOT = Path(__file__).parents[2]
SCHEMA = Path("workflow/schemas/config.schema.json")
README = Path("config/README.md")
DEFAULT = "config.yaml"
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` | `false`", "null": "`null`"}
Schema = dict[str, Any]


def schema() -> str:
    """Return the JSON schema of the configuration."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def file_table() -> str:
    """Return a Markdown table of the configurations, the default first, each with the first sentence of its comment.

    Raises:
        TgrError: a file does not describe itself.
    """
    files = sorted((ROOT / README.parent).glob("*.yaml"), key=lambda file: (file.name != DEFAULT, file.name))
    rows = [f"| [{file.name}]({file.name}) | {_description(file)} |" for file in files]
    return "\n".join(["| file | what it runs |", "|---|---|", *rows])


def _description(file: Path) -> str:
    lines = file.read_text(encoding="utf-8").splitlines()[1:]
    comment = " ".join(line.removeprefix("# ") for line in takewhile(lambda line: line.startswith("# "), lines))
    if not comment:
        raise TgrError(f"{file}: describe the configuration in a comment on line 2, below the line for the editor")
    return comment.split(". ")[0].removesuffix(".") + "."


def key_tables() -> str:
    """Return one Markdown table for each section of the configuration that has keys."""
    return "\n\n".join(_table(name, section) for name, section in sections() if section.get("properties"))


def sections() -> Iterator[tuple[str, Schema]]:
    """Yield the name and the JSON schema of each section, depth first.

    In a name, ``<name>`` stands for a key of the user's choice. A section that repeats one of the top level, such as
    ``pools.<name>.pretrain``, is left out.
    """
    whole = Config.model_json_schema()
    at_the_top = {_model(field) for field in whole["properties"].values()}

    def walk(name: str, section: Schema) -> Iterator[tuple[str, Schema]]:
        yield name, section
        for key, field in section.get("properties", {}).items():
            model = _model(field)
            if model and not (name and model in at_the_top):
                below = f"{name}.{key}" if name else key
                yield from walk(f"{below}.<name>" if "patternProperties" in field else below, whole["$defs"][model])

    return walk("", whole)


def _model(field: Schema) -> str | None:
    """Return the name of the model that describes a field, if it is a section or sections by name."""
    parts = (field, *field.get("anyOf", ()), *field.get("patternProperties", {}).values())
    return next((part["$ref"].removeprefix("#/$defs/") for part in parts if "$ref" in part), None)


def _table(name: str, section: Schema) -> str:
    meaning = " ".join(section["description"].split("\n\n")[0].split())
    head = f"### {f'`{name}`' if name else 'Top level'}\n\n{meaning}\n"
    rows = [
        f"| `{key}` | {_type(field)} | {_default(key, field, section)} | {', '.join(_bounds(field))} | "
        f"{_escape(field.get('description', ''))} |"
        for key, field in section["properties"].items()
    ]
    return "\n".join([head, "| key | type | default | bounds | meaning |", "|---|---|---|---|---|", *rows])


def _type(field: Schema) -> str:
    return _escape(" | ".join(_types(field)))


def _escape(text: str) -> str:
    """Return text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _types(field: Schema) -> Iterator[str]:
    if "anyOf" in field:
        for part in field["anyOf"]:
            if part != {"type": "null"} or not _model(field):
                yield from _types(part)
    elif "$ref" in field:
        yield "section"
    elif "enum" in field or "const" in field:
        yield from (f"`{value}`" for value in field.get("enum", [field.get("const")]))
    elif field["type"] == "array":
        yield f"list of {' | '.join(_types(field['items']))}"
    elif field["type"] == "object":
        yield "sections by name"
    else:
        yield "name" if field.get("pattern") == NAME_PATTERN else TYPES[field["type"]]


def _default(key: str, field: Schema, section: Schema) -> str:
    if key in section.get("required", ()):
        return "required"
    if _model(field) and "patternProperties" not in field:
        return "as below" if field["default"] else "absent"
    return f"`{json.dumps(field['default'], ensure_ascii=False)}`".replace('"', "")


def _bounds(field: Schema) -> list[str]:
    """Say the bounds of a number, also where they stand inside a union or a list."""
    bounds = [f"{sign} {field[key]:g}" for key, sign in BOUNDS.items() if key in field]
    parts = [*field.get("anyOf", ()), *([field["items"]] if "items" in field else [])]
    return list(dict.fromkeys(bounds + [bound for part in parts for bound in _bounds(part)]))


def documents() -> dict[Path, str]:
    """Return the content that each generated file should have; the README keeps its text around the tables."""
    text = (ROOT / README).read_text(encoding="utf-8")
    for name, tables in (("files", file_table()), ("keys", key_tables())):
        before, begin, rest = text.partition(f"<!-- {name}: generated by `make generate` -->")
        end = f"<!-- end of {name} -->"
        text = f"{before}{begin}\n\n{tables}\n\n{end}{rest.partition(end)[2]}"
    return {SCHEMA: schema(), README: text}


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` compare them; return the exit code."""
    stale = {path: text for path, text in documents().items() if _read(ROOT / path) != text}
    if "--check" in arguments:
        for path in stale:
            print(f"{path}: not up to date; run `make generate`")
        return 1 if stale else 0
    for path, text in stale.items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
