"""Meta-learners against explicit autograd, in float64."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tgr.backbones.classifier import Classifier
from tgr.meta.learners import LEARNERS, Episode, anil, fomaml, maml, protonet

INNER_LR, INNER_STEPS = 0.3, 2


def tiny() -> tuple[Classifier, Episode]:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh())
    model = Classifier(trunk, 6, 3).double()
    labels = torch.arange(3).repeat_interleave(2)
    images = torch.randn(2, 6, 3, 2, 2, dtype=torch.float64)
    return model, Episode(images[0], labels, images[1], labels)


def forward(p: dict[str, Tensor], images: Tensor) -> Tensor:
    hidden = (images.flatten(1) @ p["trunk.1.weight"].T + p["trunk.1.bias"]).tanh()
    return hidden @ p["head.weight"].T + p["head.bias"]


def explicit_loss(p: dict[str, Tensor], episode: Episode, adapted: list[str], *, second_order: bool) -> Tensor:
    """The query loss after hand-written inner steps on some of the parameters."""
    current = dict(p)
    for _ in range(INNER_STEPS):
        inner = cross_entropy(forward(current, episode.support), episode.support_labels)
        gradients = torch.autograd.grad(inner, [current[n] for n in adapted], create_graph=True)
        for name, gradient in zip(adapted, gradients, strict=True):
            current[name] = current[name] - INNER_LR * (gradient if second_order else gradient.detach())
    return cross_entropy(forward(current, episode.query), episode.query_labels)


@pytest.mark.parametrize(
    ("learner", "adapted", "second_order"),
    [(maml, None, True), (fomaml, None, False), (anil, ["head.weight", "head.bias"], True)],
)
def test_gradient_equals_explicit_autograd(learner, adapted, second_order) -> None:
    model, episode = tiny()
    parameters = dict(model.named_parameters())
    reference = explicit_loss(parameters, episode, adapted or list(parameters), second_order=second_order)
    outcome = learner(model, parameters, episode, INNER_LR, INNER_STEPS)
    torch.testing.assert_close(outcome.loss, reference)
    for ours, theirs in zip(
        torch.autograd.grad(outcome.loss, list(parameters.values())),
        torch.autograd.grad(reference, list(parameters.values())),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_prototypes_equal_explicit_loops() -> None:
    """Labels in any order and classes of unequal size, as episodes of real images may have them."""
    model, episode = tiny()
    labels = torch.tensor([2, 0, 1, 0, 2, 0])
    episode = Episode(episode.support, labels, episode.query, episode.query_labels)
    parameters = dict(model.named_parameters())
    hidden = [
        (i.flatten() @ parameters["trunk.1.weight"].T + parameters["trunk.1.bias"]).tanh() for i in episode.support
    ]
    prototypes = []
    for label in range(3):
        own = [feature for feature, of in zip(hidden, labels.tolist(), strict=True) if of == label]
        prototypes.append(sum(own[1:], own[0]) / len(own))
    losses, right = [], 0
    for image, label in zip(episode.query, episode.query_labels.tolist(), strict=True):
        feature = (image.flatten() @ parameters["trunk.1.weight"].T + parameters["trunk.1.bias"]).tanh()
        distances = [sum((a - b) ** 2 for a, b in zip(feature, p, strict=True)) for p in prototypes]
        losses.append(distances[label] + torch.stack([(-d).exp() for d in distances]).sum().log())
        right += int(torch.stack(distances).argmin()) == label
    outcome = protonet(model, parameters, episode, INNER_LR, INNER_STEPS)
    reference = torch.stack(losses).mean()
    torch.testing.assert_close(outcome.loss, reference)
    assert float(outcome.accuracy) == pytest.approx(right / 6)
    trunk = [parameters["trunk.1.weight"], parameters["trunk.1.bias"]]
    for ours, theirs in zip(
        torch.autograd.grad(outcome.loss, trunk, retain_graph=True), torch.autograd.grad(reference, trunk), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    outcome.loss.backward()
    assert model.head.weight.grad is None and model.head.bias.grad is None


def test_first_and_second_order_differ() -> None:
    model, episode = tiny()
    parameters = dict(model.named_parameters())
    gradients = []
    for learner in (maml, fomaml):
        loss = learner(model, parameters, episode, INNER_LR, INNER_STEPS).loss
        gradients.append(torch.autograd.grad(loss, list(parameters.values()))[0])
    assert not torch.allclose(*gradients)


@pytest.mark.parametrize("name", LEARNERS)
def test_model_is_left_as_it_was(name: str) -> None:
    model, episode = tiny()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    LEARNERS[name](model, dict(model.named_parameters()), episode, INNER_LR, INNER_STEPS)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
