"""Every architecture goes the whole way of a teacher: pre-trained, written, read, inverted, embedded."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.device import DEVICE
from tgr.backbones.classifier import batchnorm_layers
from tgr.backbones.registry import build
from tgr.config.architectures import ARCHITECTURES
from tgr.config.teachers import Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.inversion.recovered import load_recovered
from tgr.inversion.stage import invert_shard
from tgr.pool.card import read_cards
from tgr.pool.pretrain import pretrain_shard, pretrain_teacher
from tgr.pool.teacher import load_teachers
from tgr.task_space.dissimilarity import dissimilarity, load_embeddings
from tgr.task_space.fisher import embed_shard

SIZE = 32
TIMM: dict[str, dict[str, bool | int | float | str]] = {
    "timm:lcnet_050": {},
    "timm:mobilenetv3_small_050": {},
    "timm:test_efficientnet": {},
    "timm:test_convnext": {"patch_size": 2},
    "timm:test_vit": {"patch_size": 4},
}
"""Mobile convnets, an EfficientNet, and two without BatchNorm."""
WITHOUT_BATCHNORM = ("timm:test_convnext", "timm:test_vit")
LIKE_OTHERS = ("resnet18", "timm:mobilenetv3_small_050")
"""Built of the same layers as others here; on another device than the CPU these suffice."""
CASES = {name: {} for name in ARCHITECTURES} | TIMM
PROBE = TaskSpace(probe="test_resnet", weights="random", image_size=32, images_per_class=2)


@pytest.fixture(scope="module")
def dataset(tiny_dataset: ImageDataset) -> ImageDataset:
    return replace(tiny_dataset, images=resize(tiny_dataset.images, SIZE))


@pytest.mark.parametrize(
    "architecture", [pytest.param(name, marks=() if name in LIKE_OTHERS else pytest.mark.device) for name in CASES]
)
def test_from_pretraining_to_embedding(architecture: str, dataset: ImageDataset, tmp_path: Path) -> None:
    options = CASES[architecture]
    pool = Pool(dataset="tiny", architecture=architecture, options=options, n_teachers=2, n_way=3, width=8)
    teachers, recovered, embedded = (tmp_path / name for name in ("teachers", "recovered", "embedded"))
    pretrain_shard(
        pool="any",
        members=range(2),
        kind=pool,
        pretrain=Pretrain(epochs=1, batch_size=16),
        dataset=dataset,
        teachers=teachers,
        device=DEVICE,
    )
    assert [(card.architecture, card.options) for card in read_cards(teachers)] == [(architecture, options)] * 2
    teacher = load_teachers([teachers])[0]
    assert bool(batchnorm_layers(teacher.model)) == (architecture not in WITHOUT_BATCHNORM)
    assert teacher.logits(dataset.images[:4]).shape == (4, 3)

    config = Inversion(steps=1, images_per_class=3, l2_weight=0.1, probe_weight=0.1)
    invert_shard(teachers=teachers, inversion=config, probe=PROBE, recovered=recovered, device=DEVICE)
    one, other = load_recovered([recovered], [teachers])
    assert one.images.shape == (9, 3, SIZE, SIZE)
    assert (one.report.bn_distance is None) == (architecture in WITHOUT_BATCHNORM)
    with torch.no_grad():
        torch.testing.assert_close(one.logits, teacher.logits(one.images), rtol=1e-4, atol=1e-4)
    assert not torch.equal(one.images, other.images)

    embed_shard(recovered=recovered, teachers=teachers, task_space=PROBE, embeddings=embedded, device=DEVICE)
    keys, embeddings = load_embeddings([embedded])
    assert keys == ["any/teacher-0000", "any/teacher-0001"]
    assert dissimilarity(embeddings)[0, 1] > 0


@pytest.mark.parametrize("architecture", CASES)
def test_initialisation_depends_on_names_alone(architecture: str) -> None:
    def state(*names: str) -> dict[str, torch.Tensor]:
        return build(architecture, 3, 8, SIZE, *names, options=CASES[architecture]).state_dict()

    one, again, other = state("a"), state("a"), state("b")
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_dropout_is_reproducible(dataset: ImageDataset) -> None:
    pool = Pool(dataset="tiny", architecture="timm:test_resnet", options={"drop_rate": 0.5}, n_way=3)
    config = Pretrain(epochs=1, batch_size=16)
    first, again = (pretrain_teacher("any", 0, pool, config, dataset, DEVICE)[0].state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())


@pytest.mark.parametrize(
    ("architecture", "options", "message"),
    [
        ("timm:no_such_net", {}, "timm has no model 'no_such_net'"),
        ("timm:test_resnet", {"wings": 2}, "timm:test_resnet cannot be built with the options wings: .*'wings'"),
        ("timm:test_vit", {"patch_size": 5}, "timm:test_vit cannot take images of 32 px .*; its own size is 160"),
        ("timm:inception_v3", {}, "timm:inception_v3 cannot take images of 32 px .*; its own size is 299"),
        ("timm:test_vit", {"global_pool": ""}, r"features of shape \(2, \d+, 64\) for two images, not \(2, d\)"),
        ("timm:test_resnet", {"in_chans": 1}, "option in_chans is not free: images here have three channels"),
        ("timm:test_resnet", {"pretrained": True}, "option pretrained is not free: the suite downloads nothing"),
        ("timm:test_resnet", {"block": "x"}, "cannot be built"),
        ("conv4", {"depth": 5}, "architecture conv4 takes no options, found depth"),
        ("alexnet", {}, "unknown architecture 'alexnet'; valid: conv4"),
    ],
)
def test_refusals_say_why(architecture: str, options: dict, message: str) -> None:
    with pytest.raises(TgrError, match=message):
        build(architecture, 3, 8, SIZE, "test", options=options)
