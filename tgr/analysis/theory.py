"""The theory behind the group step, in numbers: small problems in float64, where the exact answer is affordable.

Wei et al. (ICML 2024) displace the parameters of each loss, theta_i = theta + lambda (g_i - gbar), and descend the mean
of the gradients there. With V = mean_i ||g_i - gbar||^2 this is the gradient of mean L + c lambda V up to O(lambda^2):
c is 1/2 if the displacement is held constant, and 1 if it is differentiated as well, as the authors' release does.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tgr import seeds
from tgr.evaluation.statistics import mean_interval
from tgr.meta.regularisation import Loss, Parameters, regularised_gradient

N_PROBLEMS = 12
N_LOSSES = 4
LAMBDAS = tuple(float(value) for value in np.logspace(-6, 0, 13))
FITTED = (1e-5, 1e-2)
"""The slope is fitted between these: below lies rounding, above them the higher orders."""
COEFFICIENTS = (0.5, 1.0)
STRENGTHS = (0.0, 0.03, 0.1, 0.3)
STEPS, LR = 60, 0.05
QUANTITIES = ("loss", "gradient_variance")


def problem(index: int) -> tuple[list[Loss], Parameters]:
    """Return four regression losses of one two-layer network with tanh, all drawn at random from an index."""
    generator = seeds.torch_generator("theory", index)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    parameters = {"first": normal(5, 7).requires_grad_(), "second": normal(7, 3).requires_grad_()}

    def loss_on(inputs: Tensor, targets: Tensor) -> Loss:
        return lambda p: ((inputs @ p["first"]).tanh() @ p["second"] - targets).square().mean()

    return [loss_on(normal(6, 5), normal(6, 3)) for _ in range(N_LOSSES)], parameters


def explicit_gradients(losses: Sequence[Loss], parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Return the gradients of mean L and of V by double backpropagation: (n_parameters,) each."""
    theta = list(parameters.values())
    values = [loss(parameters) for loss in losses]
    each = torch.stack([_flat(torch.autograd.grad(value, theta, create_graph=True)) for value in values])
    variance = (each - each.mean(0)).square().sum(1).mean()
    return each.mean(0).detach(), _flat(torch.autograd.grad(variance, theta))


def displacement_errors() -> pd.DataFrame:
    """Compare the displaced gradient with the explicit one.

    Returns:
        columns through_displacement, coefficient, strength (lambda), error, low, high, n, slope. ``error`` is the
        geometric mean over the problems of the distance from grad [mean L + coefficient lambda V], relative to the
        norm of grad mean L, with its 95 % interval; ``slope`` that of its logarithm over log lambda within ``FITTED``.
    """
    errors: dict[tuple[bool, float], list[list[float]]] = {}
    for index in range(N_PROBLEMS):
        losses, parameters = problem(index)
        mean, penalty = explicit_gradients(losses, parameters)
        for through in (False, True):
            gradients = [_displaced(losses, parameters, strength, through) for strength in LAMBDAS]
            for c in COEFFICIENTS:
                missed = [g - mean - c * strength * penalty for g, strength in zip(gradients, LAMBDAS, strict=True)]
                errors.setdefault((through, c), []).append([float(m.norm() / mean.norm()) for m in missed])
    return pd.concat([_error_rows(*key, np.log10(values)) for key, values in errors.items()], ignore_index=True)


def _displaced(losses: Sequence[Loss], parameters: Parameters, strength: float, through: bool) -> Tensor:
    return _flat(regularised_gradient(losses, parameters, strength, through_displacement=through).gradient.values())


def _error_rows(through: bool, coefficient: float, logarithms: np.ndarray) -> pd.DataFrame:
    """Summarise log10 errors (n_problems, n_lambdas)."""
    intervals = [mean_interval(column) for column in logarithms.T]
    fitted = (np.array(LAMBDAS) >= FITTED[0]) & (np.array(LAMBDAS) <= FITTED[1])
    slope = np.polyfit(np.log10(LAMBDAS)[fitted], logarithms.mean(0)[fitted], 1)[0]
    return pd.DataFrame(
        {
            "through_displacement": through,
            "coefficient": coefficient,
            "strength": LAMBDAS,
            "error": [10**i.mean for i in intervals],
            "low": [10 ** (i.mean - i.half_width) for i in intervals],
            "high": [10 ** (i.mean + i.half_width) for i in intervals],
            "n": len(logarithms),
            "slope": float(slope),
        }
    )


def compare_descents() -> pd.DataFrame:
    """Descend the displaced gradient, with several strengths from the same start.

    Returns:
        columns strength, step, quantity (``loss``, ``gradient_variance``), compared_with, mean, low, high, n: the
        geometric mean over the problems of the quantity relative to its value at the ``start``, or at the same step of
        the ``plain`` descent (strength 0), with its 95 % interval.
    """
    records = np.array([[_descend(index, strength) for index in range(N_PROBLEMS)] for strength in STRENGTHS])
    logarithms = np.log(records)  # (n_strengths, n_problems, 2, n_steps)
    comparisons = {"start": logarithms - logarithms[..., :1], "plain": logarithms - logarithms[:1]}
    rows = []
    for compared_with, values in comparisons.items():
        for (strength, quantity, step), column in _columns(values):
            interval = mean_interval(column)
            low, high = interval.mean - interval.half_width, interval.mean + interval.half_width
            row = {"strength": strength, "step": step, "quantity": quantity, "compared_with": compared_with}
            rows.append(row | dict(zip(("mean", "low", "high"), np.exp((interval.mean, low, high)), strict=True)))
    return pd.DataFrame(rows).assign(n=N_PROBLEMS)


def _columns(values: np.ndarray) -> Iterator[tuple[tuple[float, str, int], np.ndarray]]:
    for i, strength in enumerate(STRENGTHS):
        for j, quantity in enumerate(QUANTITIES):
            for step in range(values.shape[-1]):
                yield (strength, quantity, step), values[i, :, j, step]


def _descend(index: int, strength: float) -> tuple[list[float], list[float]]:
    """Return mean loss and gradient variance before each step and after the last."""
    losses, parameters = problem(index)
    values, variances = [], []
    for _ in range(STEPS + 1):
        outcome = regularised_gradient(losses, parameters, strength)
        values.append(float(outcome.losses.mean()))
        variances.append(float(outcome.conflict.variance))
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter -= LR * outcome.gradient[name]
    return values, variances


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def measure_theory(*, errors: Path, descents: Path) -> None:
    """Write what ``displacement_errors`` and ``compare_descents`` return as CSV."""
    displacement_errors().to_csv(errors, index=False)
    compare_descents().to_csv(descents, index=False)
