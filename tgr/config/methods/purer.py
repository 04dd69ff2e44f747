"""PURER: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.base import EpisodicParameters, PooledParameters
from tgr.config.methods.setting import Setting


class Purer(EpisodicParameters, PooledParameters):
    """Learnable images of each class under a curriculum, and episodes of them."""

    label = "PURER"
    colour = "#44AA99"  # teal
    marker = "D"
    equal_cost = True
    citation = "Hu et al., CVPR 2023"
    bibtex = r"""@inproceedings{hu2023architecture,
  title     = {Architecture, Dataset and Model-Scale Agnostic Data-free Meta-Learning},
  author    = {Hu, Zixuan and Shen, Li and Wang, Zhenyi and Liu, Tongliang and Yuan, Chun and Tao, Dacheng},
  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2023}
}
"""
    needs = ("teachers",)
    phases = {"purer": "learnt images"}
    small = {"steps": 4, "teachers_per_step": 2, "curriculum_after": 0, "patience": 1}

    steps: int = Field(170, ge=1, description="Outer steps, each on one meta-batch and one move of images.")
    teachers_per_step: int = Field(4, ge=1, description="Teachers whose images move in a step (paper: 13).")
    max_classes: int = Field(20, ge=2, description="Of a teacher with more classes, this many are drawn.")
    pixel_lr: float = Field(0.25, gt=0, description="Adam learning rate of the normalised pixels.")
    tv_weight: float = Field(0.01, ge=0, description="Weight of the total variation (paper: 0.0001).")
    bn_weight: float = Field(3.0, ge=0, description="Weight of the BatchNorm statistics loss (paper: 0.01).")
    l2_weight: float = Field(1e-5, ge=0, description="Weight of the norm of the pixels.")
    start_noise: Literal["scales", "unit"] = Field(
        "scales",
        description="Images start from colour noise of all scales, or from normal pixels (paper: unit).",
    )
    clamp: bool = Field(True, description="Keep images in the range of colours (paper: false).")
    jitter: int = Field(2, ge=0, description="Random shift of a teacher's images inside the loop, in pixels.")
    curriculum_after: float = Field(
        0.067, ge=0, le=1, description="Part of the steps before stalls count (the paper's 4,000 of 60,000)."
    )
    curriculum_weight: float = Field(
        10.0,
        ge=0,
        description="Weight of the outer loss that a new episode's images climb when the training accuracy stalls.",
    )
    patience: int = Field(6, ge=1, description="Steps without a better training accuracy that count as a stall.")

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average."""
        return self.steps * min(1.0, self.teachers_per_step / setting.n_teachers)

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        images = min(self.teachers_per_step, setting.n_teachers) * setting.n_way * (setting.k_shot + setting.n_query)
        return setting.replay(self.steps) + self.steps * setting.inverted(images)
