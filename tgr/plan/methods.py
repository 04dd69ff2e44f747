"""What each method takes, its own training and all that it needs of the teachers, and how long would cost the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tgr.config.methods.base import GroupedParameters
from tgr.config.methods.panel import PanelChoice
from tgr.config.schema import Config
from tgr.config.variants import Variant
from tgr.plan.parts import Parts
from tgr.plan.units import Units
from tgr.workflow.paths import PROBE_EMBEDDING, embedding_of

REFERENCE = "tgr"
"""The method with which all others are compared."""
TOLERANCE = 0.25
"""Costs that differ by no more than this share of the reference's count as equal."""


@dataclass(frozen=True)
class MethodCost:
    """Seconds of one core that a method takes in a scenario; of several trainings, one for each shot, their mean.

    Attributes:
        training: its own.
        recovered: of the images that it needs, recovered from all teachers.
        judgements: of what a panel of teachers says of these images, if it needs that.
        task_space: of the teachers' embeddings and their comparison, if it needs them.
        visits: how often it draws each teacher, on average; None if it draws none.
        lengths: its parameters to which ``training`` is proportional.
    """

    scenario: str
    method: str
    training: float
    recovered: float
    judgements: float
    task_space: float
    visits: float | None
    lengths: dict[str, int]
    equal_cost: bool

    @property
    def total(self) -> float:
        """All of it; teachers were there before."""
        return self.training + self.recovered + self.judgements + self.task_space

    def lengths_at(self, total: float) -> dict[str, int] | None:
        """Return the lengths with which it would take some seconds in all; None if there are none."""
        own = total - (self.total - self.training)
        if own <= 0 or not self.training or not self.lengths:
            return None
        factor = own / self.training
        return {name: max(1, _rounded(value * factor)) for name, value in self.lengths.items() if value}


def method_costs(config: Config, units: Units, scenario: str) -> list[MethodCost]:
    """Return the cost of each method of a scenario's main table, in the order of the tables."""
    parts = Parts(config, units)
    return [method_cost(parts, scenario, name, variant) for name, variant in config.main_methods(scenario).items()]


def method_cost(parts: Parts, scenario: str, name: str, variant: Variant) -> MethodCost:
    """Return the cost of one method, or variant of one."""
    config, parameters = parts.config, variant.parameters
    shots = dict.fromkeys(config.training_shot(variant, shot) for shot in config.evaluation.shots)
    settings = [parts.setting(scenario, shot) for shot in shots]
    pools = config.scenarios[scenario].pools
    recovered = [config.pools[pool].n_teachers * parts.inversion_seconds(pool) for pool in pools]
    lengths = [key for key in parameters.lengths if key in type(parameters).model_fields]
    return MethodCost(
        scenario=scenario,
        method=name,
        training=fmean(parameters.training_seconds(setting) for setting in settings),
        recovered=sum(recovered) if "recovered" in parameters.starts_from else 0.0,
        judgements=parts.judgement_seconds(scenario, parameters) if isinstance(parameters, PanelChoice) else 0.0,
        task_space=_task_space(parts, scenario, parameters) if isinstance(parameters, GroupedParameters) else 0.0,
        visits=parameters.visits(settings[0]),
        lengths={key: getattr(parameters, key) for key in lengths},
        equal_cost=parameters.equal_cost,
    )


def reference_of(costs: Sequence[MethodCost]) -> MethodCost | None:
    """Return the cost of the method with which others are compared, if it takes part."""
    return next((cost for cost in costs if cost.method == REFERENCE), None)


def _task_space(parts: Parts, scenario: str, parameters: GroupedParameters) -> float:
    embedding = embedding_of(parameters.groups_name)
    compared = parts.comparison_seconds(scenario, embedding)
    if embedding != PROBE_EMBEDDING:
        return compared
    return compared + sum(parts.embedding_seconds(pool) for pool in parts.config.scenarios[scenario].pools)


def _rounded(value: float) -> int:
    """Return a whole number of two digits."""
    digits = 10 ** max(0, len(str(int(value))) - 2)
    return int(round(value / digits) * digits)
