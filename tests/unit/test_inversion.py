"""Both inversion engines through one contract; reports; files; errors."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.teachers import make_card
from tgr import seeds
from tgr.artifacts import digest, read_json, write_json
from tgr.backbones.classifier import Classifier, batchnorm_layers
from tgr.backbones.probe import Probe, load_probe
from tgr.backbones.registry import build
from tgr.config.teachers import Inversion, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.inversion.generator import Generator
from tgr.inversion.pixel import start_images
from tgr.inversion.priors import distance_from_grey, probe_distance, total_variation
from tgr.inversion.recovered import Recovered, load_recovered
from tgr.inversion.registry import ENGINES, get
from tgr.inversion.stage import invert_shard, invert_teacher
from tgr.inversion.transfer import measure_transfer, student_accuracy
from tgr.pool.card import Card
from tgr.pool.teacher import Teacher, save_teacher

CPU = torch.device("cpu")
SIZE, N_WAY, PER_CLASS = 16, 3, 4
LABELS = torch.arange(N_WAY).repeat_interleave(PER_CLASS)
PROBE = TaskSpace(probe="test_resnet", weights="random", image_size=32)


def _card(index: int = 0, pool: str = "toys", n_way: int = N_WAY, size: int = SIZE) -> Card:
    normalisation = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}
    return make_card(index, n_way, pool=pool, dataset="toys", image_size=size, **normalisation)


def _model(card: Card) -> Classifier:
    """Return an untrained Conv4 whose BatchNorm layers have seen smooth images."""
    model = build(card.architecture, len(card.classes), card.width, card.image_size, "test", card.key)
    coarse = torch.rand(32, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    model.train()
    with torch.no_grad():
        for _ in range(20):
            model(nn.functional.interpolate(coarse, card.image_size, mode="bilinear") * 4 - 2)
    return model.eval()


def _teacher(card: Card | None = None) -> Teacher:
    card = card or _card()
    return Teacher(card, _model(card))


def _teacher_without_batchnorm() -> Teacher:
    with seeds.forked("test"):
        trunk = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        return Teacher(_card(), Classifier(trunk, 32, N_WAY).eval())


def _config(engine: str, steps: int | None = 3, **changes: float) -> Inversion:
    values = {"engine": engine, "images_per_class": PER_CLASS, "latent_dim": 16, "generator_width": 8, "crop_pad": 2}
    return Inversion.model_validate({**values, "steps": steps, **changes})


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    folder = tmp_path / "teachers"
    folder.mkdir()
    for index in range(2):
        save_teacher(folder, _model(_card(index)), _card(index))
    return folder


# The contract of every engine


@pytest.mark.parametrize("size", [16, 18])
def test_engine_returns_images_in_range(engine: str, size: int) -> None:
    teacher = _teacher(_card(size=size))
    images = get(engine)(teacher, LABELS, _config(engine), None, torch.Generator().manual_seed(0))
    assert images.shape == (N_WAY * PER_CLASS, 3, size, size)
    assert images.dtype == torch.float32
    assert not images.requires_grad
    assert 0 <= images.min() < images.max() <= 1


def test_engine_repeats_itself_bit_by_bit_and_follows_its_generator(engine: str) -> None:
    def images(seed: int) -> torch.Tensor:
        return get(engine)(_teacher(), LABELS, _config(engine), None, torch.Generator().manual_seed(seed))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = images(0)
        torch.manual_seed(2)
        assert torch.equal(first, images(0))
    assert not torch.equal(first, images(1))


def test_engine_leaves_the_teacher_and_the_global_generator_alone(engine: str) -> None:
    teacher = _teacher()
    before = {name: value.clone() for name, value in teacher.model.state_dict().items()}
    state = torch.random.get_rng_state()
    get(engine)(teacher, LABELS, _config(engine), None, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, before[name]) for name, value in teacher.model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in teacher.model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("batchnorm", [True, False])
def test_more_steps_lower_the_loss(engine: str, batchnorm: bool) -> None:
    teacher = _teacher() if batchnorm else _teacher_without_batchnorm()
    lr = {"pixel": 0.05, "generator": 0.01}[engine]
    few, many = (invert_teacher(teacher, _config(engine, steps, lr=lr, tv_weight=0)).report for steps in (1, 15))
    assert many.loss < 0.95 * few.loss
    assert (many.bn_distance is not None) == batchnorm


def test_without_priors_the_teacher_comes_to_agree(engine: str) -> None:
    config = _config(engine, 30, bn_weight=0, tv_weight=0, lr={"pixel": 0.05, "generator": 0.01}[engine])
    report = invert_teacher(_teacher(), config).report
    assert report.agreement > 0.8
    assert report.bn_distance is not None  # reported even where it is not minimised


def test_engine_refuses_a_teacher_with_nan(engine: str) -> None:
    teacher = _teacher()
    with torch.no_grad():
        teacher.model.head.weight[0, 0] = float("nan")
    with pytest.raises(TgrError, match=r"toys/teacher-0000.*not finite.*inversion\.lr"):
        invert_teacher(teacher, _config(engine))


def test_engine_has_its_own_defaults_of_steps_and_lr(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"tgr.inversion.{engine}"
    monkeypatch.setattr(f"{module}.DEFAULT_STEPS", 2)
    default = invert_teacher(_teacher(), _config(engine, steps=None))
    lr = {"pixel": 0.05, "generator": 1e-3}[engine]
    assert torch.equal(default.images, invert_teacher(_teacher(), _config(engine, steps=2, lr=lr)).images)


# Weights of the terms


def test_bn_weight_pulls_the_statistics_closer() -> None:
    def distance(bn_weight: float) -> float:
        value = invert_teacher(_teacher(), _config("pixel", 15, bn_weight=bn_weight, tv_weight=0)).report.bn_distance
        assert value is not None
        return value

    assert distance(3) < 0.8 * distance(0)


def test_tv_weight_smooths_images() -> None:
    def roughness(tv_weight: float) -> float:
        images = invert_teacher(_teacher(), _config("pixel", 15, tv_weight=tv_weight)).images
        return float(total_variation(images.float().div(255)))

    assert roughness(20) < 0.8 * roughness(0)


def test_total_variation_of_a_checkerboard_and_of_a_ramp() -> None:
    index = torch.arange(4)
    checkerboard = ((index[:, None] + index) % 2).float().expand(2, 3, 4, 4)
    assert total_variation(checkerboard).item() == 2
    ramp = (index / 4).expand(1, 3, 4, 4)
    assert total_variation(ramp).item() == 0.25


def test_l2_weight_draws_towards_grey() -> None:
    def distance(l2_weight: float) -> float:
        images = invert_teacher(_teacher(), _config("pixel", 15, l2_weight=l2_weight, bn_weight=0, tv_weight=0)).images
        return float(distance_from_grey(images.float().div(255)))

    assert distance(100) < 0.8 * distance(0)
    assert distance_from_grey(torch.tensor([0.0, 0.5, 1.0, 0.5])).item() == 0.125


@pytest.fixture(scope="module")
def probe() -> Probe:
    return load_probe(PROBE)


def test_probe_weight_pulls_images_to_the_probes_statistics(engine: str, probe: Probe) -> None:
    def distance(probe_weight: float) -> float:
        config = _config(engine, 15, probe_weight=probe_weight, bn_weight=0, tv_weight=0, lr=0.05)
        images = invert_teacher(_teacher_without_batchnorm(), config, probe).images
        with torch.no_grad(), probe_distance(probe) as natural:
            return float(natural(images))

    assert distance(1) < 0.8 * distance(0)


def test_probe_distance_is_that_of_its_first_layers(probe: Probe) -> None:
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    inputs: list[torch.Tensor] = []
    layers = batchnorm_layers(probe.trunk)[:2]
    hooks = [layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0])) for layer in layers]
    shift, scale = (torch.tensor(value).view(1, 3, 1, 1) for value in (probe.mean, probe.std))
    with torch.no_grad():
        probe.trunk((images - shift) / scale)
        for hook in hooks:
            hook.remove()
        with probe_distance(probe, n_layers=2) as natural:
            found = [float(natural(images)), float(natural(images))]
    expected = 0.0
    for layer, x in zip(layers, inputs, strict=True):
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        expected += float((variance - layer.running_var).norm() + (mean - layer.running_mean).norm())
    assert found == pytest.approx([expected, expected], rel=1e-4)


def test_probe_weight_needs_a_probe_with_batchnorm(engine: str) -> None:
    config = _config(engine, probe_weight=1.0)
    with pytest.raises(TgrError, match=r"inversion\.probe_weight is set, but no probe was given"):
        invert_teacher(_teacher(), config)
    without = load_probe(TaskSpace(probe="test_convnext", weights="random", image_size=32))
    with pytest.raises(TgrError, match=r"inversion\.probe_weight: the probe test_convnext has no BatchNorm"):
        invert_teacher(_teacher(), config, without)


def test_stage_loads_the_probe_only_where_it_is_used(shard: Path, tmp_path: Path) -> None:
    missing = TaskSpace(probe="no_such_net")
    invert_shard(
        teachers=shard, inversion=_config("pixel", 1), probe=missing, recovered=tmp_path / "without", device=CPU
    )
    with pytest.raises(TgrError, match="no_such_net"):
        invert_shard(
            teachers=shard,
            inversion=_config("pixel", 1, probe_weight=1.0),
            probe=missing,
            recovered=tmp_path / "with",
            device=CPU,
        )
    invert_shard(
        teachers=shard,
        inversion=_config("pixel", 1, probe_weight=1.0),
        probe=PROBE,
        recovered=tmp_path / "with",
        device=CPU,
    )
    assert digest(tmp_path / "with") != digest(tmp_path / "without")


def test_unknown_engine_is_an_error() -> None:
    with pytest.raises(KeyError):
        get("magic")


@pytest.mark.parametrize("size", [16, 21])
def test_start_images_differ_in_colour_and_have_detail(size: int) -> None:
    images = start_images(50, size, torch.Generator().manual_seed(0))
    assert images.shape == (50, 3, size, size)
    assert 0 <= images.min() < images.max() <= 1
    assert (images.mean((2, 3)).std(0) > 0.15).all()  # plain noise: 0.29 / size
    assert 0.05 < total_variation(images) < 0.5


@pytest.mark.parametrize("size", [16, 18, 21, 32])
def test_generator_reaches_every_size(size: int) -> None:
    assert Generator(4, 4, size).eval()(torch.zeros(2, 4)).shape == (2, 3, size, size)


# The stage and its files


def test_recovered_images_of_a_shard_read_back(engine: str, shard: Path, tmp_path: Path) -> None:
    invert_shard(teachers=shard, inversion=_config(engine), probe=PROBE, recovered=tmp_path / "recovered", device=CPU)
    recovered = load_recovered([tmp_path / "recovered"], [shard])
    assert [item.card.name for item in recovered] == ["teacher-0000", "teacher-0001"]
    item = recovered[1]
    assert (item.images.dtype, item.labels.dtype, item.logits.dtype) == (torch.uint8, torch.int64, torch.float32)
    with torch.no_grad():
        expected = Teacher(item.card, _model(item.card)).logits(item.images)
    torch.testing.assert_close(item.logits, expected)
    assert item.report.agreement == pytest.approx((expected.argmax(1) == item.labels).float().mean().item(), abs=1e-6)
    assert (item.report.engine, item.report.images_per_class) == (engine, PER_CLASS)
    assert not torch.equal(recovered[0].images, item.images)


def test_result_does_not_depend_on_the_shard(shard: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    save_teacher(alone, _model(_card(1)), _card(1))
    for folder, teachers in (("both", shard), ("one", alone), ("again", alone)):
        invert_shard(
            teachers=teachers, inversion=_config("pixel"), probe=PROBE, recovered=tmp_path / folder, device=CPU
        )
    name = "teacher-0001.safetensors"
    assert digest(tmp_path / "both" / name) == digest(tmp_path / "one" / name)
    assert digest(tmp_path / "one") == digest(tmp_path / "again")


def test_of_many_classes_some_are_recovered(engine: str) -> None:
    card = _card(n_way=10)
    recovered = invert_teacher(Teacher(card, _model(card)), _config(engine, 1, max_classes=4))
    assert len(recovered.report.classes) == 4
    assert recovered.report.classes == sorted(set(recovered.report.classes))
    assert recovered.logits.shape == (4 * PER_CLASS, 4)
    assert recovered.labels.bincount().tolist() == [PER_CLASS] * 4
    assert recovered.classes == [f"class-{index}" for index in recovered.report.classes]


@pytest.mark.parametrize("bn_distance", ["absolute", "relative"])
def test_report_agrees_with_an_explicit_computation(bn_distance: str) -> None:
    teacher = _teacher()
    recovered = invert_teacher(teacher, _config("pixel", bn_weight=0.5, bn_distance=bn_distance))
    inputs: list[torch.Tensor] = []
    layers = [module for module in teacher.model.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0])) for layer in layers]
    with torch.no_grad():
        loss = nn.functional.cross_entropy(teacher.logits(recovered.images), recovered.labels).item()
    for hook in hooks:
        hook.remove()
    distances, relative = [], []
    for layer, x in zip(layers, inputs, strict=True):
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        errors = (variance - layer.running_var).norm(), (mean - layer.running_mean).norm()
        distances.append(float(sum(errors)))
        relative.append(float(errors[0] / layer.running_var.norm() + errors[1] / layer.running_var.sum().sqrt()))
    minimised = distances if bn_distance == "absolute" else relative
    assert recovered.report.bn_distance == pytest.approx(sum(distances) / 4, rel=1e-4)
    assert recovered.report.loss == pytest.approx(loss + 0.5 * sum(minimised) / 4, rel=1e-4)


@pytest.fixture
def recovered(shard: Path, tmp_path: Path) -> Path:
    invert_shard(
        teachers=shard, inversion=_config("pixel", 1), probe=PROBE, recovered=tmp_path / "recovered", device=CPU
    )
    return tmp_path / "recovered"


def test_truncated_file_is_noticed(shard: Path, recovered: Path) -> None:
    file = recovered / "teacher-0001.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(TgrError, match=r"teacher-0001\.safetensors: damaged"):
        load_recovered([recovered], [shard])


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_missing_file_is_named(shard: Path, recovered: Path, suffix: str) -> None:
    file = recovered / f"teacher-0000{suffix}"
    file.unlink()
    with pytest.raises(TgrError, match=file.name):
        load_recovered([recovered], [shard])


def test_report_with_missing_keys_is_refused(shard: Path, recovered: Path) -> None:
    write_json(recovered / "teacher-0000.json", {"name": "teacher-0000"})
    with pytest.raises(TgrError, match=r"teacher-0000\.json: not a recovery report"):
        load_recovered([recovered], [shard])


def test_folders_of_other_teachers_are_refused(recovered: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    card = _card(0, pool="others")
    save_teacher(other, _model(card), card)
    with pytest.raises(TgrError, match=r"recovered from toys/teacher-0000, not from others/teacher-0000"):
        load_recovered([recovered], [other])


def test_nan_pixels_never_become_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(teacher: Teacher, *_: object) -> torch.Tensor:
        return torch.full((N_WAY, 3, SIZE, SIZE), float("nan"))

    monkeypatch.setattr("tgr.inversion.pixel.invert", broken)
    teacher = _teacher()
    with pytest.raises(TgrError, match=r"toys/teacher-0000.*not finite"):
        invert_teacher(replace(teacher), _config("pixel"))


# What recovered images teach


def _dataset(n_classes: int = N_WAY) -> ImageDataset:
    """Classes of a colour each, under noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n_classes).repeat_interleave(20)
    colours = torch.tensor([[200, 40, 40], [40, 200, 40], [40, 40, 200]])[labels % 3].view(-1, 3, 1, 1)
    images = colours + torch.randint(0, 40, (len(labels), 3, SIZE, SIZE), generator=generator)
    names = [f"class-{i}" for i in range(n_classes)]
    splits = {"meta_train": list(range(n_classes)), "meta_val": [], "meta_test": []}
    return ImageDataset("toys", images.to(torch.uint8), labels, names, splits)


