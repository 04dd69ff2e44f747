"""The protocols against explicit computation in float64."""

import copy

import pytest
import torch
from torch import Tensor, nn

from tgr.backbones.classifier import Classifier, batchnorm_layers
from tgr.backbones.registry import build
from tgr.evaluation.protocols import finetune
from tgr.meta.nearest_mean import Task, count_right, ncm

LR = 0.05


@pytest.fixture
def model() -> Classifier:
    built = build("conv4", 3, 8, 16, "test").double()
    for layer in batchnorm_layers(built):  # running statistics that differ from 0 and 1
        layer.running_mean.normal_(0, 0.2, generator=torch.Generator().manual_seed(1))
        layer.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(2))
    return built.train()  # whatever state a caller leaves it in


@pytest.fixture
def task() -> Task:
    generator = torch.Generator().manual_seed(0)
    shift = torch.randn(3, 1, 3, 16, 16, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, 7, 3, 16, 16, generator=generator, dtype=torch.float64)
    images = 0.15 * shift + noise
    return Task(images[:, :2], images[:, 2:])


def prepare(model: Classifier, mode: str) -> Classifier:
    """Return a copy in the wanted BatchNorm mode, by means other than ``batchnorm_mode``."""
    copied = copy.deepcopy(model).eval()
    if mode == "batch":
        for layer in batchnorm_layers(copied):
            layer.running_mean = layer.running_var = None
    return copied


def hand_written(model: Classifier, task: Task, steps: int, mode: str) -> Classifier:
    adapted = prepare(model, mode)
    images = torch.cat([task.support[c] for c in range(3)])
    targets = torch.tensor([0, 0, 1, 1, 2, 2])
    for _ in range(steps):
        loss = -torch.log_softmax(adapted(images), 1)[torch.arange(6), targets].mean()
        adapted.zero_grad()
        loss.backward()
        for parameter in adapted.parameters():
            parameter.data = parameter.data - LR * parameter.grad
    return adapted


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_finetune_equals_hand_written_sgd(
    model: Classifier, task: Task, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def spy(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(logits.detach().clone())
        return count_right(logits, targets)

    monkeypatch.setattr("tgr.evaluation.protocols.count_right", spy)
    steps = [0, 1, 4]
    actual = finetune(model, task, LR, steps, mode)
    queries = torch.cat([task.query[c] for c in range(3)])
    for logits, share, count in zip(seen, actual, steps, strict=True):
        expected = hand_written(model, task, count, mode)(queries).detach()
        torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-11)
        right = sum(int(row.argmax()) == i // 5 for i, row in enumerate(expected))
        assert share == right / 15
    assert not torch.allclose(seen[0], seen[1])


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_an_episode_leaves_the_model_as_it_was(model: Classifier, task: Task, mode: str) -> None:
    before = copy.deepcopy(model.state_dict())
    finetune(model, task, LR, [3], mode)
    ncm(model, task, mode)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(module.training for module in model.modules())
    assert all(layer.track_running_stats for layer in batchnorm_layers(model))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_failing_episode_leaves_the_model_as_it_was(
    model: Classifier, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [parameter.detach().clone() for parameter in model.parameters()]

    def fail(logits: Tensor, targets: Tensor) -> float:
        raise RuntimeError("stopped")

    monkeypatch.setattr("tgr.evaluation.protocols.count_right", fail)
    with pytest.raises(RuntimeError, match="stopped"):
        finetune(model, task, LR, [2], "batch")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_ncm_equals_the_naive_computation(model: Classifier, task: Task, mode: str) -> None:
    trunk = prepare(model, mode).trunk
    support, query = task.support.flatten(0, 1), task.query.flatten(0, 1)
    with torch.no_grad():
        features = trunk(torch.cat([support, query]))
    means = [torch.stack([features[2 * c], features[2 * c + 1]]).mean(0) for c in range(3)]
    right = 0
    for i in range(15):
        distances = [float(((features[6 + i] - mean) ** 2).sum()) for mean in means]
        right += distances.index(min(distances)) == i // 5
    assert 0 < right < 15, "a task on which the protocol cannot go wrong tests nothing"
    assert ncm(model, task, mode) == right / 15


def test_queries_are_independent_of_each_other_with_running_statistics(model: Classifier, task: Task) -> None:
    single = [Task(task.support, task.query[:, i : i + 1]) for i in range(5)]
    for protocol in (lambda t: finetune(model, t, LR, [2], "running")[0], lambda t: ncm(model, t, "running")):
        assert sum(protocol(one) for one in single) / 5 == pytest.approx(protocol(task), abs=1e-12)


def test_pixels_need_no_parameters_to_be_classified(task: Task) -> None:
    model = Classifier(nn.Flatten(), 3 * 16 * 16, 3).double()
    pixels = task.support.flatten(2).mean(1)
    distances = (task.query.flatten(0, 1).flatten(1)[:, None] - pixels[None]).square().sum(-1)
    expected = float((distances.argmin(1) == torch.arange(3).repeat_interleave(5)).double().mean())
    assert ncm(model, task, "batch") == pytest.approx(expected, abs=1e-12)
