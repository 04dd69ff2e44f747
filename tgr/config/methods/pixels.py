"""Pixels: its parameters, and what is said of it."""

from tgr.config.methods.base import MethodParameters


class Pixels(MethodParameters):
    """Floor: nearest class mean on raw pixels."""

    label = "Pixels"
    colour = "#7F7F7F"  # grey
    marker = "1"
    role = "floor"
    needs = ()
    checkpointed = False
    protocols = ("ncm", "ncm_inductive")
