"""What all jobs of a configuration take, rule by rule."""

from dataclasses import dataclass

from tgr.config.schema import Config
from tgr.plan.estimates import DEVICE_RULES, Estimates
from tgr.plan.units import Units
from tgr.workflow import targets
from tgr.workflow.jobs import Jobs

REPORT = "tables and figures"


@dataclass(frozen=True)
class Cost:
    """What jobs of one rule take.

    Attributes:
        rule: its name.
        jobs: how many.
        seconds: of one core, all of them together, their starts included.
        memory_mb: of one job, at its largest.
        disk_mb: of all outputs.
    """

    rule: str
    jobs: int
    seconds: float
    memory_mb: float
    disk_mb: float

    @property
    def device(self) -> bool:
        """Whether a GPU would do most of it."""
        return self.rule in DEVICE_RULES


def costs(config: Config, units: Units) -> list[Cost]:
    """Return the costs of every rule that has jobs, in the order of the stages; all tables and figures as one."""
    jobs, estimates = Jobs(config), Estimates(config, units)
    rules = []
    for rule, instances in jobs.by_rule().items():
        each = [estimates.of(rule, wildcards) for wildcards in instances]
        seconds, disk = sum(job.seconds for job in each), sum(job.disk_mb for job in each)
        rules.append(Cost(rule, len(each), seconds, max(job.memory_mb for job in each), disk))
    report, count = estimates.of(REPORT, {}), sum(targets.counts(jobs).values())
    return [*rules, Cost(REPORT, count, count * report.seconds, report.memory_mb, count * report.disk_mb)]


def total(costs: list[Cost]) -> Cost:
    """Return the sum of all costs, and the largest memory."""
    seconds, disk = sum(cost.seconds for cost in costs), sum(cost.disk_mb for cost in costs)
    return Cost("total", sum(cost.jobs for cost in costs), seconds, max(cost.memory_mb for cost in costs), disk)
