"""Parameters of every method. The names here and in ``tgr.methods.registry`` are the same; a test keeps them so."""

from typing import ClassVar, Literal

from pydantic import Field

from tgr.config.base import Section


class MethodParameters(Section):
    """What all methods share: whether training depends on the shot, and which protocols make sense."""

    protocols: ClassVar[tuple[str, ...]] = ("finetune", "finetune_tuned", "ncm")
    real_images: ClassVar[bool] = False
    """True if the method sees the real images of the teachers' datasets: a ceiling, not a data-free method."""

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes, so that ``meta.k_shot: evaluated`` means one training for each shot."""
        return False


class Pixels(MethodParameters):
    """Floor: nearest class mean on raw pixels."""

    protocols: ClassVar[tuple[str, ...]] = ("ncm",)


class Random(MethodParameters):
    """A fresh backbone, adapted on the support set only."""


class Best(MethodParameters):
    """The teacher with the highest held-out accuracy as initialisation."""


class Average(MethodParameters):
    """The mean of all teachers' weights (one architecture only)."""


class Bank(MethodParameters):
    """One classifier over all classes of the image bank; its trunk is kept, the head is new for each task."""

    steps: int = Field(800, ge=1, description="Training steps.")
    batch_size: int = Field(128, ge=2, description="Images a step.")
    lr: float = Field(3e-3, gt=0, description="Adam learning rate (cosine decay to zero).")
    teachers_per_batch: int | None = Field(
        4, ge=1, description="Draw each batch from this many teachers; `null` mixes all of them."
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")


class Realdata(Bank):
    """Ceiling: the learners of `bank` and `replay` on the real images of the meta-train classes."""

    real_images: ClassVar[bool] = True

    learner: Literal["bank", "replay"] = Field("bank", description="Which learner sees the real images.")

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return self.learner == "replay"


class Replay(MethodParameters):
    """Meta-learning on episodes of recovered images: TGR without the group step."""

    steps: int = Field(200, ge=1, description="Outer steps on replayed episodes.")

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return True


class Tgr(MethodParameters):
    """Task Groupings Regularization: group steps with implicit gradient regularisation, then replay."""

    group_steps: int = Field(500, ge=1, description="Regularised steps on groups of dissimilar teachers.")
    teachers_per_step: int = Field(
        4, ge=2, description="Teachers drawn from one group in each step, without replacement."
    )
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step.")
    gradient_lambda: float = Field(1e-3, ge=0, description="Strength of the gradient regularisation (displacement).")
    kd_weight: float = Field(1.0, ge=0, description="Weight of the distillation term KL(teacher || meta-model).")
    temperature: float = Field(1.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")
    heads: Literal["shared", "per_teacher", "aligned"] = Field(
        "aligned",
        description="Output rows in the group step: one n-way head in the teachers' arbitrary label orders (`shared`, "
        "the release), one head a teacher, or one row a class.",
    )
    lr: float = Field(3e-3, gt=0, description="Adam learning rate of the group step (cosine decay to zero).")
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    replay_steps: int = Field(60, ge=0, description="Outer steps on replayed episodes after the group steps.")
    fidelity: Literal["corrected", "release"] = Field(
        "corrected", description="`release` restores the release's KL term and differentiates through the displacement."
    )

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return True


class Methods(Section):
    """The methods to run. A method takes part if its key is present; `{}` means its default parameters."""

    pixels: Pixels | None = Field(None, description="Floor: nearest class mean on raw pixels.")
    random: Random | None = Field(None, description="Fresh backbone.")
    best: Best | None = Field(None, description="Best single teacher.")
    average: Average | None = Field(None, description="Mean of the teachers' weights.")
    bank: Bank | None = Field(None, description="One classifier over all classes of the image bank.")
    replay: Replay | None = Field(None, description="TGR without the group step.")
    tgr: Tgr | None = Field(None, description="Task Groupings Regularization.")
    realdata: Realdata | None = Field(None, description="Ceiling: real meta-train images.")

    def active(self) -> dict[str, MethodParameters]:
        """Return the methods that take part, by name, in the order of the tables."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}
