"""Priors of images: they are smooth, of moderate colour, and look natural."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor

from tgr.backbones.classifier import batchnorm_layers
from tgr.backbones.probe import Probe
from tgr.data.transforms import normalise
from tgr.errors import TgrError
from tgr.inversion.statistics import PassEnded, recorded_distances

PROBE_LAYERS = 8
"""How many BatchNorm layers of the probe count, from its input on; the forward pass ends after them."""


def total_variation(images: Tensor) -> Tensor:
    """Return the mean absolute difference of vertical and of horizontal neighbours, added (anisotropic).

    A row counts as one axis of width * 3 values: with channels last these lie side by side, which is faster both ways.
    """
    rows = images.movedim(1, -1).flatten(2)
    vertical = (rows[:, 1:] - rows[:, :-1]).abs().mean()
    horizontal = (rows[:, :, images.shape[1] :] - rows[:, :, : -images.shape[1]]).abs().mean()
    return vertical + horizontal


def distance_from_grey(images: Tensor) -> Tensor:
    """Return the mean squared distance of all values from 0.5."""
    return (images - 0.5).square().mean()


@contextmanager
def probe_distance(probe: Probe, n_layers: int = PROBE_LAYERS) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield the distance of images (n, 3, size, size) in [0, 1] from the natural ones that a probe was trained on:
    the sum over its first BatchNorm layers of ||var_l(x) - var_l||_2 + ||mean_l(x) - mean_l||_2, as for a teacher.

    The images are seen at their own size, normalised as the probe expects. Deeper layers, whose statistics depend on
    what the images show rather than on how natural they look, take no part and cost nothing.

    Raises:
        TgrError: the probe has no BatchNorm layers; or, on a call, it cannot take images of this size.
    """
    require_batchnorm(probe)
    with recorded_distances(probe.trunk, n_layers) as distances:

        def distance(images: Tensor) -> Tensor:
            distances.clear()
            look(probe, images)
            return torch.stack(distances).sum()

        yield distance


def require_batchnorm(probe: Probe) -> None:
    """Raise TgrError if the probe has no BatchNorm layers with stored statistics."""
    if all(layer.running_mean is None for layer in batchnorm_layers(probe.trunk)):
        raise TgrError(
            f"inversion.probe_weight: the probe {probe.name} has no BatchNorm layers; choose another task_space.probe, "
            "or set inversion.probe_weight to 0"
        )


def look(probe: Probe, images: Tensor) -> None:
    """Send images (n, 3, size, size) in [0, 1] through the probe, or through as much of it as is watched.

    Raises:
        TgrError: it cannot take images of this size.
    """
    inputs = normalise(images, probe.mean, probe.std)
    try:
        with suppress(PassEnded):
            probe.trunk(inputs)
    except (RuntimeError, AssertionError) as error:
        raise TgrError(
            f"inversion.probe_weight: the probe {probe.name} cannot take images of {images.shape[-1]} px "
            f"({error}); choose another task_space.probe, or set inversion.probe_weight to 0"
        ) from error
