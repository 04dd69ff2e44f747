"""What one job takes, from its rule and wildcards: time, memory, disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from tgr.backbones.memory import FLOAT
from tgr.config.methods.panel import PanelChoice
from tgr.config.schema import Config
from tgr.plan.methods import method_cost
from tgr.plan.parts import DIRECT_LIMIT, Parts
from tgr.plan.shapes import MB, shape_of
from tgr.plan.units import Units
from tgr.workflow.jobs import Jobs
from tgr.workflow.paths import PROBE_EMBEDDING

ARCHIVE_MB = 169.0
FIGURE_MB = 0.4
"""Of a table or a figure, about."""
EPISODE_BYTES = 40
"""Of one row of an evaluation."""
STUDENT_STEPS, STUDENT_BATCH = 100, 64
TRAINING_BATCH = 150
"""Images of a meta-model's step, about, whose feature maps are kept."""

DEVICE_RULES = (
    "pretrain",
    "invert",
    "measure_transfer",
    "judge",
    "embed",
    "compare",
    "train",
    "evaluate",
    "measure_pairs",
)
"""Rules that use a GPU where there is one."""

TIME_MARGIN, TIME_ALLOWANCE = 3.0, 10.0
"""A job may take three times the estimate and ten minutes: processors differ, cores are shared, file systems wait."""
MEMORY_MARGIN, MEMORY_ALLOWANCE = 1.5, 500.0
"""A job may take one and a half times the memory estimated, and 500 MB."""
GPU_ALLOWANCE = 1000.0
"""MB of a GPU that a process takes before it computes anything: CUDA, its libraries, and their workspaces. Assumed."""


@dataclass(frozen=True)
class Estimate:
    """What one job takes.

    Attributes:
        seconds: of one core, the start of the job included.
        memory_mb: at its largest.
        gpu_mb: on a GPU, with the margin: what it has beside the program, all of which may be there.
        disk_mb: of its outputs.
        minutes: its run time on the device of the configuration, with the margin; what a cluster is asked for.
    """

    seconds: float
    memory_mb: float
    gpu_mb: int
    disk_mb: float
    minutes: int

    @property
    def mem_mb(self) -> int:
        """Its memory in MB, with the margin: what a cluster is asked for."""
        return ceil(MEMORY_MARGIN * self.memory_mb + MEMORY_ALLOWANCE)


