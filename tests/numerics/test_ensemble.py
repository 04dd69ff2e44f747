"""Teachers side by side against an explicit loop in float64, and what an ensemble refuses."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.peer_training import outputs_alone
from tests.teachers import make_card
from tgr.artifacts import load_tensors, save_tensors, write_json
from tgr.backbones.classifier import batchnorm_layers
from tgr.backbones.registry import build
from tgr.config.learning import Evaluation
from tgr.data.episodes import Episodes
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.evaluation.ensemble import EnsembleScorer, episode_features, scaled_distances
from tgr.evaluation.model import read_model
from tgr.evaluation.tasks import TaskSet
from tgr.meta.nearest_mean import accuracy, ncm
from tgr.pool.card import read_cards, write_card
from tgr.pool.teacher import Teacher, load_teachers, save_teacher

CPU = torch.device("cpu")
N_WAY, K_SHOT, N_QUERY, N_EPISODES = 3, 2, 4, 3
KINDS = [
    {"architecture": "conv4", "image_size": 16, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]},
    {"architecture": "conv4", "image_size": 16, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    {"architecture": "resnet10", "image_size": 24, "mean": [0.3, 0.4, 0.5], "std": [0.3, 0.2, 0.2]},
]


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Teachers of two architectures and sizes; the features of the second are 30 times as large as those of the first.

    Their running statistics differ from 0 and 1.
    """
    draws = torch.Generator().manual_seed(1)
    for index, kind in enumerate(KINDS):
        model = build(kind["architecture"], 3, 8, kind["image_size"], "test", index)
        for layer in batchnorm_layers(model):
            layer.running_mean.normal_(0, 0.2, generator=draws)
            layer.running_var.uniform_(0.5, 2, generator=draws)
        if index == 1:
            with torch.no_grad():
                batchnorm_layers(model)[-1].weight.mul_(30)
                batchnorm_layers(model)[-1].bias.fill_(3)
        folder = tmp_path / "shard"
        folder.mkdir(exist_ok=True)
        save_teacher(folder, model, make_card(index, **kind))
    return tmp_path / "shard"


@pytest.fixture
def tasks() -> TaskSet:
    """Images of 20 px, each in several episodes; classes differ less than the images of one do."""
    draws = torch.Generator().manual_seed(0)
    shift = torch.randn(N_WAY, 1, 3, 1, 1, generator=draws)
    images = (128 + 12 * shift + 50 * torch.randn(N_WAY, 8, 3, 20, 20, generator=draws)).clamp(0, 255).to(torch.uint8)
    chosen = torch.stack([torch.stack([8 * c + torch.randperm(8, generator=draws)[: K_SHOT + N_QUERY]
                                       for c in range(N_WAY)]) for _ in range(N_EPISODES)])  # fmt: skip
    return TaskSet(images.flatten(0, 1), Episodes(chosen[..., :K_SHOT], chosen[..., K_SHOT:]))


def write_ensemble(folder: Path, shard: Path, members: list[int]) -> Path:
    cards = read_cards(shard)
    folder.mkdir()
    about = {"architecture": "ensemble", "width": 8, "image_size": 32, "mean": [0.5] * 3, "std": [0.25] * 3}
    named = [{"key": cards[index].key, "sha256": cards[index].sha256} for index in members]
    write_json(folder / "model.json", about | {"checkpoints": [], "members": named})
    return folder


def make_scorer(tmp_path: Path, shard: Path, mode: str, members: list[int]) -> EnsembleScorer:
    trained = read_model(write_ensemble(tmp_path / f"model-{mode}-{members}", shard, members))
    return EnsembleScorer(trained, Evaluation(bn_mode=mode), CPU, "test", [shard])


def view(teacher: Teacher, images: Tensor) -> Tensor:
    """Return images as a teacher takes them, by means other than ``normalise``."""
    own = resize(images, teacher.card.image_size).double() / 255
    return torch.stack([(own[:, c] - teacher.card.mean[c]) / teacher.card.std[c] for c in range(3)], 1)


def loop(teachers: list[Teacher], tasks: TaskSet, episode: int, mode: str) -> Tensor:
    """Return squared distances (queries, classes) in features side by side, one image and one class after another."""
    support, query = (tasks.images[part[episode].flatten()] for part in (tasks.episodes.support, tasks.episodes.query))
    n_support = len(support)
    joint: list[Tensor] = []
    for teacher in teachers:
        trunk = copy.deepcopy(teacher.model.trunk).requires_grad_(False)
        seen = view(teacher, torch.cat([support, query]))
        if mode == "batch":
            for layer in batchnorm_layers(trunk):
                layer.running_mean = layer.running_var = None
            features = [*trunk(seen)]
        else:
            features = [trunk(image[None])[0] for image in seen]
        counted = features if mode == "batch" else features[:n_support]
        centre = sum(counted) / len(counted)
        scale = sum(float(((one - centre) ** 2).sum()) for one in counted) / len(counted)
        joint.append(torch.stack([(one - centre) / scale**0.5 for one in features]))
    z = torch.cat(joint, 1)
    means = [z[c * K_SHOT : (c + 1) * K_SHOT].mean(0) for c in range(N_WAY)]
    return torch.stack([torch.stack([((one - mean) ** 2).sum() for mean in means]) for one in z[n_support:]])


