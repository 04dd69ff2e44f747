"""The configuration as pydantic models: the single source of keys, defaults, bounds and documentation.

Its sections are in the modules beside this one; what concerns several of them is checked here.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from pydantic import model_validator

from tgr.config.architectures import check_width
from tgr.config.base import Section
from tgr.config.experiments import Ablation, Budget, Contrasts, Pairs, Scenario
from tgr.config.methods.base import GroupedParameters
from tgr.config.methods.ensemble import Ensemble
from tgr.config.methods.registry import Methods
from tgr.config.replicates import numbered
from tgr.config.sections import Sections
from tgr.config.sources import PACK_SPLITS, PACKS
from tgr.config.teachers import Dataset, Inversion, Pool

TOGETHER = "all"
"""What tables call the episodes of several datasets together (``tgr.evaluation.summary.ALL``)."""


class Config(Sections):
    """The whole configuration."""

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
        if name == TOGETHER:
            raise ValueError(
                f"datasets.{name}: this name means the episodes of all datasets of a scenario together; choose another"
            )
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
        self._refuse_two_splits(name, scenario)
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

    def _refuse_two_splits(self, name: str, scenario: Scenario) -> None:
        """Raise ValueError if two datasets of a scenario split the same classes in two ways: what teachers know of one
        is then unseen by name only in the other."""
        learnt = [dataset for pool in scenario.pools if (dataset := self.pools[pool].dataset)]
        first: dict[str, tuple[str, str]] = {}
        for dataset in [*learnt, *scenario.evaluate_on]:
            for part in self.datasets[dataset].of or [dataset]:
                if (kind := self.datasets[part].split_of(part)) is None:
                    continue
                images, split = kind
                other, split_there = first.setdefault(images, (part, split))
                if split_there != split:
                    raise ValueError(
                        f"scenarios.{name}.evaluate_on: {other} and {part} split the classes of {images} in two ways, "
                        "so teachers would know some that count as unseen; let all of its datasets have one"
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


def _given(section: Section | None) -> dict[str, Any]:
    return section.model_dump(exclude_unset=True) if section else {}


def _check_known(key: str, names: Sequence[str], valid: Iterable[str]) -> None:
    for name in names:
        if name not in valid:
            _unknown(key, name, valid)


def _unknown(key: str, value: str, valid: Iterable[str]) -> None:
    raise ValueError(f"{key}: unknown name '{value}'; valid: {', '.join(sorted(valid))}")
