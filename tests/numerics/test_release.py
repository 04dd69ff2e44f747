"""One epoch of TGR as published, against a derivation of its own: plain loops, explicit gradients, Adam by its formula.

An epoch is one group step and the replay that follows until the training accuracy stalls. What was drawn is recorded;
everything computed from it is computed here again.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.autograd import grad
from torch.nn.functional import conv2d, cross_entropy, max_pool2d

from tests.toy_training import META, make_training
from tgr.config.methods.tgr import Tgr
from tgr.meta.bank import MEAN, STD
from tgr.meta.judge import Judge, Opinion
from tgr.meta.learners import Episode
from tgr.meta.sources import CachedImages
from tgr.methods import tgr
from tgr.methods.training import Training
from tgr.pool.teacher import Teacher

Weights = dict[str, Tensor]
LR, STRENGTH, PATIENCE, KD, TEMPERATURE = 0.02, 0.05, 2, 1.5, 2.0
MAML = META.model_copy(update={"learner": "maml", "inner_lr": 0.1, "n_checkpoints": 1})
HEAD = ("head.weight", "head.bias")


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Recorder:
    """What a training drew: for each teacher of the group step its view, labels and index, and all episodes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.views: list[Tensor] = []
        self.drawn: list[tuple[int, Tensor]] = []
        self.batches: list[list[Episode]] = []
        draw, episodes, opinion = CachedImages.draw, CachedImages.episodes, Judge.opinion

        def watched_draw(source: CachedImages, teacher: int) -> object:
            images = draw(source, teacher)
            self.drawn.append((teacher, images.labels))
            return images

        def watched_episodes(source: CachedImages, *arguments: object) -> list[Episode]:
            self.batches.append(episodes(source, *arguments))  # type: ignore[arg-type]
            return self.batches[-1]

        def watched_opinion(judge: Judge, images: Tensor) -> Opinion:
            self.views.append(images)
            return opinion(judge, images)

        monkeypatch.setattr(CachedImages, "draw", watched_draw)
        monkeypatch.setattr(CachedImages, "episodes", watched_episodes)
        monkeypatch.setattr(Judge, "opinion", watched_opinion)


