"""How the steps of a training reach a GPU: kernel after kernel, or recorded once and then launched whole.

A step of a small network is a hundred kernels, and the CPU takes longer to launch them than the GPU to run them. CUDA
can record them as a graph, which is one launch. So a training that may be recorded comes in two parts: *draws*, all
that is random, made by a generator on the CPU; and a *step*, tensors in and tensors out, that never reads a value from
the device, because a graph replays the kernels and none of the Python code between them.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

WARM_UP = 3
"""Steps of each size before one is recorded: libraries choose kernels and take memory in the first ones."""
MOST_GRAPHS = 8
"""Graphs that a step has at most, each with memory of its own; steps of further sizes run as they are."""
Step = Callable[..., tuple[Tensor, ...]]
"""Takes the tensors that were drawn, changes parameters in place, and returns tensors without a graph of gradients."""

_logger = logging.getLogger(__name__)
_chosen, _used = "eager", "eager"


def choose(launches: str) -> None:
    """Say how this process shall launch steps from now on: ``eager`` or ``graph``."""
    global _chosen, _used
    _chosen, _used = launches, "eager"


def used() -> str:
    """Return ``graph`` if a step has been recorded since ``choose``, else ``eager``."""
    return _used


def runner(step: Step, optimizer: torch.optim.Optimizer | None, device: torch.device, *, repeats: bool = True) -> Step:
    """Return a function that sends what was drawn to a device and does a step there.

    With ``graph`` the first steps run as they are, on a stream of their own; then one is recorded, and replayed from
    there on. Where that is impossible this process says so once, and goes on as with ``eager``.

    Args:
        step: sets gradients to None before it computes them.
        optimizer: whose ``step`` is called in it, once, if there is one. Its learning rates, numbers, may change
            between two steps.
        device: of the step's tensors.
        repeats: whether a step always does the same with tensors of the same shapes; another one is never recorded.
    """
    if _chosen != "graph" or not repeats:
        return _eager(step, device)
    if device.type != "cuda":
        _give_up(f"there are no graphs on the device {device}")
        return _eager(step, device)
    return Graphs(step, optimizer, device)


def _eager(step: Step, device: torch.device) -> Step:
    def run(*drawn: Tensor) -> tuple[Tensor, ...]:
        return step(*(part.to(device) for part in drawn))

    return run


def _give_up(reason: str) -> None:
    global _chosen
    _chosen = "eager"
    _logger.warning("launches: graph: %s; steps run one kernel after the other", reason)


class _Recorded(NamedTuple):
    """A graph, the tensors that it reads, and those that it writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Graphs:
    """A step as CUDA graphs, one for each of the first sizes of what is drawn; as it is, once a recording has failed.

    Args:
        step, optimizer, device: as for ``runner``.
    """

    def __init__(self, step: Step, optimizer: torch.optim.Optimizer | None, device: torch.device) -> None:
        self._step, self._eager = step, _eager(step, device)
        self._groups = optimizer.param_groups if optimizer else []
        self._device = device
        self._rates = [torch.zeros((), dtype=torch.float32, device=device) for _ in self._groups]
        self._stream = torch.cuda.Stream(device)
        self._recorded: dict[tuple[torch.Size, ...], _Recorded] = {}
        self._seen: Counter[tuple[torch.Size, ...]] = Counter()
        self._failed = False
        for group in self._groups:
            group["fused"] = True  # the only form of SGD that takes its learning rate from the device

    def __call__(self, *drawn: Tensor) -> tuple[Tensor, ...]:
        """Do a step."""
        size = tuple(part.shape for part in drawn)
        self._seen[size] += 1
        if size not in self._recorded:
            if self._failed or len(self._recorded) == MOST_GRAPHS:
                return self._eager(*drawn)
            if self._seen[size] <= WARM_UP:
                return self._warm_up(*drawn)
            try:
                self._recorded[size] = self._record(drawn)
            except Exception as error:  # nothing has run, so the step can be done as it is
                self._failed = True
                _give_up(f"a step could not be recorded ({type(error).__name__}: {str(error).partition(chr(10))[0]})")
                return self._eager(*drawn)
        return self._replay(self._recorded[size], drawn)

    def _warm_up(self, *drawn: Tensor) -> tuple[Tensor, ...]:
        """Do a step on the stream that is to be recorded: what PyTorch sets up in it must not belong to another one."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            outputs = self._eager(*drawn)
        current.wait_stream(self._stream)
        return outputs

    def _record(self, drawn: Sequence[Tensor]) -> _Recorded:
        inputs = [part.to(self._device, copy=True) for part in drawn]
        graph = torch.cuda.CUDAGraph()
        current = torch.cuda.stream(torch.cuda.current_stream(self._device))  # a failed recording does not return to it
        with current, self._rates_on_device(), torch.cuda.graph(graph, stream=self._stream):
            outputs = self._step(*inputs)
        global _used
        _used = "graph"
        return _Recorded(graph, inputs, outputs)

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Let the optimizer read its learning rates from tensors: a number would be in the graph for good."""
        before = [(group["lr"], group.get("capturable")) for group in self._groups]
        for group, rate in zip(self._groups, self._rates, strict=True):
            group["lr"], group["capturable"] = rate, True
        try:
            yield
        finally:
            for group, (rate, capturable) in zip(self._groups, before, strict=True):
                group["lr"], group["capturable"] = rate, capturable

    def _replay(self, recorded: _Recorded, drawn: Sequence[Tensor]) -> tuple[Tensor, ...]:
        for rate, group in zip(self._rates, self._groups, strict=True):
            rate.fill_(group["lr"])
        for place, part in zip(recorded.inputs, drawn, strict=True):
            place.copy_(part)
        recorded.graph.replay()
        return tuple(value.clone() for value in recorded.outputs)
