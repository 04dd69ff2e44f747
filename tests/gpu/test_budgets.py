"""What a step may cost on a GPU beside its kernels: waits of the CPU for it, and bytes that are sent to it.

Each is the difference between a long run and a short one, so that what happens once does not count.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch

from tests.device import DEVICE, needs_pretended
from tgr import launches
from tgr.backbones.registry import build
from tgr.config.methods.bank import Bank
from tgr.config.methods.distil import Distil
from tgr.config.methods.replay import Replay
from tgr.config.methods.tgr import Tgr
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import Episodes
from tgr.evaluation.protocols import finetuning
from tgr.evaluation.tasks import TaskSet
from tgr.inversion.registry import get as get_engine
from tgr.meta.nearest_mean import Task, ncm
from tgr.methods import registry
from tgr.methods.training import Training
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher

pytestmark = [pytest.mark.device, needs_pretended]

INDEX = 8
"""Bytes of an index, of which a view takes three: row, column, mirrored."""
SHORT, LONG = 2, 12


class Cost(NamedTuple):
    """Of one step."""

    waits: float
    sent: float


def cost(run: Callable[[int], object]) -> Cost:
    """Return what a step costs of a function that takes a number of steps."""
    from tests.pretended import counted

    found = []
    for steps in (SHORT, LONG):
        with counted() as ledger:
            run(steps)
        found.append((ledger.waits.total(), ledger.sent.total()))
    (waits, sent), (more_waits, more_sent) = found
    return Cost((more_waits - waits) / (LONG - SHORT), (more_sent - sent) / (LONG - SHORT))


def costs_of_steps(monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> list[Cost]:
    """Return what the steps cost that a function runs, their draws apart, after those that warm up."""
    from tests.pretended import counted

    found = []

    def runner(step: launches.Step, optimizer: object, device: torch.device, *, repeats: bool = True) -> launches.Step:
        assert repeats

        def run(*drawn: torch.Tensor) -> tuple[torch.Tensor, ...]:
            there = [part.to(device) for part in drawn]
            with counted() as ledger:
                outputs = step(*there)
            found.append(Cost(ledger.waits.total(), ledger.sent.total()))
            return outputs

        return run

    monkeypatch.setattr(launches, "runner", runner)
    run()
    return found[launches.WARM_UP :]


@pytest.fixture(scope="module")
def teachers(tiny_dataset: ImageDataset) -> list[Teacher]:
    pool, config = Pool(dataset="tiny", n_way=3, width=4), Pretrain(epochs=1, batch_size=16)
    return [
        Teacher(card, model)
        for model, card in (pretrain_teacher("tiny", i, pool, config, tiny_dataset, DEVICE) for i in range(4))
    ]


@pytest.fixture(scope="module")
def training(teachers: list[Teacher]) -> Training:
    from tests.toy_training import make_training

    toy = make_training()
    return make_training(teachers=teachers, device=DEVICE, recovered=toy.recovered)


def test_pretraining_sends_the_views_of_a_batch(tiny_dataset: ImageDataset) -> None:
    pool, batch = Pool(dataset="tiny", n_way=3, width=4), 54  # of 60 images: one batch an epoch

    def run(steps: int) -> None:
        config = Pretrain(epochs=steps, batch_size=batch)
        pretrain_teacher("tiny", 0, pool, config, tiny_dataset, DEVICE)

    found = cost(run)
    assert found.waits <= 1
    assert found.sent <= 4 * INDEX * 72


@pytest.mark.parametrize("engine", ["pixel", "generator"])
def test_inversion_sends_the_views_of_its_images(teachers: list[Teacher], engine: str) -> None:
    labels = torch.arange(12) % 3

    def run(steps: int) -> None:
        config = Inversion(engine=engine, steps=steps, generator_width=4, latent_dim=4)
        get_engine(engine)(teachers[0], labels, config, None, torch.Generator().manual_seed(0))

    found = cost(run)
    assert found.waits <= 1
    assert found.sent <= 3 * INDEX * len(labels)


def test_the_pooled_classifier_sends_indices_and_views(training: Training) -> None:
    found = cost(lambda steps: registry.get("bank")(Bank(steps=steps, batch_size=16), training))
    assert found.waits <= 1
    assert found.sent <= 4 * INDEX * 16


GROUP_STEPS = {"group_steps": 6, "replay_steps": 0, "teachers_per_step": 2, "images_per_teacher": 6}


@pytest.mark.parametrize(
    "stage",
    [
        "pre-training",
        "inversion",
        "inversion in chunks",
        "bank",
        "group steps",
        "relations",
        "release's",
        "replay",
        "fine-tuning",
    ],
)
def test_a_step_that_may_be_recorded_neither_waits_nor_sends(
    stage: str, tiny_dataset: ImageDataset, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA records neither: where one is left, no graph comes about."""
    labels = torch.arange(12) % 3

    def pretrain() -> None:
        pool = Pool(dataset="tiny", n_way=3, width=4)
        pretrain_teacher("tiny", 0, pool, Pretrain(epochs=6, batch_size=30), tiny_dataset, DEVICE)

    def invert(**changes: float) -> None:
        config = Inversion.model_validate({"steps": 6} | changes)
        get_engine("pixel")(training.teachers[0], labels, config, None, torch.Generator().manual_seed(0))

    run: dict[str, Callable[[], object]] = {
        "pre-training": pretrain,
        "inversion": invert,
        "inversion in chunks": lambda: invert(memory_mb=0.1),
        "bank": lambda: registry.get("bank")(Bank(steps=6, batch_size=16), training),
        "group steps": lambda: registry.get("tgr")(Tgr(**GROUP_STEPS), training),
        "relations": lambda: registry.get("tgr")(Tgr(**GROUP_STEPS, relation_weight=0.3), training),
        "release's": lambda: registry.get("tgr")(Tgr(**GROUP_STEPS, fidelity="release"), training),
        "replay": lambda: registry.get("replay")(Replay(steps=6), training),
        "fine-tuning": lambda: finetuned(training.teachers[0], 6),
    }
    found = costs_of_steps(monkeypatch, run[stage])
    assert len(found) >= 3
    assert set(found) == {Cost(0, 0)}


