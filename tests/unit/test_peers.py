"""Purer, BiDf-MKD and FREE on teachers that differ, and the parts that they share."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.peer_training import META, PEERS, card, mixed_pool, run, teacher, weights
from tgr import seeds
from tgr.backbones.classifier import frozen
from tgr.errors import TgrError
from tgr.meta.learners import LEARNERS
from tgr.meta.synthesis import ClassMemory, TeacherTask, as_meta_input, distillation, scale
from tgr.methods import bidf_mkd
from tgr.pool.teacher import Teacher


@pytest.mark.parametrize("method", PEERS)
def test_trains_from_teachers_that_differ_and_leaves_them_as_they_were(method: str) -> None:
    teachers = mixed_pool()
    before = [{k: v.clone() for k, v in t.model.state_dict().items()} for t in teachers]
    trained = run(method, teachers)
    assert [step for step, _ in trained.checkpoints] == [2, 4]
    assert torch.isfinite(weights(trained)).all()
    for own, state in zip(teachers, before, strict=True):
        assert not own.model.training
        assert all(p.requires_grad and p.grad is None for p in own.model.parameters())
        for key, value in own.model.state_dict().items():
            torch.testing.assert_close(value, state[key], rtol=0, atol=0)


@pytest.mark.parametrize("method", PEERS)
def test_same_seed_same_bits_and_another_seed_others(method: str) -> None:
    first, again, other = (weights(run(method, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("learner", [name for name in LEARNERS if name != META.learner])
@pytest.mark.parametrize("method", PEERS)
def test_runs_with_every_learner(method: str, learner: str) -> None:
    run(method, meta=META.model_copy(update={"learner": learner}), steps=2)


@pytest.mark.parametrize("method", PEERS)
def test_classes_may_be_local(method: str) -> None:
    shared, local = run(method), run(method, class_identity="local")
    assert not torch.equal(weights(shared), weights(local))


@pytest.mark.parametrize("method", PEERS)
def test_logs_what_is_shown(method: str) -> None:
    curves = run(method).curves
    phases = {phase for _, phase, _, _ in curves}
    assert phases == ({"purer"} if method == "purer" else {"distillation", "replay"})
    for phase in phases:
        assert {"loss", "train_accuracy"} <= {name for _, own, name, _ in curves if own == phase}
    assert all(np.isfinite(value) for *_, value in curves)


@pytest.mark.parametrize(
    ("method", "key"), [("purer", "bn_weight"), ("bidf_mkd", "kd_lr"), ("free", "generator_lr"), ("free", "kd_lr")]
)
def test_divergence_names_the_key_to_lower(method: str, key: str) -> None:
    with pytest.raises(TgrError, match=f"methods.{method}.{key}"):
        run(method, **{key: {"bn_weight": 1e39, "generator_lr": 1e38}.get(key, 1e30)})


def test_too_large_an_outer_rate_is_named() -> None:
    with pytest.raises(TgrError, match=r"meta\.inner_lr.*meta\.outer_lr"):
        run("purer", meta=META.model_copy(update={"outer_lr": 1e30}))


@pytest.mark.parametrize("engine", ["generator", "pixel"])
def test_black_box_needs_no_gradient_of_the_teachers(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    plain = Teacher.logits

    def watched(self: Teacher, images: Tensor) -> Tensor:
        asked.append(images.requires_grad and torch.is_grad_enabled())
        return plain(self, images)

    monkeypatch.setattr(Teacher, "logits", watched)
    run("bidf_mkd", box="black", engine=engine)
    assert asked
    assert not any(asked)
    run("bidf_mkd", box="white", engine=engine)
    assert any(asked)


def test_a_generator_is_carried_on_unless_a_fresh_one_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(bidf_mkd.Generator):
        def __init__(self, latent_dim: int, width: int, image_size: int) -> None:
            super().__init__(latent_dim, width, image_size)
            made.append(image_size)

    monkeypatch.setattr(bidf_mkd, "Generator", Counted)
    run("bidf_mkd", steps=6)
    assert len(made) == len(set(made))
    made.clear()
    run("bidf_mkd", steps=6, fresh_generator=True)
    assert len(made) == 12  # support and query of each step


@pytest.mark.parametrize(("method", "changes"), [("bidf_mkd", {}), ("free", {"teachers_per_step": 1})])
def test_every_teacher_is_visited_before_one_comes_again(
    method: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, draw = [], TeacherTask.draw

    def recorded(teacher: Teacher, *arguments: Any) -> TeacherTask:
        drawn.append(teacher.card.key)
        return draw(teacher, *arguments)

    monkeypatch.setattr(TeacherTask, "draw", recorded)
    teachers = mixed_pool()
    run(method, teachers, steps=8, **changes)
    keys = sorted(one.card.key for one in teachers)
    assert sorted(drawn[:4]) == sorted(drawn[4:]) == keys


def test_tasks_hold_the_classes_that_the_head_permits() -> None:
    own = teacher("teacher-0000", "abcde", 16)
    drawing = seeds.torch_generator("tasks")
    images = torch.rand(2, 3, 32, 32, generator=drawing)
    drawn = [TeacherTask.draw(own, 3, "shared", drawing) for _ in range(20)]
    assert {len(task.classes) for task in drawn} == {3}
    assert {int(c) for task in drawn for c in task.classes} == set(range(5))
    task = drawn[0]
    assert task.keys == [f"tiny/{'abcde'[c]}" for c in task.classes.tolist()]
    torch.testing.assert_close(task.logits(images), task.all_logits(images)[:, task.classes])
    assert len(TeacherTask.draw(own, 9, "shared", drawing).classes) == 5


def test_class_keys_of_models_from_elsewhere_are_local() -> None:
    ours, foreign = card("teacher-0000", "ab", 16), card("teacher-0001", "ab", 16, dataset="")
    assert ours.class_keys("shared") == ["tiny/a", "tiny/b"]
    assert ours.class_keys("local") == ["pool/teacher-0000/a", "pool/teacher-0000/b"]
    assert foreign.class_keys("shared") == ["pool/teacher-0001/a", "pool/teacher-0001/b"]


def test_resizing_is_differentiable() -> None:
    images = torch.rand(2, 3, 24, 24, generator=seeds.torch_generator("images")).requires_grad_()
    as_meta_input(images, 16).sum().backward()
    assert images.grad is not None
    assert (images.grad > 0).all()
    assert scale(images, 24) is images


def test_distillation_is_the_divergence_of_outputs() -> None:
    drawing = seeds.torch_generator("logits")
    student, known = torch.randn(4, 3, generator=drawing), torch.randn(4, 3, generator=drawing)
    p, q = known.softmax(1), student.softmax(1)
    expected = (p * (p / q).log()).sum(1)
    torch.testing.assert_close(distillation(student, known, reduction="none"), expected)
    torch.testing.assert_close(distillation(student, known), expected.mean())
    assert float(distillation(known, known)) == pytest.approx(0, abs=1e-6)


def test_memory_keeps_the_newest_and_gives_episodes_when_it_has_enough() -> None:
    memory, meta, episodes = ClassMemory(16, 3), META.model_copy(update={"n_way": 2}), seeds.numpy_generator("e")
    labels = torch.arange(2).repeat_interleave(2)
    for level in (0.0, 0.2, 0.4):
        if level < 0.4:
            assert not memory.episodes(meta, 1, episodes, torch.device("cpu"))
        memory.add(torch.full((4, 3, 24, 24), level), labels, ["a", "b"])
    found = (memory.bank().images * 0.25 + 0.5).mean((1, 2, 3))
    torch.testing.assert_close(found, torch.tensor([0.2, 0.4, 0.4] * 2), atol=1e-2, rtol=0)
    episode = memory.episodes(meta, 1, episodes, torch.device("cpu"))[0]
    assert episode.support.shape == (2, 3, 16, 16)
    assert episode.query_labels.tolist() == [0, 0, 1, 1]


def test_memory_too_small_for_an_episode_is_named() -> None:
    with pytest.raises(TgrError, match="memory_per_class"):
        run("free", memory_per_class=2)


def test_frozen_restores_the_flags() -> None:
    own = teacher("teacher-0000", "ab", 16)
    own.model.head.bias.requires_grad_(False)
    with frozen([own.model]):
        assert not any(p.requires_grad for p in own.model.parameters())
    assert [p.requires_grad for p in own.model.head.parameters()] == [True, False]
