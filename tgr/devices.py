"""Choosing the device."""

import torch

from tgr.errors import TgrError


def resolve(name: str) -> torch.device:
    """Return the device of a configuration value: ``auto`` is CUDA where present, else the CPU.

    Raises:
        TgrError: the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available[name.split(":")[0]]:
        raise TgrError(f"device: '{name}' is not available on this machine; use auto or cpu")
    return torch.device(name)
