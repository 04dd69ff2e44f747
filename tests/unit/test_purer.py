"""PURER's images, one set for each class, and its curriculum."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.peer_training import card, curve, make_training, run, teacher, weights
from tgr import seeds
from tgr.config.methods.purer import Purer
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.errors import TgrError
from tgr.methods import purer
from tgr.methods.purer import ClassImages, LearntImages
from tgr.pool.teacher import Teacher


def learnt(teachers: list[Teacher] | None = None, **changes: Any) -> LearntImages:
    config = parameters_of("purer", {**CARDS["purer"].small, **changes})
    return LearntImages(config, make_training(teachers))  # type: ignore[arg-type]


def test_teachers_share_the_images_of_a_class() -> None:
    shared, local = learnt(), learnt(class_identity="local")
    assert {key.split("/")[-1] for key in shared.sets} == set("abcdexyz")
    assert len(shared.sets) == 8
    assert len(local.sets) == 3 + 5 + 2 + 3
    assert shared.sets["tiny/a"].pixels.shape[-1] == 24  # known at 16 and at 24 px
    assert len(shared.bank.images) == 8 * 3


def test_images_of_teachers_that_are_not_drawn_stay() -> None:
    pool = [teacher("teacher-0000", "ab", 16), teacher("teacher-0001", "bc", 16)]
    images = learnt(pool, teachers_per_step=1)
    before = images.bank.images.clone()
    images.move(None, 1)
    moved = (images.bank.images != before).flatten(1).any(1).view(3, 3)
    assert moved.all(1).tolist() in ([True, True, False], [False, True, True])
    assert moved.any(1).tolist() == moved.all(1).tolist()
    images.move(None, 2)
    assert (images.bank.images != before).flatten(1).any(1).all()


def test_all_images_of_the_new_episode_climb_its_loss() -> None:
    """Also those of classes whose teachers are not drawn: a first step of Adam has the sign of the ascent."""
    pool = [teacher(f"teacher-{i:04d}", names, 16) for i, names in enumerate(("ab", "cd", "ef", "gh"))]
    images = learnt(pool, teachers_per_step=1, pixel_lr=0.001, clamp=False)
    images._rounds._waiting = [0, 1, 2, 3]
    by_class = images.ascent(make_training(pool).model(3), seeds.numpy_generator("e"), 1)
    nothing = torch.zeros(3, 3, 16, 16)
    ascent = torch.stack([by_class.get(key, nothing) for key in images.sets])
    climbing = ascent.flatten(2).any(2)
    assert climbing.all(1).tolist() == climbing.any(1).tolist()
    assert climbing.all(1).sum() == 3  # an episode of three classes
    before = torch.stack([one.pixels.detach().clone() for one in images.sets.values()])
    images.move(by_class, 1)
    change = torch.stack([one.pixels.detach() for one in images.sets.values()]) - before
    moved = change.flatten(2).any(2).all(1)
    drawn = torch.tensor([key.endswith(("/a", "/b")) for key in images.sets])
    assert moved.tolist() == (climbing.all(1) | drawn).tolist()
    alone = climbing.all(1) & ~drawn
    assert alone.any()
    slopes = ascent[alone]
    steep = slopes.abs() > slopes.abs().mean()
    assert (change[alone].sign() == slopes.sign())[steep].all()


def test_a_stall_makes_the_next_step_harder_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of before the stall no longer counts, so 0.2 is a best and the next stall comes two steps after it."""
    accuracies = iter([0.9, 0.1, 0.1, 0.2, 0.1, 0.1, 0.3])
    monkeypatch.setattr(purer, "backward_episodes", lambda *_: {"loss": 1.0, "train_accuracy": next(accuracies)})
    monkeypatch.setattr(LearntImages, "ascent", lambda *_: {})
    trained = run("purer", steps=7, patience=2)
    assert curve(trained, "purer", "curriculum") == [0, 0, 0, 1, 0, 0, 1]


def test_curriculum_acts_after_its_warmup() -> None:
    acting, never, without = run("purer"), run("purer", curriculum_after=1), run("purer", curriculum_weight=0)
    assert max(curve(acting, "purer", "curriculum")) == 1
    assert max(curve(never, "purer", "curriculum")) == 0
    assert not torch.equal(weights(acting), weights(without))


def test_a_teachers_images_are_shifted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Tensor] = []
    plain = Teacher.logits

    def watched(self: Teacher, images: Tensor) -> Tensor:
        asked.append(images.detach())
        return plain(self, images)

    monkeypatch.setattr(Teacher, "logits", watched)
    images = learnt([teacher("teacher-0000", "abc", 16)])
    before = torch.cat([one.images().detach() for one in images.sets.values()])
    images.move(None, 1)
    shifts = [
        (y, x) for y in range(-2, 3) for x in range(-2, 3) if torch.allclose(before.roll((y, x), (2, 3)), asked[0])
    ]
    assert len(shifts) == 1


def test_images_start_and_stay_in_range_unless_the_papers_way_is_wanted() -> None:
    for changes, inside in (({}, True), ({"start_noise": "unit", "clamp": False}, False)):
        images = learnt(pixel_lr=1, **changes)
        images.move(None, 1)
        found = torch.cat([one.images().detach().flatten() for one in images.sets.values()])
        assert (bool(found.min() > -1e-5) and bool(found.max() < 1 + 1e-5)) == inside
    unit = ClassImages.start(card("t", "a", 16), 9, "unit", torch.device("cpu"), seeds.torch_generator("n"))
    assert abs(float(unit.pixels.detach().mean())) < 0.05
    assert float(unit.pixels.detach().std()) == pytest.approx(1, abs=0.05)
    assert Purer().pixel_lr == 0.25


def test_the_inversion_loss_falls() -> None:
    losses = curve(run("purer", steps=20, teachers_per_step=4, curriculum_weight=0), "purer", "inversion_loss")
    assert losses[-1] < 0.9 * losses[0]


def test_classes_of_a_teacher_with_many_are_drawn() -> None:
    many = [teacher("teacher-0000", [f"c{i:02d}" for i in range(9)], 16)]
    assert len(run("purer", many, max_classes=4).checkpoints) == 2
    with pytest.raises(TgrError, match="3-way"):
        run("purer", many, max_classes=2)
