"""Real data: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.setting import FORWARD, Setting

ROUNDS = "Rounds at most."
PATIENCE = "The training ends after this many rounds in a row without a gain on meta-val."
SCORED = 60 * 100
"""Images that are classified after a round: see ``tgr.methods.trained_out``."""


class Realdata(ClassifierTraining):
    """Ceiling: the learner of `bank` on real meta-train images, until meta-val accuracy rises no more."""

    label = "Real data"
    colour = "#000000"  # black
    marker = "*"
    role = "ceiling"
    real_images = True
    needs = ()
    checkpointed = False
    lengths = ("rounds",)
    phases = {"bank": "batches of the bank"}
    small = {"steps": 3, "batch_size": 8, "rounds": 2}

    steps: int = Field(2000, ge=1, description="Training steps of a round, at whose end the rate has decayed to zero.")
    rounds: int = Field(8, ge=1, description=ROUNDS)
    patience: int = Field(2, ge=1, description=PATIENCE)

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes at most."""
        return setting.steps(self.rounds * self.steps, self.batch_size) + setting.steps(self.rounds, FORWARD * SCORED)