class Estimates:
    """What the jobs of a configuration take.

    Raises:
        TgrError: a network of a scenario cannot be built.
    """

    def __init__(self, config: Config, units: Units) -> None:
        self.config, self.units = config, units
        self.parts, self.jobs = Parts(config, units), Jobs(config)
        for scenario, section in config.scenarios.items():  # so that a network which cannot be built is an error here
            self.parts.model(scenario)
            for pool in section.pools:
                self.parts.teacher(pool)
        self._known: dict[tuple[object, ...], Estimate] = {}
        self._rules: dict[str, Callable[..., tuple[float, float, float]]] = {
            "download_cifar100": self._download,
            "load_dataset": self._load,
            "draw_episodes": self._draw,
            "pretrain": self._pretrain,
            "import_models": self._import,
            "invert": self._invert,
            "measure_transfer": self._transfer,
            "judge": self._judge,
            "embed": self._embed,
            "compare": self._compare,
            "group": self._group,
            "train": self._train,
            "evaluate": self._evaluate,
            "measure_pairs": self._pairs,
        }

    def of(self, rule: str, wildcards: Mapping[str, object]) -> Estimate:
        """Return what a job takes, from its rule and wildcards; all jobs of tables and figures take the same."""
        key = (rule, *sorted((name, str(value)) for name, value in wildcards.items()))
        if key not in self._known:
            counted = self._rules.get(rule)
            seconds, memory, disk = counted(**wildcards) if counted else (self.units.figure, 0.0, FIGURE_MB)
            on_cpu = not (rule in DEVICE_RULES and self.config.device.startswith(("cuda", "mps")))
            waited = self.units.job_start + seconds / (1 if on_cpu else self.units.assumed["gpu_speedup"])
            self._known[key] = Estimate(
                self.units.job_start + seconds,
                self._base_mb(rule) + memory,
                ceil(MEMORY_MARGIN * memory + GPU_ALLOWANCE),
                disk,
                ceil(TIME_MARGIN * waited / 60 + TIME_ALLOWANCE),
            )
        return self._known[key]

    def resource(self, rule: str, name: str) -> Callable[[Mapping[str, object]], int]:
        """Return a function of a job's wildcards: ``mem_mb``, ``gpu_mb`` or ``minutes`` that it asks for."""
        return lambda wildcards: getattr(self.of(rule, dict(wildcards.items())), name)

    def training_seconds(self, scenario: str) -> dict[str, float]:
        """Return the seconds of a training of each method of a scenario's main table."""
        methods = self.config.main_methods(scenario)
        return {name: method_cost(self.parts, scenario, name, methods[name]).training for name in methods}

    def _download(self) -> tuple[float, float, float]:
        return 0.0, 0.0, ARCHIVE_MB

    def _load(self, dataset: str) -> tuple[float, float, float]:
        shape, size = shape_of(self.config, dataset), self.parts.dataset_mb(dataset)
        return shape.images * shape.pixels**2 / 32**2 * self.units.load_image, 2 * size, size

    def _draw(self, dataset: str, shot: object) -> tuple[float, float, float]:
        return 0.0, self.parts.dataset_mb(dataset), 0.1

    def _pretrain(self, pool: str, shard: object) -> tuple[float, float, float]:
        section, net, count = self.config.pools[pool], self.parts.teacher(pool), self._n(pool, shard)
        memory = self.parts.pool_dataset_mb(section) + net.training_mb(self.config.pretrain_of(pool).batch_size)
        return count * self.parts.teacher_seconds(pool), memory, count * net.weights_mb

    def _import(self, pool: str, shard: object) -> tuple[float, float, float]:
        weights = self.parts.teacher(pool).weights_mb
        return 0.0, 3 * weights, self._n(pool, shard) * weights

    def _invert(self, pool: str, shard: object) -> tuple[float, float, float]:
        count = self._n(pool, shard)
        seconds, disk = self.parts.inversion_seconds(pool), self.parts.recovered_mb(pool)
        return count * seconds, self.parts.inversion_mb(pool), count * disk

    def _transfer(self, pool: str) -> tuple[float, float, float]:
        section = self.config.pools[pool]
        area = (shape_of(self.config, str(section.dataset)).pixels / 32) ** 2
        tested = self.parts.images_of_a_teacher(section) * self.units.forward_image * area
        learnt = STUDENT_STEPS * STUDENT_BATCH * self.units.train_image * area
        count = min(self.config.evaluation.n_students, section.n_teachers)
        return count * (tested + learnt), self.parts.pool_dataset_mb(section), 0.01

    def _judge(self, scenario: str, panel: str, pool: str, shard: object) -> tuple[float, float, float]:
        choice, count = self.jobs.panels(scenario)[panel], self._n(pool, shard)
        member = max(self.parts.teacher(name).weights_mb for name in self.config.scenarios[scenario].pools)
        judged = count * self.parts.judged_mb(scenario, choice, pool)
        images = count * self.parts.recovered_mb(pool)
        # Judgements are joined before they are written; beside the images are their resized and their mirrored copies.
        return count * self.parts.judging_seconds(scenario, choice, pool), 2 * judged + 3 * images + member, judged

    def _embed(self, pool: str, shard: object) -> tuple[float, float, float]:
        count = self._n(pool, shard)
        share = count / self.config.pools[pool].n_teachers
        return share * self.parts.embedding_seconds(pool), 0.0, count * self.parts.embedding_values * FLOAT / MB

    def _compare(self, scenario: str, embedding: str) -> tuple[float, float, float]:
        n = self.parts.n_teachers(scenario)
        seconds, disk = (
            self.parts.comparison_seconds(scenario, embedding),
            n**2 * (8 if n <= DIRECT_LIMIT else FLOAT) / MB,
        )
        network = 0.0 if embedding == PROBE_EMBEDDING else self._base_mb("embed") - self._base_mb("compare")
        return seconds, 2 * disk + network, disk

    def _group(self, scenario: str, grouping: str) -> tuple[float, float, float]:
        return 0.0, 4 * self.parts.n_teachers(scenario) ** 2 * 8 / MB, 0.01

    def _train(self, scenario: str, method: str, shot: object, seed: object) -> tuple[float, float, float]:
        section, variant = self.config.scenarios[scenario], self.parts.variants[scenario][method]
        images = sum(self.config.pools[pool].n_teachers * self.parts.n_recovered(pool) for pool in section.pools)
        bank = images * 3 * section.image_size**2 * (FLOAT + 1) / MB  # as bytes when read, then as floats
        model = self.parts.model(scenario)
        seconds = variant.parameters.training_seconds(self.parts.setting(scenario, str(shot)))
        disk = self.parts.n_checkpoints(variant) * model.weights_mb
        memory = bank + model.training_mb(TRAINING_BATCH)
        if isinstance(variant.parameters, PanelChoice):
            seconds += self.parts.components_seconds(scenario, variant.parameters)
            memory += self.parts.components_mb(scenario, variant.parameters)
        return seconds, memory, disk

    def _evaluate(self, scenario: str, method: str, shot: object, seed: object) -> tuple[float, float, float]:
        section, variant = self.config.scenarios[scenario], self.parts.variants[scenario][method]
        seconds = self.parts.scoring_seconds(scenario, variant, int(str(shot)))
        memory = sum(self.parts.dataset_mb(dataset) for dataset in section.evaluate_on)
        if variant.parameters.asks_teachers:  # a copy of the images in the size of each teacher in turn
            largest = max(self.parts.pixels(pool) for pool in section.pools)
            memory += max(shape_of(self.config, name).images for name in section.evaluate_on) * 3 * largest**2 / MB
        rows = sum(self.parts.n_episodes(name) for name in section.evaluate_on)
        return seconds, memory, rows * (len(self.config.evaluation.selections) + 2) * EPISODE_BYTES / MB

    def _pairs(self, pairs: str, draw: object) -> tuple[float, float, float]:
        section = self.config.pairs[pairs]
        pools = [section.pool] * (self.config.pools[section.pool].n_way + 2) + section.others
        each = sum(self.parts.teacher_seconds(pool) + self.parts.inversion_seconds(pool) for pool in pools)
        replay = len(pools) * self.parts.pairs_setting(section.pool).replay(section.steps)
        memory = self.parts.pool_dataset_mb(self.config.pools[section.pool])
        return each + replay, memory + max(map(self.parts.inversion_mb, pools)), 0.01

    def _n(self, pool: str, shard: object) -> int:
        return len(self.config.pools[pool].shard(int(str(shard))))

    def _base_mb(self, rule: str) -> float:
        return self.units.memory_mb.get(rule, self.units.memory_mb["job"])
