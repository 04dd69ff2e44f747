"""Engines by name: a value of ``inversion.engine`` is the name of a module here."""

from collections.abc import Callable
from importlib import import_module
from typing import get_args

import torch
from torch import Tensor

from tgr.backbones.probe import Probe
from tgr.config.teachers import Inversion
from tgr.pool.teacher import Teacher

Engine = Callable[[Teacher, Tensor, Inversion, Probe | None, torch.Generator], Tensor]
"""``invert(teacher, labels (n,), config, probe, generator)`` to images, float (n, 3, size, size) in [0, 1]."""

ENGINES: tuple[str, ...] = get_args(Inversion.model_fields["engine"].annotation)


def module(engine: str) -> str:
    """Return the module of an engine."""
    return f"tgr.inversion.{engine}"


def get(engine: str) -> Engine:
    """Return the ``invert`` function of an engine. No engine is imported before it is asked for, so that changing one
    concerns only the pools that use it.

    Raises:
        KeyError: there is no such engine.
    """
    if engine not in ENGINES:
        raise KeyError(engine)
    return import_module(module(engine)).invert
