"""free: a meta-generator and implicit gradient alignment (Wei et al., "FREE: Faster and Better Data-Free
Meta-Learning", CVPR 2024, arXiv 2405.00984).

One generator serves all teachers: a few steps adapt it to each teacher of a step, by the teacher's cross-entropy and an
adversarial term (where both name the same class, the teacher shall move away from what the meta-model says, which is a
constant here), on crops, mirrored where the dataset permits. The generator then descends the sum of the gradients that
its copies ended with, which is first-order MAML. The meta-model is distilled from these teachers one after the other on
a clone and descends its distance from the clone, which aligns the teachers' gradients implicitly. Generated images join
a memory, from which episodes are replayed. In the first steps, the warm-up, the generator alone is trained.

What differs from the paper and its release:

- The generator draws at the meta-model's size; images are resized to each teacher's. It is smaller by default, and
  makes fewer images of a class.
- Codes of one class share a component, drawn anew for each adaptation, so that few steps suffice to tell classes apart.
- The rate of the adaptation is larger, and ``generator_update: reptile``, ours and the default, moves the generator
  towards the mean of its copies; the release's ``fomaml`` takes a step of an Adam that is made anew in each step.
- Images are taken after the last step of the adaptation, in the release before it. All teachers' images join the
  memory, in the release those of the last teacher alone, by a slip.
- The divergence is KL(teacher || student) of logits, a mean over images. The release feeds ``kl_div`` probabilities,
  the teacher's in place of the student's in the adversarial term, and averages over all elements in the distillation.
- One output row for each class, and a head of its own for episodes (``heads: aligned``); the release distils into the
  n-way head in the teachers' label orders (``heads: shared``).
- Replay takes a fixed number of meta-batches in each step, so that the cost is known beforehand; in the release it goes
  on until the accuracy has not risen for 10 of them, of 10 episodes each. Meta-batches that are due before enough
  classes are remembered are caught up. Replay uses the configured learner.
- Teachers are drawn in shuffled rounds, where the release draws them with replacement.
"""

from copy import deepcopy

import torch
from torch import Tensor
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import batchnorm_mode, frozen, recalibrate_batchnorm
from tgr.config.methods.free import Free
from tgr.data.transforms import crop_pad, random_crop_flip
from tgr.inversion.generator import BETAS, Generator
from tgr.meta.heads import TaskRows, TwoHeads
from tgr.meta.replay import require_finite
from tgr.meta.rounds import Rounds
from tgr.meta.synthesis import (
    ClassMemory,
    MemoryReplay,
    Student,
    TeacherTask,
    as_meta_input,
    boundary_losses,
    distillation,
)
from tgr.methods.replay import calibration_batches
from tgr.methods.training import Trained, Training, checkpoint_steps, generator


def train(parameters: Free, training: Training) -> Trained:
    """Generate, distil, replay.

    Raises:
        TgrError: a loss is not finite.
    """
    with frozen(teacher.model for teacher in training.teachers):
        return _train(parameters, training)


def _train(config: Free, training: Training) -> Trained:
    meta, trained = training.meta, Trained(training.meta_model.architecture)
    rows = TaskRows(config.heads, training.class_keys(config.class_identity), meta.n_way)
    model = TwoHeads.build(rows, config.heads, meta.n_way, training.model)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta.outer_lr)
    source = Source(config, training)
    memory = ClassMemory(training.meta_model.image_size, config.memory_per_class)
    drawing, episodes = generator(training, "tasks"), seeds.numpy_generator(*training.seed_names, "replay")
    replay = MemoryReplay("method free", model.learner, optimizer, memory, training.k_shot, meta, episodes)
    rounds = Rounds(len(training.teachers), drawing)
    warmup = min(int(config.warmup * config.steps), config.steps - 1)
    marks = checkpoint_steps(warmup, config.steps, meta.n_checkpoints)
    for step in trange(1, config.steps + 1, desc="free", unit="step"):
        chosen = [training.teachers[index] for index in rounds.draw(config.teachers_per_step)]
        tasks = [TeacherTask.draw(teacher, meta.n_way, config.class_identity, drawing) for teacher in chosen]
        images = source.generate(tasks, None if step <= warmup else model, step)
        if step <= warmup:
            continue
        for task, task_images in zip(tasks, images, strict=True):
            memory.add(task_images, task.labels(config.images_per_class), task.keys)
        trained.log(step, "distillation", _distil(model, optimizer, tasks, images, source, config, step))
        trained.log(step, "replay", replay.run(config.replay_steps, step))
        if step in marks:
            recalibrate_batchnorm(model.learner, calibration_batches(memory.bank(), training))
            trained.keep(step, model.learner, head=meta.learns_head)
    replay.finish()
    return trained


