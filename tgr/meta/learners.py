"""Episodic meta-learners as one loss of an episode: MAML, first-order MAML, ANIL, prototypical networks."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy, linear, one_hot

from tgr.backbones.classifier import Classifier
from tgr.meta.second_order import differentiable_twice

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Episode:
    """One task: images (n_way * k, 3, size, size) and labels 0..n_way-1 of support and query."""

    support: Tensor
    support_labels: Tensor
    query: Tensor
    query_labels: Tensor


@dataclass(frozen=True)
class Outcome:
    """An episode's query loss, differentiable with respect to the initial parameters, and query accuracy: scalars."""

    loss: Tensor
    accuracy: Tensor


Learner = Callable[[Classifier, Parameters, Episode, float, int], Outcome]


def maml(model: Classifier, parameters: Parameters, episode: Episode, inner_lr: float, inner_steps: int) -> Outcome:
    """Model-agnostic meta-learning with second-order gradients (Finn et al., ICML 2017)."""
    return _adapt_all(model, parameters, episode, inner_lr, inner_steps, second_order=True)


def fomaml(model: Classifier, parameters: Parameters, episode: Episode, inner_lr: float, inner_steps: int) -> Outcome:
    """First-order MAML (Finn et al., ICML 2017, section 5.2): inner gradients are treated as constants."""
    return _adapt_all(model, parameters, episode, inner_lr, inner_steps, second_order=False)


def anil(model: Classifier, parameters: Parameters, episode: Episode, inner_lr: float, inner_steps: int) -> Outcome:
    """Almost no inner loop (Raghu et al., ICLR 2020): only the head adapts, with second-order gradients."""
    trunk = {name.removeprefix("trunk."): p for name, p in parameters.items() if name.startswith("trunk.")}
    support = functional_call(model.trunk, trunk, (episode.support,))
    query = functional_call(model.trunk, trunk, (episode.query,))
    head = (parameters["head.weight"], parameters["head.bias"])
    for _ in range(inner_steps):
        loss = cross_entropy(linear(support, *head), episode.support_labels)
        gradients = torch.autograd.grad(loss, head, create_graph=True)
        head = (head[0] - inner_lr * gradients[0], head[1] - inner_lr * gradients[1])
    return _outcome(linear(query, *head), episode.query_labels)


def protonet(model: Classifier, parameters: Parameters, episode: Episode, inner_lr: float, inner_steps: int) -> Outcome:
    """Prototypical networks (Snell et al., NeurIPS 2017): logits are minus the squared Euclidean distances of features.

    A class is the mean feature of its support images. There is no inner loop, so ``inner_lr`` and ``inner_steps`` are
    not used, and the head takes no part: its gradient stays None.
    """
    trunk = {name.removeprefix("trunk."): p for name, p in parameters.items() if name.startswith("trunk.")}
    support = functional_call(model.trunk, trunk, (episode.support,))
    query = functional_call(model.trunk, trunk, (episode.query,))
    members = one_hot(episode.support_labels).to(support.dtype).T  # (n_way, n)
    prototypes = members @ support / members.sum(1, keepdim=True)
    distances = (query[:, None] - prototypes).square().sum(2)
    return _outcome(-distances, episode.query_labels)


LEARNERS: dict[str, Learner] = {"maml": maml, "fomaml": fomaml, "anil": anil, "protonet": protonet}


def _adapt_all(
    model: Classifier,
    parameters: Parameters,
    episode: Episode,
    inner_lr: float,
    inner_steps: int,
    *,
    second_order: bool,
) -> Outcome:
    adapted = parameters
    with differentiable_twice(model) if second_order else nullcontext():
        for _ in range(inner_steps):
            loss = cross_entropy(functional_call(model, adapted, (episode.support,)), episode.support_labels)
            gradients = torch.autograd.grad(loss, list(adapted.values()), create_graph=second_order)
            adapted = {n: p.sub(g, alpha=inner_lr) for (n, p), g in zip(adapted.items(), gradients, strict=True)}
    return _outcome(functional_call(model, adapted, (episode.query,)), episode.query_labels)


def _outcome(logits: Tensor, labels: Tensor) -> Outcome:
    loss = cross_entropy(logits, labels)
    return Outcome(loss, (logits.detach().argmax(1) == labels).to(loss.dtype).mean())
