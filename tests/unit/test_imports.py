"""The import graph: stages import earlier stages only, and the library never sees Snakemake."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tgr.config.methods.registry import Methods
from tgr.errors import TgrError
from tgr.run import source_graph

STAGES = (
    "data",
    "backbones",
    "pool",
    "inversion",
    "task_space",
    "meta",
    "methods",
    "evaluation",
    "analysis",
    "reporting",
)
SERVICES = ("config", "errors", "seeds", "artifacts", "devices")
TOOLS = ("plan", "run")
"""Beside the stages: they import services only."""
MODULES = source_graph.all_modules()


def part(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_services_and_earlier_stages(module: str) -> None:
    imported = {part(name) for name in source_graph.imports_of(source_graph.file_of(module))}
    if part(module) in STAGES:
        allowed = {*SERVICES, *STAGES[: STAGES.index(part(module)) + 1]}
    else:
        allowed = {*SERVICES, part(module)}
    assert imported <= allowed, f"{module} imports {sorted(imported - allowed)}"


def test_there_are_no_cycles() -> None:
    graph = {module: source_graph.imports_of(source_graph.file_of(module)) for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' -> '.join(error.args[1])}")


def test_every_package_is_a_known_stage() -> None:
    packages = {file.parent.name for file in source_graph.PACKAGE.glob("*/__init__.py")}
    assert packages == {*STAGES, *TOOLS, "config"}


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_neither_snakemake_nor_relatively(module: str) -> None:
    for node in ast.walk(ast.parse(source_graph.file_of(module).read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = [node.module or ""]
        assert not any(name.split(".")[0].startswith("snakemake") for name in names)


@pytest.mark.parametrize("file", sorted(source_graph.PACKAGE.rglob("__init__.py")), ids=lambda f: f.parent.name)
def test_package_file_holds_no_code(file: Path) -> None:
    """Otherwise it would have to be among the sources of every stage."""
    body = ast.parse(file.read_text()).body
    assert ast.get_docstring(ast.parse(file.read_text()))
    assert [ast.unparse(node).split(" ")[0] for node in body[1:]] in ([], ["__version__"])


def test_registry_and_configuration_name_the_same_methods() -> None:
    for name in Methods.model_fields:
        assert source_graph.file_of(f"tgr.methods.{name}").exists()


def test_one_method_does_not_depend_on_another_through_the_stage() -> None:
    sources = source_graph.sources_of("tgr.methods.stage")
    methods = {source_graph.file_of(f"tgr.methods.{name}") for name in Methods.model_fields}
    assert not methods & set(sources)


def write_package(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of a few modules in the place of this one."""
    files = {
        "tgr/__init__.py": "",
        "tgr/config/load.py": "import tgr.late",
        "tgr/a/one.py": "from tgr.a import two\nimport numpy",
        "tgr/a/two.py": "def f():\n    from tgr.b.three import g\n    return g",
        "tgr/b/three.py": "import typing\nif typing.TYPE_CHECKING:\n    from tgr.late import Late\nelse:\n    Late = 1",
        "tgr/late.py": "from tgr.config.load import load\nNAMES: dict = {'x': 'tgr.a.one'}",
        "script.py": "import tgr.b.three\nfrom tgr import late",
    }
    write_package(tmp_path, files)
    monkeypatch.setattr(source_graph, "PACKAGE", tmp_path / "tgr")
    source_graph.imports_of.cache_clear()
    source_graph._is_module.cache_clear()
    yield tmp_path
    source_graph.imports_of.cache_clear()
    source_graph._is_module.cache_clear()


def names(files: list[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_closure_follows_imports_inside_functions_but_not_those_for_types(package: Path) -> None:
    found = names(source_graph.sources_of("tgr.a.one"), package)
    assert found == ["tgr/a/one.py", "tgr/a/two.py", "tgr/b/three.py"]


def test_closure_of_a_script_leaves_the_configuration_out(package: Path) -> None:
    found = names(source_graph.sources_of_script(package / "script.py", "tgr.a.two"), package)
    assert found == ["script.py", "tgr/a/two.py", "tgr/b/three.py", "tgr/late.py"]


def test_constant_is_read_without_importing(package: Path) -> None:
    assert source_graph.constant("tgr.late", "NAMES") == {"x": "tgr.a.one"}
    with pytest.raises(TgrError, match="NOTHING"):
        source_graph.constant("tgr.late", "NOTHING")


def test_unknown_module_is_an_error(package: Path) -> None:
    with pytest.raises(TgrError, match=r"tgr\.nowhere"):
        source_graph.sources_of("tgr.nowhere")
