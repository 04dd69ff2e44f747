"""What the parts of a configuration take: one teacher, its images, one evaluation."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

from tgr.backbones.memory import FLOAT, chunk_size, kept_mb
from tgr.config.methods.panel import PanelChoice
from tgr.config.schema import Config
from tgr.config.teachers import Pool
from tgr.config.variants import Variant
from tgr.plan.existing import Existing, largest_of
from tgr.plan.networks import Network, network
from tgr.plan.shapes import MB, images_mb, pool_pixels, shape_of
from tgr.plan.training import Setting
from tgr.plan.units import Units
from tgr.workflow.paths import PROBE_EMBEDDING

DEFAULT_STEPS = {"pixel": 100, "generator": 200}
"""Those of the engines, which import torch; a test compares them."""
EMBEDDING_VALUES = 21_008
"""Values of the default probe's embedding; with ``fisher: parameter`` one for each weight."""
PROBE_PARAMETERS = 3_371_008
DIRECT_LIMIT, N_LANDMARKS = 1000, 128
"""As in ``tgr.task_space.landmarks``, which imports torch; a test compares them."""
EXACT, N_COMPONENTS, N_DIRECTIONS, COMPONENT_PASSES = 1024, 256, 288, 7
"""As in ``tgr.meta.components``, which imports torch (a test compares them); products of its rows with directions."""
N_EIGEN = 10
"""Multiplications of an eigendecomposition for each cube of the matrix's size, about."""
HALF = 2
"""Bytes of a feature that is kept."""
GENERATOR_OUTPUTS = 2
"""Values that the layers of the generator give for each of its channels and each pixel, about."""
IMAGE_COPIES = 5
"""Images, their gradient, two of Adam's, and one that comes and goes."""
CHUNKED = 1.6
"""How much longer a step takes whose images go through the teacher in chunks: 1.5 to 1.9 times."""


