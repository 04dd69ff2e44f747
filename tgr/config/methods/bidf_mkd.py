"""BiDf-MKD: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.base import HEADS, EpisodicParameters, Heads, PooledParameters
from tgr.config.methods.setting import FORWARD, Setting


class BidfMkd(EpisodicParameters, PooledParameters):
    """Bi-level data-free meta knowledge distillation from white-box or black-box teachers."""

    label = "BiDf-MKD"
    colour = "#999933"  # olive
    marker = "P"
    equal_cost = True
    citation = "Hu et al., ICML 2023"
    bibtex = r"""@inproceedings{hu2023learning,
  title     = {Learning to Learn from {API}s: Black-Box Data-Free Meta-Learning},
  author    = {Hu, Zixuan and Shen, Li and Wang, Zhenyi and Wu, Baoyuan and Yuan, Chun and Tao, Dacheng},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2023}
}
"""
    needs = ("teachers",)
    phases = {"distillation": "distillation", "replay": "replayed episodes"}
    small = {
        "steps": 4,
        "inversion_steps": 2,
        "generator_width": 4,
        "latent_dim": 8,
        "support_per_class": 2,
        "query_per_class": 2,
        "kd_steps": 2,
        "replay_steps": 1,
        "directions": 2,
    }

    steps: int = Field(30, ge=1, description="Outer steps, each on one inverted teacher.")
    box: Literal["white", "black"] = Field(
        "white",
        description="Whether teachers' gradients may be used; `black` asks for outputs, `directions` times as often, "
        "as the paper does.",
    )
    directions: int = Field(100, ge=1, description="Queries of a black box for each image and inversion step.")
    query_radius: float = Field(5e-3, gt=0, description="Length of the step between a black box's queries.")
    engine: Literal["generator", "pixel"] = Field(
        "generator", description="A generator (paper: generator), or the pixels themselves."
    )
    fresh_generator: bool = Field(
        False, description="Start each inversion from a new generator (paper: true), not from the one before."
    )
    inversion_steps: int = Field(10, ge=1, description="Steps of an inversion (paper: 200).")
    inversion_lr: float = Field(0.01, gt=0, description="Adam learning rate of an inversion (paper: 0.001).")
    latent_dim: int = Field(256, ge=1, description="Size of the latent code (generator engine).")
    generator_width: int = Field(16, ge=4, description="Channels of the generator (generator engine; paper: 64).")
    support_per_class: int = Field(5, ge=1, description="Support images recovered for each class (paper: 30).")
    query_per_class: int = Field(10, ge=1, description="Query images recovered for each class (paper: 30).")
    boundary_weight: float = Field(
        1.0, ge=0, description="Weight of the disagreement of teacher and student in the recovery of query images."
    )
    boundary_after: float = Field(
        0.067, ge=0, le=1, description="Part of the steps before that weight counts (the paper's 4,000 of 60,000)."
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    heads: Heads = Field("aligned", description=HEADS)
    kd_steps: int = Field(5, ge=1, description="Distillation steps on the support images (paper: 10).")
    kd_lr: float = Field(0.01, gt=0, description="Step size of the distillation, inside the loop.")
    replay_steps: int = Field(3, ge=0, description="Meta-batches replayed from the class bank in each outer step.")
    memory_per_class: int = Field(
        100, ge=1, description="Images kept of each class for the replay, the newest (paper: 600)."
    )

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average."""
        return self.steps / setting.n_teachers

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        support, query = setting.n_way * self.support_per_class, setting.n_way * self.query_per_class
        recovery = setting.inverted(support + query) * (1 if self.box == "white" else self.directions)
        if self.engine == "generator":
            recovery += setting.generated(support + query, self.generator_width)
        asked = 1 if self.box == "white" else self.directions + 1
        student = setting.steps(asked, query, FORWARD) if self.boundary_weight > 0 else 0.0
        inversion = self.inversion_steps * (recovery + (1 - self.boundary_after) * student)
        distillation = setting.steps(self.kd_steps, support, setting.second_order) + setting.steps(1, query)
        distillation += setting.classified(support + query)
        return self.steps * (inversion + distillation) + setting.replay(self.steps * self.replay_steps)
