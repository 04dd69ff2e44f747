"""The second gradients of convolution, BatchNorm and max-pooling against PyTorch's own, in float64."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from tgr.backbones.classifier import batchnorm_mode
from tgr.backbones.registry import build
from tgr.meta.second_order import differentiable_twice

CONVOLUTIONS = {
    "padded": nn.Conv2d(3, 4, 3, padding=1),
    "strided": nn.Conv2d(3, 5, 3, stride=2),
    "grouped": nn.Conv2d(6, 4, 3, groups=2, padding=2, dilation=2, bias=False),
    "without bias": nn.Conv2d(3, 4, 1, bias=False),
    "named padding": nn.Conv2d(3, 4, 3, padding="same"),
    "reflected": nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
}

POOLINGS = {
    "halving": nn.MaxPool2d(2),
    "overlapping": nn.MaxPool2d(3, stride=2, padding=1),
    "uneven": nn.MaxPool2d((2, 3), ceil_mode=True),
    "dilated": nn.MaxPool2d(2, stride=1, dilation=2),
}
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def values(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def first_and_second(model: nn.Module, x: Tensor, *, ours: bool) -> list[Tensor]:
    """Outputs, the gradients of a function of them, and the gradients of a function of these gradients."""
    x = x.clone().requires_grad_()
    inputs = [x, *model.parameters()]
    with differentiable_twice(model) if ours else nullcontext():
        output = model(x)
    first = torch.autograd.grad(output.sin().sum(), inputs, create_graph=True)
    second = torch.autograd.grad(sum((3 * g + 1).cos().sum() for g in first), inputs)
    return [output, *first, *second]


def assert_same(model: nn.Module, x: Tensor) -> None:
    ours, reference = (first_and_second(model, x, ours=which) for which in (True, False))
    for actual, expected in zip(ours, reference, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_has_the_gradients_of_pytorch(name: str) -> None:
    layer = CONVOLUTIONS[name].double()
    assert_same(layer, values(2, layer.in_channels, 6, 7))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", POOLINGS)
def test_max_pooling_has_the_gradients_of_pytorch(name: str, layout: torch.memory_format) -> None:
    assert_same(POOLINGS[name], values(2, 3, 7, 8).contiguous(memory_format=layout))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batchnorm_on_batch_statistics(layout: torch.memory_format) -> None:
    layer = nn.BatchNorm2d(4, track_running_stats=False).double()
    with torch.no_grad():
        layer.weight.copy_(values(4))
        layer.bias.copy_(values(4))
    assert_same(layer, (3 * values(5, 4, 3, 2) + 1).contiguous(memory_format=layout))


def test_batchnorm_on_running_statistics_is_left_alone() -> None:
    layer = nn.BatchNorm2d(4).double().eval()
    layer.running_mean.fill_(0.5)
    assert_same(layer, values(5, 4, 3, 2))


@pytest.mark.parametrize("only", ["input", "weight", "bias"])
def test_each_part_of_a_gradient_alone(only: str) -> None:
    """What is not asked for must neither be computed nor missed."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, track_running_stats=False), nn.Tanh()).double()
    x = values(4, 2, 5, 5).requires_grad_()
    parts = {"input": x, "weight": model[0].weight, "bias": model[1].bias}
    gradients = []
    for context in (differentiable_twice(model), nullcontext()):
        with context:
            output = model(x)
        (first,) = torch.autograd.grad(output.square().sum(), parts[only], create_graph=True)
        gradients.append(torch.autograd.grad(first.square().sum(), list(parts.values()), allow_unused=True))
    for ours, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("architecture", ["conv4", "resnet10", "resnet12"])
def test_whole_networks_have_the_gradients_of_pytorch(architecture: str) -> None:
    model = build(architecture, 3, 8, 16, "test").double()
    with batchnorm_mode(model, "batch"):
        assert_same(model, values(6, 3, 16, 16))


def test_layers_are_as_they_were_afterwards() -> None:
    model = build("conv4", 3, 8, 16, "test")
    with pytest.raises(RuntimeError, match="stopped"), differentiable_twice(model):
        assert "forward" in vars(model.trunk[0].conv)
        raise RuntimeError("stopped")
    assert not any("forward" in vars(module) for module in model.modules())
