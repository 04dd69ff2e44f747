"""Implicit gradient regularisation: aligning the gradients of several losses (Wei et al., ICML 2024)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

Parameters = dict[str, Tensor]
Loss = Callable[[Parameters], Tensor]


@dataclass(frozen=True)
class RegularisedGradient:
    """The outcome of one regularised step.

    Attributes:
        gradient: the direction to descend, by parameter name.
        losses: (n,), the losses at the undisplaced parameters.
        variance: mean_i ||g_i - gbar||^2.
        cosine: mean cosine similarity over the pairs of gradients.
    """

    gradient: Parameters
    losses: Tensor
    variance: float
    cosine: float


def regularised_gradient(
    losses: Sequence[Loss], parameters: Parameters, strength: float, *, through_displacement: bool = False
) -> RegularisedGradient:
    """Return mean_i grad L_i(theta + strength (g_i - gbar)), with g_i = grad L_i(theta) and gbar their mean.

    With the displacement held constant this is the gradient of mean L + (strength / 2) mean_i ||g_i - gbar||^2 up to
    O(strength^2). Only one loss's graph exists at a time.

    Args:
        losses: two or more functions of the parameters.
        parameters: leaf tensors by name.
        strength: lambda. Zero gives the plain mean gradient.
        through_displacement: also differentiate through the displacement, as the authors' release does. That doubles
            the effective strength and keeps every graph in memory.
    """
    names, theta = list(parameters), list(parameters.values())
    values, gradients = [], []
    for loss in losses:
        value = loss(parameters)
        gradients.append(torch.autograd.grad(value, theta, create_graph=through_displacement, materialize_grads=True))
        values.append(value.detach())
    mean = [torch.stack(parts).mean(0) for parts in zip(*gradients, strict=True)]
    variance, cosine = conflict([[g.detach() for g in own] for own in gradients])
    if strength == 0:
        combined = [m.detach() for m in mean]
    elif through_displacement:
        displaced = [
            loss({n: p + strength * (g - m) for n, p, g, m in zip(names, theta, own, mean, strict=True)})
            for loss, own in zip(losses, gradients, strict=True)
        ]
        combined = list(torch.autograd.grad(torch.stack(displaced).mean(), theta, materialize_grads=True))
    else:
        combined = [torch.zeros_like(m) for m in mean]
        for loss, own in zip(losses, gradients, strict=True):
            shifted = [
                (p.detach() + strength * (g - m)).requires_grad_() for p, g, m in zip(theta, own, mean, strict=True)
            ]
            value = loss(dict(zip(names, shifted, strict=True)))
            for total, g in zip(combined, torch.autograd.grad(value, shifted, materialize_grads=True), strict=True):
                total.add_(g, alpha=1 / len(losses))
    return RegularisedGradient(dict(zip(names, combined, strict=True)), torch.stack(values), variance, cosine)


def conflict(gradients: Sequence[Sequence[Tensor]]) -> tuple[float, float]:
    """Return the variance mean_i ||g_i - gbar||^2 and the mean pairwise cosine of some gradients."""
    flat = torch.stack([torch.cat([part.reshape(-1) for part in own]) for own in gradients])
    variance = (flat - flat.mean(0)).square().sum(1).mean()
    unit = normalize(flat, dim=1)
    n = len(flat)
    cosine = ((unit @ unit.T).sum() - unit.square().sum()) / max(1, n * (n - 1))
    return float(variance), float(cosine)
