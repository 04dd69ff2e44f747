"""How a model meets an unseen task: fine-tuning all parameters, or nearest class mean without any training.

BatchNorm is explicit. With ``bn_mode: batch`` (transductive) fine-tuning uses the statistics of the support batch, and
prediction those of the query batch, as MAML does; ``ncm`` computes the statistics over support and query together, as
Prototypical Networks do, because distances mean nothing between differently normalised features. With
``bn_mode: running`` the stored statistics serve everywhere, and no query depends on another: that is inductive. The
protocol ``ncm_inductive`` is ``ncm`` with them, whatever ``bn_mode`` says.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tgr import launches
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.meta.nearest_mean import Task, count_right

NEAREST_MEAN = ("ncm", "ncm_inductive")
"""The protocols that classify by the nearest class mean."""


def finetune(model: Classifier, task: Task, inner_lr: float, inner_steps: Sequence[int], bn_mode: str) -> list[float]:
    """Adapt all parameters by plain SGD on the support set, and classify the queries. See ``finetuning``."""
    return finetuning(model, inner_lr, inner_steps, bn_mode)(task)


def finetuning(
    model: Classifier, inner_lr: float, inner_steps: Sequence[int], bn_mode: str
) -> Callable[[Task], list[float]]:
    """Return a function that adapts a model to a task by plain SGD on the support set, and classifies the queries.

    This is the evaluation of MAML (Finn et al., ICML 2017), which Wei et al. (2024) follow with 10 steps at 0.01.

    Args:
        model: is as it was after each task.
        inner_lr: step size.
        inner_steps: ascending step counts after which the queries are classified, all on one trajectory.
        bn_mode: ``batch`` or ``running``.

    Returns:
        of a task the query accuracy after each of ``inner_steps``.
    """
    parameters: list[Tensor] = list(model.parameters())

    def step(support: Tensor, support_labels: Tensor, query: Tensor, query_labels: Tensor) -> tuple[Tensor]:
        initial = [parameter.detach().clone() for parameter in parameters]
        right, done = [], 0
        try:
            with batchnorm_mode(model, bn_mode):
                for steps in inner_steps:
                    _descend(model, parameters, support, support_labels, inner_lr, steps - done)
                    done = steps
                    with torch.no_grad():
                        right.append(count_right(model(query), query_labels))
        finally:
            with torch.no_grad():
                torch._foreach_copy_(parameters, initial)
        return (torch.stack(right),)

    run = launches.runner(step, None, parameters[0].device)

    def adapt(task: Task) -> list[float]:
        [right] = run(task.support_images, task.support_labels, task.query_images, task.query_labels)
        return [count / len(task.query_labels) for count in right.tolist()]

    return adapt


def _descend(
    model: Classifier, parameters: list[Tensor], images: Tensor, labels: Tensor, lr: float, steps: int
) -> None:
    # Updating in place through the multi-tensor kernels avoids an optimizer and a copy of the model for each episode.
    for _ in range(steps):
        gradients = torch.autograd.grad(cross_entropy(model(images), labels), parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-lr)
