"""Methods by name: a field of ``tgr.config.methods.registry.Methods`` is the name of a module here."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tgr.config.methods.registry import Methods
from tgr.methods.training import Trained, Training

Method = Callable[[Any, Training], Trained]
"""``train(parameters, training)``: its section of ``tgr.config.methods`` and what it may learn from."""


def module(name: str) -> str:
    """Return the module of a method."""
    return f"tgr.methods.{name}"


def get(name: str) -> Method:
    """Return the ``train`` function of a method. No method is imported before it is asked for, so that changing one
    concerns that method alone.

    Raises:
        KeyError: there is no such method.
    """
    if name not in Methods.model_fields:
        raise KeyError(name)
    return import_module(module(name)).train
