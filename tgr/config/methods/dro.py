"""DRO: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.methods.ota import Ota
from tgr.config.methods.setting import Setting


class Dro(Ota):
    """Robust fusion of aligned teachers through a network over task embeddings (one architecture only)."""

    label = "DRO"
    checkpointed = True
    colour = "#882255"  # wine
    marker = ">"
    citation = "Wang et al., UAI 2022"
    bibtex = r"""@inproceedings{wang2022meta,
  title     = {Meta-Learning without Data via {Wasserstein} Distributionally-Robust Model Fusion},
  author    = {Wang, Zhenyi and Wang, Xiaoyang and Shen, Li and Suo, Qiuling and Song, Kaiqiang and Yu, Dong and
               Shen, Yan and Gao, Mingchen},
  booktitle = {Conference on Uncertainty in Artificial Intelligence (UAI)},
  year      = {2022}
}
"""
    phases = {"dro": "fusion network"}
    small = {"steps": 4, "teachers_per_step": 2, "images_per_teacher": 4, "images": 12}

    steps: int = Field(150, ge=1, description="Training steps of the fusion network.")
    teachers_per_step: int = Field(4, ge=1, description="Teachers whose losses make one step.")
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step.")
    radius: float = Field(
        1.0, ge=0, description="How far an embedding may move; 1 is the typical distance from the mean embedding."
    )
    ascent_steps: int = Field(2, ge=1, description="Gradient ascent steps to the worst embedding within the radius.")
    lr: float = Field(0.01, gt=0, description="Adam learning rate of the fusion network.")

    @property
    def starts_from(self) -> tuple[str, ...]:
        """Its losses are those of recovered images, whatever the ground metric."""
        return self.needs

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average."""
        return self.steps * self.teachers_per_step / setting.n_teachers

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        count, passes = self.steps * self.teachers_per_step, 1 + self.ascent_steps
        embedding = setting.n_teachers * setting.classified(self.images)
        return super().training_seconds(setting) + embedding + setting.steps(count, self.images_per_teacher, passes)
