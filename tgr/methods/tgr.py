"""tgr: Task Groupings Regularization (Wei et al., ICML 2024, arXiv 2405.16560).

Teachers that are unlike each other share a group. A group step distils several teachers of one group, whose gradients
are aligned by implicit gradient regularisation; replay meta-learns on episodes of recovered images. The paper replays
after every group step (`schedule: interleaved`). Deviations are listed in docs/deviations.md.
"""

from functools import partial
from importlib import import_module

import torch
from torch import nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.tgr import Tgr
from tgr.meta.bank import ImageBank
from tgr.meta.group_sampler import GroupSampler
from tgr.meta.group_step import GroupStep
from tgr.meta.heads import head_rows
from tgr.meta.pooled import fit_pooled
from tgr.meta.sources import CachedImages, Source
from tgr.meta.synthesis import TeacherTask
from tgr.methods.replay import episode_generator
from tgr.methods.schedules import SCHEDULES, Parts
from tgr.methods.training import Trained, Training, generator

FRESH = "tgr.meta.fresh"
"""The module of `fresh_images`, which others need not import."""


def train(parameters: Tgr, training: Training) -> Trained:
    """Take group steps and replay, in the order of the schedule.

    Raises:
        TgrError: a loss is not finite, or there are too few images for an episode.
    """
    config, meta = parameters.as_run(), training.meta
    bank = training.bank(config.class_identity)
    trained = Trained(training.meta_model.architecture)
    rows, n_rows = head_rows(bank, config.heads)
    model = training.model(n_rows)
    if config.bank_steps:
        _learn_bank(model, bank, config, training, trained)
    drawing = generator(training, "group steps")
    sampler = _sampler(config, training, drawing)
    source = _source(bank, config, training, drawing)
    group_step = GroupStep(
        model,
        source,
        training.judges(),
        rows,
        sampler,
        config,
        generator(training, "augmentation"),
        generator(training, "treatment"),
    )
    draw = partial(source.episodes, meta, training.k_shot, episode_generator(training), training.device)
    one_head = config.heads == "shared" and n_rows == meta.n_way  # other rows mean other things than an episode's
    SCHEDULES[config.schedule](Parts(group_step, draw, one_head, bank, config, training, trained))
    trained.sampled = {r.card.key: sampler.counts[index] for index, r in enumerate(training.recovered)}
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


def _sampler(config: Tgr, training: Training, drawing: torch.Generator) -> GroupSampler:
    """Return the sampler of teachers. The release cut the similarity matrix, and so used the first pool only."""
    release = config.fidelity == "release"
    first = training.recovered[0].card.pool
    groups = {
        index: group
        for index, (r, group) in enumerate(zip(training.recovered, training.groups, strict=True))
        if not release or r.card.pool == first
    }
    return GroupSampler(groups, config.teachers_per_step, drawing, replacement=release)


def _source(bank: ImageBank, config: Tgr, training: Training, drawing: torch.Generator) -> Source:
    """Return where the images of the group steps and of the episodes come from."""
    if not config.fresh_images:
        return CachedImages(bank, config.images_per_teacher, drawing)
    tasks = [
        TeacherTask(teacher, torch.tensor(r.report.classes), r.class_keys(config.class_identity))
        for teacher, r in zip(training.teachers, training.recovered, strict=True)
    ]
    count, per_class = config.images_per_teacher, config.memory_per_class
    fresh_images = import_module(FRESH).FreshImages
    source: Source = fresh_images(bank, tasks, training.inversions, training.probe, count, per_class, drawing)
    return source
