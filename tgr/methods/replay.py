"""replay: episodic meta-learning on the image bank, which is TGR without its group step (Wei et al., ICML 2024)."""

import torch
from torch import Tensor

from tgr import seeds
from tgr.backbones.classifier import Classifier, recalibrate_batchnorm
from tgr.config.methods.replay import Replay
from tgr.meta.bank import ImageBank
from tgr.meta.replay import replay
from tgr.methods.training import Trained, Training, checkpoint_steps


def train(parameters: Replay, training: Training) -> Trained:
    """Train from scratch on episodes of recovered images."""
    return train_on(training.bank(parameters.class_identity), parameters.steps, training)


def train_on(bank: ImageBank, steps: int, training: Training) -> Trained:
    """Train from scratch on episodes of any bank."""
    trained = Trained(training.meta_model.architecture)
    run_replay(
        training.model(training.meta.n_way), bank, steps, training, trained, first=0, count=training.meta.n_checkpoints
    )
    return trained


def run_replay(
    model: Classifier, bank: ImageBank, steps: int, training: Training, trained: Trained, first: int, count: int
) -> None:
    """Replay on a model, log curves from step ``first`` on, and keep ``count`` checkpoints."""
    marks = checkpoint_steps(first, first + steps, count)

    def observe(step: int, values: dict[str, float]) -> None:
        trained.log(first + step, "replay", values)
        if first + step in marks:
            recalibrate_batchnorm(model, calibration_batches(bank, training))
            trained.keep(first + step, model, head=training.meta.learns_head)

    episodes = seeds.numpy_generator(*training.seed_names, "replay")
    replay(model, bank, training.meta, training.k_shot, steps, episodes, observe)


def calibration_batches(bank: ImageBank, training: Training) -> list[Tensor]:
    """Return a few batches over the whole bank, from which BatchNorm takes its running statistics."""
    order = seeds.torch_generator(*training.seed_names, "calibration")
    chosen = torch.randperm(len(bank.classes), generator=order)[:1024]
    return [bank.images[part].to(training.device) for part in chosen.split(128)]
