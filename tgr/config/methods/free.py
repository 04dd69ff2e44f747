"""FREE: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.base import HEADS, EpisodicParameters, Heads, PooledParameters
from tgr.config.methods.setting import FORWARD, Setting


class Free(EpisodicParameters, PooledParameters):
    """A meta-generator adapted to each teacher in a few steps, and implicit gradient alignment across teachers."""

    label = "FREE"
    colour = "#332288"  # indigo
    marker = "X"
    equal_cost = True
    citation = "Wei et al., CVPR 2024"
    bibtex = r"""@inproceedings{wei2024free,
  title     = {{FREE}: Faster and Better Data-Free Meta-Learning},
  author    = {Wei, Yongxian and Hu, Zixuan and Wang, Zhenyi and Shen, Li and Yuan, Chun and Tao, Dacheng},
  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024},
  note      = {arXiv:2405.00984}
}
"""
    published = {"cifar_fs": "39.13 % in 5-way 1-shot", "miniimagenet": "45.45 % in 5-way 5-shot"}
    needs = ("teachers",)
    phases = {"distillation": "distillation", "replay": "replayed episodes"}
    small = {
        "steps": 4,
        "teachers_per_step": 2,
        "images_per_class": 3,
        "generator_width": 4,
        "latent_dim": 8,
        "adaptation_steps": 2,
        "replay_steps": 1,
    }

    steps: int = Field(40, ge=1, description="Outer steps, each on a few teachers.")
    warmup: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="Part of the steps in which the generator alone is trained (the paper's 20 of 1,000).",
    )
    teachers_per_step: int = Field(4, ge=1, description="Teachers of a step, drawn without replacement.")
    images_per_class: int = Field(5, ge=1, description="Images generated for each class in a step (paper: 20).")
    latent_dim: int = Field(256, ge=1, description="Size of the generator's latent code.")
    generator_width: int = Field(16, ge=4, description="Channels of the generator (paper: 64).")
    adaptation_steps: int = Field(5, ge=1, description="Adam steps that adapt the meta-generator to a teacher.")
    generator_lr: float = Field(
        5e-3, gt=0, description="Learning rate of the adaptation, generator and codes (paper: 0.001)."
    )
    adversarial_weight: float = Field(
        1.0, ge=0, description="Weight of the disagreement of teacher and meta-model that generated images shall cause."
    )
    generator_update: Literal["reptile", "fomaml"] = Field(
        "reptile",
        description="How the meta-generator learns: it moves towards the adapted ones, or descends their last "
        "gradients, summed, by a first step of Adam at `generator_lr` (paper: fomaml).",
    )
    generator_rate: float = Field(
        0.5, gt=0, le=1, description="How far the meta-generator follows the adapted ones (`reptile`)."
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    heads: Heads = Field("aligned", description=HEADS)
    kd_steps: int = Field(1, ge=1, description="Distillation steps on each teacher in turn.")
    kd_lr: float = Field(1e-3, gt=0, description="Adam learning rate of the distillation into the clone.")
    alignment_weight: float = Field(
        67.0, gt=0, description="Factor of the meta-model's distance from the clone, as a gradient of the shared Adam."
    )
    replay_steps: int = Field(4, ge=0, description="Meta-batches replayed from the class bank in each outer step.")
    memory_per_class: int = Field(
        100, ge=1, description="Images kept of each class for the replay, the newest (paper: 400)."
    )

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average."""
        return self.steps * self.teachers_per_step / setting.n_teachers

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        images = setting.n_way * self.images_per_class
        adversary = setting.steps(1, images, FORWARD) if self.adversarial_weight > 0 else 0.0
        adaptation = setting.inverted(images) + setting.generated(images, self.generator_width) + adversary
        distillation = self.kd_steps * setting.classified(images) + setting.steps(self.kd_steps, images)
        teacher = self.adaptation_steps * adaptation + distillation
        replay = setting.replay(self.steps * self.replay_steps)
        return self.steps * self.teachers_per_step * teacher + (1 - self.warmup) * replay
