"""bidf_mkd: bi-level data-free meta knowledge distillation (Hu et al., "Learning to Learn from APIs: Black-Box
Data-Free Meta-Learning", ICML 2023).

A step inverts a teacher by its cross-entropy alone, distils it into the meta-model in a few inner steps on the
recovered support images, and descends the distillation loss on query images through these steps. Teacher and student
see the same crops, mirrored where the dataset permits. After a warm-up, query images are recovered near the decision
boundary: the teacher knows them and the adapted student, a constant here, says something else. Of a black-box teacher
only outputs are asked; its gradient with respect to the images is estimated by zero-order differences. Recovered images
join a memory, from which episodes are replayed.

What differs from the paper and its release:

- The box is white by default; theirs is black, with 100 queries for each image and step (``box: black``).
- Fewer images and steps by default; the generator is smaller, learns faster, and is carried on from one inversion to
  the next, because a few steps from scratch give little (they also give each inversion a style of its own, by which
  replayed classes can be told apart). ``fresh_generator`` undoes the last; the keys give the paper's values.
- The divergence is KL(teacher || student) of logits, a mean over images. The release feeds ``kl_div`` probabilities,
  the teacher's in place of the student's in the boundary term, and averages over all elements in the others; for a
  black box its boundary term is the L1 distance of logits, and its lowest-loss batch is chosen by the estimate.
- The release adds the distillation loss of a task to those of three replayed episodes in one optimiser step, and then
  replays, four episodes a step, until the accuracy has not risen for 200 steps. Here a step of the same optimiser
  distils, and a fixed number of meta-batches follows, so that the cost is known beforehand. Meta-batches that are due
  before enough classes are remembered are caught up.
- One output row for each class, and a head of its own for episodes (``heads: aligned``); the release distils into the
  n-way head in the teachers' label orders (``heads: shared``).
- Teachers are drawn in shuffled rounds, where the release draws them with replacement.
- Replay uses the configured learner.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import functional_call
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, frozen, recalibrate_batchnorm
from tgr.config.methods.bidf_mkd import BidfMkd
from tgr.data.transforms import crop_pad, random_crop_flip
from tgr.inversion.generator import BETAS, Generator, keep_lower
from tgr.inversion.pixel import start_images
from tgr.meta.heads import TaskRows, TwoHeads
from tgr.meta.learners import Parameters
from tgr.meta.replay import require_finite
from tgr.meta.rounds import Rounds
from tgr.meta.second_order import differentiable_twice
from tgr.meta.synthesis import (
    ClassMemory,
    MemoryReplay,
    Student,
    TeacherTask,
    as_meta_input,
    boundary_losses,
    distillation,
    zero_order_gradient,
)
from tgr.methods.replay import calibration_batches
from tgr.methods.training import Trained, Training, checkpoint_steps, generator


def train(parameters: BidfMkd, training: Training) -> Trained:
    """Distil inverted teachers, and replay.

    Raises:
        TgrError: a loss is not finite.
    """
    with frozen(teacher.model for teacher in training.teachers):
        return _train(parameters, training)


def _train(config: BidfMkd, training: Training) -> Trained:
    meta, trained = training.meta, Trained(training.meta_model.architecture)
    rows = TaskRows(config.heads, training.class_keys(config.class_identity), meta.n_way)
    model = TwoHeads.build(rows, config.heads, meta.n_way, training.model)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta.outer_lr)
    memory = ClassMemory(training.meta_model.image_size, config.memory_per_class)
    inverter, drawing = Inverter(config, training), generator(training, "tasks")
    episodes = seeds.numpy_generator(*training.seed_names, "replay")
    replay = MemoryReplay("method bidf_mkd", model.learner, optimizer, memory, training.k_shot, meta, episodes)
    rounds = Rounds(len(training.teachers), drawing)
    marks = checkpoint_steps(0, config.steps, meta.n_checkpoints)
    for step in trange(1, config.steps + 1, desc="bidf_mkd", unit="step"):
        (index,) = rounds.draw(1)
        task = TeacherTask.draw(training.teachers[index], meta.n_way, config.class_identity, drawing)
        optimizer.zero_grad()
        boundary = step > config.boundary_after * config.steps
        trained.log(step, "distillation", _distil(model, task, inverter, memory, config, step, boundary=boundary))
        optimizer.step()
        trained.log(step, "replay", replay.run(config.replay_steps, step))
        if step in marks:
            recalibrate_batchnorm(model.learner, calibration_batches(memory.bank(), training))
            trained.keep(step, model.learner, head=meta.learns_head)
    replay.finish()
    return trained


class Inverter:
    """Recovers images from teachers; its generators, one for each image size, are carried on if so configured."""

    def __init__(self, config: BidfMkd, training: Training) -> None:
        self._config, self._device = config, training.device
        self._drawing, self._augmentation = generator(training, "inversion"), generator(training, "augmentation")
        self._networks: dict[int, Generator] = {}

    def invert(self, task: TeacherTask, labels: Tensor, student: Student | None = None) -> Tensor:
        """Return images (n, 3, s, s) in [0, 1] of the teacher's size, near the boundary if there is a student.

        Of all steps' images, those of the lowest mean loss are returned.
        """
        config = self._config
        losses = partial(boundary_losses, task, labels.to(self._device), student, config.boundary_weight)
        source, parameters = self._source(task.teacher.card.image_size, len(labels))
        optimizer = torch.optim.Adam(parameters, lr=config.inversion_lr, betas=BETAS)
        lowest, best = torch.full((), torch.inf, device=self._device), None
        for _ in range(config.inversion_steps):
            images = source()
            views = self.augmented(images, task)
            leaf = views.detach().requires_grad_()
            if config.box == "black":
                with torch.no_grad():
                    values = losses(leaf)
                slope = zero_order_gradient(losses, leaf, config.directions, config.query_radius, self._drawing)
            else:
                values = losses(leaf)
                (slope,) = torch.autograd.grad(values.sum(), leaf)
            lowest, best = keep_lower(values.detach().mean(), images, lowest, best)
            optimizer.zero_grad()
            views.backward(slope / len(labels))
            optimizer.step()
        assert best is not None
        return best

    def augmented(self, images: Tensor, task: TeacherTask) -> Tensor:
        """Return the images as they are, or a view of each: cropped and, if the teacher's images permit, mirrored."""
        if not self._config.augment:
            return images
        return random_crop_flip(images, crop_pad(images.shape[-1]), task.teacher.card.flips, self._augmentation)

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


