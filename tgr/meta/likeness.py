"""What networks find alike: distillation of the relations among the images of a batch, not of each image alone.

Networks whose features have nothing in common, not even their number, can still agree on which images are alike.
Similarity-preserving distillation (Tung and Mori, ICCV 2019, arXiv 1907.09682) and relational distillation (Park et
al., CVPR 2019, arXiv 1904.05068) teach a student that.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


def cosine_matrix(features: Tensor) -> Tensor:
    """Return the cosines (n, n) of features (n, d), their mean over the batch removed; zero for a constant one."""
    unit = normalize(features - features.mean(0), dim=1)
    return unit @ unit.T


def relational_loss(student: Tensor, teachers: Sequence[Tensor]) -> Tensor:
    """Return n times the mean square of the differences between a student's cosines and the teachers' mean ones.

    That is ``n mean((Z - S)^2)``: the factor keeps the loss of an image from falling with the size of the batch.

    Args:
        student: features (n, d).
        teachers: features (n, any number of columns) of the same images, one tensor for each teacher.
    """
    alike = torch.stack([cosine_matrix(features) for features in teachers]).mean(0)
    return len(student) * (cosine_matrix(student) - alike).square().mean()
