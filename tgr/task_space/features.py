"""Comparing teachers by what their recovered images look like to the probe: its mean features."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tgr.backbones.probe import Probe, load_probe
from tgr.config.teachers import TaskSpace
from tgr.data.transforms import normalise, resize
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered
from tgr.pool.teacher import Teacher

PIXELS_PER_CHUNK = 50 * 64 * 64
"""Pixels of one forward pass."""

IDENTICAL = 1e-6
"""Features that differ by less than this share of their length are the same; what is left is rounding."""


def dissimilarity(
    recovered: Sequence[Recovered], teachers: Sequence[Teacher], config: TaskSpace, device: torch.device
) -> Tensor:
    """Return (1 - cosine) / 2 of the teachers' mean probe features, the mean over all teachers removed.

    Features of a network end in ReLUs or poolings: uncentred, all teachers look alike (cosines of 0.8 and more). The
    teachers themselves are not asked, so they may be of any format.

    Returns:
        float64, (n, n), symmetric, in [0, 1], with a zero diagonal.

    Raises:
        TgrError: the probe cannot be loaded, or its features are not finite.
    """
    probe = load_probe(config, device)
    means = torch.stack([mean_feature(probe, r, config) for r in recovered])
    if not torch.isfinite(means).all():
        raise TgrError("task_space.probe: features of recovered images are not finite; check the probe's weights")
    centred = means - means.mean(0)
    if centred.norm() <= IDENTICAL * means.norm():
        return torch.zeros(len(means), len(means), dtype=torch.float64)
    unit = normalize(centred, dim=1)
    upper = ((1 - unit @ unit.T) / 2).clamp(0, 1).triu(1)
    return upper + upper.T


@torch.no_grad()
def mean_feature(probe: Probe, recovered: Recovered, config: TaskSpace) -> Tensor:
    """Return the mean feature (d,), float64, over the first ``images_per_class`` images of each class."""
    chosen = torch.cat(
        [torch.nonzero(recovered.labels == c).flatten()[: config.images_per_class] for c in recovered.labels.unique()]
    )
    device = next(probe.trunk.parameters()).device
    images = resize(recovered.images[chosen], config.image_size)
    chunks = images.split(max(1, PIXELS_PER_CHUNK // config.image_size**2))
    features = [probe.trunk(normalise(part, probe.mean, probe.std).to(device)) for part in chunks]
    return torch.cat(features).double().mean(0).cpu()
