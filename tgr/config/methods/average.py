"""Average: its parameters, and what is said of it."""

from tgr.config.methods.base import MethodParameters


class Average(MethodParameters):
    """The mean of all teachers' weights (one architecture only)."""

    label = "Average"
    colour = "#CC79A7"  # purple
    marker = "d"
    needs = ("teachers",)
    checkpointed = False
