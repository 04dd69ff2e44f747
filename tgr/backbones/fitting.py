"""Fitting the names of a checkpoint to those of a network."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Size, Tensor, nn

from tgr.errors import TgrError, escape

DEEPEST = 8
"""Parts of a name, joined by dots, that may be a prefix."""
SHOWN, LONGEST = 3, 100
"""How many names a message has, and of how many characters."""
COUNTER = "num_batches_tracked"
"""What BatchNorm layers count since PyTorch 0.4.1, without any use here."""


@dataclass(frozen=True)
class Spelling:
    """A way to name the tensors of a network.

    Attributes:
        names: the network's own, by those under which they may be stored.
        ignored: a regular expression of stored names that the network has no use for.
    """

    names: Mapping[str, str]
    ignored: str = "(?!)"


@dataclass
class Fit:
    """How a checkpoint fits a network.

    Attributes:
        prefix: what stands before the stored names.
        state: the tensors that fit, by the network's names.
        missing: stored names that are absent.
        unexpected: stored names that are none of the network's.
        misshapen: the stored and the wanted shape of tensors that are there, by their stored names.
        notes: what was left out or changed, for a log.
    """

    prefix: str
    state: dict[str, Tensor] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: dict[str, tuple[Size, Size]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        """Whether ``state`` is all of the network's, and the checkpoint holds nothing else of it."""
        return not (self.missing or self.unexpected or self.misshapen)

    def describe(self) -> str:
        """Return what does not fit, in at most three lines."""
        shapes = [
            f"{escape(name)} {tuple(found)} instead of {tuple(wanted)}"
            for name, (found, wanted) in self.misshapen.items()
        ]
        parts = {"missing": self.missing, "unexpected": self.unexpected, "of another shape": shapes}
        return "\n".join(f"{what}: {_few(names)}" for what, names in parts.items() if names)


def fit(network: nn.Module, tensors: Mapping[str, Tensor], *spellings: Spelling) -> Fit:
    """Find the tensors of a network in a checkpoint.

    Names may have a prefix, of which the rest of the checkpoint may have others; one that holds a moving average (EMA)
    is preferred. Position embeddings of timm's vision transformers are resampled. Second names of the same tensors, and
    counters of BatchNorm that are not there, do not matter, nor do tied weights of which one is missing.

    Args:
        spellings: ways to name the tensors of the network, the likeliest first.

    Returns:
        The fit, or the one that comes nearest; ``network`` is not changed.

    Raises:
        TgrError: several prefixes fit, or a tensor holds integers in the place of real numbers.
    """
    attempts = [
        _attempt(network, tensors, spelling, prefix)
        for spelling in spellings
        for prefix in _prefixes(spelling, tensors)
    ]
    fitting: dict[str, Fit] = {}
    for attempt in attempts:
        if attempt.fits and not any(_same(attempt, other) for other in fitting.values()):
            fitting.setdefault(attempt.prefix, attempt)
    if not fitting:
        return max(attempts, key=lambda attempt: len(attempt.state))
    averaged = [prefix for prefix in fitting if "ema" in re.split(r"[._]", prefix.lower())]
    [chosen, *others] = averaged or fitting
    if others:
        prefixes = _few([f"{prefix}*" for prefix in fitting])
        raise TgrError(f"the tensors of several such networks are in it: {prefixes}; save the one you mean alone")
    return fitting[chosen]


def _same(one: Fit, other: Fit) -> bool:
    """Return whether two fits hold the same tensors in memory: a network's, and those of it compiled."""
    return all(tensor.data_ptr() == other.state[name].data_ptr() for name, tensor in one.state.items())


def own_names(network: nn.Module) -> Spelling:
    """Return the spelling that is the network's own."""
    return Spelling({name: name for name in network.state_dict()})


def _prefixes(spelling: Spelling, tensors: Iterable[str]) -> list[str]:
    """Return what stands before names that end as the spelling has it; always the empty prefix."""
    prefixes = {"": None}
    for name in tensors:
        parts = name.split(".", DEEPEST)
        for depth in range(1, len(parts)):
            if ".".join(parts[depth:]) in spelling.names:
                prefixes[".".join(parts[:depth]) + "."] = None
    return list(prefixes)


