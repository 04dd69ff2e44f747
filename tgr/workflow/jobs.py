"""Which jobs a configuration asks for. The rules, rule ``all`` and the planner take them from here.

A job is named by the wildcards of its rule. Only what something asks for is among the jobs: a pool that belongs to no
scenario is not made, and without a method that uses task groups teachers are neither embedded nor compared.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple, TypeVar

from tgr.config.methods.base import GroupedParameters
from tgr.config.methods.panel import PanelChoice
from tgr.config.replicates import original
from tgr.config.schema import Config
from tgr.config.sources import SOURCES
from tgr.config.variants import Variant
from tgr.workflow import paths

T = TypeVar("T")

RULES = (
    "download_cifar100",
    "load_dataset",
    "draw_episodes",
    "pretrain",
    "import_models",
    "invert",
    "measure_transfer",
    "judge",
    "embed",
    "compare",
    "group",
    "train",
    "evaluate",
    "measure_pairs",
)
"""The rules before the analyses, in the order of the stages."""


class Episodes(NamedTuple):
    """Frozen episodes."""

    dataset: str
    shot: int


class Shard(NamedTuple):
    """Some teachers of a pool."""

    pool: str
    shard: int


class Judgement(NamedTuple):
    """What a panel of a scenario's teachers says of the images recovered from some teachers of a pool."""

    scenario: str
    panel: str
    pool: str
    shard: int


class Comparison(NamedTuple):
    """The dissimilarities of a scenario's teachers."""

    scenario: str
    embedding: str


class Grouping(NamedTuple):
    """A grouping of a scenario's teachers."""

    scenario: str
    grouping: str


class Model(NamedTuple):
    """A training; its shot may be ``any``."""

    scenario: str
    method: str
    shot: str
    seed: int


class Evaluation(NamedTuple):
    """An evaluation of a trained model."""

    scenario: str
    method: str
    shot: int
    seed: int


class Draw(NamedTuple):
    """One draw of an experiment with pairs of teachers."""

    pairs: str
    draw: int


