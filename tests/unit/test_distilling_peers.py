"""BiDf-MKD and FREE: heads, warm-ups, the boundary of teacher and student, and replay from a memory that fills."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from tests.peer_training import META, card, curve, make_training, mixed_pool, run, teacher
from tgr import seeds
from tgr.backbones.registry import build
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.meta.heads import TaskRows, TwoHeads
from tgr.meta.synthesis import ClassMemory, MemoryReplay, TeacherTask, boundary_losses
from tgr.methods import bidf_mkd, free
from tgr.pool.teacher import Teacher

METHODS = ("bidf_mkd", "free")


class Colours(nn.Module):
    """Knows a class by the colour of an image: logits fall with the distance of its mean pixel from the class's."""

    def __init__(self, colours: Sequence[tuple[float, float, float]]) -> None:
        super().__init__()
        self.head = nn.Linear(3, len(colours))
        centres = torch.tensor(colours)
        with torch.no_grad():
            self.head.weight.copy_(20 * centres)
            self.head.bias.copy_(-10 * centres.square().sum(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.mean((2, 3)))


PALETTE = {
    "black": (0.0, 0.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "cyan": (0.0, 1.0, 1.0),
    "green": (0.0, 1.0, 0.0),
    "pink": (1.0, 0.0, 1.0),
    "red": (1.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
}


def colour_teacher(index: int, names: Sequence[str]) -> Teacher:
    described = card(f"teacher-{index:04d}", names, 16, mean=[0.0] * 3, std=[1.0] * 3, flips=True)
    return Teacher(described, Colours([PALETTE[name] for name in names]).eval())


def colour_pool() -> list[Teacher]:
    names = list(PALETTE)
    drawing = seeds.torch_generator("pool")
    return [colour_teacher(i, [names[k] for k in torch.randperm(8, generator=drawing)[:3].tolist()]) for i in range(6)]


def permuted(own: Teacher, order: Sequence[int]) -> Teacher:
    """The same teacher, its classes in another order."""
    described = card(own.card.name, [own.card.classes[i] for i in order], own.card.image_size)
    model = build("conv4", len(order), 4, own.card.image_size, "new")
    model.load_state_dict(own.model.state_dict())
    with torch.no_grad():
        model.head.weight.copy_(own.model.head.weight[list(order)])
        model.head.bias.copy_(own.model.head.bias[list(order)])
    return Teacher(described, model.eval())


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("method", METHODS)
def test_aligned_heads_take_no_notice_of_the_order_of_a_teachers_labels(method: str) -> None:
    pool = [teacher("teacher-0000", "abc", 16), teacher("teacher-0001", "bcde", 16)]
    other = [pool[0], permuted(pool[1], [2, 0, 3, 1])]
    distances = {}
    for heads in ("aligned", "shared"):
        first, second = (run(method, p, heads=heads, replay_steps=0).checkpoints[-1][1] for p in (pool, other))
        # The bias of a convolution before BatchNorm has no gradient but rounding.
        names = [name for name in first if not name.endswith(("conv.bias", "running_mean"))]
        distances[heads] = max(float((first[name] - second[name]).abs().max()) for name in names)
    assert distances["aligned"] < 1e-9
    assert distances["shared"] > 1e-3


@pytest.mark.parametrize("heads", ["aligned", "shared"])
@pytest.mark.parametrize("method", METHODS)
def test_checkpoints_hold_the_head_of_episodes(method: str, heads: str) -> None:
    state = run(method, heads=heads).checkpoints[-1][1]
    assert state["head.weight"].shape[0] == META.n_way
    assert state["head.weight"].abs().max() > 0
    headless = run(method, heads=heads, meta=META.model_copy(update={"learner": "protonet"})).checkpoints[-1][1]
    assert not any(key.startswith("head.") for key in headless)


def test_rows_are_those_of_classes_or_of_labels() -> None:
    classes, keys = torch.tensor([4, 0, 3]), ["a", "b", "d"]
    aligned, shared = (TaskRows(heads, "abcde", 3) for heads in ("aligned", "shared"))
    assert (aligned.count, aligned.of(classes, keys).tolist()) == (5, [0, 1, 3])
    assert (shared.count, shared.of(classes, keys).tolist()) == (3, [2, 0, 1])


def test_two_heads_move_one_trunk() -> None:
    training = make_training()
    for heads, count in (("aligned", 2), ("shared", 0)):
        model = TwoHeads.build(TaskRows(heads, "abcde", 3), heads, 3, training.model)
        assert model.student.trunk is model.learner.trunk
        assert (model.learner is model.student) == (heads == "shared")
        assert len(model.parameters()) == len(list(model.student.parameters())) + count


def test_boundary_is_led_by_the_teacher_alone_where_both_agree() -> None:
    """Against explicit formulas in float64, the student's outputs as constants."""
    drawing = seeds.torch_generator("boundary")
    own = teacher("teacher-0000", "abcd", 16)
    own.model.double()
    task = TeacherTask.draw(own, 3, "shared", drawing)
    labels = task.labels(8)
    images = torch.rand(len(labels), 3, 16, 16, generator=drawing, dtype=torch.float64).requires_grad_()
    with seeds.forked("student"):
        linear = nn.Linear(768, 3).double()
    found = boundary_losses(task, labels, lambda x: linear(x.flatten(1)), 0.7, images)
    (gradient,) = torch.autograd.grad(found.sum(), images, retain_graph=True)

    logits = own.logits(images)
    p = logits[:, task.classes].softmax(1)
    q = linear(images.flatten(1)).softmax(1).detach()
    agree = p.argmax(1) == q.argmax(1)
    assert 0 < agree.sum() < len(labels)
    known = cross_entropy(logits, task.classes[labels], reduction="none")
    expected = known - 0.7 * torch.where(agree, (p * (p / q).log()).sum(1), 0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), images, retain_graph=True)[0])
    assert not torch.allclose(gradient, torch.autograd.grad(known.sum(), images)[0])
    found.sum().backward()
    assert linear.weight.grad is None


def test_adapted_students_know_the_images_of_their_teachers() -> None:
    """Led by the student's gradient too, images became such that students scored below chance on them."""
    about = {"steps": 8, "boundary_after": 0, "boundary_weight": 3, "inversion_steps": 20, "inversion_lr": 0.05}
    about |= {"kd_steps": 5, "kd_lr": 0.3, "support_per_class": 4, "query_per_class": 4, "replay_steps": 0}
    accuracies = curve(run("bidf_mkd", colour_pool(), **about), "distillation", "query_accuracy")
    assert sum(accuracies) / len(accuracies) > 0.65  # 0.79; 0.44 if the student is differentiated through


def test_boundary_waits_for_its_part_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def watched(task: TeacherTask, labels: Tensor, student: Any, weight: float, images: Tensor) -> Tensor:
        seen.append(student is not None)
        return boundary_losses(task, labels, student, weight, images)

    monkeypatch.setattr(bidf_mkd, "boundary_losses", watched)
    run("bidf_mkd", steps=4, boundary_after=0.5, inversion_steps=1)
    assert seen == [False, False] * 2 + [False, True] * 2  # support and query of each step


def test_warmup_trains_the_generator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    students: list[bool] = []

    def watched(task: TeacherTask, labels: Tensor, student: Any, weight: float, images: Tensor) -> Tensor:
        students.append(student is not None)
        return boundary_losses(task, labels, student, weight, images)

    monkeypatch.setattr(free, "boundary_losses", watched)
    trained = run("free", steps=4, warmup=0.5, teachers_per_step=1, adaptation_steps=1)
    assert students == [False, False, True, True]
    assert {step for step, *_ in trained.curves} == {3, 4}
    assert [step for step, _ in trained.checkpoints] == [3, 4]


@pytest.mark.parametrize("update", ["reptile", "fomaml"])
def test_the_generator_learns_from_its_copies(update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Towards their mean, or a first step of Adam, which is the sign of the summed gradients."""
    changes = {"generator_update": update, "generator_rate": 0.25, "generator_lr": 0.01}
    config = parameters_of("free", {**CARDS["free"].small, **changes})
    training = make_training()
    source = free.Source(config, training)  # type: ignore[arg-type]
    before = [weight.detach().clone() for weight in source._network.parameters()]
    copies = []
    plain = free.Source._adapt

    def watched(self: free.Source, *arguments: Any) -> Any:
        copies.append(plain(self, *arguments))
        return copies[-1]

    monkeypatch.setattr(free.Source, "_adapt", watched)
    drawing = seeds.torch_generator("tasks")
    source.generate([TeacherTask.draw(own, 3, "shared", drawing) for own in training.teachers[:2]], None, 1)
    first, second = (list(adapted.parameters()) for adapted, _ in copies)
    for old, new, a, b in zip(before, source._network.parameters(), first, second, strict=True):
        if update == "reptile":
            expected = old + 0.25 * ((a + b) / 2 - old)
        else:
            total = a.grad + b.grad
            expected = old - 0.01 * total / (total.abs() + 1e-8)
        torch.testing.assert_close(new, expected, rtol=1e-4, atol=1e-5)


def test_the_batch_of_the_lowest_loss_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    levels, shown = iter([3.0, 1.0, 2.0]), []

    def scripted(task: TeacherTask, labels: Tensor, student: Any, weight: float, images: Tensor) -> Tensor:
        shown.append(images.detach().clone())
        return images.flatten(1).sum(1) * 0 + next(levels)

    monkeypatch.setattr(bidf_mkd, "boundary_losses", scripted)
    config = parameters_of("bidf_mkd", {**CARDS["bidf_mkd"].small, "inversion_steps": 3, "augment": False})
    training = make_training()
    inverter = bidf_mkd.Inverter(config, training)  # type: ignore[arg-type]
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self: [p.data.add_(1) for g in self.param_groups for p in g["params"]]
    )
    task = TeacherTask.draw(training.teachers[0], 3, "shared", seeds.torch_generator("t"))
    kept = inverter.invert(task, task.labels(1))
    assert not torch.equal(shown[1], shown[2])
    assert torch.equal(kept, shown[1])


@pytest.mark.parametrize("method", METHODS)
def test_images_are_cropped_in_inversion_and_distillation(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = {"bidf_mkd": bidf_mkd, "free": free}[method]
    views: list[int] = []
    plain = module.random_crop_flip

    def watched(images: Tensor, *others: Any) -> Tensor:
        views.append(images.requires_grad)
        return plain(images, *others)

    monkeypatch.setattr(module, "random_crop_flip", watched)
    run(method, steps=2)
    assert set(views) == {True, False}  # of images that are being made, and of finished ones
    views.clear()
    run(method, steps=2, augment=False)
    assert not views


def filling(count: int) -> ClassMemory:
    memory = ClassMemory(16, 9)
    images = torch.rand(3 * count, 3, 16, 16, generator=seeds.torch_generator("images"))
    memory.add(
        images, one_hot(torch.arange(count), count).argmax(1).repeat_interleave(3), [f"c{i}" for i in range(count)]
    )
    return memory


def test_replay_that_waits_for_classes_is_caught_up(caplog: pytest.LogCaptureFixture) -> None:
    model, memory = make_training().model(3), filling(2)
    optimizer = torch.optim.Adam(model.parameters())
    episodes = seeds.numpy_generator("e")
    replay = MemoryReplay("method x", model, optimizer, memory, 1, META, episodes)
    assert replay.run(2, 1) == {"replay_owed": 2.0}
    with caplog.at_level(logging.WARNING):
        replay.finish()
    assert "method x: 2 meta-batches were never replayed" in caplog.text
    full = filling(4)
    memory.add(full.bank().images[:12] * 0.25 + 0.5, torch.arange(4).repeat_interleave(3), [f"c{i}" for i in range(4)])
    values = replay.run(2, 2)
    assert values["replay_owed"] == 0
    assert {"loss", "train_accuracy"} <= set(values)
    assert int(next(iter(optimizer.state.values()))["step"]) == 4
    caplog.clear()
    replay.finish()
    assert not caplog.text


def test_a_training_owes_no_replay_in_the_end() -> None:
    pool = mixed_pool()
    for method in METHODS:
        owed = curve(run(method, pool, steps=8, replay_steps=2), "replay", "replay_owed")
        assert owed[-1] == 0
