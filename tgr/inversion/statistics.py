"""Channel statistics of a batch, with a fast gradient, and their distance from what BatchNorm layers have stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tgr.backbones.classifier import batchnorm_layers


class _ChannelStatistics(torch.autograd.Function):
    """Mean and biased variance of each channel. On channels-last tensors ``torch.var_mean`` is several times slower.

    Both statistics are reductions of the (n * h * w, c) view, and the gradient is affine in the input:
    d mean / d x = 1/m and d var / d x = 2 (x - mean) / m, with m values in a channel.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = _reduce(x)
        ctx.save_for_backward(x, mean)
        return mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad_variance: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        return _gradient(x, mean, grad_mean, grad_variance)


class _ObservedBatchNorm(torch.autograd.Function):
    """What a BatchNorm layer in evaluation mode gave, and the statistics of its input, with one gradient for both.

    The layer is a product with a constant ``scale`` and a sum. PyTorch's gradient of it also adds up those of the
    layer's weights, which nobody needs here, and meets that of the statistics in a further sum.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, output: Tensor, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _reduce(x)
        ctx.save_for_backward(x, mean, scale)
        ctx.mark_dirty(output)  # returned as it is, not as a view, so that a ReLU may still overwrite it
        return output, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor, grad_mean: Tensor, grad_variance: Tensor) -> tuple[Tensor, None, None]:
        x, mean, scale = ctx.saved_tensors
        gradient = _gradient(x, mean, grad_mean, grad_variance)
        return gradient.addcmul_(grad_output, _per_channel(scale, x)), None, None


def _reduce(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = x.movedim(1, -1).reshape(-1, x.shape[1])
    mean = flat.mean(0)
    return mean, torch.linalg.vecdot(flat, flat, dim=0).div_(len(flat)).sub_(mean * mean).clamp_(min=0)


def _gradient(x: Tensor, mean: Tensor, grad_mean: Tensor, grad_variance: Tensor) -> Tensor:
    count = x.numel() // x.shape[1]
    slope = grad_variance * (2 / count)
    offset = grad_mean / count - slope * mean
    return torch.addcmul(_per_channel(offset, x), x, _per_channel(slope, x))


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view((1, -1) + (1,) * (x.ndim - 2))


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over all axes but the second: (c,) and (c,) for x (n, c, ...).

    The variance is the mean of squares minus the squared mean, so in float32 it loses digits where a channel's mean is
    hundreds of times its standard deviation; the inputs of BatchNorm layers are far from that.
    """
    mean, variance = _ChannelStatistics.apply(x)
    return mean, variance


def batchnorm_distance(x: Tensor, layer: nn.Module, relative: bool = False) -> Tensor:
    """Return ``||var(x) - running_var||_2 + ||mean(x) - running_mean||_2`` for the input x (n, c, ...) of a layer.

    Norms are not squared and the variance is biased (Wei et al. 2024, section 4; the prior is that of Yin et al.,
    DeepInversion, CVPR 2020).

    Args:
        relative: ours: measure the first norm in units of ``||running_var||_2``, the second in units of the root of the
            summed variances, so that neither the number of channels nor their scale counts.
    """
    return statistic_distance(*channel_statistics(x), layer, relative)


def statistic_distance(mean: Tensor, variance: Tensor, layer: nn.Module, relative: bool) -> Tensor:
    """Return ``batchnorm_distance`` of an input with these channel statistics."""
    stored = layer.get_buffer("running_var")
    variance_error = torch.linalg.vector_norm(variance - stored)
    mean_error = torch.linalg.vector_norm(mean - layer.get_buffer("running_mean"))
    if relative:
        tiny = torch.finfo(stored.dtype).tiny
        variance_error = variance_error / torch.linalg.vector_norm(stored).clamp(min=tiny)
        mean_error = mean_error / stored.sum().sqrt().clamp(min=tiny)
    return variance_error + mean_error


class PassEnded(Exception):  # noqa: N818 -- no error: it ends a forward pass whose rest nobody needs
    """Raised in a forward pass after the last layer that was to be recorded."""


def _is_constant(layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Return whether a layer scales and shifts by stored values alone, none of which needs a gradient."""
    if type(layer) is not nn.BatchNorm2d or layer.training or not layer.affine:  # timm's layers may hold an activation
        return False
    return not (layer.weight.requires_grad or layer.bias.requires_grad)


@contextmanager
def watched_statistics(model: nn.Module, watch: Callable[[nn.Module, Tensor, Tensor], None]) -> Iterator[None]:
    """Call ``watch(layer, mean, variance)`` for each BatchNorm layer that has stored statistics, in each forward pass.

    Args:
        model: in evaluation mode.
        watch: receives the channel statistics of the layer's input; may raise ``PassEnded``.
    """

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if torch.is_grad_enabled() and _is_constant(layer):
            scale = layer.weight * (layer.get_buffer("running_var") + layer.eps).rsqrt()
            output, mean, variance = _ObservedBatchNorm.apply(inputs[0], output.detach(), scale)
        else:
            mean, variance = channel_statistics(inputs[0])
        watch(layer, mean, variance)
        return output

    layers = [layer for layer in batchnorm_layers(model) if layer.running_mean is not None]
    handles = [layer.register_forward_hook(record) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def recorded_distances(model: nn.Module, first: int | None = None, relative: bool = False) -> Iterator[list[Tensor]]:
    """Yield a list to which every forward pass adds the distance of each BatchNorm layer that has stored statistics.

    The caller clears the list between passes. It stays empty if the model has no such layer.

    Args:
        model: in evaluation mode.
        first: record so many layers from the input on, and then end the pass by raising ``PassEnded``.
        relative: as for ``batchnorm_distance``.
    """
    distances: list[Tensor] = []

    def record(layer: nn.Module, mean: Tensor, variance: Tensor) -> None:
        distances.append(statistic_distance(mean, variance, layer, relative))
        if first is not None and len(distances) >= first:
            raise PassEnded

    with watched_statistics(model, record):
        yield distances
