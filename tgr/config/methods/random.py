"""Random: its parameters, and what is said of it."""

from tgr.config.methods.base import MethodParameters


class Random(MethodParameters):
    """A fresh backbone, adapted on the support set only."""

    label = "Random"
    colour = "#56B4E9"  # sky blue
    marker = "v"
    needs = ()
    checkpointed = False
