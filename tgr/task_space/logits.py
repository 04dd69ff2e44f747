"""Comparing teachers by what they say about the same images.

Teachers differ in the number and the meaning of their classes, so their outputs cannot be compared entry by entry.
Linear centred kernel alignment (Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019,
section 3) asks instead whether two teachers find the same images alike.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tgr.config.teachers import TaskSpace
from tgr.data.roots import square_root
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered
from tgr.pool.teacher import Teacher

COMMON_IMAGES = 400
"""Images that all teachers see: an equal share from each teacher, at least one."""

CONSTANT = 1e-12
"""Outputs whose variation, squared, is below this share of their squared size are constant up to rounding."""


def dissimilarity(
    recovered: Sequence[Recovered], teachers: Sequence[Teacher], config: TaskSpace, device: torch.device
) -> Tensor:
    """Return one minus the linear CKA of the teachers' logits on common images.

    Each teacher sees recovered images of every teacher, resized to its own input size, and gives the logits of its
    recovered classes, without their mean, which carries no probability. Any teacher will do. A teacher that
    says the same about every image is unlike all others. (Probabilities, saturated as they are, tell teachers that
    share classes less well from others.)

    Args:
        recovered, teachers: in the same order.
        config: not used; the images are chosen here.

    Returns:
        float64, (n, n), symmetric, in [0, 1], with a zero diagonal.

    Raises:
        TgrError: a teacher's outputs are not finite.
    """
    images = common_images(recovered)
    outputs = [
        centred_logits(teacher, [resize(part, teacher.card.image_size) for part in images], r.report.classes, device)
        for teacher, r in zip(teachers, recovered, strict=True)
    ]
    upper = (1 - alignment(outputs)).clamp(0, 1).triu(1)
    return upper + upper.T


def common_images(recovered: Sequence[Recovered]) -> list[Tensor]:
    """Return an equal number of images of every teacher (or all that it has), spread evenly over its classes."""
    share = max(1, COMMON_IMAGES // len(recovered))
    chosen = []
    for r in recovered:
        by_class = r.labels.argsort(stable=True)
        positions = torch.linspace(0, len(by_class) - 1, min(share, len(by_class))).round().long()
        chosen.append(r.images[by_class[positions]])
    return chosen


@torch.no_grad()
def centred_logits(teacher: Teacher, images: Sequence[Tensor], classes: list[int], device: torch.device) -> Tensor:
    """Return a teacher's logits (n, n classes), float64, of some of its classes for images of its own size.

    Their mean over the classes is zero for each image.

    Raises:
        TgrError: they are not finite.
    """
    chunks = teacher.in_chunks(torch.cat(list(images)))
    logits = torch.cat([teacher.logits(part.to(device)).cpu() for part in chunks])[:, classes].double()
    if not torch.isfinite(logits).all():
        raise TgrError(f"embedding: the outputs of {teacher.card.key} are not finite; check its weights")
    return logits - logits.mean(1, keepdim=True)


def alignment(outputs: Sequence[Tensor]) -> Tensor:
    """Return the linear CKA (n, n) of outputs (n_images, any number of columns); zero for constant outputs.

    CKA(X, Y) = ||Y'X||^2 / (||X'X|| ||Y'Y||) with columns centred and Frobenius norms.
    """
    scaled = []
    for output in outputs:
        centred = output - output.mean(0)
        norm = (centred.T @ centred).norm()
        scaled.append(
            centred / square_root(norm) if norm > CONSTANT * output.square().sum() else torch.zeros_like(centred)
        )
    columns = torch.cat(scaled, 1)
    owners = torch.cat([torch.full((x.shape[1],), i) for i, x in enumerate(scaled)])
    result = torch.zeros(len(outputs), len(outputs), dtype=columns.dtype)
    for i, x in enumerate(scaled):
        result[i].index_add_(0, owners, (x.T @ columns).square().sum(0))
    return result
