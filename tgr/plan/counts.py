"""What a configuration asks for: sizes, images, steps; and the seconds of its parts."""

from collections.abc import Iterable, Iterator
from statistics import fmean

from tgr.config.methods.base import GroupedParameters, MethodParameters
from tgr.config.schema import Config
from tgr.config.teachers import Dataset, Pool
from tgr.config.variants import Variant
from tgr.plan.networks import Network, network
from tgr.plan.training import Setting
from tgr.plan.units import Units

DATASETS = {
    "icons": (101, 8888, 32),
    "glyphs": (105, 9240, 28),
    "emoji": (79, 6693, 32),
    "cifar_fs": (100, 60_000, 32),
    "fc100": (100, 60_000, 32),
    "miniimagenet": (100, 60_000, 84),
    "cub": (200, 11_788, 84),
    "vgg_flower": (102, 8189, 84),
}
"""Classes, images and pixels of the datasets that are known; others are taken for ``UNKNOWN_DATASET``."""
UNKNOWN_DATASET = (100, 60_000, 84)
MB = 1e6


class Counts:
    """Counts of a configuration.

    Attributes:
        pools: those of a scenario.
        trained: for each pool whose teachers are wanted, how many.
        evaluated: datasets of which episodes are drawn.
        variants: everything that is trained, by scenario.
    """

    def __init__(self, config: Config, units: Units) -> None:
        self.config, self.units = config, units
        scenarios = config.scenarios.values()
        self.pools = {name: config.pools[name] for scenario in scenarios for name in scenario.pools}
        trained: dict[str, int] = {}
        for name, pool in self.pools.items():
            origin = pool.teachers_of or name
            trained[origin] = max(trained.get(origin, 0), pool.n_teachers)
        self.trained = trained
        self.evaluated = dict.fromkeys(name for scenario in scenarios for name in scenario.evaluate_on)
        self.evaluated |= dict.fromkeys(self.pairs_datasets())
        self.variants = {name: config.all_variants(name) for name in config.scenarios}

    def shape(self, name: str) -> tuple[int, int, int]:
        """Return a dataset's classes, images and pixels."""
        dataset = self.config.datasets[name]
        if dataset.source == "mix":
            members = [self.shape(member) for member in dataset.of]
            classes, images, size = sum(m[0] for m in members), sum(m[1] for m in members), 0
        else:
            classes, images, size = DATASETS.get(known_as(name, dataset), UNKNOWN_DATASET)
        return classes, images, dataset.image_size or size

    def read(self) -> list[str]:
        """Return the datasets that are read, the members of mixes included."""
        names = dict.fromkeys([*self.evaluated, *(pool.dataset for pool in self.pools.values() if pool.dataset)])
        return list(names | dict.fromkeys(member for name in names for member in self.config.datasets[name].of))

    def pairs_datasets(self) -> Iterator[str]:
        """Yield the datasets of experiments with two teachers."""
        for pairs in self.config.pairs.values():
            dataset = self.config.pools[pairs.pool].dataset
            if dataset:
                yield dataset

    def pixels_mb(self, dataset: str) -> float:
        """MB of a dataset's images."""
        _, images, size = self.shape(dataset)
        return images * 3 * size**2 / MB

    def size(self, pool: Pool) -> int:
        """Pixels of a pool's images; those of models from elsewhere are taken for 32."""
        return self.shape(pool.dataset)[2] if pool.dataset else 32

    def network(self, pool: str) -> Network:
        """Return the network of a pool's teachers."""
        section = self.config.pools[pool]
        return network(section, self.size(section), section.n_way)

    def teacher_seconds(self, name: str) -> float:
        """Seconds of training one teacher."""
        pool, pretrain, net = self.config.pools[name], self.config.pretrain_of(name), self.network(name)
        assert pool.dataset
        classes, images, _ = self.shape(pool.dataset)
        n = pool.n_way * images / classes
        learnt = n * (1 - pretrain.held_out)
        steps = pretrain.epochs * max(1.0, learnt // pretrain.batch_size)
        trained = pretrain.epochs * learnt * self.units.train(net) + steps * self.units.step_overhead
        return trained + n * self.units.forward(net)

    def n_recovered(self, name: str) -> int:
        """Images recovered from one teacher."""
        inversion = self.config.inversion_of(name)
        return min(self.config.pools[name].n_way, inversion.max_classes) * inversion.images_per_class

    def recovered_mb(self, name: str) -> float:
        """MB of one teacher's recovered images."""
        return self.n_recovered(name) * 3 * self.size(self.config.pools[name]) ** 2 / MB

    def inversion_seconds(self, name: str) -> float:
        """Seconds of recovering one teacher's images."""
        inversion, size = self.config.inversion_of(name), self.size(self.config.pools[name])
        generator = inversion.engine == "generator"
        steps = inversion.steps or (200 if generator else 100)
        image = self.units.invert(self.network(name))
        if generator:
            image += self.units.generator_image * (inversion.generator_width / 64) ** 2 * (size / 32) ** 2
        return steps * self.n_recovered(name) * image

    def n_teachers(self, scenario: str) -> int:
        """Teachers of a scenario."""
        return sum(self.config.pools[pool].n_teachers for pool in self.config.scenarios[scenario].pools)

    def groupings(self, scenario: str) -> set[str]:
        """Return the names of a scenario's groupings."""
        grouped: Iterable[MethodParameters] = (v.parameters for v in self.variants[scenario].values())
        return {p.groups_name for p in grouped if isinstance(p, GroupedParameters)}

    def setting(self, scenario: str, shot: str) -> Setting:
        """Return where the methods of a scenario train; its typical teacher has the median size."""
        section, meta = self.config.scenarios[scenario], self.config.meta
        k_shot = meta.k_shot if isinstance(meta.k_shot, int) else int(shot) if shot != "any" else 0
        teachers = [self.network(pool) for pool in section.pools for _ in range(self.config.pools[pool].n_teachers)]
        typical = sorted(teachers, key=lambda net: net.macs)[len(teachers) // 2]
        n_way = self.config.pools[section.pools[0]].n_way
        model = network(section, section.image_size)
        return Setting(model, typical, meta, k_shot, n_way, len(teachers), self.units)

    def pool_setting(self, name: str) -> Setting:
        """Return where an experiment with two teachers trains."""
        net, meta, shots = self.network(name), self.config.meta, self.config.evaluation.shots
        k_shot = meta.k_shot if isinstance(meta.k_shot, int) else max(shots)
        return Setting(net, net, meta, k_shot, self.config.pools[name].n_way, 2, self.units)

    def n_checkpoints(self, parameters: MethodParameters) -> int:
        """Checkpoints that a method keeps."""
        return self.config.meta.n_checkpoints if parameters.checkpointed else 1

    def n_episodes(self, dataset: str) -> int:
        """Meta-test episodes of a dataset."""
        return self.config.datasets[dataset].n_episodes or self.config.evaluation.n_episodes

    def scoring_seconds(self, scenario: str, variant: Variant, shot: int) -> float:
        """Seconds of evaluating one trained model for one shot, on all datasets of the scenario."""
        evaluation, section = self.config.evaluation, self.config.scenarios[scenario]
        net, units, tune = network(section, section.image_size), self.units, self.config.evaluation.tune
        support, query = evaluation.n_way * shot, evaluation.n_way * evaluation.n_query
        nearest = (support + query) * units.forward(net) + units.step_overhead
        step = support * units.train(net) + units.step_overhead
        predict = query * units.forward(net) + units.step_overhead / 3
        count = self.n_checkpoints(variant.parameters)
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
            if "finetune" in protocols:
                seconds += n * (evaluation.inner_steps * step + predict)
            if "finetune_tuned" in protocols:
                trajectory = max(tune.inner_steps) * step + len(tune.inner_steps) * predict
                seconds += len(tune.inner_lr) * tune.n_episodes * trajectory
                seconds += n * (fmean(tune.inner_steps) * step + predict)
        return seconds


def known_as(name: str, dataset: Dataset) -> str:
    """Return under which name a dataset's shape is known."""
    return (dataset.pack or name) if dataset.source == "pack" else dataset.source
