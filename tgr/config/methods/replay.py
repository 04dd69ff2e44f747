"""Replay: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.learning import Meta
from tgr.config.methods.base import EpisodicParameters, PooledParameters
from tgr.config.methods.setting import Setting


class Replay(EpisodicParameters, PooledParameters):
    """Meta-learning on episodes of recovered images: TGR without the group step."""

    label = "Replay"
    colour = "#009E73"  # green
    marker = "^"
    equal_cost = True
    phases = {"replay": "replayed episodes"}
    small = {"steps": 4}

    steps: int = Field(200, ge=1, description="Outer steps on replayed episodes.")

    def passes_of_a_step(self, meta: Meta, k_shot: int) -> dict[str, int]:
        """Return the images that one step of each phase takes forward and backward."""
        return {"replay": meta.passes_of_a_step(k_shot)}

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes."""
        return setting.replay(self.steps)
