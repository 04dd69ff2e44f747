"""Which files a job needs. Each method takes wildcards of the rule, by name; shards are in the order of the pools.

A string is one file, or one folder; an empty list says that the job does without.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tgr.config.addresses import fetched_file, is_address
from tgr.config.methods.panel import PanelChoice
from tgr.workflow import paths
from tgr.workflow.external import find_sources, read_tables
from tgr.workflow.jobs import Draw, Evaluation, Jobs, Judgement, Model, Shard, groups_names

Files = TypeVar("Files")
SERVED = ("package", "random")
"""Values of ``task_space.weights`` that name no file."""


class Inputs:
    """The files that jobs need.

    Attributes:
        jobs: the jobs of the configuration.
        repository: the folder with ``workflow`` and ``tgr``, relative to the working directory.
        tables: the tables of existing models, by pool.
        sources: what each dataset that is no mix is read from.
    """

    def __init__(self, jobs: Jobs, repository: Path) -> None:
        """Read the tables of existing models, and look for the sources of all datasets.

        Raises:
            TgrError: one of them is missing or does not fit the configuration.
        """
        self.jobs, self.repository = jobs, repository
        self._settings = jobs.settings
        self.tables = read_tables(jobs.settings)
        self.sources = find_sources(jobs.settings, repository / "tgr/resources")

    # Datasets and teachers

    def dataset_files(self, dataset: str) -> list[str]:
        """Return the files from which a dataset is read as a whole, or the datasets of a mix."""
        section = self._settings.datasets[dataset]
        if section.source == "mix":
            return [paths.DATASET.format(dataset=member) for member in section.of]
        return [str(file) for file in self.sources[dataset].files]

    def image_folder(self, dataset: str) -> str | list[str]:
        """Return the folder of a dataset's images, if they are files."""
        source = self.sources.get(dataset)
        return str(source.folder) if source and source.folder else []

    def pool_dataset(self, pool: str) -> str:
        """Return the dataset of a pool's teachers."""
        return paths.DATASET.format(dataset=self._settings.pools[pool].dataset)

    def members(self, pool: str, shard: str) -> list[int]:
        """Return the indices of a shard's teachers."""
        return list(self._settings.pools[pool].shard(int(shard)))

    def rows(self, pool: str, shard: str) -> list[dict[str, Any]]:
        """Return a shard's rows of the table of existing models: what changes here changes the teachers."""
        return [self.tables[pool][index].model_dump(mode="json") for index in self.members(pool, shard)]

    def model_table(self, pool: str) -> str:
        """Return the table of a pool's existing models."""
        return str(self._settings.pools[pool].table)

    def model_files(self, pool: str, shard: str) -> list[str]:
        """Return the files of a shard of a pool's existing models."""
        folder = Path(self.model_table(pool)).parent
        files = [self.tables[pool][index].find_weights(folder) for index in self.members(pool, shard)]
        return [str(file) for file in files if file]

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses of weights on the network, by the names of the files to which they are fetched."""
        rows = [row for table in self.tables.values() for row in table if is_address(row.weights)]
        return {fetched_file(row.weights, str(row.sha256)).name: row.weights for row in rows}

    def address(self, weights: str) -> str:
        """Return the address of weights on the network."""
        return self.addresses[weights]

    # From teachers to task groups

    def shard_teachers(self, pool: str, shard: str) -> str:
        """Return the teachers of a shard."""
        return paths.TEACHERS.format(pool=self._settings.pools[pool].teachers_of or pool, shard=shard)

    def pool_teachers(self, pool: str) -> list[str]:
        """Return the teachers of a pool."""
        return _files(paths.TEACHERS, self.jobs.teachers([pool]))

    def pool_recovered(self, pool: str) -> list[str]:
        """Return the images recovered from a pool."""
        return _files(paths.RECOVERED, self.jobs.shards([pool]))

    def teachers(self, scenario: str) -> list[str]:
        """Return the teachers of a scenario."""
        return _files(paths.TEACHERS, self.jobs.teachers(self._pools(scenario)))

    def recovered(self, scenario: str) -> list[str]:
        """Return the images recovered from a scenario's teachers."""
        return _files(paths.RECOVERED, self.jobs.shards(self._pools(scenario)))

    def transfers(self, scenario: str) -> list[str]:
        """Return the transfer measurements of a scenario's pools that have real images to compare with."""
        pools = [pool for pool in self._pools(scenario) if self._settings.pools[pool].dataset]
        return [paths.TRANSFER.format(pool=pool) for pool in pools]

    def teacher_datasets(self, scenario: str) -> list[str]:
        """Return the datasets of a scenario's teachers."""
        names = dict.fromkeys(self._settings.pools[pool].dataset for pool in self._pools(scenario))
        return [paths.DATASET.format(dataset=name) for name in names if name]

    def probe_weights(self) -> list[str]:
        """Return the checkpoint file of the probe network, if it is a file."""
        weights = self._settings.task_space.weights
        return [] if weights in SERVED else [weights]

    def invert_weights(self, pool: str) -> list[str]:
        """Return the checkpoint file of the probe network, if a pool's inversion uses it."""
        return self.probe_weights() if self._settings.inversion_of(pool).probe_weight else []

    def embeddings(self, scenario: str) -> list[str]:
        """Return the embeddings of a scenario's teachers by the probe network, if some grouping is made from them."""
        embeddings = [comparison.embedding for comparison in self.jobs.comparisons(scenario)]
        return self._embeddings(scenario) if paths.PROBE_EMBEDDING in embeddings else []

    def compared_embeddings(self, scenario: str, embedding: str) -> list[str]:
        """Return the stored embeddings of a scenario's teachers, where the comparison is between them."""
        return self._embeddings(scenario) if embedding == paths.PROBE_EMBEDDING else []

    def compared_images(self, scenario: str, embedding: str) -> list[str]:
        """Return the recovered images of a scenario's teachers, if another embedding is made from them."""
        return [] if embedding == paths.PROBE_EMBEDDING else self.recovered(scenario)

    def dissimilarity(self, scenario: str, grouping: str) -> str:
        """Return the dissimilarities from which a grouping is made."""
        return paths.DISSIMILARITY.format(scenario=scenario, embedding=paths.embedding_of(grouping))

    def shown_groups(self, scenario: str) -> str:
        """Return the task groups that a scenario's figures show."""
        return paths.GROUPS.format(scenario=scenario, grouping=self._settings.groups_shown(scenario))

    def shown_dissimilarity(self, scenario: str) -> str:
        """Return the dissimilarities that a scenario's figures show."""
        return self.dissimilarity(scenario, str(self._settings.groups_shown(scenario)))

    def shown_task_space(self, scenario: str) -> list[str]:
        """Return everything behind the task groups that a scenario's figures show, themselves included."""
        grouping = self._settings.groups_shown(scenario)
        if grouping is None:
            return []
        embeddings = self.compared_embeddings(scenario, paths.embedding_of(grouping))
        return [*embeddings, self.shown_dissimilarity(scenario), self.shown_groups(scenario)]

    # Training and evaluation

    def train_teachers(self, scenario: str, method: str) -> list[str]:
        """Return the teachers of a scenario, for a method that needs them."""
        return self.teachers(scenario) if "teachers" in self._needs(scenario, method) else []

    def train_recovered(self, scenario: str, method: str) -> list[str]:
        """Return the recovered images of a scenario, for a method that needs them."""
        return self.recovered(scenario) if "recovered" in self._needs(scenario, method) else []

    def train_weights(self, scenario: str, method: str) -> list[str]:
        """Return the checkpoint file of the probe network, if a method recovers images with it as it trains."""
        if not self.jobs.variants[scenario][method].parameters.inverts:
            return []
        return [*dict.fromkeys(file for pool in self._pools(scenario) for file in self.invert_weights(pool))]

    def train_judgements(self, scenario: str, method: str) -> list[str]:
        """Return what a panel says of a scenario's recovered images, for a method that starts from it."""
        parameters: object = self.jobs.variants[scenario][method].parameters
        panels = [parameters.panel_name] if isinstance(parameters, PanelChoice) else []
        return _files(paths.JUDGEMENTS, self.jobs.judgements(scenario, panels))

    def main_judgements(self, scenario: str) -> list[str]:
        """Return what the panels of a scenario's main methods say."""
        return [file for method in self.jobs.main[scenario] for file in self.train_judgements(scenario, method)]

    def task_groups(self, scenario: str, method: str) -> str | list[str]:
        """Return the task groups of a method that uses them."""
        for grouping in groups_names([self.jobs.variants[scenario][method]]):
            return paths.GROUPS.format(scenario=scenario, grouping=grouping)
        return []

    def real_datasets(self, scenario: str, method: str) -> list[str]:
        """Return the datasets of a scenario's teachers, for a method that may see them."""
        real = self.jobs.variants[scenario][method].parameters.real_images
        return self.teacher_datasets(scenario) if real else []

    def model(self, scenario: str, method: str, shot: str, seed: str) -> str:
        """Return the model that serves an evaluated shot."""
        trained = self._settings.training_shot(self.jobs.variants[scenario][method], int(shot))
        return paths.MODEL.format(scenario=scenario, method=method, shot=trained, seed=seed)

    def evaluated_datasets(self, scenario: str) -> list[str]:
        """Return the datasets on which a scenario is evaluated."""
        return [paths.DATASET.format(dataset=name) for name in self._settings.scenarios[scenario].evaluate_on]

    def evaluated_episodes(self, scenario: str, shot: str) -> list[str]:
        """Return the episodes on which a scenario is evaluated."""
        names = self._settings.scenarios[scenario].evaluate_on
        return [paths.EPISODES.format(dataset=name, shot=shot) for name in names]

    def evaluation_teachers(self, scenario: str, method: str) -> list[str]:
        """Return the teachers of a scenario, if a checkpoint is chosen on recovered images or they are the model."""
        asked = self.jobs.variants[scenario][method].parameters.asks_teachers
        return self.teachers(scenario) if asked or self._selects_datafree(scenario, method) else []

    def selection_recovered(self, scenario: str, method: str) -> list[str]:
        """Return the recovered images of a scenario, if one of several checkpoints is chosen on them."""
        return self.recovered(scenario) if self._selects_datafree(scenario, method) else []

    # Results of many jobs

    def main_models(self, scenario: str) -> list[str]:
        """Return every trained model of a scenario's main methods, in one replicate."""
        return _files(paths.MODEL, self.jobs.models(scenario, self.jobs.main[scenario]))

    def main_evaluations(self, scenario: str) -> list[str]:
        """Return every evaluation of a scenario's main methods, in all replicates."""
        return self._evaluations(scenario, self.jobs.main[scenario])

    def summaries(self) -> list[str]:
        """Return the summaries of all scenarios."""
        return [paths.SUMMARY.format(scenario=scenario) for scenario in self._settings.named_scenarios]

    def seeds(self) -> list[str]:
        """Return the mean of each training of all scenarios."""
        return [paths.SEEDS.format(scenario=scenario) for scenario in self._settings.named_scenarios]

    def ablation_accuracies(self) -> list[str]:
        """Return the accuracies of the variants of all ablations."""
        return self._ablation_files("accuracies.csv")

    def ablation_seeds(self) -> list[str]:
        """Return the mean of each training of the variants of all ablations."""
        return self._ablation_files("seeds.parquet")

    def ablation_models(self, scenario: str, ablation: str) -> list[str]:
        """Return every trained model of an ablation, in all replicates."""
        return self._models(scenario, self.jobs.ablations[ablation])

    def ablation_evaluations(self, scenario: str, ablation: str) -> list[str]:
        """Return every evaluation of an ablation, in all replicates."""
        return self._evaluations(scenario, self.jobs.ablations[ablation])

    def budget_models(self, budget: str) -> list[str]:
        """Return every trained model of a budget, in all replicates."""
        return self._models(self._settings.budgets[budget].scenario, self._settings.budget_variants(budget))

    def budget_evaluations(self, budget: str) -> list[str]:
        """Return every evaluation of a budget, in all replicates."""
        return self._evaluations(self._settings.budgets[budget].scenario, self._settings.budget_variants(budget))

    def contrasts_evaluations(self, contrasts: str) -> list[str]:
        """Return every evaluation of the cells of some contrasts, in all replicates."""
        cells = dict(self._settings.contrast_cells(contrasts).values())
        return self._evaluations(self._settings.contrasts[contrasts].scenario, cells)

    def sweep_summaries(self, sweep: str) -> list[str]:
        """Return the summaries of a sweep's scenarios, in their order."""
        return [paths.SUMMARY.format(scenario=name) for name in self._settings.sweeps[sweep].scenarios.values()]

    def pairs_dataset(self, pairs: str) -> str:
        """Return the dataset of an experiment with pairs of teachers."""
        return self.pool_dataset(self._settings.pairs[pairs].pool)

    def pairs_episodes(self, pairs: str) -> str:
        """Return the episodes of an experiment with pairs of teachers: those of the largest shot."""
        dataset = self._settings.pools[self._settings.pairs[pairs].pool].dataset
        return paths.EPISODES.format(dataset=dataset, shot=max(self._settings.evaluation.shots))

    def pairs_weights(self, pairs: str) -> list[str]:
        """Return the checkpoint file of the probe network, if an inversion of the experiment uses it."""
        section = self._settings.pairs[pairs]
        return [*dict.fromkeys(file for pool in [section.pool, *section.others] for file in self.invert_weights(pool))]

    def pairs_draws(self, pairs: str) -> list[str]:
        """Return all draws of an experiment with pairs of teachers."""
        return _files(paths.PAIRS, self.jobs.draws(pairs))

    def templates(self, *names: str) -> list[str]:
        """Return files of ``tgr/reporting/publish/templates``."""
        return [str(self.repository / "tgr/reporting/publish/templates" / name) for name in names]

    def all_teachers(self) -> list[str]:
        """Return the teachers of all scenarios, in all replicates."""
        return [*dict.fromkeys(_files(paths.TEACHERS, self.jobs.teachers(self.jobs.pools)))]

    def all_recovered(self) -> list[str]:
        """Return the images recovered from all of them."""
        return _files(paths.RECOVERED, self.jobs.inverted)

    def all_models(self) -> list[str]:
        """Return every trained model of all scenarios' main methods, in all replicates."""
        return [file for scenario in self._settings.scenarios for file in self.main_models(scenario)]

    def main_tables(self) -> list[str]:
        """Return the accuracies of all scenarios' main methods, in Markdown."""
        return [paths.TABLE.format(scenario=name, name="main", suffix="md") for name in self._settings.named_scenarios]

    def _models(self, scenario: str, variants: Iterable[str]) -> list[str]:
        """Return the trained models of some variants in all replicates of a scenario."""
        names = self._settings.replicates_of(scenario)
        return _files(paths.MODEL, (job for name in names for job in self.jobs.models(name, variants)))

    def _evaluations(self, scenario: str, variants: Iterable[str]) -> list[str]:
        """Return the evaluations of some variants in all replicates of a scenario."""
        names = self._settings.replicates_of(scenario)
        return _files(paths.EVALUATION, (job for name in names for job in self.jobs.evaluations(name, variants)))

    def _ablation_files(self, name: str) -> list[str]:
        ablations = self._settings.ablations.items()
        return [paths.ABLATION.format(scenario=about.scenario, ablation=key, name=name) for key, about in ablations]

    def _pools(self, scenario: str) -> list[str]:
        return self._settings.scenarios[scenario].pools

    def _needs(self, scenario: str, method: str) -> Sequence[str]:
        return self.jobs.variants[scenario][method].parameters.starts_from

    def _embeddings(self, scenario: str) -> list[str]:
        return _files(paths.EMBEDDINGS, self.jobs.shards(self._pools(scenario)))

    def _selects_datafree(self, scenario: str, method: str) -> bool:
        settings = self._settings
        several = self.jobs.variants[scenario][method].parameters.checkpointed and settings.meta.n_checkpoints > 1
        return several and "datafree" in settings.evaluation.selections


def for_job(function: Callable[..., Files]) -> Callable[[Mapping[str, str]], Files]:
    """Return an input function of a rule, which calls a method of ``Inputs`` with those wildcards that it takes."""
    names = list(inspect.signature(function).parameters)
    return lambda wildcards: function(**{name: wildcards[name] for name in names})


def _files(pattern: str, jobs: Iterable[Shard | Judgement | Model | Evaluation | Draw]) -> list[str]:
    return [pattern.format(**job._asdict()) for job in jobs]
