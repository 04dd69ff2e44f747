"""dro: teachers fused by a network over task embeddings, trained for the worst case around the embeddings.

Wang et al., Meta-Learning without Data via Wasserstein Distributionally-Robust Model Fusion, UAI 2022. Theirs: the
network that maps a task embedding to a fused model, and the objective, the worst expected loss over distributions of
embeddings in a Wasserstein ball around the empirical one.

Ours, because the public description goes no further:

- the embedding of a teacher is the mean and the standard deviation of each channel of the reference teacher's
  blocks (before ReLU) over its recovered images, standardised over the teachers to a mean squared norm of one;
- the network gives, for each block, weights of a convex combination of the teachers' parameters, whose channels are
  aligned as in ``ota``; it starts from equal weights;
- the loss of an embedding is the distillation loss of its teacher, through the fused trunk and the teacher's own head;
- the ball is that of the Wasserstein distance of infinite order, in which every embedding may move by ``radius``: the
  inner maximisation then is a few steps of projected gradient ascent for each teacher alone;
- the initialisation for new tasks is the model fused at the mean embedding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import kl_div, linear, log_softmax, softmax
from tqdm import trange

from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, recalibrate_batchnorm
from tgr.config.methods.dro import Dro
from tgr.data.roots import square_root
from tgr.data.transforms import normalise
from tgr.errors import TgrError
from tgr.inversion.holdout import holdout_mask
from tgr.meta.rounds import Rounds
from tgr.methods.average import average_normalisations
from tgr.methods.ota import (
    Order,
    align,
    block_outputs,
    conv4_teachers,
    make_calibration_batches,
    permute_channels,
    spread_images,
)
from tgr.methods.start import choose_best
from tgr.methods.training import Trained, Training, checkpoint_steps, generator
from tgr.pool.teacher import Teacher

BLOCKS = 4
"""Blocks of a Conv4."""

HIDDEN = 64
"""Hidden units of the fusion network."""


@dataclass(frozen=True)
class Task:
    """One teacher's task: its recovered images without those held out, and its answers.

    Attributes:
        pixels: uint8 (n, 3, size, size), at the teacher's size.
        images: the same, normalised for the fused model.
        targets: (n, n_classes), the teacher's probabilities of its recovered classes.
        weight, bias: the rows of its head for these classes, channels aligned.
    """

    pixels: Tensor
    images: Tensor
    targets: Tensor
    weight: Tensor
    bias: Tensor


class Fusion(nn.Module):
    """Maps a task embedding to parameters: for each block a convex combination of the teachers'.

    Args:
        embedding_dim: length of an embedding.
        parameters: for each parameter of the trunk the aligned teachers' values (n_teachers, ...).
    """

    def __init__(self, embedding_dim: int, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self._teachers = parameters
        n_teachers = len(next(iter(parameters.values())))
        self.hidden = nn.Linear(embedding_dim, HIDDEN)
        self.output = nn.Linear(HIDDEN, BLOCKS * n_teachers)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def shares(self, embedding: Tensor) -> Tensor:
        """Return the teachers' weights (blocks, n_teachers) for an embedding (d,); each row sums to one."""
        return self.output(self.hidden(embedding).relu()).view(BLOCKS, -1).softmax(1)

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """Return the trunk's parameters by name."""
        shares = self.shares(embedding)
        return {
            name: torch.tensordot(shares[int(name.split(".")[0])], values, 1) for name, values in self._teachers.items()
        }


def train(parameters: Dro, training: Training) -> Trained:
    """Train the fusion network and return the model fused at the mean embedding.

    Raises:
        TgrError: the meta-model is no Conv4, no teacher has its architecture, or a loss is not finite.
    """
    teachers = conv4_teachers(training, "dro")
    centre, scale = average_normalisations([teacher.card for teacher in teachers])
    bank = training.bank("shared")
    reference = choose_best(teachers)
    images = spread_images(bank, parameters.images) if parameters.ground_metric == "activations" else None
    orders = align(reference, teachers, parameters.ground_metric, images)
    tasks = [make_task(t, order, centre, scale, training) for t, order in zip(teachers, orders, strict=True)]
    embeddings = standardise([statistics(reference, task.pixels) for task in tasks])
    with seeds.forked(*training.seed_names, "fusion"):
        fusion = Fusion(embeddings.shape[1], aligned_parameters(teachers, orders)).to(training.device)
    model = training.model(training.meta.n_way)
    trained = Trained(training.meta_model.architecture, mean=centre, std=scale)
    marks = checkpoint_steps(0, parameters.steps, training.meta.n_checkpoints)
    optimizer = torch.optim.Adam(fusion.parameters(), lr=parameters.lr)
    drawing = generator(training, "teachers")
    rounds = Rounds(len(tasks), drawing)
    for step in trange(1, parameters.steps + 1, desc="fusion", unit="step"):
        optimizer.zero_grad()
        chosen = rounds.draw(parameters.teachers_per_step)
        step_losses = [robust_step(fusion, model, tasks[i], embeddings[i], parameters, drawing) for i in chosen]
        worst, nominal = (sum(values) / len(chosen) for values in zip(*step_losses, strict=True))
        if not math.isfinite(worst):
            raise TgrError(f"method dro: the loss is not finite at step {step}; lower methods.dro.lr ({parameters.lr})")
        for parameter in fusion.parameters():
            assert parameter.grad is not None
            parameter.grad /= len(chosen)
        optimizer.step()
        trained.log(step, "dro", {"loss": worst, "nominal_loss": nominal})
        if step in marks:
            with torch.no_grad():
                model.trunk.load_state_dict(fusion(embeddings.mean(0)), strict=False)
            recalibrate_batchnorm(model, make_calibration_batches(bank, centre, scale, training.device))
            trained.keep(step, model, head=False)
    return trained


