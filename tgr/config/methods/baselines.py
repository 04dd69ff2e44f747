"""Parameters of the floor, the ceiling and the simple baselines."""

from typing import ClassVar, Literal

from pydantic import Field

from tgr.config.methods.base import EpisodicParameters, MethodParameters, PooledParameters


class Pixels(MethodParameters):
    """Floor: nearest class mean on raw pixels."""

    label: ClassVar[str] = "Pixels"
    checkpointed: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    protocols: ClassVar[tuple[str, ...]] = ("ncm",)


class Random(MethodParameters):
    """A fresh backbone, adapted on the support set only."""

    label: ClassVar[str] = "Random"
    checkpointed: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()


class Best(MethodParameters):
    """The teacher with the highest held-out accuracy as initialisation."""

    label: ClassVar[str] = "Best teacher"
    checkpointed: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("teachers",)


class Average(MethodParameters):
    """The mean of all teachers' weights (one architecture only)."""

    label: ClassVar[str] = "Average"
    checkpointed: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("teachers",)


class ClassifierTraining(MethodParameters):
    """How one classifier over many classes is trained."""

    steps: int = Field(800, ge=1, description="Training steps.")
    batch_size: int = Field(128, ge=2, description="Images a step.")
    lr: float = Field(3e-3, gt=0, description="Adam learning rate (cosine decay to zero).")
    teachers_per_batch: int | None = Field(
        4, ge=1, description="Draw each batch from this many teachers; `null` mixes all of them."
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")


class Bank(PooledParameters, ClassifierTraining):
    """One classifier over all classes of the image bank; its trunk is kept, the head is new for each task."""

    label: ClassVar[str] = "Bank"


class Distil(Bank):
    """The learner of `bank`, which all teachers teach, on each other's images too (ours)."""

    label: ClassVar[str] = "Distil"

    teachers_per_step: int = Field(4, ge=1, description="Teachers, drawn anew in each step, that classify its images.")
    kd_weight: float = Field(1.0, ge=0, description="Weight of the distillation term KL(teacher || meta-model).")
    temperature: float = Field(2.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")


class Realdata(ClassifierTraining):
    """Ceiling: the learners of `bank` and `replay` on the real images of the meta-train classes."""

    label: ClassVar[str] = "Real data"
    real_images: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ()

    learner: Literal["bank", "replay"] = Field("bank", description="Which learner sees the real images.")

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return self.learner == "replay"


class Replay(EpisodicParameters, PooledParameters):
    """Meta-learning on episodes of recovered images: TGR without the group step."""

    label: ClassVar[str] = "Replay"

    steps: int = Field(200, ge=1, description="Outer steps on replayed episodes.")
