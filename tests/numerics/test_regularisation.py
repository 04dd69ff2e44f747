"""Implicit gradient regularisation against explicit double backpropagation, in float64."""

import pytest
import torch
from torch import Tensor

from tgr.meta.regularisation import Parameters, conflict, regularised_gradient


def problem(n_losses: int = 4) -> tuple[list, Parameters]:
    """A small two-layer network with smooth activations and one random regression task for each loss."""
    generator = torch.Generator().manual_seed(3)
    parameters = {
        "first": torch.randn(5, 7, generator=generator, dtype=torch.float64).requires_grad_(),
        "second": torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_(),
    }
    losses = []
    for _ in range(n_losses):
        inputs = torch.randn(6, 5, generator=generator, dtype=torch.float64)
        targets = torch.randn(6, 3, generator=generator, dtype=torch.float64)

        def loss(p: Parameters, inputs: Tensor = inputs, targets: Tensor = targets) -> Tensor:
            return ((inputs @ p["first"]).tanh() @ p["second"] - targets).square().mean()

        losses.append(loss)
    return losses, parameters


def explicit(losses: list, parameters: Parameters, coefficient: float) -> list[Tensor]:
    """The gradient of mean L + coefficient * mean_i ||g_i - gbar||^2 by double backpropagation."""
    theta = list(parameters.values())
    values = [loss(parameters) for loss in losses]
    gradients = [torch.autograd.grad(value, theta, create_graph=True) for value in values]
    flat = torch.stack([torch.cat([g.reshape(-1) for g in own]) for own in gradients])
    penalty = (flat - flat.mean(0)).square().sum(1).mean()
    return list(torch.autograd.grad(torch.stack(values).mean() + coefficient * penalty, theta))


def error(strength: float, *, through: bool, coefficient: float) -> float:
    losses, parameters = problem()
    ours = regularised_gradient(losses, parameters, strength, through_displacement=through).gradient
    reference = explicit(losses, parameters, coefficient * strength)
    return max(float((a - b).abs().max()) for a, b in zip(ours.values(), reference, strict=True))


@pytest.mark.parametrize(("through", "coefficient"), [(False, 0.5), (True, 1.0)])
def test_error_shrinks_with_the_square_of_lambda(through: bool, coefficient: float) -> None:
    coarse, fine = (error(s, through=through, coefficient=coefficient) for s in (1e-3, 1e-4))
    assert fine < 1e-6
    assert 80 < coarse / fine < 120


def test_wrong_coefficient_is_only_first_order() -> None:
    coarse, fine = (error(s, through=False, coefficient=1.0) for s in (1e-3, 1e-4))
    assert 8 < coarse / fine < 12


def test_lambda_zero_is_the_mean_gradient() -> None:
    assert error(0.0, through=False, coefficient=0.0) < 1e-15


def test_equal_losses_are_not_displaced() -> None:
    losses, parameters = problem(1)
    plain = regularised_gradient(losses * 3, parameters, 0.0)
    moved = regularised_gradient(losses * 3, parameters, 0.1)
    assert float(plain.conflict.variance) == pytest.approx(0, abs=1e-20)
    assert float(plain.conflict.cosine) == pytest.approx(1)
    for name in parameters:
        torch.testing.assert_close(moved.gradient[name], plain.gradient[name])


def test_parameters_keep_their_values_and_get_no_gradient() -> None:
    losses, parameters = problem()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    regularised_gradient(losses, parameters, 0.1)
    for name, p in parameters.items():
        torch.testing.assert_close(p.detach(), before[name], rtol=0, atol=0)
        assert p.grad is None


def test_unused_parameter_gets_a_zero_gradient() -> None:
    losses, parameters = problem()
    parameters = {**parameters, "idle": torch.ones(2, dtype=torch.float64, requires_grad=True)}
    gradient = regularised_gradient(losses, parameters, 0.1).gradient["idle"]
    torch.testing.assert_close(gradient, torch.zeros(2, dtype=torch.float64))


def test_conflict_equals_the_one_computed_by_hand() -> None:
    actual = conflict(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert float(actual.variance) == pytest.approx(0.5)
    assert float(actual.cosine) == pytest.approx(0.0)
    assert float(actual.mean_norm_squared) == pytest.approx(0.5)


def test_a_step_reduces_gradient_variance_more_than_plain_descent() -> None:
    """What the regulariser is for: on the same losses it ends with a smaller gradient variance."""
    variances = []
    for strength in (0.0, 0.05):
        losses, parameters = problem()
        for _ in range(200):
            outcome = regularised_gradient(losses, parameters, strength)
            with torch.no_grad():
                for name, p in parameters.items():
                    p -= 0.05 * outcome.gradient[name]
        variances.append(regularised_gradient(losses, parameters, 0.0).conflict.variance)
    assert variances[1] < variances[0]
