"""What may stand in the archive of a program; everything else is refused before PyTorch sees it."""

import ast
import io
import json
import pickle
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch

from tgr.errors import TgrError, first_line

Members = dict[str, bytes]

SCRIPT_MEMBERS = re.compile(
    r"(data|constants)\.pkl|(data|constants)/\d+|code/.+\.py|version|byteorder|"
    r"\.data/\w+|\.format_version|\.storage_alignment|_?extra/.*"
)
SCRIPT_UNUSED = re.compile(r"traced_inputs(\.pkl|/.*)|code/.+\.debug_pkl")
SCRIPT_GLOBALS = re.compile(
    r"__torch__\..+|torch\._utils _rebuild_\w+|torch\.jit\._pickle \w+|torch \w+Storage|"
    r"collections OrderedDict"
)
SCRIPT_FORBIDDEN = re.compile(r"\b(save|from_file|load_tensor)\s*\(|\bops\.(?!(prim|aten|quantized)\.)\w+")
"""TorchScript has no other ways to files; operators of other namespaces belong to libraries that are not loaded."""

EXPORT_MEMBERS = re.compile(
    r"models/\w+\.json|data/weights/(weight_\d+|\w+_weights_config\.json)|"
    r"data/constants/(tensor_\d+|\w+_constants_config\.json)|data/sample_inputs/\w+\.pt|"
    r"archive_format|archive_version|version|byteorder|\.data/\w+|extra/.*"
)
EXPORT_TARGETS = re.compile(
    r"torch\.ops\.aten\.(?!from_file|save)\w+\.\w+|torch\.sym_\w+|math\.\w+|"
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|"
    r"not_|getitem)|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
)
WORD = re.compile(r"[\w.]*")
TREE_TYPES = ("builtins.tuple", "builtins.list", "builtins.dict")
SYMBOL = re.compile(r"[su]\d+")
FUNCTIONS = re.compile(
    r"Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Eq|Ne|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|"
    r"ModularIndexing|CeilToInt|FloorToInt|TruncToInt|IntTrueDiv|ToFloat|oo|int_oo"
)
ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Name, ast.Constant,
              ast.Load, ast.operator, ast.unaryop, ast.cmpop)  # fmt: skip


def check_torchscript(members: Members, file: Path) -> Members:
    """Return the members of a TorchScript archive that may be loaded.

    Its loader, which is written in C++, builds no Python objects; so the pickles are checked only to say clearly what
    is wrong. The code may compute anything but must not reach files.

    Raises:
        TgrError: the archive is none of TorchScript, or holds what is not allowed.
    """
    if "constants.pkl" not in members or not any(name.startswith("code/") for name in members):
        raise TgrError(
            f"{file}: refused, because it is no TorchScript program (torch.jit.save); a file of torch.save needs the "
            "architecture of its model instead"
        )
    allowed = {name: content for name, content in members.items() if not SCRIPT_UNUSED.fullmatch(name)}
    _check_names(allowed, SCRIPT_MEMBERS, file)
    for name, content in allowed.items():
        if name.endswith(".pkl"):
            _check_script_pickle(content, name, file)
        elif name.endswith(".py"):
            call = SCRIPT_FORBIDDEN.search(content.decode("utf-8", "replace"))
            if call:
                _refuse(file, name, f"its code calls '{call[0].rstrip('( ')}'")
    return allowed


def _check_script_pickle(content: bytes, name: str, file: Path) -> None:
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
                _refuse(file, name, f"its pickle uses {opcode.name}")
            if opcode.name == "GLOBAL" and not SCRIPT_GLOBALS.fullmatch(str(argument)):
                _refuse(file, name, f"its pickle refers to '{argument}'")
    except ValueError as error:
        raise TgrError(f"{file}: damaged: {name} is no pickle ({error})") from error


def check_exported(members: Members, file: Path) -> Members:
    """Return the members of an archive of torch.export that may be loaded, without guards and records of its origin.

    Raises:
        TgrError: the archive is none of torch.export, of an old PyTorch, or holds what is not allowed.
    """
    graphs = [name for name in members if name.startswith("models/")]
    if graphs != ["models/model.json"]:
        raise TgrError(
            f"{file}: refused, because it is no program of torch.export.save, or of a PyTorch before 2.8; save it again"
        )
    _check_names(members, EXPORT_MEMBERS, file)
    allowed = dict(members)
    for name, content in members.items():
        if name.endswith(".json"):
            allowed[name] = json.dumps(_parse_json(content, name, file)).encode()
        elif name.endswith(".pt"):
            _check_sample_inputs(content, name, file)
    return allowed


def _parse_json(content: bytes, name: str, file: Path) -> Any:
    """Parse a description and check all its texts: they become operators, expressions and names in Python source."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise TgrError(f"{file}: damaged: {name} is no JSON ({error})") from error
    if name.startswith("models/"):
        value |= {"guards_code": [], "torch_version": ""}
    for node in _walk_mappings(value):
        if "metadata" in node:
            node["metadata"] = {}  # where the program came from; it would be looked up in the libraries
        if node.get("use_pickle"):
            _refuse(file, name, "it has pickled weights")
        for key, text in node.items():
            problem = _find_problem(str(key), text)
            if problem:
                _refuse(file, name, problem)
    return value


def _find_problem(key: str, value: Any) -> str | None:
    """Say what is wrong with one entry of a mapping, if anything is."""
    if not WORD.fullmatch(key):
        return f"a name '{key}'"
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str):
            continue
        if key in ("as_string", "as_strings"):
            continue  # an operator's option such as 'mean': written into source with its quotes escaped
        if key == "target" and not EXPORT_TARGETS.fullmatch(text):
            return f"an operator '{text}'"
        if key == "as_operator":
            return f"an operator '{text}' as an argument"
        if key == "expr_str" and not _is_arithmetic(text):
            return f"an expression '{text}'"
        if key in ("in_spec", "out_spec"):
            types = [node.get("type") for node in _walk_mappings(_parse_or_none(text))]
            if not types or any(kind is not None and kind not in TREE_TYPES for kind in types):
                return f"a structure '{text}'"
        elif key not in ("target", "expr_str") and not WORD.fullmatch(text):
            return f"a text '{text}' as {key}"
    return None


def _parse_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _walk_mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Walk through all mappings of a JSON value, outer ones first."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from _walk_mappings(child)


def _is_arithmetic(text: str) -> bool:
    """Return whether an expression, such as ``2*Symbol('s0', integer=True)``, has symbols and known functions only."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        return False
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    return (
        all(isinstance(node, ARITHMETIC) for node in nodes)
        and all(SYMBOL.fullmatch(name) or FUNCTIONS.fullmatch(name) for name in names)
        and all(SYMBOL.fullmatch(text) for text in texts)
        and all(isinstance(function, ast.Name) for function in calls)
    )


def _check_sample_inputs(content: bytes, name: str, file: Path) -> None:
    if not content:
        return
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        _refuse(file, name, f"its pickle holds more than tensors, or is damaged ({first_line(error)})")


def _check_names(members: Members, allowed: re.Pattern[str], file: Path) -> None:
    for name in members:
        if not allowed.fullmatch(name):
            _refuse(file, name, "a program needs no such file")


def _refuse(file: Path, name: str, reason: str) -> NoReturn:
    raise TgrError(
        f"{file}: refused before it was loaded, because loading could run other code: {name}: {reason}; "
        "export the model again, or take its weights (.safetensors)"
    )
