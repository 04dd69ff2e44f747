"""When TGR takes its group steps and when it replays.

The paper interleaves them: one model, one optimiser with a constant rate, and after every group step episodes until the
training accuracy no longer rises, so that most updates are the replay's. Ours takes all group steps first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import torch
from tqdm import trange

from tgr.backbones.classifier import Classifier, recalibrate_batchnorm
from tgr.config.methods.tgr import Tgr
from tgr.meta.bank import ImageBank
from tgr.meta.group_step import GroupStep
from tgr.meta.heads import with_fresh_head
from tgr.meta.learners import Episode
from tgr.meta.replay import outer_steps
from tgr.meta.stall import Stall
from tgr.methods.replay import calibration_batches, run_replay
from tgr.methods.training import Trained, Training, checkpoint_steps


@dataclass(frozen=True)
class Parts:
    """What both schedules put together.

    Attributes:
        group_step: holds the meta-model with the head of the teachers' classes.
        draw: returns the episodes of one outer step of replay.
        one_head: whether that head serves the episodes too; otherwise they have one of their own, on the same trunk.
        bank: the images from which a checkpoint takes BatchNorm's running statistics.
    """

    group_step: GroupStep
    draw: Callable[[], list[Episode]]
    one_head: bool
    bank: ImageBank
    config: Tgr
    training: Training
    trained: Trained

    def episode_model(self) -> Classifier:
        """Return the meta-model with the head for episodes."""
        model = self.group_step.model
        return model if self.one_head else with_fresh_head(model, self.training.meta.n_way)

    def keep(self, step: int, model: Classifier, *, head: bool) -> None:
        """Append a checkpoint, with BatchNorm's running statistics of recovered images."""
        recalibrate_batchnorm(model, calibration_batches(self.bank, self.training))
        self.trained.keep(step, model, head=head)


def sequential(parts: Parts) -> None:
    """Take all group steps with a decaying rate, then replay with an optimiser and a head for episodes of its own."""
    config, trained, model = parts.config, parts.trained, parts.group_step.model
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.group_steps)
    group_step = parts.group_step.updates(optimizer)
    # The last checkpoint is that of the replay; the others lie within the group steps.
    n_replay = 1 if config.replay_steps else 0
    first, last = config.bank_steps, config.bank_steps + config.group_steps
    marks = checkpoint_steps(first, last, parts.training.meta.n_checkpoints - n_replay)
    for step in trange(first + 1, last + 1, desc="group steps", unit="step"):
        trained.log(step, "group", group_step(step))
        scheduler.step()
        if step in marks:
            parts.keep(step, model, head=parts.one_head)
    if config.replay_steps:
        episode_model = parts.episode_model()
        run_replay(episode_model, parts.draw, parts.bank, config.replay_steps, parts.training, trained, last, n_replay)


def interleaved(parts: Parts) -> None:
    """After every group step, replay until the training accuracy stalls; one optimiser with a constant rate.

    Steps count updates of both kinds. A head without a gradient rests: that for episodes in a group step, the other one
    in replay. Checkpoints are evenly spaced over the group steps, and each is taken after the replay that follows.
    """
    config, trained, meta = parts.config, parts.trained, parts.training.meta
    model = parts.episode_model()
    weights = {id(p): p for p in (*parts.group_step.model.parameters(), *model.parameters())}
    optimizer = torch.optim.Adam(weights.values(), lr=config.lr)
    group_step = parts.group_step.updates(optimizer)
    replay_step = outer_steps("method tgr, replay", model, optimizer, meta)
    stall, steps = Stall(config.patience), count(config.bank_steps + 1)
    marks = checkpoint_steps(0, config.group_steps, meta.n_checkpoints)
    for epoch in trange(1, config.group_steps + 1, desc="group steps with replay", unit="step"):
        step = next(steps)
        trained.log(step, "group", group_step(step))
        stall.reset()
        for replayed in count(1):
            step = next(steps)
            values = replay_step(parts.draw(), step)
            trained.log(step, "replay", values)
            if stall.observe(values["train_accuracy"]) or replayed == config.replay_cap:
                break
        if epoch in marks:
            parts.keep(step, model, head=meta.learns_head)


SCHEDULES = {"sequential": sequential, "interleaved": interleaved}
