"""The numbers behind the figures."""

import numpy as np
import pytest
import torch

from tgr.analysis import theory


def test_explicit_gradients_agree_with_finite_differences() -> None:
    losses, parameters = theory.problem(0)
    mean, penalty = theory.explicit_gradients(losses, parameters)
    direction = torch.randn(len(mean), generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def values(step: float) -> tuple[float, float]:
        parts = direction.split([p.numel() for p in parameters.values()])
        moved = {
            name: (p.detach() + step * part.view_as(p)).requires_grad_()
            for (name, p), part in zip(parameters.items(), parts, strict=True)
        }
        each = [loss(moved) for loss in losses]
        gradients = [torch.cat([g.flatten() for g in torch.autograd.grad(v, list(moved.values()))]) for v in each]
        stacked = torch.stack(gradients)
        variance = (stacked - stacked.mean(0)).square().sum(1).mean()
        return torch.stack(each).mean().item(), variance.item()

    up, down = values(1e-5), values(-1e-5)
    assert (up[0] - down[0]) / 2e-5 == pytest.approx(float(mean @ direction), rel=1e-6)
    assert (up[1] - down[1]) / 2e-5 == pytest.approx(float(penalty @ direction), rel=1e-6)


def test_slopes_tell_the_right_coefficient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "N_PROBLEMS", 2)
    errors = theory.displacement_errors()
    slopes = errors.groupby(["through_displacement", "coefficient"])["slope"].first()
    assert slopes[False, 0.5] == pytest.approx(2, abs=0.03)
    assert slopes[True, 1.0] == pytest.approx(2, abs=0.03)
    assert slopes[False, 1.0] == pytest.approx(1, abs=0.03)
    assert slopes[True, 0.5] == pytest.approx(1, abs=0.03)
    assert (errors["low"] <= errors["error"]).all() and (errors["error"] <= errors["high"]).all()


def test_descents_are_compared_with_start_and_plain_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "N_PROBLEMS", 2)
    monkeypatch.setattr(theory, "STEPS", 5)
    found = theory.descents().set_index(["compared_with", "quantity", "strength", "step"])["mean"]
    assert len(found) == 2 * 2 * len(theory.STRENGTHS) * 6
    assert np.allclose(found["start"][:, :, 0], 1)
    assert np.allclose(found["plain"][:, 0.0], 1)
    assert found["plain", "gradient_variance", 0.3, 5] < 0.99
    ratio = found["start", "loss", 0.3, 5] / found["start", "loss", 0.0, 5]
    assert found["plain", "loss", 0.3, 5] == pytest.approx(ratio)
