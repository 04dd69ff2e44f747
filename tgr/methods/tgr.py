"""tgr: Task Groupings Regularization (Wei et al., ICML 2024, arXiv 2405.16560).

Teachers that are unlike each other share a group; inside a group their gradients are aligned by implicit gradient
regularisation; replay then meta-learns on episodes of recovered images. Deviations are listed in docs/deviations.md.
"""

import math

import torch
from torch import Tensor, nn
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, recalibrate_batchnorm
from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.tgr import Tgr
from tgr.data.transforms import crop_pad, random_crop_flip
from tgr.errors import TgrError
from tgr.meta.bank import ImageBank
from tgr.meta.group_step import GroupSampler, teacher_loss
from tgr.meta.heads import head_rows, with_fresh_head
from tgr.meta.judge import Judge
from tgr.meta.pooled import fit_pooled
from tgr.meta.regularisation import Loss, Parameters
from tgr.meta.treatments import treated_gradient
from tgr.methods.replay import calibration_batches, run_replay
from tgr.methods.training import Trained, Training, checkpoint_steps, generator


def train(parameters: Tgr, training: Training) -> Trained:
    """Run the group steps, then the replay.

    Raises:
        TgrError: a loss is not finite.
    """
    if parameters.fidelity == "release":
        parameters = parameters.model_copy(update={"heads": "shared"})
    bank = training.bank(parameters.class_identity)
    trained = Trained(training.meta_model.architecture)
    rows, n_rows = head_rows(bank, parameters.heads)
    model = training.model(n_rows)
    if parameters.bank_steps:
        _learn_bank(model, bank, parameters, training, trained)
    # The last checkpoint is that of the replay; the others lie within the group steps.
    n_replay = 1 if parameters.replay_steps else 0
    _group_steps(model, bank, rows, parameters, training, trained, training.meta.n_checkpoints - n_replay)
    if parameters.replay_steps:
        if parameters.heads != "shared" or n_rows != training.meta.n_way:
            model = with_fresh_head(model, training.meta.n_way)  # the rows of the group steps mean other things
        first = parameters.bank_steps + parameters.group_steps
        run_replay(model, bank, parameters.replay_steps, training, trained, first, n_replay)
    return trained


def _learn_bank(model: Classifier, bank: ImageBank, config: Tgr, training: Training, trained: Trained) -> None:
    """Let the trunk learn as `bank` does. Aligned heads mean the same classes, and so go on from there too."""
    group_head = model.head
    if config.heads != "aligned":
        with seeds.forked(*training.seed_names, "bank"):
            model.head = nn.Linear(model.feature_dim, len(bank.class_names)).to(training.device)
    learner = ClassifierTraining(steps=config.bank_steps, lr=config.lr, augment=config.augment)
    fit_pooled(
        model, bank, learner, generator(training, "bank"), lambda step, values: trained.log(step, "bank", values)
    )
    if config.heads != "aligned":
        model.head = group_head


def _group_steps(
    model: Classifier,
    bank: ImageBank,
    rows: list[Tensor],
    config: Tgr,
    training: Training,
    trained: Trained,
    n_checkpoints: int,
) -> None:
    sampler, judges = _sampler(config, training), training.judges()
    augmentation, order = generator(training, "augmentation"), generator(training, "treatment")
    weights: Parameters = dict(model.named_parameters())
    optimizer = torch.optim.Adam(weights.values(), lr=config.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.group_steps)
    first, last = config.bank_steps, config.bank_steps + config.group_steps
    marks = checkpoint_steps(first, last, n_checkpoints)
    for step in trange(first + 1, last + 1, desc="group steps", unit="step"):
        losses = _draw_losses(model, bank, rows, judges, config, sampler, augmentation)
        with batchnorm_mode(model, "batch"):
            outcome = treated_gradient(
                config.treatment,
                losses,
                weights,
                config.gradient_lambda,
                order,
                through_displacement=config.fidelity == "release",
            )
        loss = outcome.losses.mean().item()
        if not math.isfinite(loss):
            raise TgrError(f"method tgr: the loss is not finite at step {step}; lower methods.tgr.lr ({config.lr})")
        for name, parameter in weights.items():
            parameter.grad = outcome.gradient[name]
        optimizer.step()
        scheduler.step()
        conflict = {"gradient_variance": outcome.variance, "gradient_cosine": outcome.cosine}
        relative = outcome.variance / max(outcome.mean_norm_squared, torch.finfo(torch.float32).tiny)
        trained.log(step, "group", {"loss": loss, "relative_variance": relative} | conflict)
        if step in marks:
            recalibrate_batchnorm(model, calibration_batches(bank, training))
            trained.keep(step, model, head=config.heads == "shared" and model.head.out_features == training.meta.n_way)
    trained.sampled = {r.card.key: sampler.counts[index] for index, r in enumerate(training.recovered)}


def _sampler(config: Tgr, training: Training) -> GroupSampler:
    """Return the sampler of teachers. The release cut the similarity matrix, and so used the first pool only."""
    release = config.fidelity == "release"
    first = training.recovered[0].card.pool
    groups = {
        index: group
        for index, (r, group) in enumerate(zip(training.recovered, training.groups, strict=True))
        if not release or r.card.pool == first
    }
    return GroupSampler(groups, config.teachers_per_step, generator(training, "group steps"), replacement=release)


def _draw_losses(
    model: Classifier,
    bank: ImageBank,
    rows: list[Tensor],
    judges: list[Judge],
    config: Tgr,
    sampler: GroupSampler,
    augmentation: torch.Generator,
) -> list[Loss]:
    """Return one loss for each teacher of a step, on a fresh draw of its images."""
    device = next(model.parameters()).device
    losses = []
    for teacher in sampler.teachers():
        chosen = sampler.images(bank.members(teacher), config.images_per_teacher)
        images = bank.images[chosen]
        if config.augment:
            images = random_crop_flip(images, crop_pad(images.shape[-1]), bank.flips[chosen], augmentation)
        images, labels = images.to(device), bank.labels[chosen].to(device)
        logits = judges[teacher].logits(images)
        losses.append(teacher_loss(model, images, labels, logits, rows[teacher].to(device), config))
    return losses
