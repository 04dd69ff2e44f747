"""A pretended second device: it computes on the CPU, but with the rules and the costs of a GPU.

Values and gradients are real, so the project's own code runs on it unchanged. What CUDA refuses is an error here:
tensors of two devices in one operation, a CPU generator for numbers on the device, and, with deterministic algorithms,
operations that have none. What costs time on a GPU is counted, by the line of this project that asked for it: launches
of kernels, waits of the CPU for the device, and bytes that are sent to it. Where PyTorch's settings would let a GPU
round to TF32, the operands of matrix products and convolutions are rounded here.

What it cannot show: the GPU's own kernels, their rounding, their speed, and its memory.
"""

import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"
TF32_BITS = 10
"""Explicit bits of a TF32 fraction; float32 has 23."""

COPIES = {"_to_copy", "copy_", "_foreach_copy_", "_copy_from"}
INDEXING = {"index", "_unsafe_index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"}
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "is_nonzero"}
"""Operations whose result, or its shape, the CPU has to know. `repeat_interleave` with a tensor is one of them too."""
NO_KERNEL = {
    *("view", "_unsafe_view", "reshape", "_reshape_alias", "as_strided", "alias", "detach", "lift_fresh"),
    *("t", "transpose", "permute", "expand", "slice", "select", "unsqueeze", "squeeze", "unfold", "diagonal"),
    *("unbind", "split", "split_with_sizes", "is_same_size"),
    *("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"),
}
NOT_DETERMINISTIC = {
    *("_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "avg_pool3d_backward", "max_unpool2d"),
    *("upsample_linear1d_backward", "upsample_bilinear2d_backward", "_upsample_bilinear2d_aa_backward"),
    *("upsample_bicubic2d_backward", "_upsample_bicubic2d_aa_backward", "grid_sampler_2d_backward"),
    *("reflection_pad2d_backward", "nll_loss2d_forward", "nll_loss2d_backward", "histc", "kthvalue", "put_"),
}
"""What throws on CUDA with deterministic algorithms: the list in `torch.use_deterministic_algorithms`, by operator. The
anti-aliased resizing has the same sums of atomics as the plain one."""
PRODUCTS = {"mm": (0, 1), "addmm": (1, 2), "bmm": (0, 1), "baddbmm": (1, 2)}
CONVOLUTIONS = {
    "convolution": (0, 1),
    "convolution_overrideable": (0, 1),
    "convolution_backward": (0, 1, 2),
    "convolution_backward_overrideable": (0, 1, 2),
}
"""Operations that tensor cores compute, and which of their arguments are multiplied."""


class RefusedError(RuntimeError):
    """What a GPU would not do."""


@dataclass
class Ledger:
    """What was asked of the device, by the line that asked, e.g. ``pool/pretrain.py:136``, and what a backward pass
    asked in vain: an error in there would end the process, so whoever runs one has to look here afterwards.

    Launches, waits and bytes are noted while it ``counts``: to find the line of each operation takes longer than many.
    """

    launches: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    counts: bool = False

    def clear(self) -> None:
        for part in (self.launches, self.waits, self.sent, self.refused):
            part.clear()


LEDGER = Ledger()


class DeviceTensor(torch.Tensor):
    """A tensor of the device; ``inner`` holds its values, on the CPU."""

    @staticmethod
    def __new__(cls, inner: Tensor) -> "DeviceTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=DEVICE,
            requires_grad=False,
        )

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    def __repr__(self) -> str:
        return f"DeviceTensor({self.inner})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class _Rules(TorchDispatchMode):
    """Sees what makes tensors from none, too."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


_setup_privateuseone_for_python_backend(NAME)
DEVICE = torch.device(NAME, 0)


@contextmanager
def pretended() -> Iterator[torch.device]:
    """Let the device be there inside the block. Backward passes stay in this thread, whose lines are known."""
    with torch.autograd.set_multithreading_enabled(False), _Rules():
        yield DEVICE


@contextmanager
def counted() -> Iterator[Ledger]:
    """Yield an empty ledger, in which all is written down that happens inside the block."""
    LEDGER.clear()
    LEDGER.counts = True
    try:
        yield LEDGER
    finally:
        LEDGER.counts = False


def on_cpu(value: Any) -> Any:
    """Return the values of a tensor of the device; anything else as it is."""
    return value.inner if isinstance(value, DeviceTensor) else value


def _on_device(value: Any) -> Any:
    return DeviceTensor(value) if isinstance(value, Tensor) and not isinstance(value, DeviceTensor) else value


def _line() -> str:
    """Return the innermost line of the project that led here."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if "/tgr/" in file and "site-packages" not in file:
            return f"{file.split('/tgr/')[-1]}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = function._schema.name.split("::")[1]
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
    device = kwargs.get("device")
    made_here = device is not None and torch.device(device).type == NAME
    if here or made_here:
        _refuse(name, args, kwargs, tensors, here, made_here)
    if LEDGER.counts and (here or made_here):
        _count(name, tensors, here, moves=name == "_to_copy" and device is not None and bool(here) != made_here)
    inner_args, inner_kwargs = tree_map(on_cpu, (args, kwargs))
    if here and _rounds(name):
        multiplied = (PRODUCTS | CONVOLUTIONS)[name]
        inner_args = [_rounded(value) if place in multiplied else value for place, value in enumerate(inner_args)]
    if made_here:
        inner_kwargs = {**inner_kwargs, "device": torch.device("cpu")}
    if "pin_memory" in inner_kwargs:
        inner_kwargs["pin_memory"] = None
    result = function(*inner_args, **inner_kwargs)
    leaves_device = device is not None and not made_here  # a copy to the CPU
    if name == "_local_scalar_dense" or leaves_device or not (here or made_here):
        return result
    known = {id(on_cpu(tensor)): tensor for tensor in tensors}  # what was changed in place is returned as it came
    return tree_map(lambda value: known[id(value)] if id(value) in known else _on_device(value), result)


