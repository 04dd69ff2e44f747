"""The distances of a whole set of images from stored statistics, in chunks of it: exact, in bounded memory.

In evaluation mode an image's feature maps do not depend on the others of its batch. So the mean m and the mean square
q of a channel over the set are weighted means over its chunks, and the variance is v = q - m^2. A first pass without a
graph gives m and v of the set; the loss L of all distances then gives dL/dm and dL/dv. As
dL = (dL/dm - 2 m dL/dv) dm + dL/dv dq, a second pass takes, chunk by chunk, the gradient of a term that is linear in
the chunk's own m and q: their sum is the gradient of the set.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from tgr.inversion.statistics import PassEnded, statistic_distance, watched_statistics

Output = TypeVar("Output")
Forward = Callable[[Tensor], object]
"""A forward pass, of which the statistics alone are wanted."""


@dataclass(frozen=True)
class LayerStatistics:
    """Mean and biased variance of each channel of a BatchNorm layer's input: (c,) and (c,)."""

    layer: nn.Module
    mean: Tensor
    variance: Tensor

    def distance(self, relative: bool) -> Tensor:
        """Return the distance from what the layer has stored; see ``tgr.inversion.statistics.batchnorm_distance``."""
        return statistic_distance(self.mean, self.variance, self.layer, relative)


class _Noted:
    """Notes the statistics of one pass, of its first layers or of all."""

    def __init__(self, first: int | None) -> None:
        self.layers: list[LayerStatistics] = []
        self._first = first

    def __call__(self, layer: nn.Module, mean: Tensor, variance: Tensor) -> None:
        self.layers.append(LayerStatistics(layer, mean, variance))
        if self._first is not None and len(self.layers) >= self._first:
            raise PassEnded


@torch.no_grad()
def set_statistics(
    model: nn.Module, forward: Forward, chunks: Iterable[Tensor], first: int | None = None
) -> list[LayerStatistics]:
    """Return the statistics of a set of images, for each BatchNorm layer in the order of the pass.

    Args:
        model: in evaluation mode.
        forward: sends a chunk through it; may end early by ``PassEnded``, if it catches that.
        chunks: parts of the set, each (n, 3, size, size).
        first: see ``tgr.inversion.statistics.recorded_distances``.
    """
    passes, sizes = [], []
    for chunk in chunks:
        noted = _Noted(first)
        with watched_statistics(model, noted):
            forward(chunk)
        passes.append(noted.layers)
        sizes.append(len(chunk))
    if len(passes) == 1:
        return passes[0]
    weights = [size / sum(sizes) for size in sizes]
    return [_merge(layers, weights) for layers in zip(*passes, strict=True)]


def _merge(parts: Sequence[LayerStatistics], weights: Sequence[float]) -> LayerStatistics:
    pairs = list(zip(weights, parts, strict=True))
    mean = torch.stack([weight * part.mean for weight, part in pairs]).sum(0)
    square = torch.stack([weight * _mean_square(part) for weight, part in pairs]).sum(0)
    return LayerStatistics(parts[0].layer, mean, (square - mean * mean).clamp_(min=0))


def _mean_square(part: LayerStatistics) -> Tensor:
    return part.variance + part.mean * part.mean


class SetLoss:
    """A loss of the distances of a whole set, whose gradient comes chunk by chunk.

    Attributes:
        value: of the set; zero without BatchNorm layers.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: Forward,
        chunks: Iterable[Tensor],
        weigh: Callable[[Tensor], Tensor],
        relative: bool = False,
        first: int | None = None,
    ) -> None:
        """Run the first pass.

        Args:
            weigh: maps the distances of all layers (n_layers,) to the loss.
            model, forward, chunks, first: as for ``set_statistics``; without chunks the loss is zero.
            relative: as for ``tgr.inversion.statistics.batchnorm_distance``.
        """
        self._model, self._first = model, first
        self.value = torch.zeros(())
        self._slopes: list[tuple[Tensor, Tensor]] = []
        known = set_statistics(model, forward, chunks, first)
        if not known:
            return
        leaves = [value.requires_grad_() for part in known for value in (part.mean, part.variance)]
        with torch.enable_grad():
            value = weigh(torch.stack([part.distance(relative) for part in known]))
        gradients = torch.autograd.grad(value, leaves)
        self.value = value.detach()
        for part, by_mean, by_variance in zip(known, gradients[::2], gradients[1::2], strict=True):
            self._slopes.append((by_mean - 2 * by_variance * part.mean.detach(), by_variance))

    def run(self, forward: Callable[[Tensor], Output], chunk: Tensor, share: float) -> tuple[Output, Tensor]:
        """Send a chunk through the model.

        Args:
            share: the chunk's, of all images.

        Returns:
            what ``forward`` gives, and a number whose gradient with respect to the chunk is that of ``value``.
        """
        if not self._slopes:
            return forward(chunk), chunk.new_zeros(())
        noted = _Noted(self._first)
        with watched_statistics(self._model, noted):
            output = forward(chunk)
        terms = [
            slope @ part.mean + by_square @ _mean_square(part)
            for part, (slope, by_square) in zip(noted.layers, self._slopes, strict=True)
        ]
        return output, share * torch.stack(terms).sum()
