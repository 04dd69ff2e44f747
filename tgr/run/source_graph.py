"""Which source files a stage depends on, read from the imports without running them.

The workflow passes these files to each rule as the input `code`, so that editing a module re-runs exactly the stages
that use it.
"""

import ast
from copy import deepcopy
from functools import cache
from pathlib import Path

import grimp

from tgr.config.architectures import ARCHITECTURES
from tgr.errors import TgrError

PACKAGE = Path(__file__).parents[1]
NEUTRAL = ("tgr.config", "tgr.errors", "tgr.run.job")
"""Modules (with all below them) that are no part of a stage's code: the configuration reaches a stage as resolved
values, which are parameters of its rule; errors and the job wrapper leave no trace in what a stage computes."""


@cache
def import_graph() -> grimp.ImportGraph:
    """Return which module of this package imports which, anywhere but in blocks for type checking."""
    return grimp.build_graph(PACKAGE.name, exclude_type_checking_imports=True, cache_dir=None)


@cache
def all_modules() -> frozenset[str]:
    """Return the names of all modules of this package. Packages are left out: their ``__init__.py`` holds no code."""
    return frozenset(module for module in import_graph().modules if file_of(module).is_file())


def file_of(module: str) -> Path:
    """Return where the source of a module of this package is."""
    return PACKAGE.parent / (module.replace(".", "/") + ".py")


def sources_of(*modules: str) -> list[Path]:
    """Return the source files of some modules of this package and of everything that they import from it, sorted.

    Raises:
        TgrError: there is no such module.
    """
    if unknown := sorted({*modules} - all_modules()):
        raise TgrError(f"{unknown[0]}: no such module in {PACKAGE}")
    graph = _graph_without_neutral_modules()
    used = graph.modules.intersection(modules)
    used = used.union(*map(graph.find_upstream_modules, used))
    return sorted(map(file_of, used & all_modules()))


def sources_of_script(script: str | Path, *modules: str) -> list[Path]:
    """Return a script, and the sources of the modules that it imports and of further ``modules``, sorted."""
    names = set()
    for node in ast.walk(ast.parse(Path(script).read_bytes(), filename=str(script))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):  # `from a import b` may mean the module `a` or `a.b`
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted([Path(script), *sources_of(*names & all_modules(), *modules)])


@cache
def _graph_without_neutral_modules() -> grimp.ImportGraph:
    graph = deepcopy(import_graph())
    for about in ARCHITECTURES.values():  # imported by name
        graph.add_import(importer="tgr.backbones.registry", imported=f"tgr.backbones.{about.module}")
    for module in NEUTRAL:
        graph.remove_module(module)
    return graph
