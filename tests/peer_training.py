"""Small trainings of Purer, BiDf-MKD and FREE on teachers that differ."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tests.teachers import make_card
from tgr import seeds
from tgr.backbones.registry import build
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.methods import registry
from tgr.methods.training import Trained, Training
from tgr.pool.card import Card
from tgr.pool.teacher import Teacher

PEERS = ("purer", "bidf_mkd", "free")
META = Meta(n_way=3, k_shot=1, n_query=2, inner_steps=1, meta_batch_size=2, n_checkpoints=2)


class Plain(nn.Module):
    """A network without BatchNorm."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(images).relu().mean((2, 3)))


def card(name: str, classes: Sequence[str], size: int, **changes: Any) -> Card:
    about = {"name": name, "dataset": "tiny", "classes": list(classes), "width": 4, "image_size": size, "flips": False}
    return make_card(**about | {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]} | changes)


def teacher(name: str, classes: Sequence[str], size: int, **changes: Any) -> Teacher:
    described = card(name, classes, size, **changes)
    return Teacher(described, build(described.architecture, len(classes), 4, size, name).eval())


def outputs_alone(name: str, classes: Sequence[str], size: int) -> Teacher:
    """All that is known of it is what it returns."""
    described = card(name, classes, size, dataset="", format="outputs")
    with seeds.forked(name):
        return Teacher(described, Plain(len(classes)).eval())


def mixed_pool() -> list[Teacher]:
    """Teachers of two, three and five classes, two input sizes, one without trunk, head and BatchNorm."""
    return [
        teacher("teacher-0000", "abc", 16),
        teacher("teacher-0001", "abcde", 24),
        teacher("teacher-0002", "de", 16),
        outputs_alone("teacher-0003", "xyz", 20),
    ]


def make_training(teachers: Sequence[Teacher] | None = None, seed: int = 0, **changes: Any) -> Training:
    values: dict[str, Any] = {
        "meta_model": MetaModel(width=4, image_size=16),
        "meta": META,
        "k_shot": 1,
        "seed_names": ("method", "tiny", seed),
        "teachers": teachers or mixed_pool(),
        "recovered": [],
        "groups": [],
        "real": [],
        "device": torch.device("cpu"),
    }
    return Training(**values | changes)


def run(
    method: str,
    teachers: Sequence[Teacher] | None = None,
    seed: int = 0,
    meta: Meta = META,
    **changes: Any,
) -> Trained:
    parameters = parameters_of(method, {**CARDS[method].small, **changes})
    return registry.get(method)(parameters, make_training(teachers, seed, meta=meta))


def curve(trained: Trained, phase: str, name: str) -> list[float]:
    return [value for _, own, called, value in trained.curves if (own, called) == (phase, name)]


def weights(trained: Trained) -> Tensor:
    return torch.cat([value.double().flatten() for _, state in trained.checkpoints for value in state.values()])
