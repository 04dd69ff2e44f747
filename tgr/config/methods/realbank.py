"""Real data, equal steps: its parameters, and what is said of it."""

from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.setting import Setting


class Realbank(ClassifierTraining):
    """The learner of `bank` on real images of the meta-train classes, for as many steps as the others take."""

    label = "Real data, equal steps"
    colour = "#8C8C8C"  # light grey
    marker = "2"
    role = "real"
    real_images = True
    needs = ()
    phases = {"bank": "batches of the bank"}
    small = {"steps": 4, "batch_size": 8}

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        return setting.steps(self.steps, self.batch_size)
