"""What a GPU may not round: the group step and zero-order gradients.

The emulated rounding spoils both where it is let in. So the guards cannot pass unseen.
"""

from collections.abc import Callable
from inspect import unwrap

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import conv2d, cross_entropy

from tests.device import DEVICE, needs_pretended
from tgr import devices
from tgr.backbones.classifier import batchnorm_mode
from tgr.backbones.registry import build
from tgr.meta.regularisation import Parameters, RegularisedGradient, regularised_gradient
from tgr.meta.synthesis import zero_order_gradient
from tgr.meta.treatments import treated_gradient

pytestmark = [pytest.mark.device, needs_pretended]
STRENGTH = 1e-3


def group_losses() -> tuple[list[Callable[[Parameters], Tensor]], Parameters, object]:
    """Return the losses of four teachers' images on a Conv4, its parameters, and its mode of BatchNorm."""
    model = build("conv4", 12, 8, 16, "precision").to(DEVICE)
    draws = torch.Generator().manual_seed(0)
    losses = []
    for teacher in range(4):
        images = (torch.randn(12, 3, 16, 16, generator=draws) + 0.3 * teacher).to(DEVICE)
        labels = (3 * teacher + torch.arange(12) % 3).to(DEVICE)

        def loss(p: Parameters, images: Tensor = images, labels: Tensor = labels) -> Tensor:
            return cross_entropy(functional_call(model, p, (images,)), labels)

        losses.append(loss)
    return losses, dict(model.named_parameters()), batchnorm_mode(model, "batch")


def displacement_term(compute: Callable[..., RegularisedGradient]) -> Tensor:
    """Return what the regularisation adds to the mean gradient."""
    losses, parameters, mode = group_losses()
    with mode:
        parts = [
            torch.cat([g.cpu().flatten() for g in compute(losses, parameters, s).gradient.values()])
            for s in (0.0, STRENGTH)
        ]
    return parts[1].double() - parts[0].double()


def conflicting_gradients(compute: Callable[..., RegularisedGradient]) -> Tensor:
    """Return what another treatment makes of the gradients."""
    losses, parameters, mode = group_losses()
    with mode:
        found = compute("pcgrad", losses, parameters, 0.0, torch.Generator().manual_seed(0))
    return torch.cat([g.cpu().double().flatten() for g in found.gradient.values()])


def zero_order(compute: Callable[..., Tensor]) -> Tensor:
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(2)).to(DEVICE)

    def losses(x: Tensor) -> Tensor:
        return conv2d(x, weight).square().flatten(1).mean(1)

    return compute(losses, images, 3, 1e-3, torch.Generator().manual_seed(3)).cpu().double().flatten()


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., object]]] = {
    "group step": (displacement_term, regularised_gradient),
    "other treatment": (conflicting_gradients, treated_gradient),
    "zero-order gradient": (zero_order, zero_order_gradient),
}
LEAST_ERROR = {"group step": 0.05, "other treatment": 1e-5, "zero-order gradient": 0.1}
"""Of what the rounding spoils, relative. A gradient as such loses little; the small differences lose much."""


@pytest.mark.parametrize("case", CASES)
def test_what_must_be_exact_is_exact_whatever_was_set_before(case: str) -> None:
    run, guarded = CASES[case]
    with devices.exact():
        expected = run(guarded)
        devices.set_precision("tf32")
        found = run(guarded)
        assert devices.get_precision() == "tf32"
        spoilt = run(unwrap(guarded))
    assert torch.equal(found, expected)
    assert (spoilt - expected).norm() / expected.norm() > LEAST_ERROR[case]