def _distil(
    model: TwoHeads,
    task: TeacherTask,
    inverter: Inverter,
    memory: ClassMemory,
    config: BidfMkd,
    step: int,
    *,
    boundary: bool,
) -> dict[str, float]:
    """Add the gradient of the query loss of one task to the parameters' ``grad``; return values to log.

    Args:
        boundary: whether query images are recovered near the boundary.
    """
    network, rows = model.student, model.rows.of(task.classes, task.keys).to(task.teacher.device)
    labels, query_labels = task.labels(config.support_per_class), task.labels(config.query_per_class)

    def outputs(weights: Parameters, images: Tensor) -> Tensor:
        logits = functional_call(network, weights, (as_meta_input(images, memory.size),))
        return logits[:, rows]

    support = inverter.invert(task, labels)
    with batchnorm_mode(network, "batch"):
        adapted = _inner_loop(network, outputs, inverter.augmented(support, task), task, config)
        fixed = {name: value.detach() for name, value in adapted.items()}
        query = inverter.invert(task, query_labels, partial(outputs, fixed) if boundary else None)
        seen = inverter.augmented(query, task)
        target, student = _ask_teacher(task, seen), outputs(adapted, seen)
        loss = distillation(student, target)
    require_finite(loss, "method bidf_mkd", step, f"methods.bidf_mkd.kd_lr ({config.kd_lr}) or meta.outer_lr")
    loss.backward()
    memory.add(torch.cat([support, query]), torch.cat([labels, query_labels]), task.keys)
    named = target.argmax(1)
    return {
        "loss": loss.item(),
        "train_accuracy": float((student.detach().argmax(1) == named).float().mean()),
        "query_accuracy": float((student.detach().argmax(1).cpu() == query_labels).float().mean()),
        "inversion_agreement": float((named.cpu() == query_labels).float().mean()),
    }


def _inner_loop(
    network: Classifier,
    outputs: Callable[[Parameters, Tensor], Tensor],
    images: Tensor,
    task: TeacherTask,
    config: BidfMkd,
) -> Parameters:
    """Return the parameters after distillation steps on the support images, differentiable in the initial ones."""
    adapted: Parameters = dict(network.named_parameters())
    target = _ask_teacher(task, images)
    with differentiable_twice(network):
        for _ in range(config.kd_steps):
            loss = distillation(outputs(adapted, images), target)
            gradients = torch.autograd.grad(loss, list(adapted.values()), create_graph=True)
            adapted = {n: p - config.kd_lr * g for (n, p), g in zip(adapted.items(), gradients, strict=True)}
    return adapted


@torch.no_grad()
def _ask_teacher(task: TeacherTask, images: Tensor) -> Tensor:
    return task.logits(images)
