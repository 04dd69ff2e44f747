"""Panel: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.base import Section
from tgr.config.methods.bank import START, Bank


class PanelChoice(Section):
    """Who sits on a panel of teachers, and what of its judgement is kept."""

    panel_size: int | None = Field(
        20,
        ge=1,
        description="Teachers that judge every recovered image once, each pool in proportion; `null`: all. Their "
        "judgement costs images x views x `panel_size`.",
    )
    panel_draw: Literal["random", "accurate"] = Field(
        "random",
        description="Which teachers of a pool judge, if not all: any, or those with the highest held-out accuracy.",
    )
    likeness: Literal["features", "outputs"] = Field(
        "features",
        description="What the likeness of images is taken from: the features of all members (a network without a "
        "head gives its outputs), or their outputs alone, as of black boxes.",
    )

    @property
    def panel_name(self) -> str:
        """The name under which the judgement is stored."""
        return f"{self.likeness}-{self.panel_draw}-{self.panel_size or 'all'}"


class Panel(PanelChoice, Bank):
    """The learner of `bank`, taught by what a panel of teachers says of each image, and which images it finds alike."""

    label = "Panel"
    colour = "#661100"  # maroon
    marker = "8"
    needs = ("teachers", "recovered", "judgements")
    small = {"steps": 4, "batch_size": 8, "panel_size": 3}

    start: Literal["random", "best"] = Field("best", description=START)
    kd_weight: float = Field(
        1.0, ge=0, description="Weight of the distillation term KL(member || meta-model), mean over the panel."
    )
    temperature: float = Field(2.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")
    cka_weight: float = Field(
        2.0, ge=0, description="Weight of 1 - CKA, how unlike the meta-model finds images that the panel finds alike."
    )
