"""Treatments of gradient conflict: implicit gradient regularisation, and alternatives with the same interface.

The aggregations are those of ``torchjd`` (Quinton and Rey, Jacobian Descent for Multi-Objective Optimization, 2024).
Each is scaled so that it equals the mean gradient if all gradients are the same: one learning rate then suits all.

- ``pcgrad`` (Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020): the projected gradients' sum over n.
- ``cagrad`` (Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021): c = 0.4, and the result over 1 + c.
- ``mgda`` (Desideri 2012; Sener and Koltun, NeurIPS 2018): the shortest vector of the gradients' convex hull, as it is.
- ``aligned_mtl`` (Senushkin et al., CVPR 2023): with equal weights, as it is.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tgr import seeds
from tgr.devices import exact
from tgr.errors import TgrError
from tgr.meta.regularisation import (
    Loss,
    Parameters,
    RegularisedGradient,
    compute_gradients,
    conflict,
    flatten_gradients,
    regularised_gradient,
)

CAGRAD_C = 0.4
"""Radius of CAGrad's ball around the mean gradient, in units of that gradient's norm."""

AGGREGATIONS = ("pcgrad", "cagrad", "mgda", "aligned_mtl")
"""Treatments whose solvers read the gradients on the CPU."""
TREATMENTS = ("implicit", "none", *AGGREGATIONS)


@exact()
def treated_gradient(
    treatment: str,
    losses: Sequence[Loss],
    parameters: Parameters,
    strength: float,
    generator: torch.Generator,
    *,
    through_displacement: bool = False,
) -> RegularisedGradient:
    """Return the direction to descend when the gradients of some losses conflict. Operands on a GPU are exact.

    Args:
        treatment: ``implicit`` (implicit gradient regularisation), ``none`` (the mean gradient), or an aggregation
            named above.
        losses: two or more functions of the parameters.
        parameters: leaf tensors by name.
        strength: lambda of ``implicit``; the others have no strength.
        generator: gives the order in which ``pcgrad`` projects; the others draw nothing.
        through_displacement: see ``regularised_gradient``; for ``implicit``.

    Raises:
        TgrError: there is no such treatment.
    """
    if treatment == "implicit":
        return regularised_gradient(losses, parameters, strength, through_displacement=through_displacement)
    if treatment == "none":
        return regularised_gradient(losses, parameters, 0.0)
    if treatment not in TREATMENTS:
        raise TgrError(f"methods.tgr.treatment: there is no '{treatment}'; valid: {', '.join(TREATMENTS)}")
    gradients = compute_gradients(losses, parameters)
    matrix = flatten_gradients(gradients.by_loss)
    if torch.isfinite(matrix).all():
        combined = aggregate(treatment, matrix, generator)
    else:
        combined = matrix.mean(0)  # not finite either: the caller sees it, the solvers would fail without a reason
    parts = combined.split([p.numel() for p in parameters.values()])
    gradient = {name: part.view_as(p) for (name, p), part in zip(parameters.items(), parts, strict=True)}
    return RegularisedGradient(gradient, gradients.values, conflict(matrix))


def aggregate(treatment: str, gradients: Tensor, generator: torch.Generator) -> Tensor:
    """Return one gradient (n_parameters,) for the gradients (n, n_parameters) of n losses."""
    aggregator, scale = _aggregator(treatment, len(gradients))
    if treatment != "pcgrad":
        return scale * aggregator(gradients)
    order = int(torch.randint(2**62, (), generator=generator))
    with seeds.forked("pcgrad", order):  # torchjd draws the order from torch's global generator
        return scale * aggregator(gradients)


def _aggregator(treatment: str, n: int) -> tuple[Callable[[Tensor], Tensor], float]:
    """Return an aggregator and the factor that makes it the mean for equal gradients."""
    try:
        from torchjd import aggregation  # takes a second to import, and only these treatments need it
    except ModuleNotFoundError as error:
        raise TgrError(
            f"methods.tgr.treatment: '{treatment}' needs a library that is not installed ({error.name}); "
            "pip install 'torchjd[cagrad]'"
        ) from error

    if treatment == "pcgrad":
        return aggregation.PCGrad(), 1 / n
    if treatment == "cagrad":
        return aggregation.CAGrad(CAGRAD_C), 1 / (1 + CAGRAD_C)
    if treatment == "mgda":
        return aggregation.MGDA(), 1.0
    return aggregation.AlignedMTL(), 1.0
