"""The planner counts the jobs that Snakemake would run."""

import pytest
from workflow_project import Project

from tgr.config.load import load
from tgr.plan.stages import Planner
from tgr.plan.units import load_units


@pytest.mark.parametrize("config", ["tests/workflow/tiny.yaml", "config/config.yaml", "config/smoke.yaml"])
def test_plan_counts_the_jobs_of_a_dry_run(pristine: Project, config: str) -> None:
    jobs = Project(pristine.root, config).planned()
    plan = {cost.rule: cost.jobs for cost in Planner(load(pristine.root / config), load_units()).costs()}
    assert plan.pop("tables and figures") == sum(count for rule, count in jobs.items() if rule not in plan)
    assert plan == {rule: jobs.get(rule) for rule in plan}
