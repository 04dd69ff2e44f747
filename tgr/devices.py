"""The device of a job: which one, how exactly it computes, and what to note of it.

A GPU may round the operands of float32 products and convolutions to ten bits (TF32). PyTorch lets convolutions do so
unless told otherwise. The displacement of a group step is about as small as that rounding, and so are the differences
of a zero-order gradient; both would drown. So operands are exact (``ieee``) wherever nothing else was asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tgr.errors import TgrError

SHARE_OF_FREE_MEMORY = 0.25
"""Images that are read again and again are kept on a GPU if they take no more than this of what is free there."""


def resolve(name: str) -> torch.device:
    """Return the device of a configuration value: ``auto`` is CUDA where it can be used, else the CPU.

    Raises:
        TgrError: the device is not there, or this PyTorch has no kernels for it.
    """
    kind = name.split(":")[0]
    if name == "cpu" or (name == "auto" and why_no_cuda() is not None):
        return torch.device("cpu")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise TgrError("device: 'mps' is not available on this machine; use auto or cpu")
    if kind == "cuda" and (problem := why_no_cuda()):
        raise TgrError(f"device: '{name}' is not available on this machine: {problem}; use auto or cpu")
    return torch.device("cuda" if name == "auto" else name)


def why_no_cuda() -> str | None:
    """Return why CUDA cannot be used here; None if it can."""
    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} finds no GPU that it can use"
    if torch.version.hip is not None:
        return None  # PyTorch for AMD's cards, which have names instead of numbers of their capability
    capability, built = torch.cuda.get_device_capability(), torch.cuda.get_arch_list()
    if has_kernels(capability, built):
        return None
    name = torch.cuda.get_device_name()
    return (
        f"{name} has compute capability {capability[0]}.{capability[1]}, for which PyTorch {torch.__version__} has no "
        f"kernels ({' '.join(built)})"
    )


def has_kernels(capability: tuple[int, int], built: Sequence[str]) -> bool:
    """Return whether a GPU can run one of some builds.

    Machine code (``sm_86``) runs on its own generation from its own version on; ``compute_90`` is compiled for any
    later GPU when it is loaded.

    Args:
        capability: major and minor number.
        built: as ``torch.cuda.get_arch_list`` gives them.
    """
    for build in built:
        kind, _, digits = build.rstrip("af").partition("_")
        version = int(digits[:-1]), int(digits[-1])
        if version <= capability and (kind == "compute" or version[0] == capability[0]):
            return True
    return False


def prepare(device: torch.device, precision: str) -> None:
    """Let all that this process computes on a device be exact and repeatable; call it before the first computation.

    Args:
        precision: ``ieee`` or ``tf32``.
    """
    set_precision(precision)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(mode=True)


def _switches() -> tuple[Any, ...]:
    """Return the parts of PyTorch that may round on a GPU, each with an attribute ``fp32_precision``."""
    cudnn: Any = torch.backends.cudnn
    return torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn


def _read() -> list[str]:
    return [part.fp32_precision for part in _switches()]


def _write(values: Sequence[str]) -> None:
    # Parts of PyTorch, torch.export among them, still ask the older switches, which refuse to answer if they were not
    # set alike. Setting them changes the newer ones, so they come first.
    products, convolutions, _ = values
    torch.backends.cuda.matmul.allow_tf32 = products == "tf32"
    torch.backends.cudnn.allow_tf32 = convolutions == "tf32"
    for part, value in zip(_switches(), values, strict=True):
        part.fp32_precision = value


def set_precision(precision: str) -> None:
    """Say whether a GPU may round the operands of float32 products and convolutions: ``ieee`` (no) or ``tf32``."""
    _write([precision] * len(_switches()))


def get_precision() -> str:
    """Return ``ieee`` if no product and no convolution may be rounded, else ``tf32``."""
    return "tf32" if "tf32" in _read() else "ieee"


@contextmanager
def exact() -> Iterator[None]:
    """Compute with exact operands inside the block, whatever was set before."""
    before = _read()
    set_precision("ieee")
    try:
        yield
    finally:
        _write(before)


def hold(images: Tensor, device: torch.device) -> Tensor:
    """Return images on a device if they fit there beside what a job needs, else as they are."""
    if device.type == "cuda" and images.device.type != "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.numel() * images.element_size() > SHARE_OF_FREE_MEMORY * free:
            return images
    return images.to(device)


def describe(device: torch.device) -> dict[str, Any] | None:
    """Return what to note of a GPU that this process has used, its largest memory so far included; of others None."""
    if device.type != "cuda":
        return None
    about = torch.cuda.get_device_properties(device)
    return {
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "memory_mb": round(about.total_memory / 1e6),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "peak_memory_mb": round(torch.cuda.max_memory_reserved(device) / 1e6),
    }


if __name__ == "__main__":  # asked by tgr.run.gpus, which must not import torch
    print(why_no_cuda() or "cuda")
