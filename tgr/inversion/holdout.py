"""Which recovered images are kept from training, so that checkpoints can be chosen without real data."""

import torch
from torch import Tensor

from tgr.errors import TgrError


def holdout_mask(labels: Tensor, per_class: int) -> Tensor:
    """Mark the last ``per_class`` images of every class.

    Args:
        labels: the classes of one teacher's recovered images: int64, (n,), in stored order.
        per_class: images to hold out of each class.

    Returns:
        bool, (n,): True for the held-out images.

    Raises:
        TgrError: a class would keep no image for training.
    """
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique().tolist():
        members = torch.nonzero(labels == label).flatten()
        if len(members) <= per_class:
            raise TgrError(
                f"meta.held_out_per_class: {per_class} images cannot be held out of the {len(members)} recovered for a "
                f"class; raise inversion.images_per_class or lower meta.held_out_per_class"
            )
        held_out[members[len(members) - per_class :]] = True
    return held_out
