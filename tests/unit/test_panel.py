"""The panel: who sits on it, what it says of each image, and what is kept of that."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.peer_training import outputs_alone
from tests.teachers import make_card
from tests.toy_training import make_training
from tgr.artifacts import load_tensors, save_tensors
from tgr.config.methods.panel import Panel, PanelChoice
from tgr.errors import TgrError
from tgr.methods.panel import Cache, train
from tgr.methods.training import Training
from tgr.panel.draw import draw_panel
from tgr.panel.judgements import Judgement, load_judgement, save_judgement
from tgr.panel.stage import judge
from tgr.pool.card import Card
from tgr.pool.teacher import Teacher

CPU = torch.device("cpu")


def cards(**pools: int) -> list[Card]:
    return [
        make_card(index, pool=pool, held_out_accuracy=index / 100) for pool, n in pools.items() for index in range(n)
    ]


@pytest.mark.parametrize("draw", ["random", "accurate"])
def test_each_pool_has_its_share_of_the_panel(draw: str) -> None:
    some = cards(a=60, b=30, c=10)
    panel = draw_panel(some, PanelChoice(panel_size=20, panel_draw=draw), "s")
    assert [[some[index].pool for index in panel].count(pool) for pool in "abc"] == [12, 6, 2]
    assert panel == sorted(set(panel))


def test_the_accurate_ones_are_the_best_of_each_pool() -> None:
    panel = draw_panel(cards(a=6, b=3), PanelChoice(panel_size=3, panel_draw="accurate"), "s")
    assert panel == [4, 5, 8]


def test_a_panel_is_drawn_by_the_names_of_scenario_and_pool_alone() -> None:
    choice = PanelChoice(panel_size=5)
    first = draw_panel(cards(a=40), choice, "s")
    assert first == draw_panel(cards(a=40), choice, "s") != draw_panel(cards(a=40), choice, "t")
    assert draw_panel(cards(a=40), PanelChoice(panel_size=7), "s") != first
    assert {*first} < {*draw_panel(cards(a=40), PanelChoice(panel_size=7), "s")}


@pytest.mark.parametrize("size", [None, 9, 30])
def test_all_may_sit_on_the_panel(size: int | None) -> None:
    assert draw_panel(cards(a=6, b=3), PanelChoice(panel_size=size), "s") == [*range(9)]


def said(training: Training, folder: Path, likeness: str = "features") -> list[Judgement]:
    """Let all teachers judge the images of all, and write that."""
    judgements = []
    for owner in training.recovered:
        answers = [
            judge(t, r.report.classes, owner) for t, r in zip(training.teachers, training.recovered, strict=True)
        ]
        outputs = [logits for logits, _ in answers]
        features = [seen if likeness == "features" else seen[..., :0] for _, seen in answers]
        judgements.append(
            Judgement(
                torch.cat(outputs, 2),
                torch.cat(features, 2),
                [teacher.card.key for teacher in training.teachers],
                [part.shape[2] for part in outputs],
                [part.shape[2] for part in features],
            )
        )
        save_judgement(folder, owner.card.name, judgements[-1])
    return judgements


@pytest.fixture
def training(tmp_path: Path) -> Training:
    """Four teachers that have judged each other's images."""
    training = make_training(judgements=[tmp_path] * 4)
    said(training, tmp_path)
    return training


def opinion(teacher: Teacher, images: Tensor) -> Tensor:
    with torch.no_grad():
        return teacher.logits(images)


def test_members_see_each_image_and_its_mirror_image() -> None:
    training = make_training()
    teacher, owner = training.teachers[0], training.recovered[1]
    outputs, features = judge(teacher, [2, 0], owner)
    assert outputs.shape == (18, 2, 2) and features.shape == (18, 2, 8)
    assert (outputs.dtype, features.dtype) == (torch.float32, torch.float16)
    for view, images in enumerate((owner.images, owner.images.flip(3))):
        torch.testing.assert_close(outputs[:, view], opinion(teacher, images)[:, [2, 0]])
    with torch.no_grad():
        by_head = teacher.model.head(features[:, 0].float())  # type: ignore[operator, union-attr]
    torch.testing.assert_close(by_head[:, [2, 0]], outputs[:, 0], rtol=1e-2, atol=1e-2)


def test_images_whose_class_a_mirror_changes_have_one_view() -> None:
    training = make_training()
    owner = training.recovered[0]
    object.__setattr__(owner, "card", owner.card.model_copy(update={"flips": False}))
    outputs, features = judge(training.teachers[1], [0, 1, 2], owner)
    assert outputs.shape == (18, 1, 3) and features.shape == (18, 1, 8)