@pytest.mark.parametrize(
    ("bn_mode", "protocol", "mode"),
    [("batch", "ncm", "batch"), ("running", "ncm", "running"), ("batch", "ncm_inductive", "running")],
)
def test_features_side_by_side_equal_an_explicit_loop(
    tmp_path: Path,
    shard: Path,
    tasks: TaskSet,
    bn_mode: str,
    protocol: str,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Tensor] = []

    def spy(logits: Tensor, targets: Tensor) -> float:
        seen.append(-logits)
        return accuracy(logits, targets)

    monkeypatch.setattr("tgr.evaluation.ensemble.accuracy", spy)
    accuracies = make_scorer(tmp_path, shard, bn_mode, [0, 1, 2]).score(0, protocol, tasks)
    teachers = load_teachers([shard])
    for episode, distances in enumerate(seen):
        expected = loop(teachers, tasks, episode, mode)
        # without the squared norm of the query, which is the same for all classes
        torch.testing.assert_close(distances - distances[:, :1], expected - expected[:, :1], rtol=1e-8, atol=1e-9)
        right = sum(int(row.argmin()) == i // N_QUERY for i, row in enumerate(expected))
        assert accuracies[episode] == right / len(expected)
    assert len(seen) == N_EPISODES
    assert 0.3 < sum(accuracies) / N_EPISODES < 1, "tasks that are too easy or too hard test nothing"


@pytest.mark.parametrize("mode", ["batch", "running"])
def test_one_teacher_alone_is_nearest_class_mean_in_its_features(
    tmp_path: Path, shard: Path, tasks: TaskSet, mode: str
) -> None:
    single = {}
    for index, teacher in enumerate(load_teachers([shard])):
        own = TaskSet(resize(tasks.images, teacher.card.image_size), tasks.episodes)
        expected = [ncm(teacher.model, task, mode) for task in own.tasks(teacher.card, CPU)]
        assert make_scorer(tmp_path, shard, mode, [index]).score(0, "ncm", tasks) == expected
        single[index] = expected
    assert single[0] != single[1] != single[2]


def test_scale_and_centre_of_a_teachers_features_do_not_count() -> None:
    draws = torch.Generator().manual_seed(0)
    support, query = torch.randn(6, 5, generator=draws), torch.randn(12, 5, generator=draws)
    for transductive in (True, False):
        plain = scaled_distances(support, query, 3, transductive)
        moved = scaled_distances(1000 * support + 7, 1000 * query + 7, 3, transductive)
        torch.testing.assert_close(moved, plain, rtol=1e-8, atol=1e-10)
    assert not scaled_distances(torch.ones(6, 5), torch.ones(12, 5), 3, True).any(), "it sees no difference: no opinion"


def test_queries_do_not_count_for_centre_and_scale_with_running_statistics(tasks: TaskSet, shard: Path) -> None:
    draws = torch.Generator().manual_seed(0)
    support, query = torch.randn(6, 5, generator=draws), torch.randn(12, 5, generator=draws)
    alone = [scaled_distances(support, one[None], 3, False) for one in query]
    torch.testing.assert_close(torch.cat(alone), scaled_distances(support, query, 3, False))


@pytest.mark.parametrize("mode", ["batch", "running"])
@torch.no_grad()
def test_a_network_without_a_head_gives_its_outputs_for_features(tasks: TaskSet, mode: str) -> None:
    whole = outputs_alone("teacher-0000", "abc", 20)
    for episode, (support, query) in enumerate(episode_features(whole, tasks, mode)):
        for part, chosen in ((support, tasks.episodes.support), (query, tasks.episodes.query)):
            expected = whole.model(view(whole, tasks.images[chosen[episode].flatten()]))
            torch.testing.assert_close(part, expected)


def test_missing_changed_and_damaged_members_are_refused(tmp_path: Path, shard: Path, tasks: TaskSet) -> None:
    scorer = make_scorer(tmp_path, shard, "batch", [0, 2])
    file = shard / "teacher-0002.safetensors"
    whole, (state, metadata) = file.read_bytes(), load_tensors(file)
    with pytest.raises(TgrError, match="no weights to fine-tune"):
        scorer.score(0, "finetune", tasks)
    state["head.bias"] += 1
    save_tensors(file, state, metadata)
    with pytest.raises(TgrError, match=r"teacher-0002\.safetensors: has another digest"):
        scorer.score(0, "ncm", tasks)
    file.write_bytes(whole[:1000])
    with pytest.raises(TgrError, match=r"teacher-0002\.safetensors: damaged"):
        scorer.score(0, "ncm", tasks)
    file.unlink()
    with pytest.raises(TgrError, match=r"teacher-0002\.safetensors: no such file"):
        scorer.score(0, "ncm", tasks)
    (shard / "teacher-0002.json").unlink()
    with pytest.raises(TgrError, match="its members pool/teacher-0002 are not among the teachers"):
        EnsembleScorer(scorer.trained, Evaluation(), CPU, "test", [shard])
    write_json(scorer.trained.folder / "model.json", scorer.trained.card.model_dump() | {"members": []})
    with pytest.raises(TgrError, match=r"model\.json: names no members"):
        read_model(scorer.trained.folder)


def test_features_that_are_not_finite_are_refused(tmp_path: Path, shard: Path, tasks: TaskSet) -> None:
    file = shard / "teacher-0000.safetensors"
    state, metadata = load_tensors(file)
    state["trunk.0.conv.weight"][0, 0, 0, 0] = torch.nan
    save_tensors(file, state, metadata)
    write_card(shard, read_cards(shard)[0])
    with pytest.raises(TgrError, match=r"teacher-0000\.safetensors: gives features that are not finite"):
        make_scorer(tmp_path, shard, "running", [0, 1]).score(0, "ncm", tasks)
