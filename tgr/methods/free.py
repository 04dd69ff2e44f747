"""free: a meta-generator and implicit gradient alignment (Wei et al., "FREE: Faster and Better Data-Free
Meta-Learning", CVPR 2024, arXiv 2405.00984).

One generator serves all teachers: a few steps adapt it to each teacher of a step, by the teacher's cross-entropy and an
adversarial term (the meta-model shall disagree with the teacher), and it then moves towards the adapted generators. The
meta-model is distilled from these teachers one after the other on a clone and moves towards the clone, which aligns the
teachers' gradients implicitly. Generated images join a memory, from which episodes are replayed.

Deviations of ours:

- the generator draws at the meta-model's size; images are resized to each teacher's;
- both meta-updates are Reptile's (Nichol et al. 2018), the mean displacement and the clone's;
- codes of one class share a component, drawn anew for each adaptation, so that few steps suffice to tell classes apart;
- fewer images and a smaller generator by default; replay uses the configured learner.
"""

from copy import deepcopy

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, frozen, recalibrate_batchnorm
from tgr.config.methods.free import Free
from tgr.inversion.generator import BETAS, Generator
from tgr.meta.replay import require_finite
from tgr.meta.rounds import Rounds
from tgr.meta.synthesis import (
    ClassMemory,
    TeacherTask,
    as_meta_input,
    distillation,
    replay_memory,
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
    model = training.model(meta.n_way)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta.outer_lr)
    network = _meta_generator(config, training)
    memory = ClassMemory(training.meta_model.image_size, config.memory_per_class)
    drawing, episodes = generator(training, "generation"), seeds.numpy_generator(*training.seed_names, "replay")
    rounds = Rounds(len(training.teachers), drawing)
    marks = checkpoint_steps(0, config.steps, meta.n_checkpoints)
    for step in trange(1, config.steps + 1, desc="free", unit="step"):
        chosen = rounds.draw(config.teachers_per_step)
        tasks = [TeacherTask.draw(training.teachers[i], meta.n_way, config.class_identity, drawing) for i in chosen]
        images = _generate(network, model, tasks, memory, config, step, drawing)
        trained.log(step, "distillation", _distil(model, tasks, images, config, step))
        values = replay_memory(
            "method free", model, optimizer, memory, training.k_shot, meta, config.replay_steps, episodes, step
        )
        trained.log(step, "replay", values)
        if step in marks:
            recalibrate_batchnorm(model, calibration_batches(memory.bank(), training))
            trained.keep(step, model, head=True)
    return trained


def _meta_generator(config: Free, training: Training) -> Generator:
    with seeds.forked(*training.seed_names, "generator"):
        network = Generator(config.latent_dim, config.generator_width, training.meta_model.image_size)
    return network.to(training.device).to(memory_format=torch.channels_last).train()


def _generate(
    network: Generator,
    model: Classifier,
    tasks: list[TeacherTask],
    memory: ClassMemory,
    config: Free,
    step: int,
    drawing: torch.Generator,
) -> list[Tensor]:
    """Adapt the meta-generator to each teacher, remember and return the images, and move it towards the mean."""
    adapted, images = [], []
    for task in tasks:
        adapted_network, drawn = _adapt(network, model, task, config, step, drawing)
        memory.add(drawn, task.labels(config.images_per_class), task.keys)
        adapted.append(list(adapted_network.parameters()))
        images.append(drawn)
    with torch.no_grad():
        for weight, *others in zip(network.parameters(), *adapted, strict=True):
            weight.lerp_(torch.stack(others).mean(0), config.generator_rate)
    return images


def _adapt(
    network: Generator, model: Classifier, task: TeacherTask, config: Free, step: int, drawing: torch.Generator
) -> tuple[Generator, Tensor]:
    """Return a copy of the generator adapted to a teacher, and its images (n, 3, size, size) in [0, 1]."""
    adapted = deepcopy(network)
    device = next(adapted.parameters()).device
    labels = task.labels(config.images_per_class)
    shared, single = (torch.randn(n, config.latent_dim, generator=drawing) for n in (len(task.classes), len(labels)))
    codes = ((shared[labels] + single) / 2**0.5).to(device).requires_grad_()
    targets = task.classes[labels].to(device)
    optimizer = torch.optim.Adam([*adapted.parameters(), codes], lr=config.generator_lr, betas=BETAS)
    for _ in range(config.adaptation_steps):
        images = adapted(codes)
        logits = task.all_logits(images)
        loss = cross_entropy(logits, targets)
        if config.adversarial_weight > 0:
            teacher_logits = logits[:, task.classes.to(device)]
            with batchnorm_mode(model, "batch"):
                student = model(as_meta_input(images, images.shape[-1]))
            loss = loss - config.adversarial_weight * distillation(student, teacher_logits)
        require_finite(loss, "method free", step, f"methods.free.generator_lr ({config.generator_lr})")
        optimizer.zero_grad()
        loss.backward(inputs=[*adapted.parameters(), codes])
        optimizer.step()
    with torch.no_grad():
        return adapted, adapted(codes)


def _distil(
    model: Classifier, tasks: list[TeacherTask], images: list[Tensor], config: Free, step: int
) -> dict[str, float]:
    """Distil the teachers one after the other into a clone, and move the model towards it; return values to log."""
    clone = deepcopy(model)
    optimizer = torch.optim.SGD(clone.parameters(), lr=config.kd_lr)
    losses, accuracies, agreements = [], [], []
    with batchnorm_mode(clone, "batch"):
        for task, task_images in zip(tasks, images, strict=True):
            with torch.no_grad():
                target = task.logits(task_images)
            inputs = as_meta_input(task_images, task_images.shape[-1])
            for _ in range(config.kd_steps):
                student = clone(inputs)
                loss = distillation(student, target)
                require_finite(loss, "method free", step, f"methods.free.kd_lr ({config.kd_lr})")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            losses.append(loss.item())
            guess = student.detach()[:, : target.shape[1]].argmax(1)
            named = target.argmax(1)
            accuracies.append(float((guess == named).float().mean()))
            agreements.append(float((named.cpu() == task.labels(config.images_per_class)).float().mean()))
    with torch.no_grad():
        for weight, other in zip(model.parameters(), clone.parameters(), strict=True):
            weight.lerp_(other, config.meta_rate)
    curves = {"loss": losses, "train_accuracy": accuracies, "inversion_agreement": agreements}
    return {name: sum(values) / len(values) for name, values in curves.items()}
