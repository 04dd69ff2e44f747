"""One name, one engine: a value of ``inversion.engine``, and the module of that name here."""

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
    """Return the ``invert`` function of an engine. The module is loaded when it is wanted, so that changing one engine
    concerns the pools that use it.

    Raises:
        KeyError: there is no such engine.
    """
    if engine not in ENGINES:
        raise KeyError(engine)
    return import_module(module(engine)).invert
