"""Layers whose gradient has a fast gradient, for learners that differentiate through inner steps.

PyTorch differentiates the gradient of BatchNorm by some twenty passes over the feature maps, that of a convolution by
convolutions in which images and channels have changed places, and that of max-pooling into another layout, with which
all that follows is slow; on a CPU these are half of a second-order episode. Here the second gradients are made of the
operators of the first ones, with other arguments, in the layout of the images. Values and first gradients come from
the same kernels as without this module.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Gradients = tuple[Tensor | None, ...]
ALL = (True, True, True)


@contextmanager
def differentiable_twice(model: nn.Module) -> Iterator[None]:
    """Let the layers of a model use this module inside the block.

    It concerns plain ``nn.Conv2d`` with zero padding, ``nn.BatchNorm2d`` with batch statistics and ``nn.MaxPool2d``; a
    subclass, or a layer in another mode, computes as it did.
    """
    layers = [module for module in model.modules() if type(module) in FORWARDS]
    for layer in layers:
        vars(layer)["forward"] = partial(FORWARDS[type(layer)], layer)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["forward"]


def _convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return nn.Conv2d.forward(layer, x)
    settings = (layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups)
    return _Convolution.apply(x, layer.weight, layer.bias, settings)


def _normalise(layer: nn.BatchNorm2d, x: Tensor) -> Tensor:
    if not layer.training or layer.track_running_stats or not layer.affine:
        return nn.BatchNorm2d.forward(layer, x)
    return _BatchNorm.apply(x, layer.weight, layer.bias, layer.eps)[0]


def _pool(layer: nn.MaxPool2d, x: Tensor) -> Tensor:
    if layer.return_indices:
        return nn.MaxPool2d.forward(layer, x)
    window = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    settings = [[value] * 2 if isinstance(value, int) else list(value) for value in window]
    return _MaxPool.apply(x, (*settings, layer.ceil_mode))


FORWARDS: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.Conv2d: _convolve,
    nn.BatchNorm2d: _normalise,
    nn.MaxPool2d: _pool,
}


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, settings: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.settings, ctx.biased = settings, bias is not None
        return torch.convolution(x, weight, bias, *settings)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        x, weight = ctx.saved_tensors
        needed = (*ctx.needs_input_grad[:2], ctx.biased and ctx.needs_input_grad[2])
        return *_ConvolutionGradient.apply(grad, x, weight, needed, ctx.settings), None


class _ConvolutionGradient(torch.autograd.Function):
    """The convolution's gradient. The gradient of <u, grad x> + <v, grad weight> + <w, grad bias>, for tensors u, v, w:
    with respect to the output's gradient it is conv(u, weight) + conv(x, v) + w, with respect to x the gradient of
    conv(., v), and with respect to the weight that of conv(u, .)."""

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, needed: tuple[bool, ...], settings: tuple[Any, ...]
    ) -> Gradients:
        ctx.save_for_backward(grad, x, weight)
        ctx.settings = settings
        ctx.set_materialize_grads(False)
        return _convolution_gradient(grad, x, weight, settings, needed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor | None, v: Tensor | None, w: Tensor | None) -> Gradients:
        grad, x, weight = ctx.saved_tensors
        parts = []
        if u is not None:
            parts.append(torch.convolution(u, weight, w, *ctx.settings))
            w = None
        if v is not None:
            parts.append(torch.convolution(x, v, w, *ctx.settings))
            w = None
        if w is not None:
            parts.append(w.view(1, -1, 1, 1).expand_as(grad))
        needed = (v is not None and ctx.needs_input_grad[1], u is not None and ctx.needs_input_grad[2], False)
        grad_x, grad_weight = None, None
        if any(needed):
            like_x, like_weight = x if u is None else u, weight if v is None else v
            grad_x, grad_weight, _ = _convolution_gradient(grad, like_x, like_weight, ctx.settings, needed)
        return sum(parts[1:], parts[0]) if parts else None, grad_x, grad_weight, None, None


def _convolution_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, settings: tuple[Any, ...], needed: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    return torch.ops.aten.convolution_backward(grad, x, weight, [len(weight)], *settings, needed)


class _BatchNorm(torch.autograd.Function):
    """BatchNorm on batch statistics; also returns mean and inverse standard deviation, which are not differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        output, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, inverse)
        ctx.set_materialize_grads(False)
        return output, mean, inverse

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _mean: None, _inverse: None) -> Gradients:
        x, weight, mean, inverse = ctx.saved_tensors
        return *_BatchNormGradient.apply(grad, x, weight, mean, inverse, ctx.eps), None


