"""purer: learnable images for each teacher under a curriculum (Hu et al., "Architecture, Dataset and Model-Scale
Agnostic Data-free Meta-Learning", CVPR 2023; episode curriculum inversion).

Each teacher has a set of images, k_shot + n_query of a class, whose pixels are parameters. A step trains the meta-model
on episodes of the current images, then moves pixels by one step down the inversion loss: the teacher's cross-entropy,
total variation, distance of BatchNorm statistics, and norm. When the training accuracy stalls, the pixels also climb
the meta-learner's outer loss, so that the episodes become harder as the meta-model learns.

Deviations of ours:

- some teachers' images move in a step, in turn, where the original moves all of them;
- episodes are drawn from all images, pooled by class, with the configured learner;
- a teacher with very many classes takes part with a draw of them;
- the weights of the BatchNorm term and of the total variation are larger (the configuration gives the original's);
- inner-loop calibration at test is left out: all methods share one evaluation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import frozen, recalibrate_batchnorm
from tgr.config.methods.purer import Purer
from tgr.data.transforms import normalise, random_crop_flip
from tgr.inversion.pixel import start_images
from tgr.inversion.statistics import recorded_distances
from tgr.meta.bank import ImageBank
from tgr.meta.replay import backward_episodes, draw_episodes, require_finite
from tgr.meta.stall import Stall
from tgr.meta.synthesis import TeacherTask, as_meta_input
from tgr.methods.replay import calibration_batches
from tgr.methods.training import Trained, Training, checkpoint_steps, generator


@dataclass(frozen=True)
class ImageSet:
    """The learnable images of one teacher.

    Attributes:
        labels: int64 (n,), of the task.
        pixels: the leaf tensor, (n, 3, size, size), normalised as the teacher takes them.
        rows: where they stand in the bank.
    """

    task: TeacherTask
    labels: Tensor
    pixels: Tensor
    optimizer: torch.optim.Optimizer
    rows: slice

    def images(self) -> Tensor:
        """Return the images in [0, 1]."""
        return self.pixels * self._part("std") + self._part("mean")

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring the images back into [0, 1]."""
        mean, std = self._part("mean"), self._part("std")
        self.pixels.clamp_(-mean / std, (1 - mean) / std)

    def _part(self, name: str) -> Tensor:
        return self.pixels.new_tensor(getattr(self.task.teacher.card, name)).view(1, -1, 1, 1)


def train(parameters: Purer, training: Training) -> Trained:
    """Train on episodes of images that are learnt on the way.

    Raises:
        TgrError: a loss is not finite, or the teachers have too few classes for an episode.
    """
    with frozen(teacher.model for teacher in training.teachers):
        return _train(parameters, training)


def _train(config: Purer, training: Training) -> Trained:
    meta, trained = training.meta, Trained(training.meta_model.architecture)
    model = training.model(meta.n_way)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta.outer_lr)
    drawing, episodes = generator(training, "images"), seeds.numpy_generator(*training.seed_names, "episodes")
    sets = _image_sets(config, training, drawing)
    bank = _pool_image_sets(sets, config, training)
    stall, stalled = Stall(config.patience), False
    marks = checkpoint_steps(0, config.steps, meta.n_checkpoints)
    turn = 0
    for step in trange(1, config.steps + 1, desc="purer", unit="step"):
        moved = [(turn + i) % len(sets) for i in range(min(config.teachers_per_step, len(sets)))]
        turn += len(moved)
        bank.images.requires_grad_(stalled).grad = None
        optimizer.zero_grad()
        batch = draw_episodes(bank, meta, training.k_shot, episodes, training.device)
        values = backward_episodes("method purer", model, batch, meta, step)
        optimizer.step()
        outer = bank.images.grad
        losses = [
            _move(image_set, outer[image_set.rows] if outer is not None else None, config, training, step, drawing)
            for image_set in (sets[i] for i in moved)
        ]
        with torch.no_grad():
            for image_set in (sets[i] for i in moved):
                bank.images[image_set.rows] = as_meta_input(image_set.images(), training.meta_model.image_size).cpu()
        trained.log(step, "purer", values | {"inversion_loss": sum(losses) / len(losses), "curriculum": float(stalled)})
        stalled = stall.observe(values["train_accuracy"])
        if step in marks:
            recalibrate_batchnorm(model, calibration_batches(bank, training))
            trained.keep(step, model, head=True)
    return trained


