"""What the parameters of all methods share."""

from typing import ClassVar, Literal

from pydantic import Field

from tgr.config.base import Section

CLASS_IDENTITY = (
    "`shared`: a class that several teachers know is one class; `local`: each teacher's classes are its own."
)


class MethodParameters(Section):
    """Base of all methods."""

    label: ClassVar[str]
    """What the method is called in tables and figures."""
    protocols: ClassVar[tuple[str, ...]] = ("finetune", "finetune_tuned", "ncm")
    """The protocols that make sense for it."""
    real_images: ClassVar[bool] = False
    """True if the method sees the real images of the teachers' datasets: a ceiling, not a data-free method."""

    needs: ClassVar[tuple[str, ...]] = ("teachers", "recovered")
    """The stages from whose outputs it starts, as its cost is counted: ``teachers``, ``recovered``, ``task_space``."""
    checkpointed: ClassVar[bool] = True
    """True if its training keeps ``meta.n_checkpoints`` models to choose from; False if it gives one model."""
    logs_conflict: ClassVar[bool] = False
    """True if its training records the conflict among the teachers' gradients, step by step."""

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes, so that ``meta.k_shot: evaluated`` means one training for each shot."""
        return False


class EpisodicParameters(MethodParameters):
    """Base of the methods that always train on k-shot episodes."""

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return True


class PooledParameters(MethodParameters):
    """Base of the methods that pool images of several teachers by class."""

    class_identity: Literal["shared", "local"] = Field("shared", description=CLASS_IDENTITY)


class GroupedParameters(PooledParameters):
    """Base of the methods that use task groups."""

    needs: ClassVar[tuple[str, ...]] = ("teachers", "recovered", "task_space")

    embedding: Literal["fisher", "features", "logits", "parameters"] = Field(
        "fisher",
        description="Where teachers are compared: Fisher information of the probe, its mean features, the teachers' "
        "outputs on common images, or their weights (only between teachers of one architecture).",
    )
    grouping: Literal["heterogeneous", "balanced", "homogeneous", "random", "single"] = Field(
        "heterogeneous",
        description="Who shares a group: unlike teachers by spectral clustering (the paper), unlike ones in groups of "
        "equal size, alike ones, anyone, or all teachers together.",
    )
    level: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How unlike the teachers of a `balanced` group are: 1 as unlike as swaps reach, 0 as alike, and in "
        "between; other groupings take no notice.",
    )
    n_groups: int = Field(5, ge=1, description="Number of task groups.")

    @property
    def groups_name(self) -> str:
        """The name under which the grouping is stored."""
        kind = f"balanced@{self.level:g}" if self.grouping == "balanced" and self.level != 1 else self.grouping
        return f"{self.embedding}-{kind}-{1 if self.grouping == 'single' else self.n_groups}"
