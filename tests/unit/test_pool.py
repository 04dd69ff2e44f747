"""Pre-training: what a teacher learns, what its card says, and what is refused."""

from pathlib import Path

import pytest
import torch

from tgr.artifacts import digest
from tgr.config.teachers import Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.pool.pretrain import pretrain_shard, pretrain_teacher, split_task, teacher_classes
from tgr.pool.teacher import load_teachers, read_cards

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


def test_missing_weights_are_named(tiny_dataset: ImageDataset, tmp_path: Path) -> None:
    folder = pretrain(tiny_dataset, tmp_path / "shard", range(1))
    (folder / "teacher-0000.safetensors").unlink()
    with pytest.raises(TgrError, match=r"teacher-0000\.safetensors: no such file"):
        load_teachers([folder])