def test_distilling_adds_no_wait(training: Training) -> None:
    config = {"batch_size": 16, "teachers_per_step": 2}
    found = cost(lambda steps: registry.get("distil")(Distil(steps=steps, **config), training))
    assert found.waits <= 1
    assert found.sent <= 4 * INDEX * 16


def test_replay_waits_for_its_accuracy_once_an_outer_step(training: Training) -> None:
    found = cost(lambda steps: registry.get("replay")(Replay(steps=steps), training))
    assert found.waits <= 3
    assert found.sent <= INDEX * 2 * 3 * 3  # two episodes of three classes with three images


def test_a_group_step_waits_for_each_teacher_and_once_for_what_it_logs(training: Training) -> None:
    settings = {"teachers_per_step": 2, "images_per_teacher": 8, "replay_steps": 0}
    found = cost(lambda steps: registry.get("tgr")(Tgr(group_steps=steps, **settings), training))
    assert found.waits <= 2 * 3 + 1
    assert found.sent <= 2 * 5 * INDEX * 8


@pytest.mark.parametrize("protocol", ["finetune", "ncm"])
def test_an_episode_waits_for_its_accuracy(teachers: list[Teacher], protocol: str) -> None:
    model = build("conv4", 3, 4, 16, "episode").to(DEVICE).eval()

    def run(episodes: int) -> None:
        if protocol == "finetune":
            finetuned(teachers[0], episodes)
        else:
            for task in tasks(teachers[0], episodes):
                ncm(model, task, "batch")

    found = cost(run)
    assert found.waits <= 1
    assert found.sent <= INDEX * 9


def tasks(teacher: Teacher, episodes: int) -> Iterator[Task]:
    images = torch.randint(0, 256, (30, 3, 16, 16), dtype=torch.uint8)
    index = torch.arange(9).view(1, 3, 3).expand(episodes, 3, 3)
    return TaskSet(images, Episodes(index[:, :, :1].clone(), index[:, :, 1:].clone())).tasks(teacher.card, DEVICE)


def finetuned(teacher: Teacher, episodes: int) -> None:
    adapt = finetuning(build("conv4", 3, 4, 16, "episode").to(DEVICE).eval(), 0.01, [5, 10], "batch")
    for task in tasks(teacher, episodes):
        adapt(task)
