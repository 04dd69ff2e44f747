"""Squared per-sample weight gradients of convolutions and linear layers, a whole batch at a time.

The weight gradient of one image is a product of what entered the layer and of the gradient at its output, summed over
positions. Both are there for a whole batch after one forward and one backward pass, so no image needs its own pass.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn
from torch.nn import functional

from tgr.errors import TgrError

Layer = nn.Conv2d | nn.Linear
FORWARDS = (nn.Conv2d.forward, Conv2dSame.forward, nn.Linear.forward)
"""The layers whose weight gradient is known here; a subclass with another forward transforms its weights."""

Squares = Callable[[Tensor], Tensor]
"""Maps the gradient at a layer's output to the squared weight gradients of single images, summed over the images."""


@dataclass
class Recording:
    """What a layer saw in the forward passes: inputs and outputs, each starting with the batch dimension."""

    layer: Layer
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    def __call__(self, _layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Record one call, as a forward hook."""
        if not output.requires_grad:
            output.requires_grad_()  # the first layer: nothing before it needs a gradient
        self.inputs.append(inputs[0].detach())
        self.outputs.append(output)
        return output.clone()  # an activation that works in place must not change what was recorded


def weight_layers(trunk: nn.Module) -> dict[str, Layer]:
    """Return the convolutions and linear layers by name, in the order of registration.

    Raises:
        TgrError: there are none, or one of them uses its weights in a way that is not covered.
    """
    layers = {name: module for name, module in trunk.named_modules() if isinstance(module, (nn.Conv2d, nn.Linear))}
    if not layers:
        raise TgrError("task_space.probe: the probe has no Conv2d or Linear layer to take the Fisher information of")
    for name, layer in layers.items():
        padded_otherwise = isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros"
        if type(layer).forward not in FORWARDS or padded_otherwise:
            raise TgrError(
                f"task_space.probe: the layer {name} ({type(layer).__name__}) transforms its weights or pads in a way "
                "that is not covered; choose a probe of plain Conv2d and Linear layers"
            )
    return layers


@contextmanager
def recording(layers: dict[str, Layer]) -> Iterator[dict[str, Recording]]:
    """Record the inputs and outputs of layers during the forward pass inside the block.

    Raises:
        TgrError: a layer was bypassed or used more than once, so that one recording is not all of its gradient.
    """
    records = {name: Recording(layer) for name, layer in layers.items()}
    handles = [record.layer.register_forward_hook(record) for record in records.values()]
    try:
        yield records
    finally:
        for handle in handles:
            handle.remove()
    for name, record in records.items():
        if len(record.outputs) != 1:
            raise TgrError(
                f"task_space.probe: the layer {name} was called {len(record.outputs)} times in one forward pass; "
                "layers that are bypassed or shared are not covered, choose another probe"
            )


def squares_of(layer: Layer, inputs: Tensor, per_filter: bool) -> Squares:
    """Prepare a layer's input, once for all gradients that will be contracted with it.

    Args:
        layer: a convolution or a linear layer.
        inputs: what entered it: (n, c, h, w) or (n, ..., features).
        per_filter: average over the weights of each output channel; otherwise one value a weight.

    Returns:
        A function from the gradient of each image's own loss at the layer's output to a 1-D tensor of length
        ``weight.shape[0]`` or ``weight.numel()``.
    """
    if isinstance(layer, nn.Linear):
        return _product_squares(_positions_last(inputs), _positions_last, per_filter)
    padded = _pad(layer, inputs)
    if layer.groups == layer.in_channels > 1:
        return _depthwise_squares(layer, padded, per_filter)
    n, groups = len(padded), layer.groups
    if layer.kernel_size == (1, 1):
        columns = padded[:, :, :: layer.stride[0], :: layer.stride[1]]
    else:
        columns = functional.unfold(padded, layer.kernel_size, layer.dilation, stride=layer.stride)
    right = columns.reshape(n, groups, layer.weight[0].numel(), -1)
    return _product_squares(right, lambda g: g.reshape(n, groups, layer.out_channels // groups, -1), per_filter)


def _positions_last(values: Tensor) -> Tensor:
    """(n, ..., features) -> (n, 1, features, positions)."""
    return values.reshape(len(values), -1, values.shape[-1]).mT.unsqueeze(1)


def _product_squares(right: Tensor, arrange: Callable[[Tensor], Tensor], per_filter: bool) -> Squares:
    """Square the weight gradients left @ right^T, with left (n, groups, outputs, positions) an arranged gradient and
    right (n, groups, inputs, positions), without forming them where that is cheaper.

    With few positions p, sum_i (sum_p l_op r_ip)^2 = l_o (r^T r) l_o^T costs p (i + o) for each position, not i o.
    """
    n_inputs, positions = right.shape[-2:]
    gram = right.mT @ right if per_filter and positions < n_inputs else None

    def squares(grad_outputs: Tensor) -> Tensor:
        left = arrange(grad_outputs)
        n_outputs = left.shape[-2]
        if gram is not None and positions * (n_inputs + n_outputs) < n_inputs * n_outputs:
            return ((left @ gram) * left).sum((0, -1)).clamp_(min=0).flatten() / n_inputs
        squared = (left @ right.mT).square().sum(0)
        return squared.mean(-1).flatten() if per_filter else squared.flatten()

    return squares


def _depthwise_squares(layer: nn.Conv2d, padded: Tensor, per_filter: bool) -> Squares:
    """Square the weight gradients of a depthwise convolution.

    Each is a convolution of the input with the output's gradient in which stride and dilation have changed places; each
    image and channel is a group of its own. Ten times faster than unfolding on a CPU.
    """
    n, channels, height, width = padded.shape
    rows, columns = layer.kernel_size
    planes = padded.reshape(1, n * channels, height, width)

    def squares(grad_outputs: Tensor) -> Tensor:
        kernels = grad_outputs.reshape(n * layer.out_channels, 1, *grad_outputs.shape[2:])
        gradient = functional.conv2d(
            planes, kernels, stride=layer.dilation, dilation=layer.stride, groups=n * channels
        )[0, :, :rows, :columns]
        squared = gradient.reshape(n, layer.out_channels, rows * columns).square().sum(0)
        return squared.mean(-1) if per_filter else squared.flatten()

    return squares


def _pad(layer: nn.Conv2d, inputs: Tensor) -> Tensor:
    """Return the inputs with the zeros that the layer adds around them."""
    if isinstance(layer, Conv2dSame):
        return pad_same(inputs, list(layer.kernel_size), list(layer.stride), list(layer.dilation))
    if layer.padding == "valid":
        return inputs
    if layer.padding == "same":
        totals = [dilation * (size - 1) for dilation, size in zip(layer.dilation, layer.kernel_size, strict=True)]
        (top, bottom), (left, right) = [(total // 2, total - total // 2) for total in totals]
        return functional.pad(inputs, (left, right, top, bottom))
    rows, columns = (int(size) for size in layer.padding)
    return functional.pad(inputs, (columns, columns, rows, rows)) if rows or columns else inputs


def gradients_at(outputs: list[Tensor], logits: Tensor, grad_logits: Tensor) -> tuple[Tensor, ...]:
    """Backpropagate a gradient at the logits to recorded outputs, keeping the graph for another pass."""
    return torch.autograd.grad(logits, outputs, grad_logits, retain_graph=True)
