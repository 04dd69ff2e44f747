"""purer: learnable images of each class under a curriculum (Hu et al., "Architecture, Dataset and Model-Scale
Agnostic Data-free Meta-Learning", CVPR 2023; episode curriculum inversion).

Each class has a set of images, k_shot + n_query of them, whose pixels are parameters; all teachers that know the class
share it, as in PURER+ of the same authors (in the CVPR version each class has one teacher). A step moves the images of
some teachers by one step down the inversion loss: the teacher's cross-entropy, total variation, distance of BatchNorm
statistics, and norm, under one random shift of the batch. Then it trains the meta-model on episodes of the images. When
the training accuracy stalls, all images of a new episode also climb, in the next move, the meta-learner's outer loss on
it, so that episodes become harder as the meta-model learns; the best accuracy is then forgotten.

What differs from the papers and their releases:

- The weights of the BatchNorm term and of the total variation are larger, images start from noise of all scales, and
  they are kept in the range of colours (``start_noise: unit`` and ``clamp: false`` are the papers').
- Fewer teachers move their images in a step by default, drawn in shuffled rounds rather than independently. Their
  losses are added; PURER+ adds partial sums, so that the first ones drawn weigh most.
- PURER+ pairs images in the order of all classes with targets in the teacher's order, a mistake that is not reproduced.
- The images of a class are split into support and query anew for each episode; PURER+ always splits them alike.
- The meta-model starts at random; the scripts of PURER start it from the average of the teachers.
- A teacher with very many classes takes part with a draw of them. A class that teachers of several input sizes know has
  images of the largest one.
- Episodes use the configured learner.
- Inner-loop calibration at test is left out: all methods share one evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, frozen, recalibrate_batchnorm
from tgr.config.methods.purer import Purer
from tgr.data.transforms import normalise, per_channel
from tgr.inversion.pixel import start_images
from tgr.inversion.statistics import recorded_distances
from tgr.meta.bank import ImageBank
from tgr.meta.learners import Episode
from tgr.meta.replay import backward_episodes, draw_episodes, require_finite
from tgr.meta.rounds import Rounds
from tgr.meta.stall import Stall
from tgr.meta.synthesis import TeacherTask, as_meta_input, scale
from tgr.methods.replay import calibration_batches
from tgr.methods.training import Trained, Training, checkpoint_steps, generator
from tgr.pool.card import Card


@dataclass(frozen=True)
class ClassImages:
    """The learnable images of one class.

    Attributes:
        card: of the teacher by whose constants the pixels are normalised.
        pixels: the leaf tensor, (n, 3, size, size).
    """

    card: Card
    pixels: Tensor

    @classmethod
    def start(cls, card: Card, n: int, noise: str, device: torch.device, drawing: torch.Generator) -> "ClassImages":
        """Draw ``n`` images: normal pixels (``unit``), or colours and details of all ``scales``."""
        size = card.image_size
        if noise == "unit":
            pixels = torch.randn(n, 3, size, size, generator=drawing).to(device)
        else:
            pixels = normalise(start_images(n, size, drawing).to(device), card.mean, card.std)
        return cls(card, pixels.requires_grad_())

    def images(self) -> Tensor:
        """Return the images, in [0, 1] as far as they are clamped."""
        return self.pixels * self._part("std") + self._part("mean")

    @torch.no_grad()
    def clamp_(self) -> None:
        """Bring the images back into [0, 1]."""
        mean, std = self._part("mean"), self._part("std")
        self.pixels.clamp_(-mean / std, (1 - mean) / std)

    def _part(self, name: str) -> Tensor:
        return per_channel(getattr(self.card, name), self.pixels)


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
    episodes = seeds.numpy_generator(*training.seed_names, "episodes")
    learnt = LearntImages(config, training)
    stall, harder = Stall(config.patience), False
    marks = checkpoint_steps(0, config.steps, meta.n_checkpoints)
    for step in trange(1, config.steps + 1, desc="purer", unit="step"):
        ascent = learnt.ascent(model, episodes, step) if harder else None
        inversion_loss = learnt.move(ascent, step)
        optimizer.zero_grad()  # also of what the ascent has left
        batch = draw_episodes(learnt.bank, meta, training.k_shot, episodes, training.device)
        values = backward_episodes("method purer", model, batch, meta, step)
        optimizer.step()
        trained.log(step, "purer", values | {"inversion_loss": inversion_loss, "curriculum": float(harder)})
        harder = step > config.curriculum_after * config.steps and stall.observe(values["train_accuracy"])
        if harder:
            stall.reset()
        if step in marks:
            recalibrate_batchnorm(model, calibration_batches(learnt.bank, training))
            trained.keep(step, model, head=meta.learns_head)
    return trained


class LearntImages:
    """The images of all classes.

    Attributes:
        bank: the images as the meta-model sees them, by class.
    """

    def __init__(self, config: Purer, training: Training) -> None:
        self._config, self._training = config, training
        self._drawing = drawing = generator(training, "images")
        self._rounds = Rounds(len(training.teachers), drawing)
        self._tasks = [
            TeacherTask.draw(teacher, config.max_classes, config.class_identity, drawing)
            for teacher in training.teachers
        ]
        self._per_class = training.k_shot + training.meta.n_query
        cards: dict[str, Card] = {}
        for task in self._tasks:
            for key in task.keys:
                known = cards.get(key)
                if known is None or known.image_size < task.teacher.card.image_size:
                    cards[key] = task.teacher.card
        self.sets = {
            key: ClassImages.start(cards[key], self._per_class, config.start_noise, training.device, drawing)
            for key in sorted(cards)
        }
        self._optimizer = torch.optim.Adam([one.pixels for one in self.sets.values()], lr=config.pixel_lr)
        self._names = list(self.sets)
        self.bank = self._pooled()

    def _pooled(self) -> ImageBank:
        classes = torch.arange(len(self.sets)).repeat_interleave(self._per_class)
        with torch.no_grad():
            images = torch.cat([self._seen(one) for one in self.sets.values()])
        flips = torch.tensor([one.card.flips for one in self.sets.values()])[classes]
        return ImageBank(images, classes, self._names, torch.zeros_like(classes), classes, flips)

    def _seen(self, one: ClassImages) -> Tensor:
        return as_meta_input(one.images(), self._training.meta_model.image_size)

    def _rows(self, key: str) -> slice:
        first = self._names.index(key) * self._per_class
        return slice(first, first + self._per_class)

    def ascent(self, model: Classifier, episodes: np.random.Generator, step: int) -> dict[str, Tensor]:
        """Return the gradient of the outer loss on a new episode with respect to its images, by class.

        It leaves gradients in the model's parameters.

        Returns:
            for each class of the episode a gradient for all of its images, (n, 3, size, size). Its images alone take
            part: the gradient of the whole bank would be zeros but for these, filled anew in each step.
        """
        meta, device = self._training.meta, self._training.device
        one = meta.model_copy(update={"meta_batch_size": 1})
        drawn = self.bank.sample(meta.n_way, self._training.k_shot, meta.n_query, 1, episodes)
        parts = [part[0] for part in (drawn.support, drawn.query)]
        images = [self.bank.gather(part.flatten(), device).requires_grad_() for part in parts]
        labels = [torch.arange(len(part), device=device).repeat_interleave(part.shape[1]) for part in parts]
        episode = Episode(images[0], labels[0], images[1], labels[1])
        backward_episodes("method purer", model, [episode], one, step)
        gradients: dict[str, Tensor] = {}
        for leaf, part in zip(images, parts, strict=True):
            assert leaf.grad is not None
            for chosen, gradient in zip(part, leaf.grad.unflatten(0, part.shape), strict=True):
                key = self._names[int(chosen[0]) // self._per_class]
                whole = gradients.setdefault(key, torch.zeros_like(self.bank.images[self._rows(key)]))
                whole[(chosen % self._per_class).to(device)] = gradient
        return gradients

    def move(self, ascent: Mapping[str, Tensor] | None, step: int) -> float:
        """Move the images of some teachers, and with an ascent those of its episode, by one step.

        Args:
            ascent: the gradient to be climbed, by class.

        Returns:
            the inversion loss, the mean of the teachers.
        """
        config = self._config
        tasks = [self._tasks[index] for index in self._rounds.draw(config.teachers_per_step)]
        loss = torch.stack([self._inversion_loss(task, step) for task in tasks]).sum()
        moved = {key for task in tasks for key in task.keys}
        aim = loss
        if ascent is not None:
            climbing = [key for key in sorted(ascent) if ascent[key].any()]
            for key in climbing:
                aim = aim - config.curriculum_weight * (self._seen(self.sets[key]) * ascent[key]).sum()
            moved |= set(climbing)
        self._optimizer.zero_grad()
        aim.backward()
        self._optimizer.step()
        with torch.no_grad():
            for key in moved:
                if config.clamp:
                    self.sets[key].clamp_()
                self.bank.images[self._rows(key)] = self._seen(self.sets[key])
        return loss.item() / len(tasks)

    def _inversion_loss(self, task: TeacherTask, step: int) -> Tensor:
        config, card = self._config, task.teacher.card
        images = torch.cat([scale(self.sets[key].images(), card.image_size) for key in task.keys])
        shift = torch.randint(-config.jitter, config.jitter + 1, (2,), generator=self._drawing).tolist()
        images = images.roll(shift, (2, 3))
        with recorded_distances(task.teacher.model) as distances:
            logits = task.all_logits(images)
        pixels = normalise(images, card.mean, card.std)
        loss = cross_entropy(logits, task.classes[task.labels(self._per_class)].to(logits.device))
        loss = loss + config.tv_weight * _total_variation(pixels) + config.l2_weight * pixels.norm()
        if distances:
            loss = loss + config.bn_weight * torch.stack(distances).sum()
        keys = f"methods.purer.bn_weight ({config.bn_weight}) or methods.purer.pixel_lr"
        require_finite(loss, "method purer", step, keys)
        return loss


def _total_variation(pixels: Tensor) -> Tensor:
    """Return the norms of the differences of vertical, horizontal and both diagonal neighbours, added."""
    differences = (
        pixels[:, :, 1:] - pixels[:, :, :-1],
        pixels[:, :, :, 1:] - pixels[:, :, :, :-1],
        pixels[:, :, 1:, 1:] - pixels[:, :, :-1, :-1],
        pixels[:, :, 1:, :-1] - pixels[:, :, :-1, 1:],
    )
    return torch.stack([difference.norm() for difference in differences]).sum()