def test_a_network_without_a_head_gives_the_outputs_of_all_its_classes_for_features() -> None:
    outputs, features = judge(outputs_alone("teacher-0000", "abc", 16), [2, 0], make_training().recovered[1])
    torch.testing.assert_close(features[..., [2, 0]].float(), outputs, rtol=1e-3, atol=1e-3)
    assert features.shape == (18, 2, 3)


def test_judgements_are_read_as_they_were_written(tmp_path: Path) -> None:
    training = make_training()
    for owner, judgement in zip(training.recovered, said(training, tmp_path), strict=True):
        read = load_judgement(tmp_path, owner.card)
        assert torch.equal(read.outputs, judgement.outputs) and torch.equal(read.features, judgement.features)
        assert (read.members, read.n_outputs, read.n_features) == (judgement.members, [3] * 4, [8] * 4)


def test_answers_that_are_not_finite_are_refused() -> None:
    training = make_training()
    teacher, owner = training.teachers[0], training.recovered[1]
    trunk = teacher.model.trunk
    hook = trunk.register_forward_hook(lambda _trunk, _inputs, output: 1e6 + output)  # type: ignore[union-attr, operator]
    with pytest.raises(TgrError, match=r"features of pool/teacher-0000 exceed float16 .*likeness: outputs"):
        judge(teacher, [0, 1, 2], owner)
    hook.remove()
    torch.nn.init.constant_(teacher.model.head.bias, float("nan"))  # type: ignore[union-attr, arg-type]
    with pytest.raises(TgrError, match="outputs of pool/teacher-0000 are not finite"):
        judge(teacher, [0, 1, 2], owner)


def test_rows_of_the_cache_are_the_views_of_the_bank(training: Training) -> None:
    """An image's mirror image is the row after it; images held out are left out, as in the bank."""
    cache, bank = Cache.read(training, "features"), training.bank("shared")
    assert len(cache.first) == len(bank.images) == 60 and len(cache.outputs) == len(cache.joint) == 120
    plain = ((bank.images * 0.25 + 0.5) * 255).round().to(torch.uint8)
    for view, images in enumerate((plain, plain.flip(3))):
        expected = torch.cat([opinion(teacher, images) for teacher in training.teachers], 1)
        torch.testing.assert_close(cache.outputs[cache.first + view], expected)


def test_damaged_or_missing_judgements_are_refused(training: Training, tmp_path: Path) -> None:
    file, card = tmp_path / "teacher-0002.safetensors", training.teachers[2].card
    tensors, about = load_tensors(file)
    for harm, message in (
        ((tensors, about | {"members": None, "n_outputs": 3}), "not a judgement"),
        ((tensors, {"members": []}), "not a judgement"),
        ((tensors | {"outputs": tensors["outputs"][:, :, :5]}, about), "do not belong together"),
        ((tensors | {"features": tensors["features"][:4]}, about), "do not belong together"),
        ((tensors | {"outputs": tensors["outputs"][0]}, about), "not a judgement"),
    ):
        save_tensors(file, *harm)
        with pytest.raises(TgrError, match=f"{card.name}.*{message}"):
            load_judgement(tmp_path, card)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TgrError, match=r"teacher-0002.*damaged"):
        train(Panel(steps=1), training)
    file.unlink()
    with pytest.raises(TgrError, match=r"teacher-0002.*no such file"):
        train(Panel(steps=1), training)


def test_judgements_of_another_panel_or_of_other_images_are_refused(training: Training, tmp_path: Path) -> None:
    third = load_judgement(tmp_path, training.teachers[2].card)
    others = (
        Judgement(third.outputs, third.features, third.members[::-1], third.n_outputs, third.n_features),
        Judgement(third.outputs[:12], third.features[:12], third.members, third.n_outputs, third.n_features),
    )
    for other in others:
        save_judgement(tmp_path, "teacher-0002", other)
        with pytest.raises(TgrError, match="other images or another panel; delete it"):
            train(Panel(steps=1), training)


def test_features_must_have_been_judged(tmp_path: Path) -> None:
    training = make_training(judgements=[tmp_path] * 4)
    said(training, tmp_path, "outputs")
    with pytest.raises(TgrError, match="no panel has judged the features"):
        Cache.read(training, "features")
    assert Cache.read(training, "outputs").joint.shape[0] == 120
