"""Bank: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.learning import Meta
from tgr.config.methods.base import MethodParameters, PooledParameters
from tgr.config.methods.setting import Setting

START = (
    "Where the trunk starts: `random` weights, or the trunk of the `best` teacher by held-out accuracy, among those of "
    "the meta-model's architecture."
)


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

    label = "Bank"
    colour = "#E69F00"  # orange
    marker = "s"
    equal_cost = True
    phases = {"bank": "batches of the bank"}
    small = {"steps": 4, "batch_size": 8}

    start: Literal["random", "best"] = Field("random", description=START)

    def visits(self, setting: Setting) -> float | None:
        """Return how often it draws a teacher, on average; None if all are mixed."""
        return self.steps * self.teachers_per_batch / setting.n_teachers if self.teachers_per_batch else None

    def passes_of_a_step(self, meta: Meta, k_shot: int) -> dict[str, int]:
        """Return the images that one step of each phase takes forward and backward."""
        return {"bank": self.batch_size}

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        return setting.steps(self.steps, self.batch_size)
