"""The jobs of a configuration, rule by rule, and what each takes. Mirrors the rules' inputs, without Snakemake."""

from dataclasses import dataclass

from tgr.plan.counts import MB, Counts
from tgr.plan.networks import FLOAT, network

EMBEDDING_VALUES = 21_008
"""Values of the default probe's embedding; with ``fisher: parameter`` one for each weight."""
ARCHIVE_MB = 169.0
PROBE_PARAMETERS = 3_371_008
DIRECT_LIMIT, N_LANDMARKS = 1000, 128
"""As in ``tgr.task_space.landmarks``, which imports torch; a test compares them."""
EPISODE_BYTES = 40
"""Of one row of an evaluation."""
STUDENT_STEPS, STUDENT_BATCH = 100, 64
TRAINING_BATCH = 150
"""Images of a meta-model's step, about, whose feature maps are kept."""
N_FIGURES = {"scenario": 14, "ablation": 4, "pairs": 1, "sweep": 1, "all": 4}
"""Jobs that make tables, figures and small analyses, for each of these."""


@dataclass(frozen=True)
class Cost:
    """What jobs of one rule take.

    Attributes:
        rule: its name.
        jobs: how many.
        seconds: of one core, all of them together, their starts included.
        memory_mb: of one job, at its largest.
        disk_mb: of all outputs.
        device: whether a GPU would do most of it.
    """

    rule: str
    jobs: int
    seconds: float
    memory_mb: float
    disk_mb: float
    device: bool = False


