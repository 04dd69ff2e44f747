"""What networks find alike: distillation of the relations among the images of a batch, not of each image alone.

Networks whose features have nothing in common, not even their number, can still agree on which images are alike.
Similarity-preserving distillation (Tung and Mori, ICCV 2019, arXiv 1907.09682) and relational distillation (Park et
al., CVPR 2019, arXiv 1904.05068) teach a student that. Centred kernel alignment measures it (Kornblith et al.,
Similarity of Neural Network Representations Revisited, ICML 2019, arXiv 1905.00414).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tgr.data.roots import square_root

SMALLEST = 1e-24
"""Below this squared norm of a Gram matrix all features are the same; its root has a finite gradient in float32."""


def cosine_matrix(features: Tensor) -> Tensor:
    """Return the cosines (n, n) of features (n, d), their mean over the batch removed; zero for a constant one."""
    unit = normalize(features - features.mean(0), dim=1)
    return unit @ unit.T


def mean_cosines(teachers: Sequence[Tensor]) -> Tensor:
    """Return the mean of the cosines (n, n) that some teachers see among the same images.

    Args:
        teachers: features (n, any number of columns), one tensor for each teacher.
    """
    return torch.stack([cosine_matrix(features) for features in teachers]).mean(0)


def relational_loss(student: Tensor, alike: Tensor) -> Tensor:
    """Return n times the mean square of the differences between a student's cosines and those that it shall have.

    That is ``n mean((Z - S)^2)``: the factor keeps the loss of an image from falling with the size of the batch.

    Args:
        student: features (n, d).
        alike: (n, n), of ``mean_cosines``.
    """
    return len(student) * (cosine_matrix(student) - alike).square().mean()


def linear_cka(one: Tensor, other: Tensor) -> Tensor:
    """Return the linear CKA of two sets of features of the same images (Kornblith et al. 2019, section 3).

    ``<K, L> / (|K| |L|)`` with the Gram matrices ``K = x x'`` and ``L = y y'`` of features whose mean over the batch is
    removed, and Frobenius products. It is 1 if the one are a turned and scaled copy of the other, and 0 if all features
    of a set are the same.

    Args:
        one, other: (n, d) and (n, e).
    """
    grams = [(x - x.mean(0)) @ (x - x.mean(0)).T for x in (one, other)]
    one_norm, other_norm = (square_root(gram.square().sum().clamp_min(SMALLEST)) for gram in grams)
    return (grams[0] * grams[1]).sum() / (one_norm * other_norm)
