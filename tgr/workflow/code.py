"""The source files of a job: its script, all that it imports, and what the configuration names.

Each method takes wildcards of a rule, by name, like those of ``tgr.workflow.inputs``.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tgr.config.architectures import ARCHITECTURES, find_own_source, is_own
from tgr.config.existing_models import ExistingModel
from tgr.data.readers import registry as readers
from tgr.run import source_graph
from tgr.workflow import paths
from tgr.workflow.jobs import Jobs

FRESH_IMAGES = "tgr.meta.fresh"
"""The module of trainings that recover images anew."""


class CodeOf:
    """The source files of each stage's jobs.

    Args:
        jobs: the jobs of the configuration.
        tables: the tables of existing models, by pool.
        repository: the folder with ``workflow`` and ``tgr``, relative to the working directory.
    """

    def __init__(self, jobs: Jobs, tables: Mapping[str, Sequence[ExistingModel]], repository: Path) -> None:
        self._jobs, self._tables, self._repository = jobs, tables, repository
        self._settings = jobs.settings

    def script(self, script: str, *modules: str) -> list[str]:
        """Return a script of ``workflow/scripts``, and all source files that it and further modules use.

        Args:
            modules: of this package; an own architecture stands for the file of its module, and for that alone.
        """
        own = list(filter(is_own, modules))
        ours = [module for module in modules if module not in own]
        files = source_graph.sources_of_script(self._repository / "workflow/scripts" / script, *ours)
        return [os.path.relpath(file) for file in [*files, *filter(None, map(find_own_source, own))]]

    def pretrain(self, pool: str) -> list[str]:
        """Return the sources of the stage `pretrain` and of a pool's architecture."""
        return self.script("pretrain.py", *self._backbones(pool))

    def import_models(self, pool: str) -> list[str]:
        """Return the sources of the stage `import_models` and of a pool's architectures."""
        return self.script("import_models.py", *self._backbones(pool))

    def measure_transfer(self, pool: str) -> list[str]:
        """Return the sources of the stage `measure_transfer` and of a pool's architecture."""
        return self.script("measure_transfer.py", *self._backbones(pool))

    def embed(self, pool: str) -> list[str]:
        """Return the sources of the stage `embed` and of a pool's architectures."""
        return self.script("embed.py", *self._backbones(pool))

    def evaluate(self, scenario: str) -> list[str]:
        """Return the sources of the stage `evaluate` and of a scenario's architectures."""
        return self.script("evaluate.py", *self._backbones_of_scenario(scenario))

    def load_dataset(self, dataset: str) -> list[str]:
        """Return the sources of the stage `load_dataset` and of one reader."""
        source = self._settings.datasets[dataset].source
        return self.script("load_dataset.py", *([] if source == "mix" else [readers.module(source)]))

    def invert(self, pool: str) -> list[str]:
        """Return the sources of the stage `invert`, of a pool's engine and of its architectures."""
        return self.script("invert.py", self._engine(pool), *self._backbones(pool))

    def judge(self, scenario: str) -> list[str]:
        """Return the sources of the stage `judge` and of the architectures of a scenario's teachers."""
        return self.script("judge.py", *self._backbones(*self._settings.scenarios[scenario].pools))

    def compare(self, scenario: str, embedding: str) -> list[str]:
        """Return the sources of the stage `compare`, of one embedding, and of the architectures that it looks into."""
        if embedding == paths.PROBE_EMBEDDING:
            return self.script("compare.py")
        return self.script("compare.py", f"tgr.task_space.{embedding}", *self._backbones_of_scenario(scenario))

    def train(self, scenario: str, method: str) -> list[str]:
        """Return the sources of the stage `train`, of one method, and of a scenario's architectures."""
        variant = self._jobs.variants[scenario][method]
        modules = [f"tgr.methods.{variant.method}"]
        if variant.parameters.inverts:
            modules += [FRESH_IMAGES, *map(self._engine, self._settings.scenarios[scenario].pools)]
        return self.script("train.py", *modules, *self._backbones_of_scenario(scenario))

    def measure_pairs(self, pairs: str) -> list[str]:
        """Return the sources of an experiment with pairs of teachers, of its pools' engines and architectures."""
        section = self._settings.pairs[pairs]
        pools = [section.pool, *section.others]
        return self.script("measure_pairs.py", *map(self._engine, pools), *self._backbones(*pools))

    def _engine(self, pool: str) -> str:
        return f"tgr.inversion.{self._settings.inversion_of(pool).engine}"

    def _backbones(self, *pools: str) -> list[str]:
        """Return the modules of the architectures of some pools' teachers; timm models need none, own ones stand for
        themselves."""
        architectures = {self._settings.pools[pool].architecture for pool in pools if pool not in self._tables}
        architectures |= {row.architecture for pool in pools for row in self._tables.get(pool, [])}
        return _backbones(architectures)

    def _backbones_of_scenario(self, scenario: str) -> list[str]:
        """Return the modules of the architectures of a scenario's meta-models and teachers."""
        return [
            *_backbones({self._settings.scenarios[scenario].architecture}),
            *self._backbones(*self._settings.scenarios[scenario].pools),
        ]


def _backbones(architectures: Iterable[str]) -> list[str]:
    ours = [f"tgr.backbones.{ARCHITECTURES[name].module}" for name in sorted(architectures) if name in ARCHITECTURES]
    return [*ours, *sorted(filter(is_own, architectures))]
