"""replay: episodic meta-learning on the image bank, which is TGR without its group step (Wei et al., ICML 2024)."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tgr import seeds
from tgr.backbones.classifier import Classifier, recalibrate_batchnorm
from tgr.config.methods.replay import Replay
from tgr.meta.bank import ImageBank
from tgr.meta.learners import Episode
from tgr.meta.replay import draw_episodes, replay
from tgr.methods.training import Trained, Training, checkpoint_steps


def train(parameters: Replay, training: Training) -> Trained:
    """Train from scratch on episodes of recovered images."""
    return train_on(training.bank(parameters.class_identity), parameters.steps, training)


def train_on(bank: ImageBank, steps: int, training: Training) -> Trained:
    """Train from scratch on episodes of any bank."""
    trained, meta = Trained(training.meta_model.architecture), training.meta
    model = training.model(meta.n_way)
    draw = partial(draw_episodes, bank, meta, training.k_shot, episode_generator(training), training.device)
    run_replay(model, draw, bank, steps, training, trained, first=0, count=meta.n_checkpoints)
    return trained


def run_replay(
    model: Classifier,
    draw: Callable[[], Sequence[Episode]],
    bank: ImageBank,
    steps: int,
    training: Training,
    trained: Trained,
    first: int,
    count: int,
) -> None:
    """Replay on a model, log curves from step ``first`` on, and keep ``count`` checkpoints.

    Args:
        draw: returns the episodes of one outer step.
        bank: the images from which a checkpoint takes BatchNorm's running statistics.
    """
    marks = checkpoint_steps(first, first + steps, count)

    def observe(step: int, values: dict[str, float]) -> None:
        trained.log(first + step, "replay", values)
        if first + step in marks:
            recalibrate_batchnorm(model, calibration_batches(bank, training))
            trained.keep(first + step, model, head=training.meta.learns_head)

    replay(model, draw, training.meta, steps, observe)


def episode_generator(training: Training) -> np.random.Generator:
    """Return the generator of the episodes that a training replays."""
    return seeds.numpy_generator(*training.seed_names, "replay")


def calibration_batches(bank: ImageBank, training: Training) -> list[Tensor]:
    """Return a few batches over the whole bank, from which BatchNorm takes its running statistics."""
    order = seeds.torch_generator(*training.seed_names, "calibration")
    chosen = torch.randperm(len(bank.classes), generator=order)[:1024]
    return [bank.images[part].to(training.device) for part in chosen.split(128)]
