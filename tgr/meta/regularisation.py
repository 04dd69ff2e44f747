"""Implicit gradient regularisation: aligning the gradients of several losses (Wei et al., ICML 2024)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tgr.devices import exact

Parameters = dict[str, Tensor]
Loss = Callable[[Parameters], Tensor]


class Conflict(NamedTuple):
    """How much some gradients g_i disagree: scalars, on their device.

    Attributes:
        variance: mean_i ||g_i - gbar||^2.
        cosine: mean cosine similarity over the pairs of gradients.
        mean_norm_squared: ||gbar||^2; ``variance`` divided by it is the relative conflict.
    """

    variance: Tensor
    cosine: Tensor
    mean_norm_squared: Tensor


@dataclass(frozen=True)
class RegularisedGradient:
    """The outcome of one step.

    Attributes:
        gradient: the direction to descend, by parameter name.
        losses: (n,), the losses at the undisplaced parameters.
        conflict: how much the gradients disagree.
    """

    gradient: Parameters
    losses: Tensor
    conflict: Conflict


@dataclass(frozen=True)
class Gradients:
    """The gradients of some losses at the same parameters.

    Attributes:
        values: (n,), the losses.
        by_loss: for every loss its gradient, one tensor a parameter.
        mean: gbar, one tensor a parameter.
    """

    values: Tensor
    by_loss: list[list[Tensor]]
    mean: list[Tensor]


def compute_gradients(losses: Sequence[Loss], parameters: Parameters, *, create_graph: bool = False) -> Gradients:
    """Return the gradient of each loss; without ``create_graph`` only one loss's graph exists at a time."""
    theta = list(parameters.values())
    values, by_loss = [], []
    for loss in losses:
        value = loss(parameters)
        by_loss.append(list(torch.autograd.grad(value, theta, create_graph=create_graph, materialize_grads=True)))
        values.append(value.detach())
    mean = [torch.stack(parts).mean(0) for parts in zip(*by_loss, strict=True)]
    return Gradients(torch.stack(values), by_loss, mean)


@exact()
def regularised_gradient(
    losses: Sequence[Loss], parameters: Parameters, strength: float, *, through_displacement: bool = False
) -> RegularisedGradient:
    """Return mean_i grad L_i(theta + strength (g_i - gbar)), with g_i = grad L_i(theta) and gbar their mean.

    With the displacement held constant this is the gradient of mean L + (strength / 2) mean_i ||g_i - gbar||^2 up to
    O(strength^2). Only one loss's graph exists at a time. Operands on a GPU are exact, whatever is set: the
    displacement is about as small as their rounding would be.

    Args:
        losses: two or more functions of the parameters.
        parameters: leaf tensors by name.
        strength: lambda. Zero gives the plain mean gradient.
        through_displacement: also differentiate through the displacement, as the authors' release does. That doubles
            the effective strength and keeps every graph in memory.
    """
    names, theta = list(parameters), list(parameters.values())
    gradients = compute_gradients(losses, parameters, create_graph=through_displacement)
    if strength == 0:
        combined = [m.detach() for m in gradients.mean]
    elif through_displacement:
        displaced = [
            loss({n: p + strength * (g - m) for n, p, g, m in zip(names, theta, parts, gradients.mean, strict=True)})
            for loss, parts in zip(losses, gradients.by_loss, strict=True)
        ]
        combined = list(torch.autograd.grad(torch.stack(displaced).mean(), theta, materialize_grads=True))
    else:
        combined = [torch.zeros_like(m) for m in gradients.mean]
        for loss, parts in zip(losses, gradients.by_loss, strict=True):
            shifted = [
                (p.detach() + strength * (g - m)).requires_grad_()
                for p, g, m in zip(theta, parts, gradients.mean, strict=True)
            ]
            value = loss(dict(zip(names, shifted, strict=True)))
            for total, g in zip(combined, torch.autograd.grad(value, shifted, materialize_grads=True), strict=True):
                total.add_(g, alpha=1 / len(losses))
    gradient = dict(zip(names, combined, strict=True))
    return RegularisedGradient(gradient, gradients.values, conflict(flatten_gradients(gradients.by_loss)))


def flatten_gradients(gradients: Sequence[Sequence[Tensor]]) -> Tensor:
    """Return the gradients of some losses as one matrix (n, n_parameters), without their graphs."""
    return torch.stack([torch.cat([part.detach().reshape(-1) for part in parts]) for parts in gradients])


def conflict(gradients: Tensor) -> Conflict:
    """Measure the conflict among gradients (n, n_parameters)."""
    mean = gradients.mean(0)
    variance = (gradients - mean).square().sum(1).mean()
    unit = normalize(gradients, dim=1)
    n = len(gradients)
    cosine = ((unit @ unit.T).sum() - unit.square().sum()) / max(1, n * (n - 1))
    return Conflict(variance, cosine, mean.square().sum())
