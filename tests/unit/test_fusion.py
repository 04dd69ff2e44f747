"""Fusion of teachers: alignment by optimal transport, and the robust fusion network."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.teachers import make_card, make_report
from tgr.backbones.registry import build
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.dro import Dro
from tgr.config.methods.ota import Ota
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered
from tgr.methods import dro, ota
from tgr.methods.training import Training
from tgr.pool.teacher import Teacher

WIDTH, SIZE, N_WAY = 8, 32, 3
METRICS = ["weights", "activations"]
SMALL = {"steps": 3, "teachers_per_step": 2, "images_per_teacher": 4, "images": 20}


def teacher(seed: int, index: int = 0, accuracy: float | None = 0.5, size: int = SIZE, **changes: object) -> Teacher:
    card = make_card(
        index,
        N_WAY,
        width=WIDTH,
        image_size=size,
        mean=[0.4, 0.5, 0.6],
        std=[0.2, 0.25, 0.3],
        held_out_accuracy=accuracy,
    )
    model = build("conv4", N_WAY, WIDTH, size, "test", seed)
    generator = torch.Generator().manual_seed(seed)
    for block in range(dro.BLOCKS):  # statistics and scales as after a training, all channels different
        norm = model.trunk[block].norm
        for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
            values.copy_(torch.rand(WIDTH, generator=generator) + 0.5)
    return Teacher(card.model_copy(update=changes), model.eval())


def recovered_of(teacher: Teacher, seed: int, per_class: int = 6) -> Recovered:
    card = teacher.card
    labels = torch.arange(N_WAY).repeat_interleave(per_class)
    images = images_of(len(labels), card.image_size, seed)
    with torch.no_grad():
        return Recovered(images, labels, teacher.logits(images), card, make_report(card, per_class))


def images_of(n: int, size: int = SIZE, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, size, size), generator=generator, dtype=torch.uint8)


def training(*teachers: Teacher, seed: int = 0, **meta_model: object) -> Training:
    return Training(
        meta_model=MetaModel(**{"width": WIDTH, "image_size": SIZE, **meta_model}),
        meta=Meta(n_way=N_WAY, n_checkpoints=2, held_out_per_class=2),
        k_shot=1,
        seed_names=("test", seed),
        teachers=teachers,
        recovered=[recovered_of(t, i) for i, t in enumerate(teachers)],
        groups=[],
        real=[],
        device=torch.device("cpu"),
    )


def shuffled(teacher: Teacher, seed: int = 0) -> tuple[Teacher, ota.Order]:
    """A teacher with permuted channels, and these permutations."""
    generator = torch.Generator().manual_seed(seed)
    order = [torch.randperm(WIDTH, generator=generator) for _ in range(dro.BLOCKS)]
    model = build("conv4", N_WAY, WIDTH, teacher.card.image_size, "test", "shuffled")
    model.load_state_dict(ota.permute_channels(teacher.model.state_dict(), order))
    return Teacher(teacher.card, model.eval()), order


# --- alignment -----------------------------------------------------------------------------------------------------


def test_permuting_channels_keeps_the_function() -> None:
    original = teacher(0)
    other, order = shuffled(original)
    images = images_of(5)
    torch.testing.assert_close(other.logits(images), original.logits(images), rtol=1e-4, atol=1e-5)
    assert not torch.equal(other.model.trunk(images.float()), original.model.trunk(images.float()))
    assert all(not torch.equal(part, torch.arange(WIDTH)) for part in order)


@pytest.mark.parametrize("metric", METRICS)
def test_alignment_finds_the_permutation(metric: str) -> None:
    original = teacher(0)
    other, order = shuffled(original)
    images = images_of(20).float() / 255
    to_itself, to_other = ota.align(original, [original, other], metric, images)
    assert all(torch.equal(part, torch.arange(WIDTH)) for part in to_itself)
    assert all(torch.equal(there[back], torch.arange(WIDTH)) for there, back in zip(order, to_other, strict=True))


@pytest.mark.parametrize("metric", METRICS)
def test_any_alignment_is_a_permutation_that_brings_teachers_nearer(metric: str) -> None:
    reference, other = teacher(0), teacher(1)
    (order,) = ota.align(reference, [other], metric, images_of(20).float() / 255)
    assert all(part.sort().values.tolist() == list(range(WIDTH)) for part in order)
    expected, own = (ota.block_outputs(t, images_of(20))[0].transpose(0, 1).flatten(1) for t in (reference, other))
    if metric == "activations":
        distance = (own[order[0]] - expected).norm(dim=1).sum()
        assert distance < (own - expected).norm(dim=1).sum()


def test_matching_is_the_cheapest_assignment() -> None:
    reference = torch.tensor([[0.0], [1.0], [10.0]])
    other = torch.tensor([[9.0], [0.2], [0.9]])
    assert ota.match_rows(reference, other).tolist() == [1, 2, 0]


# --- ota -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_a_teacher_and_its_permuted_copies_fuse_to_the_teacher(metric: str) -> None:
    original = teacher(0, accuracy=0.9)
    copies = [shuffled(original, seed)[0] for seed in (1, 2)]
    copies = [Teacher(c.card.model_copy(update={"held_out_accuracy": None}), c.model) for c in copies]
    ((step, state),) = ota.train(
        Ota(ground_metric=metric, images=20), training(copies[0], original, copies[1])
    ).checkpoints
    assert step == 0
    assert not any(name.startswith("head.") for name in state)
    expected = original.model.state_dict()
    for name, value in state.items():
        if "running" not in name and "tracked" not in name:  # these are measured on recovered images
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-7)


def test_batchnorm_statistics_are_averaged_where_no_image_is_looked_at() -> None:
    original = teacher(0)
    setting = replace(training(original, original), recovered=[])
    state = ota.train(Ota(), setting).checkpoints[0][1]
    for name, value in original.model.trunk.state_dict().items():
        torch.testing.assert_close(state[f"trunk.{name}"], value, rtol=0, atol=1e-7)


def test_batchnorm_statistics_are_those_of_recovered_images() -> None:
    setting = training(teacher(0), teacher(1, 1))
    trained = ota.train(Ota(ground_metric="activations", images=20), setting)
    model = setting.model(N_WAY)
    model.load_state_dict(trained.checkpoints[0][1], strict=False)
    assert trained.mean == pytest.approx([0.4, 0.5, 0.6])
    (batch,) = ota.make_calibration_batches(setting.bank("shared"), trained.mean, trained.std, setting.device)
    outputs = model.trunk[0].conv(batch)
    torch.testing.assert_close(model.trunk[0].norm.running_mean, outputs.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_bank_images_come_back_as_pixels() -> None:
    setting = training(teacher(0))
    images = ota.spread_images(setting.bank("shared"), 10**6)
    kept = torch.arange(18).view(3, 6)[:, :4].flatten()
    torch.testing.assert_close(images, setting.recovered[0].images[kept] / 255, atol=1e-6, rtol=0)
    assert len(ota.spread_images(setting.bank("shared"), 5)) == 5


def test_teachers_of_another_kind_take_no_part() -> None:
    alone = ota.train(Ota(), training(teacher(0))).checkpoints[0][1]
    outputs_alone = teacher(1, 1, accuracy=0.9, format="outputs")
    state = ota.train(Ota(), training(teacher(0), outputs_alone)).checkpoints[0][1]
    for name in ("trunk.0.conv.weight", "trunk.3.norm.bias"):
        assert torch.equal(state[name], alone[name])


@pytest.mark.parametrize(("method", "parameters"), [(ota, Ota()), (dro, Dro())], ids=["ota", "dro"])
def test_other_architectures_are_refused(method: object, parameters: object) -> None:
    with pytest.raises(TgrError, match=r"not those of resnet10.*residual.*use `average` or `best`"):
        method.train(parameters, training(teacher(0), architecture="resnet10"))
    with pytest.raises(TgrError, match="no teacher has the meta-model's architecture, conv4 of width 16"):
        method.train(parameters, training(teacher(0), width=16))


# --- dro -----------------------------------------------------------------------------------------------------------


def fusion_of(*teachers: Teacher) -> dro.Fusion:
    identity = [[torch.arange(WIDTH)] * dro.BLOCKS] * len(teachers)
    return dro.Fusion(4, dro.aligned_parameters(teachers, identity))


def test_fusion_starts_from_the_mean_and_stays_convex() -> None:
    teachers = [teacher(0), teacher(1)]
    fusion = fusion_of(*teachers)
    actual = fusion(torch.randn(4))
    for name, value in teachers[0].model.trunk.named_parameters():
        mean = (value + dict(teachers[1].model.trunk.named_parameters())[name]) / 2
        torch.testing.assert_close(actual[name], mean)
    torch.nn.init.normal_(fusion.output.weight)
    shares = fusion.shares(torch.randn(4))
    assert shares.shape == (dro.BLOCKS, 2)
    assert (shares >= 0).all()
    torch.testing.assert_close(shares.sum(1), torch.ones(dro.BLOCKS))


def test_embeddings_are_standardised() -> None:
    actual = dro.standardise([torch.tensor([1.0, 5, 100]), torch.tensor([3.0, 5, 300]), torch.tensor([5.0, 5, -100])])
    assert actual.shape == (3, 2)  # what is the same for all teachers says nothing
    torch.testing.assert_close(actual.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    assert float(actual.square().sum(1).mean()) == pytest.approx(1)
    assert not dro.standardise([torch.ones(3)]).any()


@pytest.mark.parametrize("radius", [0.0, 0.5])
def test_displacements_stay_in_the_ball(radius: float) -> None:
    for length in (0.0, 0.1, 7.0):
        shift = torch.full((4,), length / 2)
        actual = dro.within_ball(shift, radius)
        assert float(actual.norm()) == pytest.approx(min(length, radius), abs=1e-6)


def test_worst_case_is_worse_than_the_nominal_loss() -> None:
    setting = training(teacher(0), teacher(1, 1))
    torch.manual_seed(0)
    fusion = fusion_of(*setting.teachers)
    torch.nn.init.normal_(fusion.output.weight, std=0.3)
    identity = [torch.arange(WIDTH)] * dro.BLOCKS
    task = dro.make_task(setting.teachers[0], identity, [0.5] * 3, [0.25] * 3, setting)
    embedding, model = torch.tensor([1.0, -1, 0.5, 0]), setting.model(N_WAY)

    def step(radius: float) -> tuple[float, float]:
        fusion.zero_grad()
        drawing = torch.Generator().manual_seed(0)
        return dro.robust_step(fusion, model, task, embedding, Dro(radius=radius, ascent_steps=5), drawing)

    worst, nominal = step(0.3)
    assert worst > nominal
    assert float(fusion.output.weight.grad.norm()) > 0
    still, same = step(0.0)
    assert still == pytest.approx(same) == pytest.approx(nominal)


def test_a_share_of_one_gives_the_teachers_own_answers() -> None:
    """The loss of a task vanishes if its teacher alone is used: head, channels, images and targets fit together."""
    original = teacher(0, 0)
    other, order = shuffled(original)
    setting = training(original, Teacher(other.card.model_copy(update={"name": "teacher-0001"}), other.model))
    back = ota.align(original, [other], "activations", images_of(20).float() / 255)[0]
    task = dro.make_task(setting.teachers[1], back, other.card.mean, other.card.std, setting)
    with torch.no_grad():
        answers = torch.nn.functional.linear(original.model.trunk(task.images), task.weight, task.bias).softmax(1)
    torch.testing.assert_close(answers, task.targets, rtol=1e-4, atol=1e-5)
    assert order


def test_dro_learns_logs_and_keeps_checkpoints() -> None:
    setting = training(teacher(0), teacher(1, 1), teacher(2, 2, size=48))
    trained = dro.train(Dro(**{**SMALL, "steps": 12, "lr": 0.1, "teachers_per_step": 3, "ascent_steps": 1}), setting)
    assert [step for step, _ in trained.checkpoints] == [6, 12]
    assert not any(name.startswith("head.") for name in trained.checkpoints[0][1])
    curves = {
        name: [value for _, phase, n, value in trained.curves if (phase, n) == ("dro", name)]
        for name in ("loss", "nominal_loss")
    }
    assert len(curves["loss"]) == len(curves["nominal_loss"]) == 12
    assert sum(curves["nominal_loss"][-4:]) < sum(curves["nominal_loss"][:4])


@pytest.mark.parametrize("metric", METRICS)
def test_dro_is_reproducible_and_depends_on_the_seed(metric: str) -> None:
    parameters = Dro(**SMALL, ground_metric=metric)
    states = [
        dro.train(parameters, training(teacher(0), teacher(1, 1), teacher(2, 2), seed=seed)).checkpoints[-1][1]
        for seed in (0, 0, 1)
    ]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert any(not torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_dro_visits_every_teacher_before_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, step = [], dro.robust_step

    def recorded(*arguments: Any) -> tuple[float, float]:
        weights.append(arguments[2].bias.sum().item())  # each teacher's task has biases of its own
        return step(*arguments)

    monkeypatch.setattr(dro, "robust_step", recorded)
    pool = [teacher(index, index) for index in range(4)]
    for index, one in enumerate(pool):
        torch.nn.init.constant_(one.model.head.bias, float(index))
    dro.train(Dro(**{**SMALL, "steps": 4, "teachers_per_step": 2}), training(*pool))
    assert len(set(weights[:4])) == len(set(weights[4:])) == 4


def test_dro_of_one_teacher_is_that_teacher() -> None:
    only = teacher(0)
    state = dro.train(Dro(**SMALL), training(only)).checkpoints[-1][1]
    torch.testing.assert_close(state["trunk.2.conv.weight"], only.model.trunk[2].conv.weight.detach())


def test_divergence_is_explained() -> None:
    broken = teacher(1, 1)
    with torch.no_grad():
        broken.model.head.bias.fill_(torch.nan)
    with pytest.raises(TgrError, match=r"loss is not finite at step 1; lower methods\.dro\.lr"):
        dro.train(Dro(**SMALL), training(teacher(0), broken))
