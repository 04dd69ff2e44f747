"""Real data: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.setting import Setting


class Realdata(ClassifierTraining):
    """Ceiling: the learners of `bank` and `replay` on the real images of the meta-train classes."""

    label = "Real data"
    colour = "#000000"  # black
    marker = "*"
    role = "ceiling"
    real_images = True
    needs = ()
    phases = {"bank": "batches of the bank", "replay": "replayed episodes"}
    small = {"steps": 4, "batch_size": 8}

    learner: Literal["bank", "replay"] = Field("bank", description="Which learner sees the real images.")

    @property
    def episodic(self) -> bool:
        """Whether it trains on k-shot episodes."""
        return self.learner == "replay"

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        if self.learner == "replay":
            return setting.replay(self.steps)
        return setting.steps(self.steps, self.batch_size)
