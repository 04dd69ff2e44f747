"""The sections of a configuration, and what follows from several of them.

They are in the modules beside this one. Nothing here imports torch: the workflow reads its configuration at each start.
"""

from typing import Annotated, TypeVar

from pydantic import Field, StringConstraints

from tgr.config.base import Launches, Name, Precision, Processor, Section
from tgr.config.experiments import Ablation, Budget, Contrasts, Figures, Pairs, Scenario, Share, Sweep
from tgr.config.learning import Evaluation, Meta
from tgr.config.methods.base import GroupedParameters, MethodParameters
from tgr.config.methods.registry import Methods
from tgr.config.replicates import original
from tgr.config.teachers import Dataset, Inversion, Pool, Pretrain, TaskSpace
from tgr.config.variants import Variant, changed, named_variant, vary

SectionT = TypeVar("SectionT", bound=Section)


class Sections(Section):
    """All sections, each valid by itself."""

    datasets: dict[Name, Dataset] = Field(min_length=1, description="The domains, by name.")
    pools: dict[Name, Pool] = Field(min_length=1, description="The teachers, by pool.")
    scenarios: dict[Name, Scenario] = Field(min_length=1, description="The experiments, by name.")
    methods: Methods = Field(description="The methods to compare.")
    ablations: dict[Name, Ablation] = Field({}, description="Tables of variants, by name.")
    pairs: dict[Name, Pairs] = Field({}, description="Experiments with two teachers, by name.")
    sweeps: dict[Name, Sweep] = Field({}, description="Figures across scenarios, by name.")
    budgets: dict[Name, Budget] = Field({}, description="Figures of accuracy against training, by name.")
    contrasts: dict[Name, Contrasts] = Field({}, description="Claims about trainings, put to the test, by name.")
    pretrain: Pretrain = Field(Pretrain(), description="Pre-training of teachers.")
    inversion: Inversion = Field(Inversion(), description="Recovery of images.")
    task_space: TaskSpace = Field(TaskSpace(), description="Embedding of teachers by a probe network.")
    meta: Meta = Field(Meta(), description="Meta-learning.")
    evaluation: Evaluation = Field(Evaluation(), description="Protocols, shots, seeds, statistics.")
    figures: Figures = Field(Figures(), description="Looks of the figures.")
    replicates: int = Field(
        1,
        ge=1,
        description="Draws of each scenario's teachers, recovered images, task groups and trainings; intervals then "
        "cover them, and `evaluation.seeds` counts the trainings in each.",
    )
    share: Share = Field(Share(), description="What others get.")
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")] = Field(
        "auto",
        description="`auto` (CUDA if there where the run is started, else CPU), `cpu`, `cuda`, `cuda:1`, `mps`.",
    )
    precision: Precision = Field(
        "ieee",
        description="Operands of float32 products and convolutions on a GPU: `ieee` are exact; `tf32` lets it round "
        "them to ten bits in pre-training, inversion and evaluation. Training is exact in any case.",
    )
    launches: Launches = Field(
        "eager",
        description="How steps of pre-training, pixel inversion, the pooled classifier, `tgr`, replay and fine-tuning "
        "reach a GPU: kernel after kernel (`eager`), or recorded and launched whole (`graph`, CUDA only).",
    )
    processor: Processor = Field(
        "pinned",
        description="Kernels: `pinned` are the same on every x86-64 processor with AVX2, `native` this one's fastest.",
    )

    @property
    def trained_pools(self) -> dict[str, Pool]:
        """The pools for which teachers are pre-trained, by name: not from a table, nor another pool's."""
        return {name: pool for name, pool in self.pools.items() if pool.dataset and not pool.teachers_of}

    @property
    def named_scenarios(self) -> list[str]:
        """The scenarios that the configuration names: tables and figures are of these, each over all its replicates."""
        return [name for name in self.scenarios if name == original(name)]

    def replicates_of(self, scenario: str) -> list[str]:
        """Return all replicates of a scenario, itself first."""
        return [name for name in self.scenarios if scenario in (name, original(name))]

    def n_teachers(self, scenario: str) -> int:
        """Return how many teachers a scenario has."""
        return sum(self.pools[pool].n_teachers for pool in self.scenarios[scenario].pools)

    def swept_methods(self, sweep: str) -> list[str]:
        """Return the methods that take part in all scenarios of a sweep, in the order of the tables."""
        taking_part = [self.main_methods(scenario) for scenario in self.sweeps[sweep].scenarios.values()]
        return [name for name in taking_part[0] if all(name in methods for methods in taking_part)]

    def main_methods(self, scenario: str) -> dict[str, Variant]:
        """Return the methods of a scenario's main table as they are configured, by name."""
        names = self.scenarios[scenario].methods
        return {
            name: Variant(name, {}, self.parameters_in(scenario, name))
            for name in self.methods.active()
            if names is None or name in names
        }

    def parameters_in(self, scenario: str, method: str) -> MethodParameters:
        """Return the parameters of a method with a scenario's changes.

        Raises:
            ValueError: a key or value that the method does not take.
        """
        changes = self.scenarios[scenario].parameters.get(method, {})
        return changed(method, self.methods.active()[method], changes)

    def ablation_variants(self, ablation: str) -> dict[str, Variant]:
        """Return the variants of an ablation by name; one that changes nothing has the name of its method."""
        section = self.ablations[ablation]
        variants: dict[str, Variant] = {}
        for method in section.methods:
            variants |= vary(method, self.parameters_in(section.scenario, method), section.factors)
        return variants

    def budget_lines(self, budget: str) -> dict[str, dict[str, Variant]]:
        """Return the trainings of each line of a budget's figure, by the names of ``ablation_variants``."""
        section = self.budgets[budget]
        return {
            title: dict(
                named_variant(line.method, self.parameters_in(section.scenario, line.method), changes)
                for changes in line.trainings
            )
            for title, line in section.lines.items()
        }

    def budget_variants(self, budget: str) -> dict[str, Variant]:
        """Return the trainings of all lines of a budget's figure, by name."""
        return {name: variant for line in self.budget_lines(budget).values() for name, variant in line.items()}

    def contrast_cells(self, contrasts: str) -> dict[str, tuple[str, Variant]]:
        """Return the training of each cell of some contrasts, with its name as of ``ablation_variants``."""
        section = self.contrasts[contrasts]
        return {
            title: named_variant(cell.method, self.parameters_in(section.scenario, cell.method), cell.parameters)
            for title, cell in section.cells.items()
        }

    def all_variants(self, scenario: str) -> dict[str, Variant]:
        """Return everything that is trained in a scenario: its methods, the variants of its ablations, budgets and
        contrasts."""
        variants = self.main_methods(scenario)
        for name, ablation in self.ablations.items():
            if ablation.scenario == original(scenario):
                variants |= self.ablation_variants(name)
        for name, budget in self.budgets.items():
            if budget.scenario == original(scenario):
                variants |= self.budget_variants(name)
        for name, contrasts in self.contrasts.items():
            if contrasts.scenario == original(scenario):
                variants |= dict(self.contrast_cells(name).values())
        return variants

    def groups_shown(self, scenario: str) -> str | None:
        """Return the name of the grouping that a scenario's figures show: that of the first method which uses task
        groups, or of the first variant; None if nothing uses them."""
        for variant in self.all_variants(scenario).values():
            if isinstance(variant.parameters, GroupedParameters):
                return variant.parameters.groups_name
        return None

    def pretrain_of(self, pool: str) -> Pretrain:
        """Return the section `pretrain` with a pool's changes."""
        return _changed(self.pretrain, self.pools[pool].pretrain)

    def inversion_of(self, pool: str) -> Inversion:
        """Return the section `inversion` with a pool's changes."""
        return _changed(self.inversion, self.pools[pool].inversion)

    def training_shot(self, variant: Variant, shot: int) -> str:
        """Return the path element of the training that serves an evaluated shot: the shot itself, or ``any``."""
        return str(shot) if variant.parameters.episodic and self.meta.k_shot == "evaluated" else "any"


def _changed(section: SectionT, changes: SectionT | None) -> SectionT:
    if changes is None:
        return section
    return section.model_copy(update={key: getattr(changes, key) for key in changes.model_fields_set})