class Adam:
    """Kingma and Ba 2015, algorithm 1; a weight without a gradient rests."""

    def __init__(self) -> None:
        self.moments: dict[str, tuple[Tensor, Tensor, int]] = {}

    def step(self, weights: Weights, gradients: Weights) -> Weights:
        new = dict(weights)
        for name, g in gradients.items():
            first, second, t = self.moments.get(name, (torch.zeros_like(g), torch.zeros_like(g), 0))
            first, second, t = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g, t + 1
            self.moments[name] = first, second, t
            scaled = (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
            new[name] = (weights[name] - LR * scaled).detach()
        return new


def outputs(weights: Weights, images: Tensor, head: str) -> Tensor:
    """Conv4 with BatchNorm on batch statistics."""
    x = images
    for block in range(4):
        part = f"trunk.{block}."
        x = conv2d(x, weights[part + "conv.weight"], weights[part + "conv.bias"], padding=1)
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        scale, shift = (weights[part + f"norm.{name}"].view(1, -1, 1, 1) for name in ("weight", "bias"))
        x = max_pool2d(((x - mean) / (variance + 1e-5).sqrt() * scale + shift).relu(), 2)
    return x.flatten(1) @ weights[head + "weight"].T + weights[head + "bias"]


def softmax(logits: Tensor) -> Tensor:
    return logits.exp() / logits.exp().sum(1, keepdim=True)


def said(teacher: Teacher, view: Tensor) -> Tensor:
    pixels = view * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    return teacher.logits(pixels).detach()


def released_loss(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """`kl_div` fed with probabilities, and averaged over elements."""
    p, q = softmax(teacher / TEMPERATURE), softmax(student / TEMPERATURE)
    return cross_entropy(student, labels) + KD * (p * (p.log() - q)).mean()


def corrected_loss(student: Tensor, teacher: Tensor, rows: Tensor, labels: Tensor) -> Tensor:
    p, q = softmax(teacher / TEMPERATURE), softmax(student[:, rows] / TEMPERATURE)
    divergence = (p * (p.log() - q.log())).sum(1).mean()
    return cross_entropy(student, rows[labels]) + KD * TEMPERATURE**2 * divergence


def group_gradient(weights: Weights, losses: list[Callable[[Weights], Tensor]], *, through: bool) -> Weights:
    """The gradient of the mean of L_i(theta + lambda (g_i - mean g)), through the displacement or with it constant."""
    leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
    theta = list(leaves.values())
    each = [grad(loss(leaves), theta, create_graph=True) for loss in losses]
    total = torch.zeros(())
    for loss, own in zip(losses, each, strict=True):
        moved = {}
        for k, name in enumerate(leaves):
            displacement = STRENGTH * (own[k] - sum(other[k] for other in each) / len(each))
            moved[name] = leaves[name] + (displacement if through else displacement.detach())
        total = total + loss(moved) / len(losses)
    return dict(zip(leaves, grad(total, theta), strict=True))


def replay_gradient(weights: Weights, head: str, batch: list[Episode]) -> tuple[Weights, float]:
    """Second-order MAML: the mean query loss after the inner steps, differentiated through them, and the accuracy."""
    leaves = {name: w.clone().requires_grad_() for name, w in weights.items()}
    loss, right = torch.zeros(()), []
    for episode in batch:
        adapted = dict(leaves)
        for _ in range(MAML.inner_steps):
            inner = cross_entropy(outputs(adapted, episode.support, head), episode.support_labels)
            slopes = grad(inner, list(adapted.values()), create_graph=True)
            adapted = {n: w - MAML.inner_lr * g for (n, w), g in zip(adapted.items(), slopes, strict=True)}
        logits = outputs(adapted, episode.query, head)
        loss = loss + cross_entropy(logits, episode.query_labels) / len(batch)
        right += (logits.argmax(1) == episode.query_labels).tolist()
    return dict(zip(leaves, grad(loss, list(leaves.values())), strict=True)), sum(right) / len(right)


def epoch(recorder: Recorder, training: Training, weights: Weights, *, release: bool) -> tuple[Weights, int]:
    """Return the weights after one epoch, and how many outer steps of replay it had."""
    adam, head = Adam(), "head." if release else "episodes."
    names = training.bank("shared").class_names
    losses: list[Callable[[Weights], Tensor]] = []
    for view, (index, labels) in zip(recorder.views, recorder.drawn, strict=True):
        teacher = training.teachers[index]
        target, rows = said(teacher, view), torch.tensor([names.index(f"d/{c}") for c in teacher.card.classes])
        if release:
            losses.append(lambda w, v=view, t=target, y=labels: released_loss(outputs(w, v, "head."), t, y))
        else:
            losses.append(lambda w, v=view, t=target, r=rows, y=labels: corrected_loss(outputs(w, v, "head."), t, r, y))
    taught = {name: w for name, w in weights.items() if not name.startswith("episodes.")}
    weights = adam.step(weights, group_gradient(taught, losses, through=release))
    best, waited, steps = -1.0, 0, 0
    while waited < PATIENCE:
        learnt = {name: w for name, w in weights.items() if name.startswith(("trunk.", head))}
        gradient, accuracy = replay_gradient(learnt, head, recorder.batches[steps])
        weights, steps = adam.step(weights, gradient), steps + 1
        waited = 0 if accuracy > best else waited + 1
        best = max(best, accuracy)
    return weights, steps


@pytest.mark.parametrize("fidelity", ["release", "corrected"])
def test_one_epoch(monkeypatch: pytest.MonkeyPatch, fidelity: str) -> None:
    """The release: one head and the derivative through the displacement. Ours: a head for each purpose, one Adam."""
    training = make_training(per_class=8, meta=MAML)
    release = fidelity == "release"
    start = training.model(MAML.n_way if release else len(training.bank("shared").class_names))
    weights = {name: parameter.detach() for name, parameter in start.named_parameters()}
    if not release:
        weights["episodes.weight"] = torch.zeros(MAML.n_way, start.feature_dim)
        weights["episodes.bias"] = torch.zeros(MAML.n_way)
    recorder = Recorder(monkeypatch)
    implied = {} if release else {"schedule": "interleaved", "replay_cap": None}
    config = Tgr.model_validate(
        {
            **implied,
            "fidelity": fidelity,
            "group_steps": 1,
            "teachers_per_step": 2,
            "images_per_teacher": 7,
            "gradient_lambda": STRENGTH,
            "kd_weight": KD,
            "temperature": TEMPERATURE,
            "patience": PATIENCE,
            "lr": LR,
        }
    )
    trained = tgr.train(config, training)
    expected, steps = epoch(recorder, training, weights, release=release)
    [(last, state)] = trained.checkpoints
    assert last == 1 + steps == 1 + len(recorder.batches)
    assert steps > PATIENCE
    renamed = {
        "head." + name.partition(".")[2] if name.startswith("episodes.") else name: w for name, w in expected.items()
    }
    for name, w in renamed.items():
        torch.testing.assert_close(state[name], w, rtol=1e-7, atol=1e-9, msg=lambda text, n=name: f"{n}: {text}")
    assert not torch.equal(state["trunk.0.conv.weight"], weights["trunk.0.conv.weight"])
