"""The batched Fisher information against one backward pass for each image and class, in float64."""

import pytest
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn

from tgr.errors import TgrError
from tgr.task_space.fisher import Head, covariance_factor, fisher_information
from tgr.task_space.gradients import recording, weight_layers

N_WAY = 4


class Tokens(nn.Module):
    """A patch embedding and linear layers over tokens, as in a vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.mix = nn.Linear(8, 6)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).mT
        return self.mix(tokens).tanh().mean(1)


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3, stride=2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(inplace=True),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False),
        nn.Conv2d(8, 16, (3, 5), padding=(1, 2), groups=8),
        nn.Tanh(),
        nn.Conv2d(16, 12, 1),
        nn.Conv2d(12, 10, 3, padding="same", dilation=2, groups=2),
        nn.SiLU(inplace=True),
        nn.Conv2d(10, 7, 1, stride=2, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(7, 9, bias=False),
        nn.Tanh(),
        nn.Linear(9, 6),
    )


def same_padded() -> nn.Module:
    return nn.Sequential(
        Conv2dSame(3, 6, 3, stride=2),
        nn.Tanh(),
        Conv2dSame(6, 6, 5, stride=2, groups=6),
        nn.Conv2d(6, 200, 1),
        nn.Tanh(),
        nn.Conv2d(200, 100, 1, stride=3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(100, 6),
    )


TRUNKS = {"convolutional": convolutional, "same_padded": same_padded, "tokens": Tokens}


def case(name: str) -> tuple[nn.Module, Head, Tensor]:
    torch.manual_seed(0)
    trunk = TRUNKS[name]().double()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    images = torch.randn(5, 3, 17, 19, dtype=torch.float64)
    head = Head(torch.randn(N_WAY, 6, dtype=torch.float64), torch.randn(N_WAY, dtype=torch.float64))
    return trunk.eval().requires_grad_(False), head, images


def image_by_image(trunk: nn.Module, head: Head, images: Tensor) -> dict[str, Tensor]:
    """Sum over classes of p(y|x) (d log p(y|x) / dw)^2, averaged over the images, by plain autograd."""
    weights = {f"{name}.weight": layer.weight.requires_grad_() for name, layer in weight_layers(trunk).items()}
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for image in images:
        log_probabilities = nn.functional.linear(trunk(image[None]), head.weight, head.bias).log_softmax(1)[0]
        for y in range(N_WAY):
            gradients = torch.autograd.grad(log_probabilities[y], list(weights.values()), retain_graph=True)
            for name, gradient in zip(weights, gradients, strict=True):
                total[name] += log_probabilities[y].exp().detach() * gradient.square() / len(images)
    trunk.requires_grad_(False)
    return total


@pytest.mark.parametrize("chunk", [2, 100])
@pytest.mark.parametrize("name", TRUNKS)
def test_fisher_equals_per_sample_autograd(name: str, chunk: int) -> None:
    trunk, head, images = case(name)
    expected = image_by_image(trunk, head, images)
    parameter = fisher_information(trunk, head, images, "parameter", chunk)
    filters = fisher_information(trunk, head, images, "filter", chunk)
    assert list(parameter) == list(filters) == list(expected)
    for key, value in expected.items():
        assert value.max() > 0
        torch.testing.assert_close(parameter[key], value.flatten(), rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(filters[key], value.flatten(1).mean(1), rtol=1e-9, atol=1e-14)


def test_fisher_leaves_the_trunk_as_it_was() -> None:
    trunk, head, images = case("convolutional")
    before = trunk(images)
    fisher_information(trunk, head, images, "filter", 3)
    assert torch.equal(trunk(images), before)
    assert all(not layer._forward_hooks for layer in trunk.modules())
    assert all(weight.grad is None for weight in trunk.parameters())


def test_covariance_factor_gives_the_covariance() -> None:
    logits = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 4
    logits[0, 2] = 1e4  # certain, so that the other probabilities vanish
    logits[1, 4] = 1e4
    p = logits.softmax(1)
    factor = covariance_factor(p)
    assert factor.shape == (7, 5, 4)
    torch.testing.assert_close(factor @ factor.mT, torch.diag_embed(p) - p[:, :, None] * p[:, None, :])


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x))


@pytest.mark.parametrize(("attribute", "calls"), [("layer", 2), ("unused", 0)])
def test_shared_and_bypassed_layers_are_refused(attribute: str, calls: int) -> None:
    trunk = Shared()
    layers = {attribute: getattr(trunk, attribute)}
    with pytest.raises(TgrError, match=f"{attribute} was called {calls} times"), recording(layers):
        trunk(torch.randn(2, 3))


def test_layers_that_transform_their_weights_are_refused() -> None:
    from timm.layers import StdConv2d

    with pytest.raises(TgrError, match="StdConv2d"):
        weight_layers(nn.Sequential(StdConv2d(3, 4, 3)))
    with pytest.raises(TgrError, match="transforms its weights or pads"):
        weight_layers(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")))
    with pytest.raises(TgrError, match="no Conv2d or Linear"):
        weight_layers(nn.Sequential(nn.ReLU()))
