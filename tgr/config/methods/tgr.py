"""TGR: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.base import EpisodicParameters, GroupedParameters
from tgr.config.methods.setting import Setting


class Tgr(EpisodicParameters, GroupedParameters):
    """Task Groupings Regularization: group steps with implicit gradient regularisation, then replay."""

    label = "TGR"
    colour = "#D55E00"  # vermilion
    marker = "o"
    equal_cost = True
    citation = "Wei et al., ICML 2024"
    bibtex = r"""@inproceedings{wei2024task,
  title     = {Task Groupings Regularization: Data-Free Meta-Learning with Heterogeneous Pre-trained Models},
  author    = {Wei, Yongxian and Hu, Zixuan and Shen, Li and Wang, Zhenyi and Li, Yu and Yuan, Chun and Tao, Dacheng},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2024},
  note      = {arXiv:2405.16560}
}
"""
    logs_conflict = True
    lengths = ("bank_steps", "group_steps", "replay_steps")
    phases = {
        "bank": "batches of the bank",
        "group": "group steps",
        "replay": "replayed episodes",
    }
    small = {
        "group_steps": 4,
        "replay_steps": 2,
        "teachers_per_step": 2,
        "images_per_teacher": 4,
    }

    bank_steps: int = Field(
        0, ge=0, description="Steps of the learner of `bank` first, from whose trunk the group steps then start (ours)."
    )
    group_steps: int = Field(500, ge=1, description="Regularised steps on groups of dissimilar teachers.")
    teachers_per_step: int = Field(
        4, ge=2, description="Teachers drawn from one group in each step, without replacement."
    )
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step (paper: 150).")
    treatment: Literal["implicit", "none", "pcgrad", "cagrad", "mgda", "aligned_mtl"] = Field(
        "implicit",
        description="What is done about conflicting gradients: implicit gradient regularisation (paper: implicit), "
        "nothing, or an aggregation of `torchjd`.",
    )
    gradient_lambda: float = Field(
        1e-3,
        ge=0,
        description="Strength of the gradient regularisation (displacement). Under `fidelity: release`, which "
        "differentiates through the displacement, a value acts as its double does otherwise.",
    )
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
        "corrected",
        description="`release` restores what the authors' release does in the group step: its KL term, the derivative "
        "through the displacement, one shared head, teachers drawn with replacement, from the first pool only.",
    )

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average, in the group steps."""
        return self.group_steps * self.teachers_per_step / setting.n_teachers

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        passes = 2 if self.treatment == "implicit" and self.gradient_lambda > 0 else 1
        bank = setting.steps(self.bank_steps, ClassifierTraining().batch_size)
        group = setting.steps(self.group_steps * self.teachers_per_step, self.images_per_teacher, passes)
        judged = self.group_steps * self.teachers_per_step * setting.classified(self.images_per_teacher)
        return bank + group + judged + setting.replay(self.replay_steps)