def robust_step(
    fusion: Fusion, model: Classifier, task: Task, embedding: Tensor, config: Dro, drawing: torch.Generator
) -> tuple[float, float]:
    """Add the gradient of one teacher's worst-case loss to the network's; return that loss and the nominal one."""
    chosen = torch.randperm(len(task.images), generator=drawing)[: config.images_per_teacher]
    images, targets = task.images[chosen], task.targets[chosen]

    def loss_at(shift: Tensor) -> Tensor:
        with batchnorm_mode(model, "batch"):
            features = functional_call(model.trunk, fusion(embedding + shift), (images,))
        student = linear(features, task.weight, task.bias)
        return kl_div(log_softmax(student, 1), targets, reduction="batchmean")

    shift, nominal = torch.zeros_like(embedding), math.nan
    for ascent in range(config.ascent_steps):
        shift.requires_grad_()
        loss = loss_at(shift)
        (uphill,) = torch.autograd.grad(loss, shift)
        nominal = loss.item() if ascent == 0 else nominal
        shift = within_ball(shift.detach() + step_uphill(uphill, config), config.radius)
    worst = loss_at(shift)
    worst.backward()
    return worst.item(), nominal


def step_uphill(gradient: Tensor, config: Dro) -> Tensor:
    """Return a step along the gradient; all steps together could cross the ball's radius twice."""
    length = 2 * config.radius / config.ascent_steps
    return length * gradient / gradient.norm().clamp(min=torch.finfo(gradient.dtype).tiny)


def within_ball(shift: Tensor, radius: float) -> Tensor:
    """Project a displacement onto the ball of a radius."""
    return shift * (radius / shift.norm().clamp(min=radius)) if radius else torch.zeros_like(shift)


def make_task(teacher: Teacher, order: Order, centre: list[float], scale: list[float], training: Training) -> Task:
    """Return a teacher's task on the device."""
    position = next(i for i, other in enumerate(training.teachers) if other is teacher)
    recovered = training.recovered[position]
    keep = ~holdout_mask(recovered.labels, training.meta.held_out_per_class)
    pixels, logits = recovered.images[keep].to(training.device), recovered.logits[keep].to(training.device)
    head, classes = permute_channels(teacher.model.state_dict(), order), recovered.report.classes
    return Task(
        pixels=pixels,
        images=normalise(pixels, centre, scale),
        targets=softmax(logits, 1),
        weight=head["head.weight"][classes],
        bias=head["head.bias"][classes],
    )


def aligned_parameters(teachers: Sequence[Teacher], orders: Sequence[Order]) -> dict[str, Tensor]:
    """Return the trunks' parameters by name, stacked over the teachers, channels in the reference's order."""
    states = [permute_channels(t.model.state_dict(), order) for t, order in zip(teachers, orders, strict=True)]
    names = [name for name, _ in teachers[0].model.named_parameters() if name.startswith("trunk.")]
    return {name.removeprefix("trunk."): torch.stack([state[name] for state in states]) for name in names}


def statistics(reference: Teacher, pixels: Tensor) -> Tensor:
    """Return the mean and standard deviation of each channel of the reference's blocks: (8 * width,)."""
    outputs = [output.transpose(0, 1).flatten(1) for output in block_outputs(reference, pixels)]
    return torch.cat([part for output in outputs for part in (output.mean(1), output.std(1))])


def standardise(embeddings: Sequence[Tensor]) -> Tensor:
    """Return embeddings (n, d) with mean zero, equal variance in each entry, and a mean squared norm of one."""
    stacked = torch.stack(list(embeddings)).double()
    centred = stacked - stacked.mean(0)
    deviation = square_root(centred.square().mean(0))
    varies = deviation > 1e-6 * deviation.max()
    scaled = centred[:, varies] / deviation[varies]
    return (scaled / max(1, scaled.shape[1]) ** 0.5).float() if varies.any() else torch.zeros_like(stacked).float()
