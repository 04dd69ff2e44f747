"""One task, and its queries classified by the nearest class mean of the features, without any training.

BatchNorm is explicit, see ``ncm``.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tgr.backbones.classifier import Classifier, batchnorm_mode


@dataclass(frozen=True)
class Task:
    """One episode's images, normalised: (n_way, k_shot, 3, size, size) and (n_way, n_query, 3, size, size)."""

    support: Tensor
    query: Tensor

    @cached_property
    def support_images(self) -> Tensor:
        """The support set, class by class: (n_way * k_shot, 3, size, size)."""
        return flat(self.support)

    @cached_property
    def query_images(self) -> Tensor:
        """The query set, class by class: (n_way * n_query, 3, size, size)."""
        return flat(self.query)

    @cached_property
    def support_labels(self) -> Tensor:
        """int64, (n_way * k_shot,)."""
        return labels(self.support)

    @cached_property
    def query_labels(self) -> Tensor:
        """int64, (n_way * n_query,)."""
        return labels(self.query)


def flat(images: Tensor) -> Tensor:
    """Merge the class and image axes, in channels-last layout."""
    return images.flatten(0, 1).contiguous(memory_format=torch.channels_last)


def labels(images: Tensor) -> Tensor:
    """Return the class of each image of a flattened set."""
    return torch.arange(images.shape[0], device=images.device).repeat_interleave(images.shape[1])


@torch.no_grad()
def ncm(model: Classifier, task: Task, bn_mode: str) -> float:
    """Classify each query by the nearest class mean of the support features, in squared Euclidean distance.

    Prototypical Networks (Snell et al., NeurIPS 2017) without training for it; the head is not used.

    Args:
        bn_mode: ``batch``: BatchNorm takes its statistics over support and query together; ``running``: stored ones.

    Returns:
        the query accuracy.
    """
    n_support = len(task.support_labels)
    with batchnorm_mode(model, bn_mode):
        features = model.trunk(torch.cat([task.support_images, task.query_images]))
    means = features[:n_support].view(*task.support.shape[:2], -1).mean(1)
    queries = features[n_support:]
    # |q - m|^2 without |q|^2, which is the same for all classes of a query
    distances = means.square().sum(1) - 2 * queries @ means.T
    return accuracy(-distances, task.query_labels)


def accuracy(logits: Tensor, targets: Tensor) -> float:
    """Return the share of rows whose largest entry stands at the target."""
    return int(count_right(logits, targets)) / len(targets)


def count_right(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the number of rows whose largest entry stands at the target, as a scalar on their device."""
    return (logits.argmax(1) == targets).sum()
