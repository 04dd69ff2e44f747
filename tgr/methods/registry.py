"""All methods by name. The modules are named, not imported, so that changing one method concerns that method alone."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tgr.methods.training import Trained, Training

METHODS = {
    "pixels": "tgr.methods.pixels",
    "random": "tgr.methods.random",
    "best": "tgr.methods.best",
    "average": "tgr.methods.average",
    "bank": "tgr.methods.bank",
    "replay": "tgr.methods.replay",
    "tgr": "tgr.methods.tgr",
    "realdata": "tgr.methods.realdata",
}

Method = Callable[[Any, Training], Trained]
"""``train(parameters, training)``: its section of ``tgr.config.methods`` and what it may learn from."""


def get(name: str) -> Method:
    """Return the ``train`` function of a method."""
    return import_module(METHODS[name]).train
