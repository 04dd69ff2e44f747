"""The import graph: stages import earlier stages only, and the library never sees Snakemake."""

import ast
import shutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import get_args

import grimp
import pytest

from tgr.config.architectures import ARCHITECTURES
from tgr.config.methods.base import Embedding
from tgr.config.methods.registry import Methods
from tgr.data.readers import registry as readers
from tgr.errors import TgrError
from tgr.run import source_graph

STAGES = (
    "data",
    "backbones",
    "pool",
    "inversion",
    "panel",
    "task_space",
    "meta",
    "methods",
    "evaluation",
    "analysis",
    "reporting",
)
SERVICES = ("config", "errors", "seeds", "artifacts", "devices", "launches")
TOOLS = {
    "plan": {"plan", "workflow", "backbones"},
    "run": {"run"},
    "workflow": {"workflow", "run", "data"},
    "tuning": {"tuning", "workflow"},
}
"""Beside the stages: what they import, services apart."""
MODULES = sorted(source_graph.all_modules())
IMPORTS = {module: source_graph.import_graph().find_modules_directly_imported_by(module) for module in MODULES}


def part(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_services_and_earlier_stages(module: str) -> None:
    imported = {part(name) for name in IMPORTS[module] - {"tgr"}}
    if part(module) in STAGES:
        allowed = {*SERVICES, *STAGES[: STAGES.index(part(module)) + 1]}
    else:
        allowed = {*SERVICES, *TOOLS.get(part(module), {part(module)})}
    assert imported <= allowed, f"{module} imports {sorted(imported - allowed)}"


def test_there_are_no_cycles() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' -> '.join(error.args[1])}")


def test_every_package_is_a_known_stage() -> None:
    packages = {file.parent.name for file in source_graph.PACKAGE.glob("*/__init__.py")}
    assert packages == {*STAGES, *TOOLS, "config"}


def test_no_module_imports_snakemake() -> None:
    graph = grimp.build_graph("tgr", include_external_packages=True, cache_dir=None)
    importers = {name: graph.find_modules_that_directly_import(name) for name in graph.modules if "snakemake" in name}
    assert not importers


@pytest.mark.parametrize("file", sorted(source_graph.PACKAGE.rglob("__init__.py")), ids=lambda f: f.parent.name)
def test_package_file_holds_no_code(file: Path) -> None:
    """Otherwise it would have to be among the sources of every stage."""
    body = ast.parse(file.read_text()).body
    assert ast.get_docstring(ast.parse(file.read_text()))
    assert [ast.unparse(node).split(" ")[0] for node in body[1:]] in ([], ["__version__"])


def test_registry_and_configuration_name_the_same_methods() -> None:
    assert {f"tgr.methods.{name}" for name in Methods.model_fields} <= source_graph.all_modules()


def test_registries_name_modules() -> None:
    names = [f"tgr.backbones.{about.module}" for about in ARCHITECTURES.values()]
    names += [readers.module(source) for source in readers.READERS]
    names += [f"tgr.task_space.{embedding}" for embedding in get_args(Embedding)]
    assert set(names) <= set(source_graph.all_modules())


def test_stages_do_not_depend_on_architectures_that_their_jobs_do_not_name() -> None:
    sources = {file.name for file in source_graph.sources_of("tgr.pool.pretrain")}
    assert not {"conv4.py", "resnet.py"} & sources and "timm_trunk.py" in sources


def test_one_method_does_not_depend_on_another_through_the_stage() -> None:
    sources = source_graph.sources_of("tgr.methods.stage")
    methods = {source_graph.file_of(f"tgr.methods.{name}") for name in Methods.model_fields}
    assert not methods & set(sources)


PACKAGE_OF_THE_TEST = {
    "tgr/config/load.py": "import tgr.late",
    "tgr/run/job.py": "",
    "tgr/a/one.py": "from tgr.a import two\nimport numpy",
    "tgr/a/two.py": "def f():\n    from tgr.b.three import g\n    return g",
    "tgr/b/three.py": "import typing\nif typing.TYPE_CHECKING:\n    from tgr.late import Late\nelse:\n    Late = 1",
    "tgr/late.py": "from tgr.config.load import load",
    "script.py": "import tgr.b.three\nfrom tgr import late",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of the same name with a few modules, and with this one's source graph."""
    root = tmp_path_factory.mktemp("package")
    for name, text in PACKAGE_OF_THE_TEST.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for module in ("run/source_graph.py", "config/architectures.py", "errors.py"):
        shutil.copy(source_graph.PACKAGE / module, root / "tgr" / module)
    for package in ("", *{file.parent.name for file in root.glob("tgr/*/*.py")}):
        (root / "tgr" / package / "__init__.py").touch()
    return root


def sources(folder: Path, call: str) -> list[str]:
    program = f"from tgr.run.source_graph import *\nfor file in {call}: print(file.absolute())"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return [Path(line).relative_to(folder).as_posix() for line in done.stdout.splitlines()]


def test_sources_follow_imports_inside_functions_but_not_those_for_types(folder: Path) -> None:
    assert sources(folder, "sources_of('tgr.a.one')") == ["tgr/a/one.py", "tgr/a/two.py", "tgr/b/three.py"]


def test_sources_of_a_script_leave_the_configuration_out(folder: Path) -> None:
    actual = sources(folder, "sources_of_script('script.py', 'tgr.a.two')")
    assert sorted(actual) == ["script.py", "tgr/a/two.py", "tgr/b/three.py", "tgr/late.py"]


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(TgrError, match=r"tgr\.nowhere"):
        source_graph.sources_of("tgr.nowhere")
