"""Which source files a stage depends on, read from the imports without running them.

The workflow passes these files to each rule as the input `code`, so that editing a module re-runs exactly the stages
that use it.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tgr.errors import TgrError

PACKAGE = Path(__file__).parents[1]
NEUTRAL = ("tgr.config", "tgr.errors", "tgr.run.job")
"""Modules (with all below them) that are no part of a stage's code: the configuration reaches a stage as resolved
values, which are parameters of its rule; errors and the job wrapper leave no trace in what a stage computes."""


def sources_of(*modules: str) -> list[Path]:
    """Return the source files of some modules of this package and of everything that they import from it, sorted.

    Raises:
        TgrError: there is no such module.
    """
    return sorted(file_of(module) for module in _closure(modules))


def sources_of_script(script: str | Path, *modules: str) -> list[Path]:
    """Return a script, and the sources of the modules that it imports and of further ``modules``, sorted."""
    return sorted([Path(script), *sources_of(*imports_of(Path(script)), *modules)])


@cache
def imports_of(file: Path) -> tuple[str, ...]:
    """Return the modules of this package that a file imports anywhere, type-checking blocks excepted, sorted.

    Packages are left out: their ``__init__.py`` files hold no code.
    """
    tree = ast.parse(file.read_bytes(), filename=str(file))
    return tuple(sorted({module for node in _running(tree) for module in _targets(node) if _is_module(module)}))


def file_of(module: str) -> Path:
    """Return the source file of a module of this package.

    Raises:
        TgrError: there is no such module.
    """
    if not _is_module(module):
        raise TgrError(f"{module}: no such module in {PACKAGE}")
    return PACKAGE.parent / (module.replace(".", "/") + ".py")


def all_modules() -> list[str]:
    """Return the names of all modules of this package, packages left out."""
    files = (file.relative_to(PACKAGE.parent) for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")
    return sorted(".".join(file.with_suffix("").parts) for file in files)


def constant(module: str, name: str) -> Any:
    """Return a literal that a module assigns at its top level, e.g. a registry, without importing the module.

    Raises:
        TgrError: there is no such literal.
    """
    for node in ast.parse(file_of(module).read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if isinstance(node, ast.Assign | ast.AnnAssign) and named and node.value is not None:
            return ast.literal_eval(node.value)
    raise TgrError(f"{module}: assigns no literal {name}")


def _closure(modules: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in seen and not _is_neutral(module):
            seen.add(module)
            waiting += imports_of(file_of(module))
    return seen


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the statements of a syntax tree without the bodies of ``if TYPE_CHECKING``: imports are statements."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for alternative in child.orelse:
                yield alternative
                yield from _running(alternative)
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield child
            yield from _running(child)


def _targets(node: ast.AST) -> Iterator[str]:
    """Name everything that may be a module in an import statement: ``from a import b`` may mean ``a`` or ``a.b``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _is_module(name: str) -> bool:
    parts = name.split(".")
    return parts[0] == PACKAGE.name and (PACKAGE.parent / "/".join(parts)).with_suffix(".py").is_file()


def _is_neutral(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in NEUTRAL)
