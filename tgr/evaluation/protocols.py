"""How a model meets an unseen task: fine-tuning all parameters, or nearest class mean without any training.

BatchNorm is explicit. With ``bn_mode: batch`` (transductive) fine-tuning uses the statistics of the support batch, and
prediction those of the query batch, as MAML does; ``ncm`` computes the statistics over support and query together, as
Prototypical Networks do, because distances mean nothing between differently normalised features. With
``bn_mode: running`` the stored statistics serve everywhere, and no query depends on another: that is inductive. The
protocol ``ncm_inductive`` is ``ncm`` with them, whatever ``bn_mode`` says.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.meta.nearest_mean import Task, accuracy

NEAREST_MEAN = ("ncm", "ncm_inductive")
"""The protocols that classify by the nearest class mean."""


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
