"""What the parameters of all methods share."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from tgr.config.base import Section
from tgr.config.learning import Meta
from tgr.config.methods.setting import Setting

CLASS_IDENTITY = (
    "`shared`: a class that several teachers know is one class; `local`: each teacher's classes are its own."
)


HEADS = (
    "Output rows of the distillation: one row a class, with a head of its own for replay, or one n-way head in the "
    "teachers' arbitrary label orders, which replay trains too (paper: shared)."
)
Heads = Literal["aligned", "shared"]

Role = Literal["method", "floor", "yardstick", "real", "ceiling"]
Embedding = Literal["fisher", "features", "logits", "parameters"]
"""Where teachers are compared; each is a module of ``tgr.task_space``."""


class MethodParameters(Section):
    """Base of all methods: the parameters of one, and as class variables all that is said of it."""

    label: ClassVar[str]
    """What it is called in tables and figures."""
    colour: ClassVar[str | None] = None
    """Its colour in figures, `#rrggbb`; None: the next one that is free."""
    marker: ClassVar[str | None] = None
    """Its marker of matplotlib, which tells it from others in grey; None: the next one that is free."""
    citation: ClassVar[str] = ""
    """Authors, venue and year of its paper, in a line."""
    bibtex: ClassVar[str] = ""
    """The entry of that paper in a bibliography."""
    published: ClassVar[Mapping[str, str]] = {}
    """Its published accuracies, by the source of the dataset: what stands beside measured ones, with shots and ways."""
    phases: ClassVar[Mapping[str, str]] = {}
    """What the phases of its training, by the names under which it logs them, are called in figures."""
    small: ClassVar[Mapping[str, Any]] = {}
    """Parameters of a tiny training, for tests; empty for a method that trains nothing."""

    role: ClassVar[Role] = "method"
    """Whether it is the floor or a ceiling of the tables, a yardstick (many networks, no rival of single ones), or sees
    ``real`` images without being trained out."""
    protocols: ClassVar[tuple[str, ...]] = ("finetune", "finetune_tuned", "ncm", "ncm_inductive")
    """The protocols that make sense for it."""
    needs: ClassVar[tuple[str, ...]] = ("teachers", "recovered")
    """The stages from whose outputs it may start: ``teachers``, ``recovered``, ``judgements``, ``task_space``; see
    ``starts_from``."""
    equal_cost: ClassVar[bool] = False
    """True if it learns from images of the teachers: shipped configurations give all such methods equal computing."""
    lengths: ClassVar[tuple[str, ...]] = ("steps",)
    """The parameters that say how long it trains: its seconds are proportional to them, if all change by one factor."""
    real_images: ClassVar[bool] = False
    """True if it sees the real images of the teachers' datasets, as no data-free method does."""
    asks_teachers: ClassVar[bool] = False
    """True if its model names teachers, which evaluation then reads, instead of having weights of its own."""
    checkpointed: ClassVar[bool] = True
    """True if its training keeps ``meta.n_checkpoints`` models to choose from; False if it gives one model."""
    logs_conflict: ClassVar[bool] = False
    """True if its training records the conflict among the teachers' gradients, step by step."""

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that its training takes, without the start of the job."""
        return 0.0

    def passes_of_a_step(self, meta: Meta, k_shot: int) -> dict[str, int]:
        """Return the images that one step of each phase takes forward and backward through the meta-model.

        Phases are those under which steps are logged. Empty for a method that does not count them.
        """
        return {}

    def visits(self, setting: Setting) -> float | None:
        """Return how often it draws a teacher, on average; None if it draws none or takes all of them together."""
        return None

    def networks(self, n_teachers: int) -> int:
        """Return how many networks an image passes at use, in a scenario of some teachers."""
        return 1

    @property
    def starts_from(self) -> tuple[str, ...]:
        """Those of ``needs`` that it reads as it is configured."""
        return self.needs

    @property
    def inverts(self) -> bool:
        """Whether its training recovers images anew, by the inversion of the teachers' pools."""
        return False

    @classmethod
    def look(cls) -> dict[str, Any]:
        """Return how figures show it: ``label``, ``colour``, ``marker``, ``phases``."""
        return {"label": cls.label, "colour": cls.colour, "marker": cls.marker, "phases": dict(cls.phases)}

    def own_meta(self, meta: Meta) -> Meta:
        """Return the episodic learner that it trains with."""
        return meta

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes, so that ``meta.k_shot: evaluated`` means one training for each shot."""
        return False


class EpisodicParameters(MethodParameters):
    """Base of the methods that always train on k-shot episodes."""

    outer_lr: float | None = Field(None, gt=0, description="Its own `meta.outer_lr`; `null`: the common one.")
    inner_lr: float | None = Field(None, gt=0, description="Its own `meta.inner_lr`; `null`: the common one.")

    def own_meta(self, meta: Meta) -> Meta:
        """Return the episodic learner with the learning rates of this method."""
        own = {"outer_lr": self.outer_lr, "inner_lr": self.inner_lr}
        return meta.model_copy(update={key: value for key, value in own.items() if value is not None})

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return True


class PooledParameters(MethodParameters):
    """Base of the methods that pool images of several teachers by class."""

    class_identity: Literal["shared", "local"] = Field("shared", description=CLASS_IDENTITY)


class GroupedParameters(PooledParameters):
    """Base of the methods that use task groups."""

    needs = ("teachers", "recovered", "task_space")

    embedding: Embedding = Field(
        "fisher",
        description="Where teachers are compared: Fisher information of the probe, its mean features, the teachers' "
        "outputs on common images, or their weights (only between teachers of one architecture).",
    )
    grouping: Literal["heterogeneous", "balanced", "homogeneous", "random", "single"] = Field(
        "heterogeneous",
        description="Who shares a group: unlike teachers by spectral clustering (paper: heterogeneous), unlike ones in "
        "groups of equal size, alike ones, anyone, or all teachers together.",
    )
    level: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How unlike the teachers of a `balanced` group are: 1 as unlike as swaps reach, 0 as alike, and in "
        "between; other groupings take no notice.",
    )
    n_groups: int = Field(5, ge=1, description="Number of task groups (paper: 5).")

    @property
    def groups_name(self) -> str:
        """The name under which the grouping is stored."""
        kind = f"balanced@{self.level:g}" if self.grouping == "balanced" and self.level != 1 else self.grouping
        return f"{self.embedding}-{kind}-{1 if self.grouping == 'single' else self.n_groups}"
