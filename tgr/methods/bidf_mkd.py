"""bidf_mkd: bi-level data-free meta knowledge distillation (Hu et al., "Learning to Learn from APIs: Black-Box
Data-Free Meta-Learning", ICML 2023).

A step inverts a teacher, drawn in shuffled rounds, by its cross-entropy alone, distils it into the meta-model in a few
inner steps on the recovered support images, and descends the distillation loss on query images through these steps.
Query images are recovered near the decision boundary: the teacher knows them, the adapted student disagrees. Of a
black-box teacher only outputs are asked; its gradient with respect to the images is estimated by zero-order
differences. Recovered images join a memory, from which episodes are replayed.

Deviations of ours:

- fewer images and steps by default, and a smaller generator with a larger learning rate;
- the generator is carried on from one inversion to the next, because a few steps from scratch give little (they also
  give each inversion a style of its own, by which replayed classes can be told apart); ``fresh_generator`` undoes it;
- disagreement is KL(teacher || student), rewarded on images where both name the same class;
- replay uses the configured learner.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, frozen, recalibrate_batchnorm
from tgr.config.methods.bidf_mkd import BidfMkd
from tgr.inversion.generator import BETAS, Generator
from tgr.inversion.pixel import start_images
from tgr.meta.learners import Parameters
from tgr.meta.replay import require_finite
from tgr.meta.rounds import Rounds
from tgr.meta.second_order import differentiable_twice
from tgr.meta.synthesis import (
    ClassMemory,
    TeacherTask,
    as_meta_input,
    distillation,
    replay_memory,
    zero_order_gradient,
)
from tgr.methods.replay import calibration_batches
from tgr.methods.training import Trained, Training, checkpoint_steps, generator

Student = Callable[[Tensor], Tensor]
"""Maps images in [0, 1] to the meta-model's logits."""


def train(parameters: BidfMkd, training: Training) -> Trained:
    """Distil inverted teachers, and replay.

    Raises:
        TgrError: a loss is not finite.
    """
    with frozen(teacher.model for teacher in training.teachers):
        return _train(parameters, training)


def _train(config: BidfMkd, training: Training) -> Trained:
    meta, trained = training.meta, Trained(training.meta_model.architecture)
    model = training.model(meta.n_way)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta.outer_lr)
    memory = ClassMemory(training.meta_model.image_size, config.memory_per_class)
    inverter, drawing = Inverter(config, training), generator(training, "tasks")
    episodes = seeds.numpy_generator(*training.seed_names, "replay")
    rounds = Rounds(len(training.teachers), drawing)
    marks = checkpoint_steps(0, config.steps, meta.n_checkpoints)
    for step in trange(1, config.steps + 1, desc="bidf_mkd", unit="step"):
        (index,) = rounds.draw(1)
        teacher = training.teachers[index]
        task = TeacherTask.draw(teacher, meta.n_way, config.class_identity, drawing)
        optimizer.zero_grad()
        trained.log(step, "distillation", _distil(model, task, inverter, memory, config, step))
        optimizer.step()
        values = replay_memory(
            "method bidf_mkd", model, optimizer, memory, training.k_shot, meta, config.replay_steps, episodes, step
        )
        trained.log(step, "replay", values)
        if step in marks:
            recalibrate_batchnorm(model, calibration_batches(memory.bank(), training))
            trained.keep(step, model, head=True)
    return trained