class Planner(Counts):
    """Costs of a configuration, rule by rule."""

    def costs(self) -> list[Cost]:
        """Return the costs of every rule that has jobs, in the order of the stages."""
        parts = [
            self.download(),
            self.datasets(),
            self.episodes(),
            self.pretrain(),
            self.import_models(),
            self.invert(),
        ]
        parts += [self.transfer(), self.embed(), self.compare(), self.group(), self.train(), self.evaluate()]
        parts += [self.pairs(), self.figures()]
        return [cost for cost in parts if cost.jobs]

    def download(self) -> Cost:
        """Fetching the archive of CIFAR-100."""
        datasets = [self.config.datasets[name] for name in self.read()]
        wanted = any(dataset.source in ("cifar_fs", "fc100") and not dataset.path for dataset in datasets)
        return self._cost("download_cifar100", int(wanted), 0.0, 0.0, ARCHIVE_MB)

    def datasets(self) -> Cost:
        """Reading datasets."""
        names = self.read()
        shapes = [self.shape(name) for name in names]
        sizes = [images * 3 * size**2 / MB for _, images, size in shapes]
        seconds = sum(images * size**2 / 32**2 for _, images, size in shapes) * self.units.load_image
        return self._cost("load_dataset", len(names), seconds, 2 * max(sizes), sum(sizes))

    def episodes(self) -> Cost:
        """Drawing episodes."""
        shots = len(self.config.evaluation.shots)
        largest = max(self.pixels_mb(name) for name in self.evaluated)
        return self._cost("draw_episodes", len(self.evaluated) * shots, 0.0, largest, 0.1 * len(self.evaluated) * shots)

    def pretrain(self) -> Cost:
        """Training teachers."""
        jobs, seconds, memory, disk = 0, 0.0, 0.0, 0.0
        for name, count in self.trained.items():
            pool = self.config.pools[name]
            if pool.dataset:
                jobs += -(-count // pool.teachers_per_job)
                seconds += count * self.teacher_seconds(name)
                batch = self.config.pretrain_of(name).batch_size
                memory = max(memory, self.pixels_mb(pool.dataset) + self.network(name).training_mb(batch))
                disk += count * self.network(name).parameters * FLOAT
        return self._cost("pretrain", jobs, seconds, memory, disk, device=True)

    def import_models(self) -> Cost:
        """Checking models from elsewhere."""
        own = [name for name, pool in self.pools.items() if pool.table]
        disk = sum(self.pools[name].n_teachers * self.network(name).parameters * FLOAT for name in own)
        return self._cost("import_models", sum(self.pools[name].n_shards for name in own), 0.0, 0.0, disk)

    def invert(self) -> Cost:
        """Recovering images."""
        counts = [(pool.n_teachers, self.inversion_seconds(name)) for name, pool in self.pools.items()]
        disk = sum(pool.n_teachers * self.recovered_mb(name) for name, pool in self.pools.items())
        memory = max(self.network(name).training_mb(self.n_recovered(name)) for name in self.pools)
        jobs = sum(pool.n_shards for pool in self.pools.values())
        return self._cost("invert", jobs, sum(n * each for n, each in counts), memory, disk, device=True)

    def transfer(self) -> Cost:
        """Training students of recovered images."""
        seconds, jobs = 0.0, 0
        for pool in self.pools.values():
            if pool.dataset:
                jobs += 1
                classes, images, size = self.shape(pool.dataset)
                tested = pool.n_way * images / classes * self.units.forward_image * (size / 32) ** 2
                learnt = STUDENT_STEPS * STUDENT_BATCH * self.units.train_image * (size / 32) ** 2
                seconds += min(self.config.evaluation.n_students, pool.n_teachers) * (tested + learnt)
        return self._cost("measure_transfer", jobs, seconds, 0.0, 0.01 * jobs, device=True)

    def embed(self) -> Cost:
        """Embedding teachers by the probe."""
        space = self.config.task_space
        pixels = (space.image_size / 64) ** 2
        shown = [min(space.images_per_class, self.config.inversion_of(name).images_per_class) for name in self.pools]
        images = sum(p.n_teachers * p.n_way * n for p, n in zip(self.pools.values(), shown, strict=True))
        values = EMBEDDING_VALUES if space.fisher == "filter" else PROBE_PARAMETERS
        disk = sum(pool.n_teachers for pool in self.pools.values()) * values * FLOAT / MB
        jobs = sum(pool.n_shards for pool in self.pools.values())
        return self._cost("embed", jobs, images * self.units.embed_image * pixels, 0.0, disk, device=True)

    def compare(self) -> Cost:
        """Comparing all pairs of teachers."""
        seconds, disk, jobs = 0.0, 0.0, 0
        for name in self.config.scenarios:
            n = self.n_teachers(name)
            values = EMBEDDING_VALUES if self.config.task_space.fisher == "filter" else PROBE_PARAMETERS
            for embedding in {grouping.split("-")[0] for grouping in self.groupings(name)}:
                value, pairs, size = self.units.compare_value, n**2 / 2, 8
                if n > DIRECT_LIMIT:
                    value, pairs, size = self.units.compare_landmark_value, n * N_LANDMARKS, FLOAT
                seconds += pairs * values * value if embedding == "fisher" else 0.0
                disk, jobs = disk + n**2 * size / MB, jobs + 1
        return self._cost("compare", jobs, seconds, 2 * disk / max(1, jobs), disk)

    def group(self) -> Cost:
        """Grouping teachers."""
        jobs = sum(len(self.groupings(name)) for name in self.config.scenarios)
        return self._cost("group", jobs, 0.0, 0.0, 0.01 * jobs)

    def train(self) -> Cost:
        """Meta-training."""
        jobs, seconds, memory, disk = 0, 0.0, 0.0, 0.0
        seeds = len(self.config.evaluation.seeds)
        for name, scenario in self.config.scenarios.items():
            bank = sum(self.pools[pool].n_teachers * self.n_recovered(pool) for pool in scenario.pools)
            model = network(scenario, scenario.image_size)
            images = bank * 3 * scenario.image_size**2 * (FLOAT + 1) / MB  # as bytes when read, then as floats
            memory = max(memory, images + model.training_mb(TRAINING_BATCH))
            for variant in self.variants[name].values():
                shots = {self.config.training_shot(variant, shot) for shot in self.config.evaluation.shots}
                jobs += len(shots) * seeds
                seconds += seeds * sum(variant.parameters.training_seconds(self.setting(name, s)) for s in shots)
                disk += len(shots) * seeds * self.n_checkpoints(variant.parameters) * model.parameters * FLOAT
        return self._cost("train", jobs, seconds, memory, disk, device=True)

    def evaluate(self) -> Cost:
        """Scoring on unseen classes."""
        evaluation, jobs, seconds, rows, memory = self.config.evaluation, 0, 0.0, 0.0, 0.0
        for name, scenario in self.config.scenarios.items():
            episodes = [self.n_episodes(dataset) for dataset in scenario.evaluate_on]
            memory = max(memory, *(self.pixels_mb(dataset) for dataset in scenario.evaluate_on))
            for variant in self.variants[name].values():
                for shot in evaluation.shots:
                    jobs += len(evaluation.seeds)
                    seconds += len(evaluation.seeds) * self.scoring_seconds(name, variant, shot)
                    rows += len(evaluation.seeds) * sum(episodes) * (len(evaluation.selections) + 2)
        return self._cost("evaluate", jobs, seconds, memory, rows * EPISODE_BYTES / MB, device=True)

    def pairs(self) -> Cost:
        """Experiments with two teachers."""
        jobs, seconds = 0, 0.0
        for pairs in self.config.pairs.values():
            base = self.config.pools[pairs.pool]
            made = [pairs.pool] * (base.n_way + 2) + pairs.others
            each = sum(self.teacher_seconds(pool) + self.inversion_seconds(pool) for pool in made)
            setting = self.pool_setting(pairs.pool)
            jobs += pairs.n_draws
            seconds += pairs.n_draws * (each + len(made) * setting.replay(pairs.steps))
        return self._cost("measure_pairs", jobs, seconds, 0.0, 0.01 * jobs, device=True)

    def figures(self) -> Cost:
        """Tables and figures."""
        config = self.config
        counts = [("scenario", len(config.scenarios)), ("ablation", len(config.ablations)), ("all", 1)]
        counts += [("pairs", len(config.pairs)), ("sweep", len(config.sweeps))]
        jobs = sum(N_FIGURES[kind] * count for kind, count in counts)
        return self._cost("tables and figures", jobs, jobs * self.units.figure, 0.0, 0.4 * jobs)

    def _cost(
        self, rule: str, jobs: int, seconds: float, memory_mb: float, disk_mb: float, *, device: bool = False
    ) -> Cost:
        base = self.units.memory_mb.get(rule, self.units.memory_mb["job"])
        return Cost(rule, jobs, jobs * self.units.job_start + seconds, base + memory_mb, disk_mb, device)
