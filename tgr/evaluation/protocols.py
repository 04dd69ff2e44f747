"""How a model meets an unseen task: fine-tuning all parameters, or nearest class mean without any training.

BatchNorm is explicit. With ``bn_mode: batch`` (transductive) fine-tuning uses the statistics of the support batch, and
prediction those of the query batch, as MAML does; ``ncm`` computes the statistics over support and query together, as
Prototypical Networks do, because distances mean nothing between differently normalised features. With
``bn_mode: running`` the stored statistics serve everywhere, and no query depends on another: that is inductive. The
protocol ``ncm_inductive`` is ``ncm`` with them, whatever ``bn_mode`` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tgr.backbones.classifier import Classifier, batchnorm_mode

NEAREST_MEAN = ("ncm", "ncm_inductive")
"""The protocols that classify by the nearest class mean."""


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


def finetune(model: Classifier, task: Task, inner_lr: float, inner_steps: Sequence[int], bn_mode: str) -> list[float]:
    """Adapt all parameters by plain SGD on the support set, and classify the queries.

    This is the evaluation of MAML (Finn et al., ICML 2017), which Wei et al. (2024) follow with 10 steps at 0.01.

    Args:
        model: is as it was when the function returns.
        task: the episode.
        inner_lr: step size.
        inner_steps: ascending step counts after which the queries are classified, all on one trajectory.
        bn_mode: ``batch`` or ``running``.

    Returns:
        the query accuracy after each of ``inner_steps``.
    """
    parameters: list[Tensor] = list(model.parameters())
    initial = [parameter.detach().clone() for parameter in parameters]
    accuracies, done = [], 0
    try:
        with batchnorm_mode(model, bn_mode):
            for steps in inner_steps:
                _descend(model, parameters, task, inner_lr, steps - done)
                done = steps
                with torch.no_grad():
                    accuracies.append(accuracy(model(task.query_images), task.query_labels))
    finally:
        with torch.no_grad():
            torch._foreach_copy_(parameters, initial)
    return accuracies


def _descend(model: Classifier, parameters: list[Tensor], task: Task, lr: float, steps: int) -> None:
    # Updating in place through the multi-tensor kernels avoids an optimizer and a copy of the model for each episode.
    for _ in range(steps):
        loss = cross_entropy(model(task.support_images), task.support_labels)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-lr)


@torch.no_grad()
def ncm(model: Classifier, task: Task, bn_mode: str) -> float:
    """Classify each query by the nearest class mean of the support features, in squared Euclidean distance.

    Prototypical Networks (Snell et al., NeurIPS 2017) without training for it; the head is not used.

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
    return int((logits.argmax(1) == targets).sum()) / len(targets)