def _attempt(network: nn.Module, tensors: Mapping[str, Tensor], spelling: Spelling, prefix: str) -> Fit:
    expected = network.state_dict()
    fitted = Fit(prefix)
    found = {name: tensors[prefix + stored] for stored, name in spelling.names.items() if prefix + stored in tensors}
    for stored, name in spelling.names.items():
        if name not in found:
            if (stand_in := _stand_in(name, expected, found)) is None:
                fitted.missing.append(prefix + stored)
            else:
                fitted.state[name] = stand_in
        elif (tensor := _shaped(network, name, found[name], expected[name], fitted)) is None:
            fitted.misshapen[prefix + stored] = found[name].shape, expected[name].shape
        else:
            fitted.state[name] = tensor
    _account_for_the_rest(fitted, tensors, spelling)
    return fitted


def _stand_in(name: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Tensor | None:
    """Return what takes the place of a tensor that is not stored: nothing, unless it is a counter or tied."""
    if name.endswith(COUNTER):
        return expected[name]
    place = expected[name].data_ptr()
    return next((found[other] for other in found if place and expected[other].data_ptr() == place), None)


def _shaped(network: nn.Module, name: str, tensor: Tensor, expected: Tensor, fitted: Fit) -> Tensor | None:
    """Return a tensor in the expected shape; None if it cannot have that."""
    if expected.is_floating_point() and not tensor.is_floating_point():
        raise TgrError(
            f"{escape(name)} is of {tensor.dtype}: quantised weights are not read; take them in floating point"
        )
    if tensor.shape == expected.shape:
        return tensor
    short, long = sorted((tuple(tensor.shape), tuple(expected.shape)), key=len)
    if long == short + (1,) * (len(long) - len(short)):
        return tensor.reshape(expected.shape)  # a linear layer is a convolution of one pixel
    resampled = _resample(network, name, tensor, expected)
    if resampled is not None:
        fitted.notes.append(f"{name}: resampled from {tensor.shape[1]} to {expected.shape[1]} positions")
    return resampled


def _resample(network: nn.Module, name: str, tensor: Tensor, expected: Tensor) -> Tensor | None:
    """Resample the position embedding (1, n, width) of one of timm's vision transformers to its grid of patches.

    Returns:
        None if it is something else, or its positions make no square.
    """
    owner = network.get_submodule(name.rpartition(".")[0])
    grid = getattr(getattr(owner, "patch_embed", None), "grid_size", None)
    if not name.endswith("pos_embed") or grid is None or tensor.ndim != 3 or tensor.shape[::2] != expected.shape[::2]:
        return None
    others = expected.shape[1] - math.prod(grid)  # class and register tokens
    side = math.isqrt(max(tensor.shape[1] - others, 0))
    if side < 1 or side**2 != tensor.shape[1] - others:
        return None
    from timm.layers import resample_abs_pos_embed

    return resample_abs_pos_embed(tensor, list(grid), num_prefix_tokens=others)


def _account_for_the_rest(fitted: Fit, tensors: Mapping[str, Tensor], spelling: Spelling) -> None:
    """Note tensors that have no use, those with a second name, and those outside the prefix; others are unexpected."""
    known = {(tensor.data_ptr(), tensor.shape) for tensor in fitted.state.values()}
    left: dict[str, list[str]] = {"of no use here": [], "of a second name": [], "of something else": []}
    for name, tensor in tensors.items():
        stored = name.removeprefix(fitted.prefix)
        if not name.startswith(fitted.prefix):
            left["of something else"].append(name)
        elif stored in spelling.names:
            continue
        elif re.match(spelling.ignored, stored):
            left["of no use here"].append(name)
        elif (tensor.data_ptr(), tensor.shape) in known:
            left["of a second name"].append(name)
        else:
            fitted.unexpected.append(name)
    if fitted.prefix:
        fitted.notes.append(f"read without the prefix {escape(fitted.prefix)}")
    fitted.notes += [f"left out, as {what}: {_few(names)}" for what, names in left.items() if names]


def _few(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(escape(name[:LONGEST]) for name in names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