def _refuse(name: str, args: Any, kwargs: Any, tensors: list[Tensor], here: list[Tensor], made_here: bool) -> None:
    """Raise RefusedError, or take down in a backward pass, what a GPU would refuse."""
    elsewhere = [tensor for tensor in tensors if not isinstance(tensor, DeviceTensor)]
    if here and elsewhere and name not in COPIES:
        allowed = all(tensor.ndim == 0 for tensor in elsewhere)
        if name in INDEXING:  # indices may be on the CPU, what is indexed and what is put may not
            put = args[2] if len(args) > 2 else None
            allowed = isinstance(args[0], DeviceTensor) and (
                not isinstance(put, Tensor) or isinstance(put, DeviceTensor) or put.ndim == 0
            )
        if not allowed:
            shapes = [(tensor.device.type, tuple(tensor.shape)) for tensor in tensors]
            _object(f"{name} at {_line()}: tensors are on two devices: {shapes}")
    generator = kwargs.get("generator")
    if made_here and generator is not None and generator.device.type == "cpu":
        _object(f"{name} at {_line()}: a CPU generator draws no numbers on the device")
    if torch.are_deterministic_algorithms_enabled() and name in NOT_DETERMINISTIC:
        _object(f"{name} at {_line()}: has no deterministic algorithm")


def _object(reason: str) -> None:
    if torch._C._current_graph_task_id() == -1:
        raise RefusedError(reason)
    LEDGER.refused.append(reason)


def _count(name: str, tensors: list[Tensor], here: list[Tensor], *, moves: bool) -> None:
    line = _line()
    if name not in NO_KERNEL:
        LEDGER.launches[line] += 1
    elsewhere = [tensor for tensor in tensors if not isinstance(tensor, DeviceTensor) and tensor.ndim > 0]
    masked = name in INDEXING and any(tensor.dtype == torch.bool for tensor in here[1:])
    repeated = name == "repeat_interleave" and bool(here)
    sends = bool(elsewhere) and name in COPIES | INDEXING
    if name in WAITS or masked or repeated or moves or sends:
        LEDGER.waits[line] += 1
    if sends:
        LEDGER.sent[line] += sum(tensor.numel() * tensor.element_size() for tensor in elsewhere)


def _rounds(name: str) -> bool:
    """Return whether PyTorch's settings let a GPU round the operands of an operation to TF32."""
    backend = {
        **dict.fromkeys(PRODUCTS, torch.backends.cuda.matmul),
        **dict.fromkeys(CONVOLUTIONS, torch.backends.cudnn.conv),
    }
    return name in backend and backend[name].fp32_precision == "tf32"


def _rounded(value: Tensor) -> Tensor:
    """Return a float32 tensor rounded to the nearest TF32 numbers, ties to even; of another type as it is."""
    if value.dtype != torch.float32:
        return value
    dropped = 23 - TF32_BITS
    bits = value.contiguous().view(torch.int32)
    odd = (bits >> dropped) & 1
    rounded = ((bits + (1 << (dropped - 1)) - 1 + odd) & ~((1 << dropped) - 1)).view(torch.float32)
    return torch.empty_like(value).copy_(rounded)  # in the layout of the operand


def _empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> Tensor:
    return DeviceTensor(torch.empty_strided(size, stride, dtype=dtype))


def _empty(size: Any, dtype: Any = None, memory_format: Any = None, **_: Any) -> Tensor:
    return DeviceTensor(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))


def _copy_from(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    on_cpu(target).copy_(on_cpu(source))
    if LEDGER.counts and isinstance(source, DeviceTensor) != isinstance(target, DeviceTensor):
        LEDGER.waits[_line()] += 1
        if isinstance(target, DeviceTensor):
            LEDGER.sent[_line()] += source.numel() * source.element_size()
    return target


_kernels = torch.library.Library("aten", "IMPL")
_kernels.impl("empty_strided", _empty_strided, "PrivateUse1")
_kernels.impl("empty.memory_format", _empty, "PrivateUse1")
_kernels.impl("_copy_from", _copy_from, "PrivateUse1")
# Optimisers take their multi-tensor kernels, as they do on a GPU, only for types that they know.
importlib.import_module("torch.optim.optimizer")._foreach_supported_types.append(DeviceTensor)