class _BatchNormGradient(torch.autograd.Function):
    """BatchNorm's gradient, for m values in a channel, with h = (x - mean) * inverse and brackets for means over them:

    grad x = weight * inverse * (g - [g] - h [g h]),  grad weight = m [g h],  grad bias = m [g].

    As a function of g this is symmetric, so the gradient with respect to g is the same operator; that with respect to x
    follows from d h_i / d x_j = inverse * (1_ij - 1/m - h_i h_j / m) and d inverse / d x_j = -inverse^2 h_j / m.
    """

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        grad_x, grad_weight, grad_bias = _batchnorm_gradient(grad, x, weight, mean, inverse, eps)
        ctx.save_for_backward(grad, x, weight, mean, inverse, grad_weight, grad_bias)
        ctx.eps = eps
        return grad_x, grad_weight, grad_bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor, v: Tensor, w: Tensor) -> Gradients:
        g, x, weight, mean, inverse, sum_gh, sum_g = ctx.saved_tensors
        m = x.numel() // x.shape[1]
        projected, sum_uh, sum_u = _batchnorm_gradient(u, x, weight, mean, inverse, ctx.eps)
        gh, g_mean, uh, u_mean = torch.stack((sum_gh, sum_g, sum_uh, sum_u)).div_(m)
        covariance = (g * u).mean((0, 2, 3)).addcmul_(g_mean, u_mean, value=-1).addcmul_(gh, uh, value=-1)
        scale, slope = weight * inverse**2, v * inverse
        grad_g = _affine(projected, x, slope, torch.addcmul(w, slope, mean, value=-1))
        by_g, by_u = torch.addcmul(slope, scale, uh, value=-1), -scale * gh
        by_x = (scale * covariance).addcmul_(gh, by_g).addcmul_(uh, by_u).mul_(-inverse)
        offset = (by_x * mean).addcmul_(g_mean, by_g).addcmul_(u_mean, by_u).neg_()
        grad_x = _affine(_affine(g * _channels(by_g), u, by_u, offset), x, by_x)
        return grad_g, grad_x, covariance.mul_(inverse).mul_(m), None, None, None


def _batchnorm_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    arguments = (grad, x, weight, None, None, mean, inverse, True, eps, ALL)
    return torch.ops.aten.native_batch_norm_backward(*arguments)


def _affine(total: Tensor, x: Tensor, slope: Tensor, offset: Tensor | None = None) -> Tensor:
    """Add slope * x + offset, both by channel, to a tensor in place."""
    total.addcmul_(x, _channels(slope))
    return total if offset is None else total.add_(_channels(offset))


def _channels(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, settings: tuple[Any, ...]) -> Tensor:
        output, indices = torch.ops.aten.max_pool2d_with_indices(x, *settings)
        ctx.save_for_backward(x, indices)
        ctx.settings = settings
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        return _MaxPoolGradient.apply(grad, *ctx.saved_tensors, ctx.settings), None


class _MaxPoolGradient(torch.autograd.Function):
    """Max-pooling's gradient. It is linear in the output's gradient, whose gradient is read at the largest pixels."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, x: Tensor, indices: Tensor, settings: tuple[Any, ...]) -> Tensor:
        ctx.save_for_backward(indices)
        return torch.ops.aten.max_pool2d_with_indices_backward(grad, x, *settings, indices)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, u: Tensor) -> Gradients:
        (indices,) = ctx.saved_tensors
        pixels, places = (tensor.permute(0, 2, 3, 1) for tensor in (u, indices))
        n, _, _, channels = places.shape
        read = pixels.reshape(n, -1, channels).gather(1, places.reshape(n, -1, channels))
        return read.view(places.shape).permute(0, 3, 1, 2), None, None, None