class Inverter:
    """Recovers images from teachers; its generators, one for each image size, are carried on if so configured."""

    def __init__(self, config: BidfMkd, training: Training) -> None:
        self._config, self._device = config, training.device
        self._drawing = generator(training, "inversion")
        self._networks: dict[int, Generator] = {}

    def invert(self, task: TeacherTask, labels: Tensor, student: Student | None = None) -> Tensor:
        """Return images (n, 3, s, s) in [0, 1] of the teacher's size, near the boundary if there is a student."""
        config = self._config
        losses = partial(_losses, task, labels, student, config.boundary_weight)
        source, parameters = self._source(task.teacher.card.image_size, len(labels))
        optimizer = torch.optim.Adam(parameters, lr=config.inversion_lr, betas=BETAS)
        for _ in range(config.inversion_steps):
            images = source()
            if config.box == "black":
                slope = zero_order_gradient(losses, images, config.directions, config.query_radius, self._drawing)
            else:
                leaf = images.detach().requires_grad_()
                (slope,) = torch.autograd.grad(losses(leaf).sum(), leaf)
            optimizer.zero_grad()
            images.backward(slope / len(labels))
            optimizer.step()
        with torch.no_grad():
            return source()

    def _source(self, size: int, n: int) -> tuple[Callable[[], Tensor], list[Tensor]]:
        """Return a function that gives the current images, and the parameters behind them."""
        config = self._config
        if config.engine == "pixel":
            pixels = start_images(n, size, self._drawing).to(self._device).requires_grad_()
            return lambda: pixels.clamp(0, 1), [pixels]
        if config.fresh_generator or size not in self._networks:
            with seeds.forked("bidf_mkd", int(torch.randint(2**62, (1,), generator=self._drawing))):
                network = Generator(config.latent_dim, config.generator_width, size)
            self._networks[size] = network.to(self._device).to(memory_format=torch.channels_last).train()
        network = self._networks[size]
        codes = torch.randn(n, config.latent_dim, generator=self._drawing).to(self._device).requires_grad_()
        return lambda: network(codes), [*network.parameters(), codes]


def _losses(task: TeacherTask, labels: Tensor, student: Student | None, weight: float, images: Tensor) -> Tensor:
    """Return each image's cross-entropy, less the disagreement where teacher and student name the same class."""
    logits = task.all_logits(images)
    value = cross_entropy(logits, task.classes[labels].to(logits.device), reduction="none")
    if student is None or weight == 0:
        return value
    student_logits, teacher_logits = student(images), logits[:, task.classes.to(logits.device)]
    agree = student_logits[:, : teacher_logits.shape[1]].argmax(1) == teacher_logits.argmax(1)
    return value - weight * agree * distillation(student_logits, teacher_logits, reduction="none")


def _distil(
    model: Classifier, task: TeacherTask, inverter: Inverter, memory: ClassMemory, config: BidfMkd, step: int
) -> dict[str, float]:
    """Add the gradient of the query loss of one task to the parameters' ``grad``; return values to log."""
    weights: Parameters = dict(model.named_parameters())
    labels, query_labels = task.labels(config.support_per_class), task.labels(config.query_per_class)
    support = inverter.invert(task, labels)
    with batchnorm_mode(model, "batch"):
        adapted = _inner_loop(model, weights, as_meta_input(support, memory.size), _ask_teacher(task, support), config)
        fixed = {name: value.detach() for name, value in adapted.items()}
        query = inverter.invert(
            task,
            query_labels,
            lambda images: functional_call(model, fixed, (as_meta_input(images, memory.size),)),
        )
        target = _ask_teacher(task, query)
        student = functional_call(model, adapted, (as_meta_input(query, memory.size),))
        loss = distillation(student, target)
    require_finite(loss, "method bidf_mkd", step, f"methods.bidf_mkd.kd_lr ({config.kd_lr}) or meta.outer_lr")
    loss.backward()
    memory.add(torch.cat([support, query]), torch.cat([labels, query_labels]), task.keys)
    guess = student.detach()[:, : target.shape[1]].argmax(1)
    return {
        "loss": loss.item(),
        "train_accuracy": float((guess == target.argmax(1)).float().mean()),
        "inversion_agreement": float((target.argmax(1).cpu() == query_labels).float().mean()),
    }


def _inner_loop(model: Classifier, weights: Parameters, images: Tensor, target: Tensor, config: BidfMkd) -> Parameters:
    """Return the parameters after distillation steps on the support images, differentiable in the initial ones."""
    adapted = weights
    with differentiable_twice(model):
        for _ in range(config.kd_steps):
            loss = distillation(functional_call(model, adapted, (images,)), target)
            gradients = torch.autograd.grad(loss, list(adapted.values()), create_graph=True)
            adapted = {n: p - config.kd_lr * g for (n, p), g in zip(adapted.items(), gradients, strict=True)}
    return adapted


@torch.no_grad()
def _ask_teacher(task: TeacherTask, images: Tensor) -> Tensor:
    return task.logits(images)
