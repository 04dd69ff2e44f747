"""OTA: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.base import MethodParameters
from tgr.config.methods.setting import Setting


class Ota(MethodParameters):
    """Teachers' neurons aligned by optimal transport, then averaged (one architecture only)."""

    label = "OTA"
    checkpointed = False
    colour = "#0072B2"  # blue
    marker = "<"
    citation = "Singh & Jaggi, NeurIPS 2020"
    bibtex = r"""@inproceedings{singh2020model,
  title     = {Model Fusion via Optimal Transport},
  author    = {Singh, Sidak Pal and Jaggi, Martin},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2020}
}
"""

    ground_metric: Literal["weights", "activations"] = Field(
        "weights", description="What makes two neurons alike: incoming weights, or activations on common images."
    )
    images: int = Field(200, ge=2, description="Recovered images on which activations are compared.")

    @property
    def starts_from(self) -> tuple[str, ...]:
        """Recovered images are looked at for activations alone."""
        return self.needs if self.ground_metric == "activations" else ("teachers",)

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        images = self.images if self.ground_metric == "activations" else 0
        return setting.n_teachers * (setting.classified(images) + setting.step_overhead)
