"""What a configuration runs: every rule that it has a use for, as many jobs as the planner counts."""

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import benchmark_formats as formats
import pytest
from workflow_project import ABLATION, COUNTS, REPOSITORY, Project, copy_project, job_counts

from tgr.artifacts import read_json
from tgr.config.load import load
from tgr.plan.planner import REPORT, costs
from tgr.plan.units import load_units
from tgr.workflow import targets
from tgr.workflow.jobs import Jobs

DEFAULT, SMOKE, TINY = "config/config.yaml", "config/smoke.yaml", "tests/workflow/tiny.yaml"
RULES = {
    rule
    for file in REPOSITORY.glob("workflow/rules/*.smk")
    for rule in re.findall(r"^rule (\w+):", file.read_text(), flags=re.MULTILINE)
}
ANALYSIS = {"measure_pairs", "gather_pairs", "plot_pairs", "gather_sweep", "plot_sweep"} | {
    "gather_budget",
    "plot_budget",
    "measure_contrasts",
    "plot_contrasts",
}
DOWNLOADS = {"download_cifar100", "download_weights"}
PANEL = {"judge"}
"""What only a configuration with a method needs that starts from a panel's judgement; the smoke run has one."""
ON_REQUEST = {"collect_paper", "share_models"}
DryRun = Callable[[str], str]


@pytest.fixture(scope="module")
def dry_run(pristine: Project) -> DryRun:
    """A function: what a dry run of a configuration prints. Each is made once."""
    return cache(lambda config: Project(pristine.root, config).run("--dry-run"))


@pytest.mark.parametrize("config", [DEFAULT, SMOKE, ""], ids=["default", "smoke", "none given"])
def test_dry_run(dry_run: DryRun, config: str) -> None:
    absent = {"import_models", *DOWNLOADS, *ON_REQUEST, *ANALYSIS} | (set() if config == SMOKE else ABLATION | PANEL)
    assert RULES - set(job_counts(dry_run(config))) == absent


def test_strangers_are_imported_without_a_network(dry_run: DryRun) -> None:
    planned = job_counts(dry_run("config/strangers.yaml"))
    assert (planned["import_models"], planned["pretrain"], planned["invert"]) == (3, 3, 6)
    assert not DOWNLOADS & set(planned)


def test_tiny_configuration_runs_every_rule_that_needs_no_network(dry_run: DryRun) -> None:
    assert set(job_counts(dry_run(TINY))) == RULES - DOWNLOADS - ON_REQUEST - PANEL


def test_given_configuration_replaces_the_default(dry_run: DryRun) -> None:
    assert "icons" in dry_run(DEFAULT) and "icons" not in dry_run(TINY)


@pytest.mark.parametrize("name", [TINY, DEFAULT, SMOKE])
def test_plan_counts_the_jobs_of_a_dry_run(pristine: Project, dry_run: DryRun, name: str) -> None:
    assert_plan_is(Project(pristine.root, name), job_counts(dry_run(name)))


def test_a_strangers_network_is_counted_by_the_first_start_in_a_folder(pristine: Project, tmp_path: Path) -> None:
    """What all other copies of the project have is what it counts."""
    project = Project(shutil.copytree(pristine.root, tmp_path / "bench"))
    known = read_json(project.root / COUNTS)
    (project.root / COUNTS).write_text("{}")
    project.planned("results/datasets/shapes.safetensors")
    assert read_json(project.root / COUNTS) == {key: known[key] for key in known if key.startswith("python:")}


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cifar_fs", "multi_domain", "paper"])
def test_plan_counts_the_jobs_of_large_configurations(benchmarks: Project, config: str) -> None:
    project = Project(benchmarks.root, f"config/{config}.yaml")
    assert_plan_is(project, project.planned())


def assert_plan_is(project: Project, planned: dict[str, int]) -> None:
    config = load(project.root / project.config)
    jobs = Jobs(config)
    assert jobs.counts() | targets.counts(jobs) == planned
    plan = {cost.rule: cost.jobs for cost in costs(config, load_units())}
    assert plan == jobs.counts() | {REPORT: sum(targets.counts(jobs).values())}


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the benchmarks lie that are not downloaded, a few images of each. Tests must not change it."""
    project = copy_project(tmp_path_factory.mktemp("benchmarks") / "bench")
    formats.write_miniimagenet(project.root / "data/miniimagenet")
    formats.write_cub(project.root / "data/cub")
    return project
