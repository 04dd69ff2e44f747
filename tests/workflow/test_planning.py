"""The planner counts the jobs that Snakemake would run."""

import benchmark_formats as formats
import pytest
from workflow_project import Project, copy_project

from tgr.config.load import load
from tgr.plan.planner import REPORT, costs
from tgr.plan.units import load_units
from tgr.workflow import targets
from tgr.workflow.jobs import Jobs


def assert_plan_is_a_dry_run(project: Project) -> None:
    config, dry_run = load(project.root / project.config), project.planned()
    jobs = Jobs(config)
    assert jobs.counts() | targets.counts(jobs) == dry_run
    plan = {cost.rule: cost.jobs for cost in costs(config, load_units())}
    assert plan == jobs.counts() | {REPORT: sum(targets.counts(jobs).values())}


@pytest.mark.parametrize("config", ["tests/workflow/tiny.yaml", *(f"config/{c}.yaml" for c in ("config", "smoke"))])
def test_plan_counts_the_jobs_of_a_dry_run(pristine: Project, config: str) -> None:
    assert_plan_is_a_dry_run(Project(pristine.root, config))


@pytest.mark.slow
@pytest.mark.parametrize("config", ["cifar_fs", "multi_domain", "paper"])
def test_plan_counts_the_jobs_of_large_configurations(benchmarks: Project, config: str) -> None:
    assert_plan_is_a_dry_run(Project(benchmarks.root, f"config/{config}.yaml"))


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the benchmarks lie that are not downloaded, a few images of each. Tests must not change it."""
    project = copy_project(tmp_path_factory.mktemp("benchmarks") / "bench")
    formats.write_miniimagenet(project.root / "data/miniimagenet")
    formats.write_cub(project.root / "data/cub")
    return project