class Jobs:
    """The jobs of a configuration.

    Attributes:
        settings: the configuration.
        main: for each scenario the methods of its main table.
        variants: for each scenario everything that is trained, the variants of ablations included.
        ablations: the variants of each ablation.
    """

    def __init__(self, settings: Config) -> None:
        self.settings = settings
        self.main = {scenario: settings.main_methods(scenario) for scenario in settings.scenarios}
        self.variants = {scenario: settings.all_variants(scenario) for scenario in settings.scenarios}
        self.ablations = {name: settings.ablation_variants(name) for name in settings.ablations}

    @cached_property
    def pools(self) -> list[str]:
        """The pools of all scenarios."""
        return _distinct(pool for scenario in self.settings.scenarios.values() for pool in scenario.pools)

    @cached_property
    def evaluated_datasets(self) -> list[str]:
        """The datasets of which episodes are drawn: those of scenarios, and those of experiments with pairs."""
        scenarios = [name for scenario in self.settings.scenarios.values() for name in scenario.evaluate_on]
        pairs = [self.settings.pools[pairs.pool].dataset for pairs in self.settings.pairs.values()]
        return _distinct([*scenarios, *(name for name in pairs if name)])

    @cached_property
    def datasets(self) -> list[str]:
        """The datasets that are read, the members of mixes included."""
        taught = [self.settings.pools[pool].dataset for pool in self.pools]
        names = _distinct([*self.evaluated_datasets, *(name for name in taught if name)])
        return _distinct([*names, *(member for name in names for member in self.settings.datasets[name].of)])

    @property
    def downloads_cifar100(self) -> bool:
        """Whether a dataset is read from the archive of CIFAR-100, and says nothing of where that is."""
        datasets = [self.settings.datasets[name] for name in self.datasets]
        return any(SOURCES[dataset.source].path == "optional" and not dataset.path for dataset in datasets)

    @cached_property
    def episodes(self) -> list[Episodes]:
        """The episodes that are drawn; experiments with pairs use the largest shot alone."""
        shots = self.settings.evaluation.shots
        in_scenarios = {name for scenario in self.settings.scenarios.values() for name in scenario.evaluate_on}
        return [
            Episodes(name, shot)
            for name in self.evaluated_datasets
            for shot in (shots if name in in_scenarios else [max(shots)])
        ]

    def shards(self, pools: Iterable[str]) -> list[Shard]:
        """Return all shards of some pools."""
        return [Shard(pool, shard) for pool in pools for shard in range(self.settings.pools[pool].n_shards)]

    def teachers(self, pools: Iterable[str]) -> list[Shard]:
        """Return the shards in which the teachers of some pools are: those of the pools that train them."""
        origins = {pool: self.settings.pools[pool].teachers_of or pool for pool in pools}
        return [Shard(origins[pool], shard) for pool, shard in self.shards(origins)]

    @cached_property
    def pretrained(self) -> list[Shard]:
        """The shards of teachers that are trained."""
        return [shard for shard in _distinct(self.teachers(self.pools)) if self.settings.pools[shard.pool].dataset]

    @cached_property
    def imported(self) -> list[Shard]:
        """The shards of existing models."""
        return [shard for shard in self.teachers(self.pools) if self.settings.pools[shard.pool].table]

    @cached_property
    def inverted(self) -> list[Shard]:
        """The shards of teachers from which images are recovered."""
        return self.shards(self.pools)

    @cached_property
    def transfers(self) -> list[str]:
        """The pools whose recovered images are compared with real ones: tables show those of the first replicate."""
        return [pool for pool in self.pools if self.settings.pools[pool].dataset and pool == original(pool)]

    def panels(self, scenario: str) -> dict[str, PanelChoice]:
        """Return the panels that methods of a scenario and their variants ask, by name."""
        cards: list[object] = [variant.parameters for variant in self.variants[scenario].values()]
        return {card.panel_name: card for card in cards if isinstance(card, PanelChoice)}

    def judgements(self, scenario: str, panels: Iterable[str] | None = None) -> list[Judgement]:
        """Return what the panels of a scenario judge, or some of them."""
        return [
            Judgement(scenario, panel, *shard)
            for panel in (self.panels(scenario) if panels is None else panels)
            for shard in self.shards(self.settings.scenarios[scenario].pools)
        ]

    def groupings(self, scenario: str) -> list[Grouping]:
        """Return the groupings that methods of a scenario and their variants use."""
        return [Grouping(scenario, name) for name in _distinct(groups_names(self.variants[scenario].values()))]

    def comparisons(self, scenario: str) -> list[Comparison]:
        """Return the comparisons from which the groupings of a scenario are made."""
        return _distinct(Comparison(scenario, paths.embedding_of(name)) for _, name in self.groupings(scenario))

    @cached_property
    def embedded(self) -> list[Shard]:
        """The shards of teachers that the probe network embeds."""
        scenarios = [
            scenario
            for scenario in self.settings.scenarios
            if Comparison(scenario, paths.PROBE_EMBEDDING) in self.comparisons(scenario)
        ]
        return self.shards(_distinct(pool for name in scenarios for pool in self.settings.scenarios[name].pools))

    def models(self, scenario: str, variants: Iterable[str] | None = None) -> list[Model]:
        """Return the trainings of a scenario, or those of some of its variants."""
        evaluation = self.settings.evaluation
        return _distinct(
            Model(scenario, name, self.settings.training_shot(self.variants[scenario][name], shot), seed)
            for name in (self.variants[scenario] if variants is None else variants)
            for shot in evaluation.shots
            for seed in evaluation.seeds
        )

    def evaluations(self, scenario: str, variants: Iterable[str] | None = None) -> list[Evaluation]:
        """Return the evaluations of a scenario, or those of some of its variants."""
        evaluation = self.settings.evaluation
        return [
            Evaluation(scenario, name, shot, seed)
            for name in (self.variants[scenario] if variants is None else variants)
            for shot in evaluation.shots
            for seed in evaluation.seeds
        ]

    def draws(self, pairs: str) -> list[Draw]:
        """Return the draws of an experiment with pairs of teachers."""
        return [Draw(pairs, draw) for draw in range(self.settings.pairs[pairs].n_draws)]

    @cached_property
    def grouped_scenarios(self) -> list[str]:
        """The scenarios whose teachers are grouped, and whose task space is drawn."""
        return [name for name in self.settings.named_scenarios if self.settings.groups_shown(name)]

    @cached_property
    def recording_ablations(self) -> list[str]:
        """The ablations among whose variants one records the conflict of gradients."""
        recording = {
            name: any(variant.parameters.logs_conflict for variant in variants.values())
            for name, variants in self.ablations.items()
        }
        return [name for name, records in recording.items() if records]

    def by_rule(self) -> dict[str, list[dict[str, object]]]:
        """Return the wildcards of the jobs of each rule before the analyses; rules without jobs are left out."""
        scenarios = list(self.settings.scenarios)
        jobs: dict[str, list[NamedTuple]] = {
            "draw_episodes": [*self.episodes],
            "pretrain": [*self.pretrained],
            "import_models": [*self.imported],
            "invert": [*self.inverted],
            "judge": [job for name in scenarios for job in self.judgements(name)],
            "embed": [*self.embedded],
            "compare": [job for name in scenarios for job in self.comparisons(name)],
            "group": [job for name in scenarios for job in self.groupings(name)],
            "train": [job for name in scenarios for job in self.models(name)],
            "evaluate": [job for name in scenarios for job in self.evaluations(name)],
            "measure_pairs": [job for name in self.settings.pairs for job in self.draws(name)],
        }
        wildcards: dict[str, list[dict[str, object]]] = {
            "download_cifar100": [{}] if self.downloads_cifar100 else [],
            "load_dataset": [{"dataset": name} for name in self.datasets],
            "measure_transfer": [{"pool": name} for name in self.transfers],
        }
        wildcards |= {rule: [job._asdict() for job in members] for rule, members in jobs.items()}
        return {rule: wildcards[rule] for rule in RULES if wildcards[rule]}

    def counts(self) -> dict[str, int]:
        """Return the number of jobs of each rule before the analyses; rules without jobs are left out."""
        return {rule: len(wildcards) for rule, wildcards in self.by_rule().items()}


def groups_names(variants: Iterable[Variant]) -> Iterator[str]:
    """Yield the names of the groupings that some variants use."""
    for variant in variants:
        if isinstance(variant.parameters, GroupedParameters):
            yield variant.parameters.groups_name


def _distinct(items: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(items))
