"""The image bank: all images from which a meta-model may learn, pooled by class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tgr.data.dataset import ImageDataset
from tgr.data.episodes import Episodes, sample_episodes
from tgr.data.transforms import normalise, resize
from tgr.devices import hold
from tgr.errors import TgrError
from tgr.inversion.holdout import holdout_mask
from tgr.inversion.recovered import Recovered

MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
"""Input normalisation of meta-models: constants, because the statistics of the real images are unknown."""


@dataclass(frozen=True)
class ImageBank:
    """Images pooled by global class identity, at the meta-model's input size.

    Attributes:
        images: float32 (n, 3, size, size), normalised, channels-last. They alone may be on a GPU.
        classes: int64 (n,), indices into ``class_names``.
        class_names: ``dataset/class``, or ``pool/teacher/class`` where classes are local; sorted.
        owners: int64 (n,), the teacher from which an image was recovered; 0 for real images.
        labels: int64 (n,), the class in the owner's own label order.
        flips: bool (n,), whether a mirrored image keeps its class.
    """

    images: Tensor
    classes: Tensor
    class_names: list[str]
    owners: Tensor
    labels: Tensor
    flips: Tensor

    @cached_property
    def by_owner(self) -> list[Tensor]:
        """The indices of each teacher's images."""
        return [torch.nonzero(self.owners == owner).flatten() for owner in range(int(self.owners.max()) + 1)]

    @cached_property
    def by_class(self) -> list[Tensor]:
        """The indices of each class's images."""
        return [torch.nonzero(self.classes == c).flatten() for c in range(len(self.class_names))]

    def held_on(self, device: torch.device) -> "ImageBank":
        """Return the bank with its images on a device, if they fit there."""
        return replace(self, images=hold(self.images, device))

    def gather(self, chosen: Tensor, device: torch.device) -> Tensor:
        """Return images by their indices (n,), on a device."""
        return self.images[chosen.to(self.images.device)].to(device)

    def sample(
        self, n_way: int, k_shot: int, n_query: int, n_episodes: int, generator: np.random.Generator
    ) -> Episodes:
        """Draw training episodes over all classes. Raises as ``sample_episodes``."""
        return sample_episodes(self.by_class, n_way, k_shot, n_query, n_episodes, generator)


def bank_of_recovered(
    recovered: Sequence[Recovered], size: int, held_out_per_class: int, class_identity: str
) -> ImageBank:
    """Pool the recovered images of all teachers, without those held out for the selection rule ``datafree``.

    Args:
        class_identity: ``shared`` or ``local``, see ``Recovered.class_keys``.
    """
    keep = [~holdout_mask(r.labels, held_out_per_class) for r in recovered]
    keys = [r.class_keys(class_identity) for r in recovered]
    class_names = sorted({key for teacher_keys in keys for key in teacher_keys})
    position = {name: index for index, name in enumerate(class_names)}
    rows = [
        torch.tensor([position[key] for key in teacher_keys])[r.labels[k]]
        for teacher_keys, r, k in zip(keys, recovered, keep, strict=True)
    ]
    images = [r.images[k] for r, k in zip(recovered, keep, strict=True)]
    return ImageBank(
        images=_pool_images(images, size),
        classes=torch.cat(rows),
        class_names=class_names,
        owners=torch.cat([torch.full((int(k.sum()),), i) for i, k in enumerate(keep)]),
        labels=torch.cat([r.labels[k] for r, k in zip(recovered, keep, strict=True)]),
        flips=torch.cat([torch.full((int(k.sum()),), r.card.flips) for r, k in zip(recovered, keep, strict=True)]),
    )


def bank_of_real(datasets: Sequence[ImageDataset], size: int) -> ImageBank:
    """Pool the real images of the meta-train classes: for methods on real images only.

    Raises:
        TgrError: there is no dataset.
    """
    if not datasets:
        raise TgrError("no real dataset was given; this method learns from real meta-train images")
    images, rows, flips = [], [], []
    class_names: list[str] = []
    for dataset in datasets:
        for index in dataset.splits["meta_train"]:
            members = dataset.indices_of(index)
            images.append(dataset.images[members])
            rows.append(torch.full((len(members),), len(class_names)))
            flips.append(torch.full((len(members),), dataset.flips))
            class_names.append(f"{dataset.name}/{dataset.class_names[index]}")
    classes = torch.cat(rows)
    return ImageBank(
        images=_pool_images(images, size),
        classes=classes,
        class_names=class_names,
        owners=torch.zeros_like(classes),
        labels=classes,
        flips=torch.cat(flips),
    )


def _pool_images(parts: Sequence[Tensor], size: int) -> Tensor:
    """Resize, normalise and join images (each uint8 (n, 3, s, s)), without a second copy of them all as floats."""
    pooled = torch.empty((sum(map(len, parts)), 3, size, size), memory_format=torch.channels_last)
    for place, part in zip(pooled.split([len(part) for part in parts]), parts, strict=True):
        place.copy_(normalise(resize(part, size), MEAN, STD))
    return pooled
