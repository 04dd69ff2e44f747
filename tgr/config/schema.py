"""The configuration as pydantic models: the single source of keys, defaults, bounds and documentation.

Its sections are in the modules beside this one; what concerns several of them is checked here. Nothing here imports
torch: the workflow validates its configuration at every start.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from tgr.config.architectures import check_width
from tgr.config.base import Launches, Name, Precision, Processor, Section
from tgr.config.experiments import Ablation, Budget, Contrasts, Figures, Pairs, Scenario, Share, Sweep
from tgr.config.learning import Evaluation, Meta
from tgr.config.methods.base import GroupedParameters, MethodParameters
from tgr.config.methods.ensemble import Ensemble
from tgr.config.methods.registry import Methods
from tgr.config.replicates import numbered, original
from tgr.config.sources import PACK_SPLITS, PACKS
from tgr.config.teachers import Dataset, Inversion, Pool, Pretrain, TaskSpace
from tgr.config.variants import Variant, changed, named_variant, vary

SectionT = TypeVar("SectionT", bound=Section)


class Config(Section):
    """The whole configuration."""

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

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name, dataset in self.datasets.items():
            self._check_dataset(name, dataset)
        self.pools.update({name: self._with_teachers(name, pool) for name, pool in self.pools.items()})
        for name, pool in self.pools.items():
            if pool.dataset is not None and pool.dataset not in self.datasets:
                _unknown(f"pools.{name}.dataset", pool.dataset, self.datasets)
            check_width(f"pools.{name}.width", pool.architecture, pool.width)
        self._check_methods()
        for name, scenario in self.scenarios.items():
            self._check_scenario(name, scenario)
        for name, ablation in self.ablations.items():
            self._check_ablation(name, ablation)
        for name, budget in self.budgets.items():
            self._check_budget(name, budget)
        for name, contrasts in self.contrasts.items():
            self._check_contrasts(name, contrasts)
        for name in self.scenarios:
            self._check_teachers(name)
        for name, pairs in self.pairs.items():
            self._check_pairs(name, pairs)
        for name, sweep in self.sweeps.items():
            _check_known(f"sweeps.{name}.scenarios", list(sweep.scenarios.values()), self.scenarios)
            if not self.swept_methods(name):
                raise ValueError(f"sweeps.{name}.scenarios: no method takes part in all of them; see `methods` there")
        self._add_replicates()
        return self

    def _add_replicates(self) -> None:
        """Add further replicates of all pools and scenarios under names of their own."""
        pools, scenarios = dict(self.pools), dict(self.scenarios)
        for number in range(2, self.replicates + 1):
            for name, pool in pools.items():
                changes = {"teachers_of": numbered(pool.teachers_of, number)} if pool.teachers_of else {}
                self.pools[numbered(name, number)] = pool.model_copy(update=changes)
            for name, scenario in scenarios.items():
                members = [numbered(pool, number) for pool in scenario.pools]
                self.scenarios[numbered(name, number)] = scenario.model_copy(update={"pools": members})

    def _check_dataset(self, name: str, dataset: Dataset) -> None:
        if dataset.source == "pack" and (dataset.pack or name) not in PACKS:
            _unknown(f"datasets.{name}.pack", dataset.pack or name, PACKS)
        further = PACK_SPLITS.get(dataset.pack or name, ())
        if dataset.source == "pack" and dataset.splits and dataset.splits not in further:
            raise ValueError(
                f"datasets.{name}.splits: the pack {dataset.pack or name} has no split '{dataset.splits}'; "
                + (f"valid: {', '.join(further)}" if further else "leave it out")
            )
        for member in dataset.of:
            if member not in self.datasets or self.datasets[member].source == "mix":
                plain = [key for key, value in self.datasets.items() if value.source != "mix"]
                _unknown(f"datasets.{name}.of", member, plain)

    def _with_teachers(self, name: str, pool: Pool) -> Pool:
        """Return a pool of another one's teachers with all that it takes from there; any other pool as it is."""
        if pool.teachers_of is None:
            return pool
        trained = self.trained_pools
        _check_known(f"pools.{name}.teachers_of", [pool.teachers_of], trained)
        origin = trained[pool.teachers_of]
        n_teachers = pool.n_teachers if "n_teachers" in pool.model_fields_set else origin.n_teachers
        if n_teachers != origin.n_teachers and (n_teachers > origin.n_teachers or n_teachers % origin.teachers_per_job):
            raise ValueError(
                f"pools.{name}.n_teachers: {pool.teachers_of} has {origin.n_teachers} teachers, "
                f"{origin.teachers_per_job} a job; choose a multiple of {origin.teachers_per_job} below, or all of them"
            )
        inversion = Inversion.model_validate(_given(origin.inversion) | _given(pool.inversion))
        update = {"teachers_of": pool.teachers_of, "n_teachers": n_teachers, "inversion": inversion}
        return origin.model_copy(update=update)

    def _check_methods(self) -> None:
        if not self.methods.active():
            raise ValueError(f"methods: name at least one of {', '.join(Methods.model_fields)}")
        for name, method in self.methods.active().items():
            if not set(method.protocols) & set(self.evaluation.protocols):
                raise ValueError(f"evaluation.protocols: {name} needs one of {', '.join(method.protocols)}; add it")
            if method.episodic and self.meta.n_way != self.evaluation.n_way:
                raise ValueError(
                    f"meta.n_way: {name} learns a head of {self.meta.n_way} outputs, but evaluation.n_way is "
                    f"{self.evaluation.n_way}; make them equal"
                )
        if self.evaluation.headline not in self.evaluation.selections:
            raise ValueError(
                f"evaluation.headline: {self.evaluation.headline} is not among evaluation.selections "
                f"({', '.join(self.evaluation.selections)})"
            )

    def _check_scenario(self, name: str, scenario: Scenario) -> None:
        check_width(f"scenarios.{name}.width", scenario.architecture, scenario.width)
        _check_known(f"scenarios.{name}.pools", scenario.pools, self.pools)
        origins = [self.pools[pool].teachers_of or pool for pool in scenario.pools]
        if len(set(origins)) < len(origins):
            raise ValueError(
                f"scenarios.{name}.pools: a teacher takes part once; {', '.join(scenario.pools)} share some"
            )
        _check_known(f"scenarios.{name}.evaluate_on", scenario.evaluate_on, self.datasets)
        _check_known(f"scenarios.{name}.methods", scenario.methods or [], self.methods.active())
        _check_known(f"scenarios.{name}.parameters", list(scenario.parameters), self.methods.active())
        try:
            taking_part = self.main_methods(name)
        except ValueError as error:
            raise ValueError(f"scenarios.{name}.parameters: {error}") from error
        for method, parameters in taking_part.items():
            tables = [pool for pool in scenario.pools if self.pools[pool].dataset is None]
            if parameters.parameters.real_images and tables:
                raise ValueError(
                    f"scenarios.{name}.methods: {method} needs the teachers' real images, and those of the pool "
                    f"{tables[0]} are unknown; list the other methods"
                )

    def _check_ablation(self, name: str, ablation: Ablation) -> None:
        key = f"ablations.{name}"
        _check_known(f"{key}.scenario", [ablation.scenario], self.scenarios)
        _check_known(f"{key}.methods", ablation.methods, self.methods.active())
        for method in ablation.methods:
            fields = type(self.methods.active()[method]).model_fields
            for factor in ablation.factors:
                if factor not in fields:
                    _unknown(f"{key}.factors", factor, fields)
        try:
            self.ablation_variants(name)
        except ValueError as error:
            raise ValueError(f"{key}.factors: {error}") from error

    def _check_budget(self, name: str, budget: Budget) -> None:
        _check_known(f"budgets.{name}.scenario", [budget.scenario], self.scenarios)
        for title, line in budget.lines.items():
            key = f"budgets.{name}.lines.{title}"
            _check_known(f"{key}.method", [line.method], self.methods.active())
            method = self.methods.active()[line.method]
            _check_known(f"{key}.lengths", list(line.lengths), method.lengths)
            if len(counts := {len(values) for values in line.lengths.values()}) > 1 or 0 in counts:
                raise ValueError(f"{key}.lengths: give each parameter equally many values, one or more")
            if not method.passes_of_a_step(self.meta, 1):
                raise ValueError(f"{key}.method: {line.method} does not count the images of its steps")
        try:
            self.budget_variants(name)
        except ValueError as error:
            raise ValueError(f"budgets.{name}.lines: {error}") from error

    def _check_contrasts(self, name: str, contrasts: Contrasts) -> None:
        _check_known(f"contrasts.{name}.scenario", [contrasts.scenario], self.scenarios)
        for title, cell in contrasts.cells.items():
            _check_known(f"contrasts.{name}.cells.{title}.method", [cell.method], self.methods.active())
        try:
            cells = self.contrast_cells(name)
        except ValueError as error:
            raise ValueError(f"contrasts.{name}.cells: {error}") from error
        first: dict[str, str] = {}
        for title, (variant, _) in cells.items():
            if (other := first.setdefault(variant, title)) != title:
                raise ValueError(f"contrasts.{name}.cells: {other} and {title} are the same training; remove one")

    def _check_teachers(self, scenario: str) -> None:
        n_teachers = self.n_teachers(scenario)
        for name, variant in self.all_variants(scenario).items():
            parameters = variant.parameters
            if isinstance(parameters, Ensemble) and parameters.networks(n_teachers) > n_teachers:
                raise ValueError(
                    f"methods.{variant.method}.n_teachers: {parameters.n_teachers} ({name}), "
                    f"but scenario {scenario} has {n_teachers}"
                )
            if isinstance(parameters, GroupedParameters) and parameters.n_groups > n_teachers:
                raise ValueError(
                    f"methods.{variant.method}.n_groups: {parameters.n_groups} groups ({name}) need as many teachers, "
                    f"but scenario {scenario} has {n_teachers}"
                )

    def _check_pairs(self, name: str, pairs: Pairs) -> None:
        trained = self.trained_pools
        _check_known(f"pairs.{name}.pool", [pairs.pool], trained)
        base = trained[pairs.pool]
        _check_known(f"pairs.{name}.others", pairs.others, trained)
        for other in pairs.others:
            if other == pairs.pool:
                raise ValueError(
                    f"pairs.{name}.others: {other} is the base's pool, which is compared anyway; leave it out"
                )
            if (trained[other].dataset, trained[other].n_way) != (base.dataset, base.n_way):
                raise ValueError(f"pairs.{name}.others: {other} differs from {pairs.pool} in `dataset` or `n_way`")
        if self.meta.n_way > base.n_way:
            raise ValueError(
                f"pairs.{name}.pool: {pairs.pool} has teachers of {base.n_way} classes, too few for the episodes of "
                f"meta.n_way {self.meta.n_way}"
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


def _given(section: Section | None) -> dict[str, Any]:
    return section.model_dump(exclude_unset=True) if section else {}


def _changed(section: SectionT, changes: SectionT | None) -> SectionT:
    if changes is None:
        return section
    return section.model_copy(update={key: getattr(changes, key) for key in changes.model_fields_set})


def _check_known(key: str, names: Sequence[str], valid: Iterable[str]) -> None:
    for name in names:
        if name not in valid:
            _unknown(key, name, valid)


def _unknown(key: str, value: str, valid: Iterable[str]) -> None:
    raise ValueError(f"{key}: unknown name '{value}'; valid: {', '.join(sorted(valid))}")
