"""What every method that learns from images of the teachers must manage: a domain whose classes are colours.

Brightness, which a class says nothing about, varies far more than colour does: an untrained network sees little else.
Teachers learn to look at colours, and whoever learns from them must too.
"""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tgr.artifacts import write_json
from tgr.config.experiments import Scenario
from tgr.config.learning import Meta
from tgr.config.methods.panel import PanelChoice
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.config.teachers import Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import normalise
from tgr.evaluation.model import read_model
from tgr.inversion.stage import invert_shard
from tgr.meta.nearest_mean import Task, ncm
from tgr.methods.stage import train_method
from tgr.panel.stage import judge_shard
from tgr.pool.pretrain import pretrain_shard

CPU = torch.device("cpu")
SIZE, WIDTH, TEACHERS = 16, 8, 6
SCENARIO = Scenario(pools=["colours"], evaluate_on=["colours"], width=WIDTH, image_size=SIZE)
META = Meta(n_way=3, k_shot=5, n_query=5, inner_lr=0.05, inner_steps=3, n_checkpoints=1, held_out_per_class=1)
EPISODES = 60
LENGTHS = {
    "bank": {"steps": 60},
    "distil": {"steps": 60},
    "panel": {"steps": 60, "start": "random"},
    "replay": {"steps": 60},
    "purer": {"steps": 60},
    "bidf_mkd": {"steps": 8},
    "free": {"steps": 16},
    "tgr": {"group_steps": 40, "replay_steps": 10},
}
"""A few seconds each; a method that is not named trains for its default steps."""


def colours(per_class: int) -> ImageDataset:
    """Return images of eighteen hues, under noise and brightness that varies from image to image and across each."""
    draws = torch.Generator().manual_seed(0)
    n_classes = 18
    labels = torch.arange(n_classes).repeat_interleave(per_class)
    angles = 2 * math.pi * labels / n_classes + 0.05 * torch.randn(len(labels), generator=draws)
    # Two directions in which brightness does not change.
    first, second = torch.tensor([1.0, -1.0, 0.0]) / math.sqrt(2), torch.tensor([1.0, 1.0, -2.0]) / math.sqrt(6)
    hue = angles.cos()[:, None] * first + angles.sin()[:, None] * second
    coarse = torch.randn((len(labels), 1, 4, 4), generator=draws)
    texture = interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")
    noise = torch.randn((len(labels), 3, SIZE, SIZE), generator=draws)
    brightness = 60 + 130 * torch.rand((len(labels), 1, 1, 1), generator=draws)
    images = brightness + 40 * texture + 15 * noise + 35 * hue[:, :, None, None]
    splits = {"meta_train": [*range(0, 18, 2)], "meta_val": [1, 5, 9], "meta_test": [3, 7, 11, 13, 15, 17]}
    names = [f"hue-{index:02d}" for index in range(n_classes)]
    return ImageDataset("colours", images.clamp(0, 255).to(torch.uint8), labels, names, splits)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("colours")
    dataset = colours(per_class=40)
    pretrain_shard(
        pool="colours",
        members=range(TEACHERS),
        kind=Pool(dataset="colours", n_teachers=TEACHERS, n_way=3, width=WIDTH),
        pretrain=Pretrain(epochs=15, batch_size=16, lr=0.01),
        dataset=dataset,
        teachers=folder / "teachers",
        device=CPU,
    )
    invert_shard(
        teachers=folder / "teachers",
        inversion=Inversion(steps=30, images_per_class=12),
        probe=TaskSpace(),
        recovered=folder / "recovered",
        device=CPU,
    )
    write_json(folder / "groups.json", {"groups": [0, 1, 0, 1, 0, 1]})
    judge_shard(
        scenario="colours",
        teachers=[folder / "teachers"],
        recovered=[folder / "recovered"],
        owners=folder / "teachers",
        images=folder / "recovered",
        choice=PanelChoice(),
        judgements=folder / "judgements",
        device=CPU,
    )
    made = {name: [folder / name] for name in ("teachers", "recovered", "judgements")}
    return {**made, "groups": folder / "groups.json"}


@pytest.fixture(scope="module")
def tasks() -> list[tuple[Tensor, Tensor]]:
    """Episodes of unseen hues, 3-way 5-shot: images (3, 5 and 10, 3, size, size)."""
    dataset = colours(per_class=40)
    draws = torch.Generator().manual_seed(1)
    episodes = []
    for _ in range(EPISODES):
        chosen = [dataset.splits["meta_test"][i] for i in torch.randperm(6, generator=draws)[:3].tolist()]
        members = [dataset.indices_of(c)[torch.randperm(40, generator=draws)[:15]] for c in chosen]
        images = torch.stack([dataset.images[m] for m in members])
        episodes.append((images[:, :5], images[:, 5:]))
    return episodes


def accuracies(
    inputs: dict, method: str, folder: Path, tasks: list[tuple[Tensor, Tensor]], **changes: object
) -> Tensor:
    """Return the accuracy of a method's last checkpoint in each episode."""
    train_method(
        scenario="colours",
        method=method,
        shot="any",
        seed=0,
        variant={method: parameters_of(method, LENGTHS.get(method, {}) | changes).model_dump()},
        meta_model=SCENARIO,
        meta=META,
        **inputs,
        datasets=[],
        model=folder,
        device=CPU,
    )
    trained = read_model(folder)

    def normalised(images: Tensor) -> Tensor:
        return normalise(images.flatten(0, 1), trained.card.mean, trained.card.std).view(images.shape)

    model = trained.load(len(trained.steps) - 1, META.n_way)
    return torch.tensor([ncm(model, Task(*map(normalised, task)), "batch") for task in tasks])


@pytest.fixture(scope="module")
def untrained(inputs: dict, tasks: list, tmp_path_factory: pytest.TempPathFactory) -> Tensor:
    return accuracies(inputs, "random", tmp_path_factory.mktemp("random") / "model", tasks)


def is_better(some: Tensor, other: Tensor) -> bool:
    """Return whether accuracies on the same episodes are higher by four standard errors."""
    gain = some - other
    return bool(gain.mean() > 4 * gain.std() / len(gain) ** 0.5)


@pytest.mark.parametrize("method", [name for name, card in CARDS.items() if card.equal_cost])
def test_last_checkpoint_is_above_the_untrained_network(
    inputs: dict, tasks: list, untrained: Tensor, tmp_path: Path, method: str
) -> None:
    assert is_better(accuracies(inputs, method, tmp_path / "model", tasks), untrained)


def test_a_spoilt_training_is_not_above_the_untrained_network(
    inputs: dict, tasks: list, untrained: Tensor, tmp_path: Path
) -> None:
    assert not is_better(accuracies(inputs, "bank", tmp_path / "model", tasks, lr=3.0), untrained)
