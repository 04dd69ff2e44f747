"""Distil: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.methods.bank import Bank
from tgr.config.methods.setting import Setting


class Distil(Bank):
    """The learner of `bank`, which all teachers teach, on each other's images too (ours)."""

    label = "Distil"
    colour = "#CC6677"  # rose
    marker = "h"
    small = {"steps": 4, "batch_size": 8, "teachers_per_step": 2}

    teachers_per_step: int = Field(4, ge=1, description="Teachers, drawn anew in each step, that classify its images.")
    kd_weight: float = Field(1.0, ge=0, description="Weight of the distillation term KL(teacher || meta-model).")
    temperature: float = Field(2.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")

    relation_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the relational term: the cosines of a batch's features shall be the mean of those that "
        "the step's teachers see (0.3 in trials).",
    )

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average."""
        return self.steps * self.teachers_per_step / setting.n_teachers

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        taught = self.steps * self.teachers_per_step * setting.classified(self.batch_size)
        return super().training_seconds(setting) + taught