def _image_sets(config: Purer, training: Training, drawing: torch.Generator) -> list[ImageSet]:
    """Start the images of all teachers from noise."""
    sets, first = [], 0
    for teacher in training.teachers:
        task = TeacherTask.draw(teacher, config.max_classes, config.class_identity, drawing)
        labels = task.labels(training.k_shot + training.meta.n_query)
        start = start_images(len(labels), teacher.card.image_size, drawing).to(training.device)
        pixels = normalise(start, teacher.card.mean, teacher.card.std).requires_grad_()
        optimizer = torch.optim.Adam([pixels], lr=config.pixel_lr)
        sets.append(ImageSet(task, labels, pixels, optimizer, slice(first, first + len(labels))))
        first += len(labels)
    return sets


def _pool_image_sets(sets: list[ImageSet], config: Purer, training: Training) -> ImageBank:
    """Pool the images of all teachers by class."""
    names = sorted({key for s in sets for key in s.task.keys})
    rows = [torch.tensor([names.index(key) for key in s.task.keys])[s.labels] for s in sets]
    with torch.no_grad():
        images = torch.cat([as_meta_input(s.images(), training.meta_model.image_size).cpu() for s in sets])
    return ImageBank(
        images=images,
        classes=torch.cat(rows),
        class_names=names,
        owners=torch.cat([torch.full_like(s.labels, index) for index, s in enumerate(sets)]),
        labels=torch.cat([s.labels for s in sets]),
        flips=torch.cat([torch.full((len(s.labels),), s.task.teacher.card.flips) for s in sets]),
    )


def _move(
    image_set: ImageSet, outer: Tensor | None, config: Purer, training: Training, step: int, drawing: torch.Generator
) -> float:
    """Move the images of one teacher by one step.

    Args:
        outer: the outer loss's gradient with respect to these images as the meta-model sees them, to be climbed.

    Returns:
        the inversion loss.
    """
    images, card = image_set.images(), image_set.task.teacher.card
    with recorded_distances(image_set.task.teacher.model) as distances:
        logits = image_set.task.all_logits(random_crop_flip(images, config.jitter, card.flips, drawing))
    loss = cross_entropy(logits, image_set.task.classes[image_set.labels].to(logits.device))
    loss = loss + config.tv_weight * _total_variation(image_set.pixels) + config.l2_weight * image_set.pixels.norm()
    if distances:
        loss = loss + config.bn_weight * torch.stack(distances).sum()
    keys = f"methods.purer.bn_weight ({config.bn_weight}) or methods.purer.pixel_lr"
    require_finite(loss, "method purer", step, keys)
    aim = loss
    if outer is not None:
        seen = as_meta_input(images, training.meta_model.image_size)
        aim = loss - config.curriculum_weight * (seen * outer.to(seen.device)).sum()
    image_set.optimizer.zero_grad()
    aim.backward()
    image_set.optimizer.step()
    image_set.clamp_()
    return loss.item()


def _total_variation(pixels: Tensor) -> Tensor:
    """Return the norms of the differences of vertical, horizontal and both diagonal neighbours, added."""
    differences = (
        pixels[:, :, 1:] - pixels[:, :, :-1],
        pixels[:, :, :, 1:] - pixels[:, :, :, :-1],
        pixels[:, :, 1:, 1:] - pixels[:, :, :-1, :-1],
        pixels[:, :, 1:, :-1] - pixels[:, :, :-1, 1:],
    )
    return torch.stack([difference.norm() for difference in differences]).sum()
