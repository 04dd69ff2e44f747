"""Pre-training: what a teacher learns, what its card says, and what is refused."""

from pathlib import Path

import pytest
import torch

from tgr.artifacts import digest
from tgr.backbones.registry import build
from tgr.config.teachers import Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import normalise
from tgr.errors import TgrError
from tgr.pool.card import read_cards
from tgr.pool.pretrain import pretrain_shard, pretrain_teacher, split_task, teacher_classes
from tgr.pool.teacher import load_teachers

POOL = Pool(dataset="tiny", n_teachers=3, n_way=3, width=8, teachers_per_job=2)
CPU = torch.device("cpu")


def pretrain(dataset: ImageDataset, folder: Path, indices: range = range(2)) -> Path:
    pretrain_shard(
        pool="tiny-conv4",
        members=indices,
        kind=POOL,
        pretrain=Pretrain(epochs=20, batch_size=16, lr=1e-2),
        dataset=dataset,
        teachers=folder,
        device=CPU,
    )
    return folder


def test_teacher_learns_and_reads_back(tiny_dataset: ImageDataset, tmp_path: Path) -> None:
    folder = pretrain(tiny_dataset, tmp_path / "shard")
    cards = read_cards(folder)
    assert [card.key for card in cards] == ["tiny-conv4/teacher-0000", "tiny-conv4/teacher-0001"]
    for card in cards:
        assert card.train_accuracy > 0.6
        assert len(set(card.classes)) == 3
        assert set(card.classes) <= {tiny_dataset.class_names[c] for c in tiny_dataset.splits["meta_train"]}
    teacher = load_teachers([folder])[0]
    assert teacher.logits(tiny_dataset.images[:4]).shape == (4, 3)


def test_teacher_does_not_depend_on_its_shard(tiny_dataset: ImageDataset, tmp_path: Path) -> None:
    together = pretrain(tiny_dataset, tmp_path / "a", range(2))
    alone = pretrain(tiny_dataset, tmp_path / "b", range(1, 2))
    assert digest(together / "teacher-0001.safetensors") == digest(alone / "teacher-0001.safetensors")


def test_options_reach_model_and_card(tiny_dataset: ImageDataset, tmp_path: Path) -> None:
    pool = Pool(dataset="tiny", architecture="timm:test_vit", options={"patch_size": 8}, n_teachers=1, n_way=3)
    folder = tmp_path / "shard"
    pretrain_shard(
        pool="vits",
        members=range(1),
        kind=pool,
        pretrain=Pretrain(epochs=1, batch_size=16),
        dataset=tiny_dataset,
        teachers=folder,
        device=CPU,
    )
    assert read_cards(folder)[0].options == {"patch_size": 8}
    assert load_teachers([folder])[0].model.state_dict()["trunk.patch_embed.proj.weight"].shape[-1] == 8


def test_split_holds_out_a_share_of_each_class(tiny_dataset: ImageDataset) -> None:
    train, held_out = split_task(tiny_dataset, [2, 0], 0.25, torch.Generator().manual_seed(0))
    assert train.labels.bincount().tolist() == [18, 18]
    assert held_out.labels.bincount().tolist() == [6, 6]


def test_label_order_is_arbitrary_and_classes_recur(tiny_dataset: ImageDataset) -> None:
    drawn = [teacher_classes("p", i, 3, tiny_dataset) for i in range(20)]
    assert any(classes != sorted(classes) for classes in drawn)
    assert len({c for classes in drawn for c in classes}) == len(tiny_dataset.splits["meta_train"])


def test_too_few_classes_are_named(tiny_dataset: ImageDataset) -> None:
    with pytest.raises(TgrError, match=r"pools\.p\.n_way: 50 classes wanted, but tiny meta-train has"):
        teacher_classes("p", 0, 50, tiny_dataset)


def test_diverging_training_is_explained(tiny_dataset: ImageDataset) -> None:
    config = Pretrain(epochs=3, batch_size=16, optimizer="sgd", lr=1e30)
    with pytest.raises(TgrError, match=r"p/teacher-0000: the loss is not finite; lower pretrain\.lr"):
        pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)


@pytest.mark.parametrize(
    ("schedule", "expected"), [("constant", (1, 1, 1)), ("cosine", (1, 1, 0)), ("one_cycle", (1 / 25, 1, 0))]
)
def test_learning_rate_follows_its_schedule(
    schedule: str, expected: tuple[float, float, float], tiny_dataset: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    take_step = torch.optim.Adam.step

    def step(self: torch.optim.Adam) -> None:
        rates.append(self.param_groups[0]["lr"])
        take_step(self)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    config = Pretrain.model_validate({"epochs": 20, "batch_size": 16, "lr": 1e-2, "schedule": schedule})
    pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)
    assert [rates[0], max(rates), rates[-1]] == pytest.approx([1e-2 * share for share in expected], abs=1e-4)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_one_step_is_enough_for_each_schedule(schedule: str, tiny_dataset: ImageDataset) -> None:
    config = Pretrain.model_validate({"epochs": 1, "batch_size": 1000, "schedule": schedule})
    before = build("conv4", POOL.n_way, POOL.width, tiny_dataset.image_size, "pool", "p", 0)
    model, _ = pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)
    assert not torch.equal(model.head.weight, before.head.weight)


def test_label_smoothing_keeps_a_teacher_from_certainty(tiny_dataset: ImageDataset) -> None:
    def confidence(label_smoothing: float) -> float:
        config = Pretrain(epochs=20, batch_size=16, lr=1e-2, label_smoothing=label_smoothing)
        model, card = pretrain_teacher("p", 0, POOL, config, tiny_dataset, CPU)
        with torch.no_grad():
            outputs = model(normalise(tiny_dataset.images, card.mean, card.std)).softmax(1)
        return float(outputs.amax(1).mean())

    assert confidence(0.5) < confidence(0) - 0.1


def test_missing_weights_are_named(tiny_dataset: ImageDataset, tmp_path: Path) -> None:
    folder = pretrain(tiny_dataset, tmp_path / "shard", range(1))
    (folder / "teacher-0000.safetensors").unlink()
    with pytest.raises(TgrError, match=r"teacher-0000\.safetensors: no such file"):
        load_teachers([folder])