def _recovered_as(images: torch.Tensor, labels: torch.Tensor) -> Recovered:
    example = invert_teacher(_teacher(), _config("pixel", 1))
    return replace(example, images=images, labels=labels, logits=torch.zeros(len(labels), N_WAY))


def test_a_student_learns_from_good_images_and_not_from_noise() -> None:
    dataset = _dataset()
    good = student_accuracy(_recovered_as(dataset.images, dataset.labels), dataset)
    noise = torch.randint(0, 256, (60, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    bad = student_accuracy(_recovered_as(noise, dataset.labels), dataset)
    assert good > 0.95
    assert bad < 0.8


def test_students_are_reproducible_and_follow_their_seed() -> None:
    noise = torch.randint(0, 256, (60, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    recovered, dataset = _recovered_as(noise, LABELS.repeat(5)), _dataset()
    first, again, other = (student_accuracy(recovered, dataset, seed) for seed in (0, 0, 1))
    assert first == again != other


def test_transfer_needs_the_dataset_of_the_teacher() -> None:
    with pytest.raises(TgrError, match="a teacher of dataset 'toys' cannot be tested on 'others'"):
        student_accuracy(_recovered_as(torch.zeros(0), LABELS), replace(_dataset(), name="others"))


def test_transfer_of_a_pool(shard: Path, recovered: Path, tmp_path: Path) -> None:
    _dataset().save(tmp_path / "toys.safetensors")
    file = tmp_path / "transfer.json"
    measure_transfer(
        recovered=[recovered],
        teachers=[shard],
        dataset=tmp_path / "toys.safetensors",
        n_teachers=1,
        transfer=file,
        device=CPU,
    )
    found = read_json(file)
    assert (found["pool"], found["n_classes"], len(found["teachers"])) == ("toys", N_WAY, 1)
    assert found["teachers"][0]["student_accuracy"] == student_accuracy(
        load_recovered([recovered], [shard])[0], _dataset()
    )
