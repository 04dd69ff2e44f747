"""The zero-order gradient estimator, in float64: it approaches the true gradient, as fast as theory says."""

import torch
from torch import Tensor

from tgr import seeds
from tgr.meta.synthesis import zero_order_gradient

N, SHAPE = 3, (2, 2, 2)


def losses(images: Tensor) -> Tensor:
    """A smooth function with another gradient for each image."""
    weights = torch.linspace(-1, 2, 8, dtype=images.dtype)
    flat = images.flatten(1)
    return (flat @ weights).sin() + flat.square().sum(1) * torch.arange(1, len(images) + 1)


def start() -> Tensor:
    return torch.rand(N, *SHAPE, generator=seeds.torch_generator("start"), dtype=torch.float64)


def true_gradient() -> Tensor:
    images = start().requires_grad_()
    return torch.autograd.grad(losses(images).sum(), images)[0]


def relative_error(directions: int) -> float:
    estimate = zero_order_gradient(losses, start(), directions, 1e-5, seeds.torch_generator("directions", directions))
    return float((estimate - true_gradient()).norm() / true_gradient().norm())


def test_mean_over_many_queries_is_the_gradient() -> None:
    assert relative_error(4000) < 0.08


def test_error_falls_with_the_root_of_the_queries() -> None:
    """One direction explains 1/8 of the gradient's square: the squared relative error is about (8 - 1) / directions."""
    for directions in (50, 800):
        assert 0.4 < relative_error(directions) * (directions / 7) ** 0.5 < 2


def test_a_linear_function_is_estimated_without_bias_by_the_step() -> None:
    """The forward difference of a linear function is exact whatever the step."""
    weights = torch.linspace(-1, 2, 8, dtype=torch.float64)
    small, large = (
        zero_order_gradient(lambda x: x.flatten(1) @ weights, start(), 7, step, seeds.torch_generator("linear"))
        for step in (1e-3, 10.0)
    )
    torch.testing.assert_close(small, large)


def test_one_image_does_not_see_the_loss_of_another() -> None:
    def first_only(images: Tensor) -> Tensor:
        return images.flatten(1).sum(1) * torch.tensor([1.0, 0.0, 0.0], dtype=images.dtype)

    estimate = zero_order_gradient(first_only, start(), 5, 1e-3, seeds.torch_generator("apart"))
    assert estimate[0].norm() > 0
    assert estimate[1:].norm() == 0


def test_asks_one_query_for_each_direction_and_one_for_the_start() -> None:
    seen = []

    def counted(images: Tensor) -> Tensor:
        seen.append(images.requires_grad)
        return losses(images)

    zero_order_gradient(counted, start().requires_grad_(), 6, 1e-3, seeds.torch_generator("count"))
    assert seen == [False] * 7
