"""The fast channel statistics and the BatchNorm distance, against explicit computation in float64."""

import pytest
import torch
from torch import Tensor, nn

from tgr.backbones.classifier import frozen
from tgr.inversion.statistics import PassEnded, batchnorm_distance, channel_statistics, recorded_distances

SHAPES = [(5, 3, 4, 6), (7, 4), (3, 2, 5)]


def _values(shape: tuple[int, ...]) -> Tensor:
    values = 2 + torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def _axes(x: Tensor) -> tuple[int, ...]:
    return tuple(axis for axis in range(x.ndim) if axis != 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_statistics_equal_var_mean(shape: tuple[int, ...]) -> None:
    x = _values(shape)
    mean, variance = channel_statistics(x)
    expected_variance, expected_mean = torch.var_mean(x, _axes(x), correction=0)
    torch.testing.assert_close(mean, expected_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(variance, expected_variance, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_equals_that_of_var_mean(shape: tuple[int, ...]) -> None:
    x = _values(shape).requires_grad_()
    weight = torch.arange(1.0, 1 + shape[1], dtype=torch.float64)
    mean, variance = channel_statistics(x)
    (actual,) = torch.autograd.grad((weight * mean).sum() + (weight**2 * variance).sum(), x)
    variance, mean = torch.var_mean(x, _axes(x), correction=0)
    (expected,) = torch.autograd.grad((weight * mean).sum() + (weight**2 * variance).sum(), x)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_passes_gradcheck(shape: tuple[int, ...]) -> None:
    assert torch.autograd.gradcheck(channel_statistics, _values(shape).requires_grad_())


def test_float32_statistics_stay_accurate_with_a_large_mean() -> None:
    x = 20 + torch.randn(16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    _, variance = channel_statistics(x.contiguous(memory_format=torch.channels_last))
    expected = x.double().var((0, 2, 3), correction=0)
    torch.testing.assert_close(variance.double(), expected, rtol=1e-3, atol=0)


def test_variance_of_a_constant_channel_is_zero_and_never_negative() -> None:
    x = torch.full((8, 2, 5, 5), 0.1)
    _, variance = channel_statistics(x)
    assert (variance >= 0).all()
    torch.testing.assert_close(variance, torch.zeros(2), rtol=0, atol=1e-6)


def test_distance_is_unsquared_biased_and_of_the_input_of_each_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    model = model.double().eval()
    for layer in (model[1], model[4]):
        layer.running_mean.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
        layer.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))
    x = _values((6, 3, 8, 8))
    with recorded_distances(model) as distances:
        model(x)
    inputs = [model[0](x), model[:4](x)]
    assert len(distances) == 2
    for actual, value, layer in zip(distances, inputs, (model[1], model[4]), strict=True):
        n = value.numel() / value.shape[1]
        mean = value.sum((0, 2, 3)) / n
        variance = (value - mean.view(1, -1, 1, 1)).square().sum((0, 2, 3)) / n
        expected = (variance - layer.running_var).square().sum().sqrt() + (
            mean - layer.running_mean
        ).square().sum().sqrt()
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_distance_vanishes_with_a_finite_gradient_where_statistics_agree() -> None:
    x = _values((5, 3, 4, 4)).requires_grad_()
    layer = nn.BatchNorm2d(3).double()
    mean, variance = channel_statistics(x.detach())
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)
    distance = batchnorm_distance(x, layer)
    distance.backward()
    assert distance.item() < 1e-12
    assert torch.isfinite(x.grad).all()


def test_recording_stops_after_the_block_and_skips_layers_without_stored_statistics() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.BatchNorm2d(3)).eval()
    with recorded_distances(model) as distances:
        model(torch.rand(2, 3, 4, 4))
    assert len(distances) == 1
    model(torch.rand(2, 3, 4, 4))
    assert len(distances) == 1


def test_recording_the_first_layers_ends_the_pass_there() -> None:
    layers = [nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    reached: list[int] = []
    layers[2].register_forward_hook(lambda *_: reached.append(2))
    model, x = nn.Sequential(*layers).eval(), torch.rand(2, 3, 4, 4)
    with recorded_distances(model) as all_of_them:
        model(x)
    reached.clear()
    with recorded_distances(model, first=2) as distances, pytest.raises(PassEnded):
        model(x)
    assert not reached
    assert distances == all_of_them[:2]


@pytest.mark.parametrize("in_place", [False, True])
def test_recording_changes_neither_output_nor_gradient(in_place: bool) -> None:
    """The short gradient of layers with constant weights equals PyTorch's, also where a ReLU overwrites the output."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(in_place), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).double().eval()
    for layer in (model[0], model[3]):
        for values in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
            values.uniform_(0.5, 2, generator=torch.Generator().manual_seed(len(values)))
    x = _values((6, 3, 8, 8)).requires_grad_()

    def loss() -> Tensor:
        with recorded_distances(model) as distances:
            return (model(x).square().mean() + torch.stack(distances).sum()).double()

    expected = torch.autograd.grad(loss(), x)[0]  # weights that need gradients: PyTorch's own
    with frozen([model]):
        value = loss()
        found = torch.autograd.grad(value, x)[0]
    torch.testing.assert_close(value, loss(), rtol=0, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    assert found.is_contiguous(memory_format=torch.channels_last)
