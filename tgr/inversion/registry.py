"""One name, one engine."""

from collections.abc import Callable

import torch
from torch import Tensor

from tgr.config.schema import Inversion
from tgr.inversion.generator import invert_generator
from tgr.inversion.pixel import invert_pixels
from tgr.pool.teacher import Teacher

Engine = Callable[[Teacher, Inversion, torch.Generator], tuple[Tensor, Tensor]]
"""(teacher, config, generator) to images, float (n, 3, size, size) in [0, 1], and labels, int64 (n,)."""

ENGINES: dict[str, Engine] = {"pixel": invert_pixels, "generator": invert_generator}