class Source:
    """The meta-generator."""

    def __init__(self, config: Free, training: Training) -> None:
        self._config = config
        self._drawing, self._augmentation = generator(training, "generation"), generator(training, "augmentation")
        with seeds.forked(*training.seed_names, "generator"):
            network = Generator(config.latent_dim, config.generator_width, training.meta_model.image_size)
        self._network = network.to(training.device).to(memory_format=torch.channels_last).train()

    def generate(self, tasks: list[TeacherTask], model: TwoHeads | None, step: int) -> list[Tensor]:
        """Return images of each task (n, 3, size, size) in [0, 1], and learn from having made them.

        Args:
            model: the meta-model that shall disagree; None in the warm-up.
        """
        copies, images = [], []
        for task in tasks:
            student = None if model is None else _student(model, task)
            adapted, drawn = self._adapt(task, student, step)
            copies.append(list(adapted.parameters()))
            images.append(drawn)
        if self._config.generator_update == "reptile":
            with torch.no_grad():
                for weight, *others in zip(self._network.parameters(), *copies, strict=True):
                    weight.lerp_(torch.stack(others).mean(0), self._config.generator_rate)
        else:
            optimizer = torch.optim.Adam(self._network.parameters(), lr=self._config.generator_lr, betas=BETAS)
            for weight, *others in zip(self._network.parameters(), *copies, strict=True):
                weight.grad = torch.stack([other.grad for other in others]).sum(0)
            optimizer.step()
        return images

    def _adapt(self, task: TeacherTask, student: Student | None, step: int) -> tuple[Generator, Tensor]:
        """Return a copy adapted to a teacher, with the gradients of its last step, and its images."""
        config, adapted = self._config, deepcopy(self._network)
        device = next(adapted.parameters()).device
        labels = task.labels(config.images_per_class)
        sizes = (len(task.classes), len(labels))
        shared, single = (torch.randn(n, config.latent_dim, generator=self._drawing) for n in sizes)
        codes = ((shared[labels] + single) / 2**0.5).to(device).requires_grad_()
        optimizer = torch.optim.Adam([*adapted.parameters(), codes], lr=config.generator_lr, betas=BETAS)
        labels = labels.to(device)
        for _ in range(config.adaptation_steps):
            views = self.augmented(adapted(codes), task)
            loss = boundary_losses(task, labels, student, config.adversarial_weight, views).mean()
            require_finite(loss, "method free", step, f"methods.free.generator_lr ({config.generator_lr})")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            return adapted, adapted(codes)

    def augmented(self, images: Tensor, task: TeacherTask) -> Tensor:
        """Return the images as they are, or a view of each: cropped and, if the teacher's images permit, mirrored."""
        if not self._config.augment:
            return images
        return random_crop_flip(images, crop_pad(images.shape[-1]), task.teacher.card.flips, self._augmentation)


def _student(model: TwoHeads, task: TeacherTask) -> Student:
    """Return what the meta-model says of a task's classes, as a function of images."""
    rows = model.rows.of(task.classes, task.keys).to(task.teacher.device)

    def student(images: Tensor) -> Tensor:
        with batchnorm_mode(model.student, "batch"):
            return model.student(as_meta_input(images, images.shape[-1]))[:, rows]

    return student


def _distil(
    model: TwoHeads,
    optimizer: torch.optim.Optimizer,
    tasks: list[TeacherTask],
    images: list[Tensor],
    source: Source,
    config: Free,
    step: int,
) -> dict[str, float]:
    """Distil the teachers one after the other into a clone, and step towards it; return values to log."""
    clone = deepcopy(model.student)
    clone_optimizer = torch.optim.Adam(clone.parameters(), lr=config.kd_lr)
    losses, accuracies, agreements = [], [], []
    with batchnorm_mode(clone, "batch"):
        for task, task_images in zip(tasks, images, strict=True):
            rows = model.rows.of(task.classes, task.keys).to(task_images.device)
            for _ in range(config.kd_steps):
                views = source.augmented(task_images, task)
                with torch.no_grad():
                    target = task.logits(views)
                student = clone(as_meta_input(views, views.shape[-1]))[:, rows]
                loss = distillation(student, target)
                require_finite(loss, "method free", step, f"methods.free.kd_lr ({config.kd_lr})")
                clone_optimizer.zero_grad()
                loss.backward()
                clone_optimizer.step()
            named = target.argmax(1)
            losses.append(loss.item())
            accuracies.append(float((student.detach().argmax(1) == named).float().mean()))
            agreements.append(float((named.cpu() == task.labels(config.images_per_class)).float().mean()))
    optimizer.zero_grad()
    with torch.no_grad():
        for weight, other in zip(model.student.parameters(), clone.parameters(), strict=True):
            weight.grad = config.alignment_weight * (weight - other)
    optimizer.step()
    curves = {"loss": losses, "train_accuracy": accuracies, "inversion_agreement": agreements}
    return {name: sum(values) / len(values) for name, values in curves.items()}
