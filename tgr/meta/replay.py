"""Replay: episodic meta-learning on tasks drawn from an image bank (Wei et al. 2024, step 5 of the algorithm)."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import trange

from tgr import launches
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.config.learning import Meta
from tgr.errors import TgrError
from tgr.meta.bank import ImageBank
from tgr.meta.learners import LEARNERS, Episode, Parameters

Observer = Callable[[int, dict[str, float]], None]


def replay(model: Classifier, draw: Callable[[], Sequence[Episode]], meta: Meta, steps: int, observe: Observer) -> None:
    """Train a model with ``meta.n_way`` outputs, in place, by Adam on the mean query loss of episodes.

    BatchNorm uses the statistics of each batch, as MAML does; its running statistics stay as they are.

    Args:
        draw: returns the episodes of one outer step.
        observe: called after every outer step with its number (from 1) and values to log.

    Raises:
        TgrError: a loss is not finite, or as ``draw`` does.
    """
    take = outer_steps("replay", model, torch.optim.Adam(model.parameters(), lr=meta.outer_lr), meta)
    for step in trange(1, steps + 1, desc=f"replay ({meta.learner})", unit="step"):
        observe(step, take(draw(), step))


def outer_steps(
    what: str, model: Classifier, optimizer: torch.optim.Optimizer, meta: Meta
) -> Callable[[Sequence[Episode], int], dict[str, float]]:
    """Return a function that takes an outer step on the mean query loss of episodes, on the model's device.

    Args:
        what: names the training in an error message, together with the step's number.

    Returns:
        of episodes and the step's number ``loss`` and ``train_accuracy``, means over the episodes. It raises TgrError
        if a loss is not finite.
    """

    def step(*drawn: Tensor) -> tuple[Tensor, ...]:
        optimizer.zero_grad()
        outcomes = _accumulate(model, [Episode(*drawn[i : i + 4]) for i in range(0, len(drawn), 4)], meta)
        optimizer.step()
        return (outcomes,)

    run = launches.runner(step, optimizer, next(model.parameters()).device)

    def take(episodes: Sequence[Episode], number: int) -> dict[str, float]:
        drawn = [part for e in episodes for part in (e.support, e.support_labels, e.query, e.query_labels)]
        return _means(what, run(*drawn)[0], meta, number)

    return take


def backward_episodes(
    what: str, model: Classifier, episodes: Sequence[Episode], meta: Meta, step: int
) -> dict[str, float]:
    """Add the gradient of the mean query loss of some episodes to the parameters' ``grad``.

    Args:
        what: names the training in an error message, together with ``step``.

    Returns:
        ``loss`` and ``train_accuracy``, means over the episodes.

    Raises:
        TgrError: a loss is not finite.
    """
    return _means(what, _accumulate(model, episodes, meta), meta, step)


def _accumulate(model: Classifier, episodes: Sequence[Episode], meta: Meta) -> Tensor:
    """Add the gradient to the parameters' ``grad``; return losses and accuracies (2, n_episodes), without a graph."""
    learner = LEARNERS[meta.learner]
    parameters: Parameters = dict(model.named_parameters())
    outcomes = []
    for episode in episodes:
        with batchnorm_mode(model, "batch"):
            outcome = learner(model, parameters, episode, meta.inner_lr, meta.inner_steps)
        (outcome.loss / len(episodes)).backward()
        outcomes.append(torch.stack([outcome.loss.detach(), outcome.accuracy]))
    return torch.stack(outcomes, 1)


def _means(what: str, outcomes: Tensor, meta: Meta, step: int) -> dict[str, float]:
    losses, accuracies = outcomes.tolist()
    if not all(map(math.isfinite, losses)):
        raise _not_finite(what, step, f"meta.inner_lr ({meta.inner_lr}) or meta.outer_lr")
    return {"loss": float(np.mean(losses)), "train_accuracy": float(np.mean(accuracies))}


def require_finite(loss: Tensor, what: str, step: int, keys: str) -> None:
    """Check a loss.

    Raises:
        TgrError: it is not finite; the message says which ``keys`` to lower.
    """
    if not torch.isfinite(loss).all():
        raise _not_finite(what, step, keys)


def _not_finite(what: str, step: int, keys: str) -> TgrError:
    return TgrError(f"{what}: the loss is not finite at step {step}; lower {keys}")


def draw_episodes(
    bank: ImageBank, meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device
) -> list[Episode]:
    """Draw the episodes of one outer step. Raises as ``ImageBank.sample``."""
    drawn = bank.sample(meta.n_way, k_shot, meta.n_query, meta.meta_batch_size, generator)
    parts = (part.to(bank.images.device) for part in (drawn.support, drawn.query))
    return [
        Episode(*_gather(bank, support, device), *_gather(bank, query, device))
        for support, query in zip(*parts, strict=True)
    ]


def _gather(bank: ImageBank, indices: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    n_way, each = indices.shape
    labels = torch.arange(n_way, device=device).repeat_interleave(each)
    return bank.gather(indices.flatten(), device), labels
