"""Best teacher: its parameters, and what is said of it."""

from tgr.config.methods.base import MethodParameters


class Best(MethodParameters):
    """The teacher with the highest held-out accuracy as initialisation."""

    label = "Best teacher"
    colour = "#F0E442"  # yellow
    marker = "p"
    needs = ("teachers",)
    checkpointed = False
