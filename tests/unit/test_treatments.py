"""Treatments of gradient conflict, on gradients whose treatment is known."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from tgr.config.methods.tgr import Tgr
from tgr.errors import TgrError
from tgr.meta.regularisation import Loss, Parameters, RegularisedGradient, regularised_gradient
from tgr.meta.treatments import TREATMENTS, aggregate, treated_gradient

AGGREGATIONS = ("pcgrad", "cagrad", "mgda", "aligned_mtl")


def linear_losses(gradients: Tensor) -> tuple[list[Loss], Parameters]:
    """Losses whose gradients are the rows of a matrix (n, 6), at two parameters of shapes (2, 2) and (2,)."""
    parameters = {
        "a": torch.zeros(2, 2, dtype=torch.float64, requires_grad=True),
        "b": torch.zeros(2, dtype=torch.float64, requires_grad=True),
    }

    def loss_of(row: Tensor) -> Loss:
        return lambda p: row @ torch.cat([p["a"].reshape(-1), p["b"]])

    return [loss_of(row) for row in gradients.double()], parameters


def treat(treatment: str, gradients: Tensor, seed: int = 0) -> RegularisedGradient:
    generator = torch.Generator().manual_seed(seed)
    return treated_gradient(treatment, *linear_losses(gradients), 0.1, generator)


def flat(outcome: RegularisedGradient) -> Tensor:
    return torch.cat([part.reshape(-1) for part in outcome.gradient.values()])


def drawn(n: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_equal_gradients_give_their_mean(treatment: str) -> None:
    row = drawn(1)
    outcome = treat(treatment, row.repeat(3, 1))
    torch.testing.assert_close(flat(outcome), row[0], rtol=1e-6, atol=1e-8)
    assert outcome.gradient["a"].shape == (2, 2)
    assert float(outcome.conflict.variance) == pytest.approx(0, abs=1e-20)
    assert float(outcome.conflict.cosine) == pytest.approx(1)


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_statistics_are_those_of_the_untreated_gradients(treatment: str) -> None:
    gradients = drawn()
    outcome = treat(treatment, gradients)
    mean = gradients.mean(0)
    assert float(outcome.conflict.variance) == pytest.approx(float((gradients - mean).square().sum(1).mean()))
    assert float(outcome.conflict.mean_norm_squared) == pytest.approx(float(mean @ mean))
    assert -1 < outcome.conflict.cosine < 1
    assert len(outcome.losses) == 4


def test_none_is_the_mean_and_the_aggregations_differ() -> None:
    gradients = drawn()
    torch.testing.assert_close(flat(treat("none", gradients)), gradients.mean(0))
    actual = [flat(treat(name, gradients)) for name in ("none", *AGGREGATIONS)]
    for i, one in enumerate(actual):
        assert all(float((one - other).norm()) > 1e-3 for other in actual[:i])


def test_implicit_is_the_regularised_gradient() -> None:
    def curved(gradients: Tensor) -> tuple[list[Loss], Parameters]:
        losses, parameters = linear_losses(gradients)
        return [lambda p, loss=loss: loss(p).exp() for loss in losses], parameters

    losses, parameters = curved(drawn())
    for through in (False, True):
        expected = regularised_gradient(losses, parameters, 0.1, through_displacement=through)
        actual = treated_gradient("implicit", losses, parameters, 0.1, torch.Generator(), through_displacement=through)
        torch.testing.assert_close(flat(actual), flat(expected), rtol=0, atol=0)
        assert float((flat(actual) - drawn().mean(0)).norm()) > 1e-3


def test_pcgrad_equals_the_projection_by_hand() -> None:
    first, second = torch.tensor([1.0, 0, 0, 0, 0, 0]), torch.tensor([-1.0, 1, 0, 0, 0, 0])
    # first . second = -1: first + second / 2 = (1/2, 1/2), second + first = (0, 1); half of their sum
    expected = torch.tensor([0.25, 0.75, 0, 0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(flat(treat("pcgrad", torch.stack([first, second]))), expected)


def test_pcgrad_without_conflict_is_the_mean() -> None:
    gradients = drawn().abs()
    torch.testing.assert_close(flat(treat("pcgrad", gradients)), gradients.mean(0))


@pytest.mark.parametrize("seed", range(5))
def test_mgda_descends_every_loss(seed: int) -> None:
    gradients = drawn(3, seed)
    direction = flat(treat("mgda", gradients))
    assert float((gradients @ direction).min()) > -0.02 * float(direction @ direction)  # Frank-Wolfe stops near it
    assert float(direction.norm()) <= min(float(gradients.mean(0).norm()), float(gradients.norm(dim=1).min())) + 1e-9


def test_mgda_equals_the_shortest_vector_by_hand() -> None:
    direction = flat(treat("mgda", torch.tensor([[2.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]])))
    expected = torch.tensor([0.4, 0.8, 0, 0, 0, 0], dtype=torch.float64)  # foot of the perpendicular from the origin
    torch.testing.assert_close(direction, expected)


def test_cagrad_stays_in_its_ball_and_raises_the_worst_gain() -> None:
    gradients = drawn(3, 2)
    mean, direction = gradients.mean(0), 1.4 * flat(treat("cagrad", gradients))
    assert float((direction - mean).norm()) == pytest.approx(0.4 * float(mean.norm()), rel=1e-3)
    assert float((gradients @ direction).min()) > float((gradients @ mean).min())


def test_aligned_mtl_of_orthogonal_gradients_ignores_their_lengths() -> None:
    direction = flat(treat("aligned_mtl", torch.tensor([[10.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]])))
    torch.testing.assert_close(direction[:2], torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_the_generator_alone_decides_the_order_of_pcgrad() -> None:
    gradients = drawn(5, 1)
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    first, again = treat("pcgrad", gradients), treat("pcgrad", gradients)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    torch.testing.assert_close(flat(treat("pcgrad", gradients)), flat(first), rtol=0, atol=0)
    torch.testing.assert_close(flat(again), flat(first), rtol=0, atol=0)
    assert any(not torch.equal(flat(treat("pcgrad", gradients, seed)), flat(first)) for seed in range(1, 5))


def test_orders_change_from_step_to_step() -> None:
    generator = torch.Generator().manual_seed(0)
    actual = [aggregate("pcgrad", drawn(5, 1), generator) for _ in range(5)]
    assert any(not torch.equal(one, actual[0]) for one in actual[1:])


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_what_is_not_finite_is_handed_on(treatment: str) -> None:
    gradients = drawn()
    gradients[0, 0] = math.nan
    assert not torch.isfinite(flat(treat(treatment, gradients))).all()


def test_treatments_are_those_of_the_configuration() -> None:
    assert get_args(Tgr.model_fields["treatment"].annotation) == TREATMENTS


def test_unknown_treatment_is_named() -> None:
    with pytest.raises(TgrError, match=r"methods\.tgr\.treatment: there is no 'magic'; valid: implicit, none"):
        treat("magic", drawn())
