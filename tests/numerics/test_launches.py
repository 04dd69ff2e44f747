"""Steps split from their draws: the same bits as one loop, a graph's steps, and several teachers stacked in one."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.stacks import Stack, next_batches
from tests.toy_training import make_training
from tgr import launches, seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode, frozen
from tgr.backbones.registry import build
from tgr.config.methods.bank import Bank
from tgr.config.methods.replay import Replay
from tgr.config.methods.tgr import Tgr
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import crop_pad, normalise, random_crop_flip
from tgr.evaluation.protocols import finetuning
from tgr.inversion.pixel import invert, start_images
from tgr.meta.nearest_mean import Task
from tgr.meta.pooled import batch_sampler, fit_pooled
from tgr.methods import registry
from tgr.pool.pretrain import (
    Split,
    draw_batches,
    make_optimizer,
    pretrain_teacher,
    split_task,
    teacher_classes,
    training_step,
)

CPU = torch.device("cpu")
MEAN, STD = [0.5] * 3, [0.25] * 3
POOL = Pool(dataset="tiny", n_way=3, width=8)


@pytest.fixture(autouse=True)
def eagerly() -> Iterator[None]:
    yield
    launches.choose("eager")


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


# The eager runner against plain loops


def pretrained_plainly(dataset: ImageDataset, config: Pretrain) -> nn.Module:
    """Train the first teacher of the pool `p`, drawing and computing in turn."""
    generator = seeds.torch_generator("pool", "p", "training", 0)
    train, _ = split_task(dataset, teacher_classes("p", 0, 3, dataset), config.held_out, generator)
    model = build("conv4", 3, 8, 16, "pool", "p", 0).train()
    images, labels = normalise(train.images, *dataset.normalisation), train.labels
    optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=config.lr, fused=True)
    if config.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), config.lr, momentum=0.9, weight_decay=5e-4)
    batches = len(labels) // config.batch_size
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * batches)
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(labels), generator=generator).chunk(batches):
            batch = images[chosen]
            if config.augment:
                batch = random_crop_flip(batch, 2, dataset.flips, generator)
            loss = cross_entropy(model(batch), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return model


@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd", "lr": 0.05}, {"augment": False}, {"batch_size": 13}])
def test_pretraining_gives_the_bits_of_a_plain_loop(tiny_dataset: ImageDataset, changes: dict[str, Any]) -> None:
    config = Pretrain.model_validate({"epochs": 3, "batch_size": 16} | changes)
    found = pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)[0].state_dict()
    for name, value in pretrained_plainly(tiny_dataset, config).state_dict().items():
        assert torch.equal(found[name], value), name


def test_inversion_gives_the_bits_of_a_plain_loop() -> None:
    teacher, labels = make_training().teachers[0], torch.arange(6) % 3
    config = Inversion(steps=5, bn_weight=0, tv_weight=0, l2_weight=0)
    found = invert(teacher, labels, config, None, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    images = start_images(6, 16, generator).contiguous(memory_format=torch.channels_last).requires_grad_()
    optimizer = torch.optim.Adam([images], lr=0.05, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    with batchnorm_mode(teacher.model, "running"), frozen([teacher.model]):
        for _ in range(5):
            optimizer.zero_grad()
            seen = random_crop_flip(images, config.crop_pad, teacher.card.flips, generator)
            cross_entropy(teacher.logits(seen), labels).backward()
            optimizer.step()
            scheduler.step()
            images.data.clamp_(0, 1)
    assert torch.equal(found, images.detach())


def test_the_pooled_classifier_gives_the_bits_of_a_plain_loop() -> None:
    bank, config = make_training().bank("shared"), Bank(steps=5, batch_size=9)
    found, model = (build("conv4", len(bank.class_names), 8, 16, "pooled") for _ in range(2))
    fit_pooled(found, bank, config, torch.Generator().manual_seed(1), lambda *_: None)
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    draw = batch_sampler(bank, config.teachers_per_batch, config.batch_size, generator)
    model.train()
    for _ in range(config.steps):
        chosen = draw()
        images = random_crop_flip(bank.images[chosen], crop_pad(16), bank.flips[chosen], generator)
        optimizer.zero_grad()
        cross_entropy(model(images), bank.classes[chosen]).backward()
        optimizer.step()
        scheduler.step()
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


# Graphs


def test_without_cuda_graphs_are_said_to_be_steps_run_eagerly(
    tiny_dataset: ImageDataset, caplog: pytest.LogCaptureFixture
) -> None:
    config = Pretrain(epochs=2, batch_size=16)
    expected = pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)[0].state_dict()
    launches.choose("graph")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)[0].state_dict()
    [record] = caplog.records
    assert record.getMessage() == (
        "launches: graph: there are no graphs on the device cpu; steps run one kernel after the other"
    )
    assert launches.used() == "eager"
    assert all(torch.equal(found[name], value) for name, value in expected.items())


class PretendedCuda:
    """As much of `torch.cuda` as is needed to record: in a recording nothing runs, and a replay runs what was recorded
    on the tensors that were there then, the learning rate among them, whatever has become of Python's variables."""

    def __init__(self, optimizer: torch.optim.Optimizer | None, step: launches.Step, fails: bool = False) -> None:
        self._groups = optimizer.param_groups if optimizer else []
        self._run, self._fails = step, fails
        self._graph: Any = None
        self._outputs: tuple[Tensor, ...] = ()
        self.recordings, self.replays = 0, 0

    def step(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self._graph is None:
            self._outputs = self._run(*inputs)
            return self._outputs
        outputs = tuple(torch.zeros_like(value) for value in self._outputs)
        rates = [group["lr"] for group in self._groups]
        for group, rate in zip(self._groups, rates, strict=True):
            assert isinstance(rate, Tensor) and group["capturable"] and group["fused"]

        def replay() -> None:
            self.replays += 1
            before = [group["lr"] for group in self._groups]
            self._set(rates)
            for output, value in zip(outputs, self._run(*inputs), strict=True):
                output.copy_(value)
            self._set(before)

        self._graph.replay = replay
        return outputs

    def _set(self, rates: Sequence[float | Tensor]) -> None:
        for group, rate in zip(self._groups, rates, strict=True):
            group["lr"] = rate

    @contextmanager
    def graph(self, graph: Any, stream: Any) -> Iterator[None]:
        self.recordings += 1
        self._graph = graph
        yield
        self._graph = None
        if self._fails:
            raise RuntimeError("operation not permitted\nwhen stream is capturing")

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = SimpleNamespace(wait_stream=lambda other: None)
        for name, value in {
            "graph": self.graph,
            "CUDAGraph": SimpleNamespace,
            "Stream": lambda device: stream,
            "current_stream": lambda device: stream,
            "stream": lambda stream: nullcontext(),
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)


def trained(
    task: Split, config: Pretrain, monkeypatch: pytest.MonkeyPatch | None = None, fails: bool = False
) -> tuple[list[Tensor], list[float], int]:
    """Return weights, losses and the number of recordings, of a training on pretended graphs or without."""
    model = build("conv4", 3, 8, 16, "launches").train()
    optimizer = make_optimizer(model.parameters(), config)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)
    step = training_step(model, optimizer, normalise(task.images, MEAN, STD), task.labels, config)
    cuda = PretendedCuda(optimizer, step, fails)
    run = launches.runner(step, optimizer, CPU)
    if monkeypatch:
        cuda.install(monkeypatch)
        run = launches.Graphs(cuda.step, optimizer, CPU)
    losses = []
    for drawn in draw_batches(task, config, True, torch.Generator().manual_seed(0)):
        losses += run(drawn)
        scheduler.step()
    return list(model.parameters()), [float(loss) for loss in losses], cuda.recordings


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.usefixtures("double")
def test_recorded_steps_follow_draws_and_learning_rate(optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Pretrain.model_validate({"epochs": 8, "batch_size": 16, "lr": 0.01, "optimizer": optimizer})
    task = make_task(0, 41)  # in batches of 21 and 20: two sizes
    weights, losses, _ = trained(task, config)
    found, found_losses, recordings = trained(task, config, monkeypatch)
    assert recordings == 2 and launches.used() == "graph"
    assert found_losses == pytest.approx(losses, rel=1e-6)
    for one, other in zip(found, weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.usefixtures("double")
def test_where_recording_fails_steps_go_on_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config, task = Pretrain(epochs=6, batch_size=16), make_task(0, 41)
    weights, losses, _ = trained(task, config)
    found, found_losses, recordings = trained(task, config, monkeypatch, fails=True)
    [record] = caplog.records
    assert record.getMessage() == (
        "launches: graph: a step could not be recorded (RuntimeError: operation not permitted); "
        "steps run one kernel after the other"
    )
    assert recordings == 1 and launches.used() == "eager"
    assert found_losses == pytest.approx(losses, rel=1e-12)
    for one, other in zip(found, weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def group_steps(**changes: Any) -> Tensor:
    chosen = {"group_steps": 8, "replay_steps": 0, "teachers_per_step": 2, "images_per_teacher": 6} | changes
    return final_weights("tgr", Tgr.model_validate(chosen))


def final_weights(method: str, config: Any) -> Tensor:
    _, state = registry.get(method)(config, make_training()).checkpoints[-1]
    return torch.cat([value.double().flatten() for value in state.values()])


def finetuned() -> Tensor:
    model, shape = build("conv4", 3, 8, 16, "launches"), (8, 3, 4, 3, 16, 16)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    adapt = finetuning(model, 0.1, [1, 4], "batch")
    return torch.tensor([adapt(Task(episode[:, :1], episode[:, 1:])) for episode in images])


TRAININGS: dict[str, Callable[[], Tensor]] = {
    "replay": lambda: final_weights("replay", Replay(steps=8)),
    "group steps": group_steps,
    "the release's group steps": lambda: group_steps(fidelity="release", schedule="sequential"),
    "group steps with replay after each": lambda: group_steps(schedule="interleaved", replay_cap=2),
    "fine-tuning": finetuned,
}


@pytest.mark.parametrize("name", TRAININGS)
@pytest.mark.usefixtures("double")
def test_recorded_steps_of_several_losses_give_what_others_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, cards = TRAININGS[name](), []

    def runner(step: launches.Step, optimizer: Any, device: torch.device, *, repeats: bool = True) -> launches.Step:
        assert repeats
        cuda = PretendedCuda(optimizer, step)
        cuda.install(monkeypatch)
        cards.append(cuda)

        def run(*drawn: Tensor) -> tuple[Tensor, ...]:
            cuda.install(monkeypatch)
            return graphs(*drawn)

        graphs = launches.Graphs(cuda.step, optimizer, device)
        return run

    monkeypatch.setattr(launches, "runner", runner)
    torch.testing.assert_close(TRAININGS[name](), expected, rtol=1e-5, atol=1e-6)
    assert cards and all(card.recordings >= 1 and card.replays >= 4 for card in cards)


@pytest.mark.usefixtures("double")
def test_steps_of_ever_other_sizes_are_recorded_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = PretendedCuda(None, lambda drawn: (drawn.sum(),))
    cuda.install(monkeypatch)
    run = launches.Graphs(cuda.step, None, CPU)
    for size in range(1, 2 * launches.MOST_GRAPHS):
        for _ in range(launches.WARM_UP + 2):
            assert run(torch.ones(size))[0] == size
    assert cuda.recordings == launches.MOST_GRAPHS


# Stacks


def make_task(index: int, n_images: int = 40) -> Split:
    images = torch.randint(0, 256, (n_images, 3, 16, 16), generator=seeds.torch_generator("task", index))
    return Split(images.to(torch.uint8), torch.arange(n_images) % 3)


def draws_of(index: int, config: Pretrain) -> Iterator[Tensor]:
    return draw_batches(make_task(index), config, True, seeds.torch_generator("draws", index))


def teachers() -> list[Classifier]:
    return [build("conv4", 3, 8, 16, "stack", index).train() for index in range(3)]


@pytest.mark.parametrize(("optimizer", "n_steps"), [("adam", 1), ("sgd", 6)])
@pytest.mark.usefixtures("double")
def test_a_stacked_step_is_the_steps_of_its_teachers(optimizer: str, n_steps: int) -> None:
    config = Pretrain.model_validate({"epochs": 3, "batch_size": 20, "optimizer": optimizer, "label_smoothing": 0.1})
    tasks = [make_task(index) for index in range(3)]
    images = [normalise(task.images, MEAN, STD) for task in tasks]
    labels = [task.labels for task in tasks]
    stack = Stack(teachers(), torch.stack(images), torch.stack(labels), config)
    draws = [draws_of(index, config) for index in range(3)]
    together = [stack.step(next_batches(draws))[0] for _ in range(n_steps)]
    for index, model in enumerate(teachers()):
        own = make_optimizer(model.parameters(), config)
        step = training_step(model, own, images[index], labels[index], config)
        alone = [
            loss for drawn, _ in zip(draws_of(index, config), range(n_steps), strict=False) for loss in step(drawn)
        ]
        torch.testing.assert_close(torch.stack(together)[:, index], torch.stack(alone), rtol=0, atol=1e-10)
        before = dict(teachers()[index].named_parameters())
        for name, value in model.named_parameters():
            torch.testing.assert_close(stack.parameters[name][index], value, rtol=0, atol=1e-10)
            assert not torch.equal(value, before[name])
        for name, value in model.named_buffers():  # the running statistics
            torch.testing.assert_close(stack.buffers[name][index], value, rtol=0, atol=1e-10)


def test_draws_do_not_depend_on_who_shares_the_stack() -> None:
    config = Pretrain(epochs=2, batch_size=16)
    alone = list(draws_of(1, config))
    for others in ([1, 2], [0, 1, 2]):
        draws = [draws_of(index, config) for index in others]
        shared = [next_batches(draws)[others.index(1)] for _ in alone]
        assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))
    assert not torch.equal(alone[0], next(draws_of(2, config)))