class Parts:
    """Seconds of one core, and MB, for the parts of a configuration."""

    def __init__(self, config: Config, units: Units) -> None:
        self.config, self.units = config, units
        self._tables: dict[str, Existing] = {}
        self.setting = cache(self.setting)  # type: ignore[method-assign]
        self.variants = {name: config.all_variants(name) for name in config.scenarios}

    def dataset_mb(self, name: str) -> float:
        """MB of a dataset's images."""
        return images_mb(shape_of(self.config, name))

    def pool_dataset_mb(self, pool: Pool) -> float:
        """MB of the images from which a pool's teachers learnt, if they are known."""
        return self.dataset_mb(pool.dataset) if pool.dataset else 0.0

    def teacher(self, name: str) -> Network:
        """Return the network of a pool's teachers."""
        section = self.config.pools[name]
        return self._existing(name, section).network if section.table else network(section, self.pixels(name))

    def pixels(self, name: str) -> int:
        """Return the height of a pool's images."""
        pool = self.config.pools[name]
        return self._existing(name, pool).pixels if pool.table else pool_pixels(self.config, pool)

    def n_classes(self, name: str) -> int:
        """Return the classes of a pool's teachers."""
        pool = self.config.pools[name]
        return self._existing(name, pool).n_classes if pool.table else pool.n_way

    def _existing(self, name: str, pool: Pool) -> Existing:
        if name not in self._tables:
            self._tables[name] = largest_of(Path(str(pool.table)), pool.width)
        return self._tables[name]

    def model(self, scenario: str) -> Network:
        """Return the meta-model of a scenario."""
        section = self.config.scenarios[scenario]
        return network(section, section.image_size)

    def images_of_a_teacher(self, pool: Pool) -> float:
        """Images of the classes of one teacher."""
        shape = shape_of(self.config, str(pool.dataset))
        return pool.n_way * shape.images / shape.classes

    def teacher_seconds(self, name: str) -> float:
        """Seconds of training one teacher."""
        pool, pretrain, net = self.config.pools[name], self.config.pretrain_of(name), self.teacher(name)
        images = self.images_of_a_teacher(pool)
        learnt = images * (1 - pretrain.held_out)
        steps = pretrain.epochs * max(1.0, learnt // pretrain.batch_size)
        trained = pretrain.epochs * learnt * self.units.train(net) + steps * self.units.step_overhead
        return trained + images * self.units.forward(net)

    def n_recovered(self, name: str) -> int:
        """Images recovered from one teacher."""
        inversion = self.config.inversion_of(name)
        return min(self.n_classes(name), inversion.max_classes) * inversion.images_per_class

    def recovered_mb(self, name: str) -> float:
        """MB of one teacher's recovered images."""
        return self.n_recovered(name) * 3 * self.pixels(name) ** 2 / MB

    def inversion_seconds(self, name: str) -> float:
        """Seconds of recovering one teacher's images."""
        inversion, teacher = self.config.inversion_of(name), self.teacher(name)
        image = self.units.invert(teacher)
        if chunk_size(teacher.outputs, self.n_recovered(name), inversion.memory_mb) < self.n_recovered(name):
            image *= CHUNKED
        if inversion.engine == "generator":
            image += self.units.generate(inversion.generator_width, self.pixels(name))
        steps = inversion.steps or DEFAULT_STEPS[inversion.engine]
        return steps * self.n_recovered(name) * image + steps * self.units.invert_overhead

    def image_seconds(self, pools: Sequence[str]) -> float:
        """Seconds of recovering one image, mean over the teachers of some pools."""
        counts = {pool: self.config.pools[pool].n_teachers for pool in pools}
        each = {pool: self.inversion_seconds(pool) / self.n_recovered(pool) for pool in pools}
        return sum(counts[pool] * each[pool] for pool in counts) / sum(counts.values())

    def inversion_mb(self, name: str) -> float:
        """MB of the feature maps that a step of the inversion keeps, of the images, and of what the optimiser knows."""
        inversion, images, teacher = self.config.inversion_of(name), self.n_recovered(name), self.teacher(name)
        memory = teacher.training_mb(chunk_size(teacher.outputs, images, inversion.memory_mb))
        area = self.pixels(name) ** 2
        memory += IMAGE_COPIES * images * 3 * area * FLOAT / MB
        if inversion.engine == "generator":  # whose BatchNorm layers need all images at once
            memory += kept_mb(GENERATOR_OUTPUTS * inversion.generator_width * area / 1e6, images)
        return memory

    def members(self, scenario: str, choice: PanelChoice) -> dict[str, float]:
        """Return how many teachers of each pool sit on a panel; a share need not be a whole number."""
        counts = {pool: self.config.pools[pool].n_teachers for pool in self.config.scenarios[scenario].pools}
        share = min(1.0, (choice.panel_size or sum(counts.values())) / sum(counts.values()))
        return {pool: share * count for pool, count in counts.items()}

    def n_views(self, name: str) -> int:
        """Views of all images recovered from one teacher: mirrored ones too, where classes are known to allow it."""
        dataset = self.config.pools[name].dataset
        return self.n_recovered(name) * (2 if dataset is None or self.config.datasets[dataset].flips else 1)

    def judging_seconds(self, scenario: str, choice: PanelChoice, pool: str) -> float:
        """Seconds in which a panel judges the images recovered from one teacher."""
        members = self.members(scenario, choice).items()
        return self.n_views(pool) * sum(count * self.units.forward(self.teacher(name)) for name, count in members)

    def judged_columns(self, scenario: str, choice: PanelChoice) -> tuple[float, float]:
        """Return how many outputs and how many features of a panel are kept for each view."""
        members = self.members(scenario, choice).items()
        outputs = sum(count * self.n_outputs(name) for name, count in members)
        features = sum(count * self.teacher(name).features for name, count in members)
        return outputs, features if choice.likeness == "features" else 0.0

    def n_outputs(self, name: str) -> int:
        """Classes of a teacher that are recovered."""
        return min(self.n_classes(name), self.config.inversion_of(name).max_classes)

    def judged_mb(self, scenario: str, choice: PanelChoice, pool: str) -> float:
        """MB of a panel's judgement of the images recovered from one teacher."""
        outputs, features = self.judged_columns(scenario, choice)
        return self.n_views(pool) * (FLOAT * outputs + HALF * features) / MB

    def components_seconds(self, scenario: str, choice: PanelChoice) -> float:
        """Seconds in which a training finds the principal components of a panel's judgement."""
        views = sum(self.config.pools[pool].n_teachers * self.n_views(pool) for pool in self.members(scenario, choice))
        outputs, features = self.judged_columns(scenario, choice)
        columns = features or outputs
        passes = views * columns * (columns if columns <= EXACT else COMPONENT_PASSES * N_DIRECTIONS)
        return self.units.multiplications(passes + N_EIGEN * min(columns, EXACT) ** 3)

    def components_mb(self, scenario: str, choice: PanelChoice) -> float:
        """MB that a training takes for a panel's judgement: outputs, components, and what finding these keeps."""
        pools = self.members(scenario, choice)
        views = [self.config.pools[pool].n_teachers * self.n_views(pool) for pool in pools]
        outputs, features = self.judged_columns(scenario, choice)
        kept = sum(views) * 2 * (outputs + N_COMPONENTS)  # each is joined from parts
        block = 4 * max(map(self.n_views, pools)) * (features or outputs)
        return FLOAT * (kept + block + 4 * (features or outputs) * N_DIRECTIONS) / MB

    def judgement_seconds(self, scenario: str, choice: PanelChoice) -> float:
        """Seconds of all that a method needs of a panel."""
        pools = self.config.scenarios[scenario].pools
        judged = sum(self.config.pools[p].n_teachers * self.judging_seconds(scenario, choice, p) for p in pools)
        return judged + self.components_seconds(scenario, choice)

    def n_teachers(self, scenario: str) -> int:
        """Teachers of a scenario."""
        return self.config.n_teachers(scenario)

    def setting(self, scenario: str, shot: str) -> Setting:
        """Return where the methods of a scenario train; its typical teacher has the median size."""
        section, meta = self.config.scenarios[scenario], self.config.meta
        k_shot = meta.k_shot if isinstance(meta.k_shot, int) else int(shot) if shot != "any" else 0
        teachers = [self.teacher(pool) for pool in section.pools for _ in range(self.config.pools[pool].n_teachers)]
        typical = sorted(teachers, key=lambda net: net.macs)[len(teachers) // 2]
        n_way = self.config.pools[section.pools[0]].n_way
        inversion, pixels = self.image_seconds(section.pools), section.image_size
        return Setting(self.model(scenario), typical, meta, k_shot, n_way, len(teachers), inversion, pixels, self.units)

    def pairs_setting(self, pool: str) -> Setting:
        """Return where an experiment with two teachers trains."""
        net, meta, shots = self.teacher(pool), self.config.meta, self.config.evaluation.shots
        k_shot = meta.k_shot if isinstance(meta.k_shot, int) else max(shots)
        section = self.config.pools[pool]
        pixels = self.pixels(pool)
        inversion = self.image_seconds([pool])
        return Setting(net, net, meta, k_shot, section.n_way, 2, inversion, pixels, self.units)

    def embedding_seconds(self, pool: str) -> float:
        """Seconds of sending images of all teachers of a pool through the probe network, and back."""
        space, section = self.config.task_space, self.config.pools[pool]
        inversion = self.config.inversion_of(pool)
        images = min(self.n_classes(pool), inversion.max_classes) * min(
            space.images_per_class, inversion.images_per_class
        )
        return section.n_teachers * images * self.units.embed_image * (space.image_size / 64) ** 2

    @property
    def embedding_values(self) -> int:
        """Values of a teacher's embedding by the probe network."""
        return EMBEDDING_VALUES if self.config.task_space.fisher == "filter" else PROBE_PARAMETERS

    def comparison_seconds(self, scenario: str, embedding: str) -> float:
        """Seconds of comparing a scenario's teachers, and of any embedding but that of the probe network."""
        n = self.n_teachers(scenario)
        if embedding != PROBE_EMBEDDING:
            return sum(self.embedding_seconds(pool) for pool in self.config.scenarios[scenario].pools)
        if n > DIRECT_LIMIT:
            return n * N_LANDMARKS * self.embedding_values * self.units.compare_landmark_value
        return n**2 / 2 * self.embedding_values * self.units.compare_value

    def n_episodes(self, dataset: str) -> int:
        """Meta-test episodes of a dataset."""
        return self.config.datasets[dataset].n_episodes or self.config.evaluation.n_episodes

    def scoring_seconds(self, scenario: str, variant: Variant, shot: int) -> float:
        """Seconds of evaluating one trained model for one shot, on all datasets of the scenario."""
        if variant.parameters.asks_teachers:
            return self.asking_seconds(scenario, variant, shot)
        evaluation, section = self.config.evaluation, self.config.scenarios[scenario]
        net, units, tune = self.model(scenario), self.units, self.config.evaluation.tune
        support, query = evaluation.n_way * shot, evaluation.n_way * evaluation.n_query
        nearest = (support + query) * units.forward(net) + units.step_overhead
        step = support * units.train(net) + units.step_overhead
        predict = query * units.forward(net) + units.step_overhead / 3
        count = self.n_checkpoints(variant)
        seconds = 0.0
        for dataset in section.evaluate_on:
            n = self.n_episodes(dataset)
            if count > 1:
                rules = set(evaluation.selections) & {"meta_val", "datafree"}
                seconds += count * nearest * len(rules) * evaluation.n_val_episodes
                seconds += count * nearest * n * ("oracle" in evaluation.selections)
            else:
                seconds += n * nearest
            protocols = [name for name in evaluation.protocols if name in variant.parameters.protocols]
            if "ncm_inductive" in protocols:
                seconds += n * nearest
            if "finetune" in protocols:
                seconds += n * (evaluation.inner_steps * step + predict)
            if "finetune_tuned" in protocols:
                trajectory = max(tune.inner_steps) * step + len(tune.inner_steps) * predict
                seconds += len(tune.inner_lr) * tune.n_episodes * trajectory
                seconds += n * (fmean(tune.inner_steps) * step + predict)
        return seconds

    def asking_seconds(self, scenario: str, variant: Variant, shot: int) -> float:
        """Seconds of asking teachers themselves about all episodes of one shot.

        With BatchNorm on running statistics an image passes once, in however many episodes it occurs.
        """
        evaluation, section = self.config.evaluation, self.config.scenarios[scenario]
        shown = evaluation.n_way * (shot + evaluation.n_query)
        n_teachers = self.n_teachers(scenario)
        share = variant.parameters.networks(n_teachers) / n_teachers
        seconds = 0.0
        for dataset in section.evaluate_on:
            n = self.n_episodes(dataset)
            images: dict[str, float] = {"batch": n * shown}
            images["running"] = min(images["batch"], shape_of(self.config, dataset).images)
            protocols = [name for name in evaluation.protocols if name in variant.parameters.protocols]
            passes, rounds = sum(images[evaluation.bn_mode_of(name)] for name in protocols), n * len(protocols)
            for pool in section.pools:
                each = passes * self.units.forward(self.teacher(pool)) + rounds * self.units.step_overhead / 3
                seconds += share * self.config.pools[pool].n_teachers * each
        return seconds

    def n_checkpoints(self, variant: Variant) -> int:
        """Checkpoints that a method keeps."""
        return self.config.meta.n_checkpoints if variant.parameters.checkpointed else 1
