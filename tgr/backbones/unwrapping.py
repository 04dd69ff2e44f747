"""Unwrapping a checkpoint: which of the things that a training script saved are the weights of the network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tgr.errors import TgrError, escape

AVERAGED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "net_ema", "params_ema", "ema")
PLAIN = (
    *("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "params", "weights"),
    "teacher",
)
CONTAINERS = (*AVERAGED, *PLAIN)
"""Under which names training scripts save weights. Of several the first here is taken: a moving average of the weights
(EMA) is what its makers evaluate, as in timm."""
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What ``torch.compile``, FSDP and activation checkpointing put into names, wherever they wrap a module."""
COUNTERS = frozenset({"n_averaged"})
"""What ``torch.optim.swa_utils.AveragedModel`` stores beside the weights."""
DEEPEST = 4
"""How many containers may lie in each other."""
LONGEST_RECORD = 80
"""Characters of an entry beside the weights that is worth a mention."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights in a checkpoint.

    Attributes:
        tensors: by name, without what wrappers put into names; prefixes are still there.
        notes: what was chosen and what lies beside it, for a log.
    """

    tensors: dict[str, Tensor]
    notes: list[str]


def unwrap(content: Any, where: str) -> Checkpoint:
    """Return the weights in what a file holds.

    Args:
        content: nested mappings with names as keys.
        where: names the file in error messages.

    Raises:
        TgrError: there are no tensors, or several sets of them of unknown names, or tensors that are no plain numbers.
    """
    notes: list[str] = []
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            break
        sets = [name for name, value in content.items() if _holds_tensors(value)]
        chosen = next((name for name in CONTAINERS if name in sets), None)
        if chosen is None:
            if any(isinstance(value, Tensor) for value in content.values()):
                return _weights(content, notes, where)
            if len(sets) > 1:
                raise TgrError(f"{where}: holds several sets of tensors: {_few(sets)}; save the one you mean alone")
            if not sets:
                break
            chosen = sets[0]
        others = [name for name in sets if name != chosen]
        notes.append(f"took {escape(chosen)}" + (f", and left {_few(others)}" if others else ""))
        notes += _records(content)
        content = content[chosen]
    raise TgrError(f"{where}: wanted a mapping of names to tensors (a state_dict)")


def _holds_tensors(value: Any, depth: int = 1) -> bool:
    """Return whether a value is a mapping with tensors in it, or in a container in it. States of optimisers, which
    keep theirs elsewhere, are none."""
    if not isinstance(value, Mapping) or depth == DEEPEST:
        return False
    inside = (value[name] for name in CONTAINERS if name in value)
    return any(isinstance(item, Tensor) for item in value.values()) or any(
        _holds_tensors(item, depth + 1) for item in inside
    )


def _weights(content: Mapping[Any, Any], notes: list[str], where: str) -> Checkpoint:
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        if not isinstance(name, str):
            raise TgrError(f"{where}: wanted names of tensors, found {name!r}")
        if isinstance(value, Tensor) and name not in COUNTERS:
            if (unwrapped := _unwrapped(name)) in tensors:
                raise TgrError(f"{where}: holds {escape(unwrapped)} with and without a wrapper's name; save one alone")
            tensors[unwrapped] = _plain(value, name, where)
    return Checkpoint(tensors, [*notes, *_records(content)])


def _unwrapped(name: str) -> str:
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _plain(tensor: Tensor, name: str, where: str) -> Tensor:
    """Return a tensor of numbers, without its gradient.

    Raises:
        TgrError: it is quantised, of 8-bit floats, complex, sparse, nested, or has no content.
    """
    small = tensor.is_floating_point() and tensor.element_size() < torch.half.itemsize
    if tensor.is_quantized or small:
        raise TgrError(
            f"{where}: {escape(name)} is of {tensor.dtype}: quantised weights are not read, because their scales may "
            "be anywhere; take the weights in floating point of 16 bits or more"
        )
    if tensor.is_complex() or tensor.layout is not torch.strided or tensor.is_meta or tensor.is_nested:
        raise TgrError(f"{where}: {escape(name)} is of {tensor.dtype}, {tensor.layout}: wanted plain real numbers")
    return tensor.detach()


def _records(content: Mapping[Any, Any]) -> list[str]:
    """Return the short entries beside the weights: epochs, accuracies, indices of classes."""
    short = [f"{name} = {value!r}" for name, value in content.items() if _is_short(name) and _is_short(value)]
    records = [record for record in short if len(record) <= LONGEST_RECORD]
    return [f"beside the weights: {', '.join(map(escape, records))}"] if records else []


def _is_short(value: Any) -> bool:
    """Return whether a value is a number, a text, or a list of a few, which takes little to write."""
    if isinstance(value, list | tuple):
        return len(value) <= LONGEST_RECORD and not any(
            isinstance(item, list | tuple) or not _is_short(item) for item in value
        )
    if isinstance(value, str):
        return len(value) <= LONGEST_RECORD
    return isinstance(value, float) or (type(value) is int and value.bit_length() <= 64)


def _few(names: list[Any]) -> str:
    return ", ".join(escape(str(name)[:LONGEST_RECORD]) for name in names[:5]) + (" and more" if len(names) > 5 else "")
