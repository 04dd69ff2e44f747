"""Seeds derived from names, so that a result depends on what it is called and never on the order of execution."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(*names: str | int) -> int:
    """Return a 63-bit seed for a sequence of names, e.g. ``derive("pool", "icons-conv4", 7)``."""
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(*names: str | int) -> np.random.Generator:
    """Return a NumPy generator seeded by the names."""
    return np.random.default_rng(derive(*names))


def torch_generator(*names: str | int) -> "torch.Generator":
    """Return a CPU torch generator seeded by the names. Draws are made on the CPU, so they agree on every device."""
    import torch

    return torch.Generator().manual_seed(derive(*names))


@contextmanager
def forked(*names: str | int) -> Iterator[None]:
    """Seed torch's global generator inside the block and restore it afterwards.

    Only for code that offers no generator argument, such as the parameter initialisers of ``torch.nn``.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(*names))
        yield
