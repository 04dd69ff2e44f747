"""Real data, prototypes: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.learning import Meta
from tgr.config.methods.base import EpisodicParameters
from tgr.config.methods.realdata import PATIENCE, ROUNDS, SCORED
from tgr.config.methods.setting import FORWARD, Setting


class Realproto(EpisodicParameters):
    """Second ceiling: prototypical networks on real meta-train images, until meta-val accuracy rises no more."""

    label = "Real data, prototypes"
    colour = "#4D4D4D"  # dark grey
    marker = "3"
    citation = "Snell et al., NeurIPS 2017"
    bibtex = """@inproceedings{snell2017prototypical,
  title     = {Prototypical Networks for Few-shot Learning},
  author    = {Snell, Jake and Swersky, Kevin and Zemel, Richard},
  booktitle = {Advances in Neural Information Processing Systems},
  year      = {2017}
}
"""
    role = "ceiling"
    protocols = ("ncm", "ncm_inductive")
    real_images = True
    needs = ()
    checkpointed = False
    lengths = ("rounds",)
    phases = {"replay": "replayed episodes"}
    small = {"steps": 2, "rounds": 2}

    steps: int = Field(500, ge=1, description="Outer steps of a round, at a constant rate.")
    rounds: int = Field(8, ge=1, description=ROUNDS)
    patience: int = Field(2, ge=1, description=PATIENCE)

    def own_meta(self, meta: Meta) -> Meta:
        """Return the episodic learner: prototypical networks, whatever `meta.learner` says."""
        return super().own_meta(meta).model_copy(update={"learner": "protonet"})

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes at most."""
        return setting.replay(self.rounds * self.steps) + setting.steps(self.rounds, FORWARD * SCORED)
