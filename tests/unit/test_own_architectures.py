"""Architectures of the user's own code: ``python:<module>:<callable>``."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests import own_networks
from tests.unit.test_existing_models import ROW, SIZE, import_one
from tgr import seeds
from tgr.artifacts import read_json, save_tensors
from tgr.backbones.classifier import Classifier
from tgr.backbones.own import own_network, take_apart
from tgr.backbones.registry import build
from tgr.config.architectures import find_own_source
from tgr.config.teachers import Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.inversion.recovered import load_recovered
from tgr.inversion.stage import invert_shard
from tgr.plan import networks
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher, load_teachers

CPU = torch.device("cpu")
MODULE = "python:tests.own_networks"


def network(name: str = "Net", **options: object) -> nn.Module:
    with seeds.forked("own"):
        made = getattr(own_networks, name)(3, **options).eval()
    made.head.running_mean += 0.5  # so that BatchNorm has something to say
    return made


def stored(folder: Path, name: str = "Net", **changes: object) -> Teacher:
    """Save a network by its own names, and import it."""
    save_tensors(folder / "weights.safetensors", network(name, **changes.get("options", {})).state_dict())
    return load_teachers([import_one(folder, architecture=f"{MODULE}:{name}", **changes)])[0]


def own_logits(model: nn.Module, images: Tensor) -> Tensor:
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    return model((images - shift) / scale)


@pytest.mark.parametrize(
    ("name", "options", "form"),
    [
        ("Net", {"channels": 6}, "weights"),
        ("Net", {"bias": False}, "weights"),
        ("Halved", {}, "outputs"),
        ("Reused", {}, "outputs"),
        ("Matched", {}, "outputs"),
    ],
)
def test_from_own_weights_to_recovered_images(tmp_path: Path, name: str, options: dict, form: str) -> None:
    """A network that ends with a linear layer becomes trunk and head; of any other the outputs are used."""
    teacher = stored(tmp_path, name, options=options)
    assert teacher.card.format == form
    assert isinstance(teacher.model, Classifier) == (form == "weights")
    images = torch.rand(4, 3, SIZE, SIZE)
    torch.testing.assert_close(teacher.logits(images), own_logits(network(name, **options), images))
    if isinstance(teacher.model, Classifier):
        assert teacher.model.trunk(images).shape == (4, 16)
    invert_shard(
        teachers=tmp_path / "teachers",
        inversion=Inversion(steps=20, lr=0.2, tv_weight=0, images_per_class=3),
        probe=TaskSpace(),
        recovered=tmp_path / "recovered",
        device=CPU,
    )
    report = load_recovered([tmp_path / "recovered"], [tmp_path / "teachers"])[0].report
    assert (report.bn_distance is None) == (name == "Reused")  # its BatchNorm layer is not on the way


def test_weights_under_the_names_of_the_suite(tmp_path: Path) -> None:
    """A teacher that the suite trained is imported from its file."""
    model = build(f"{MODULE}:Net", 3, 4, SIZE, "test").eval()
    save_tensors(tmp_path / "weights.safetensors", model.state_dict())
    teacher = load_teachers([import_one(tmp_path, architecture=f"{MODULE}:Net")])[0]
    images = torch.rand(4, 3, SIZE, SIZE)
    torch.testing.assert_close(teacher.logits(images), own_logits(model, images))


def test_pretrained_by_the_suite(tiny_dataset: ImageDataset) -> None:
    pool = Pool(dataset="tiny", architecture=f"{MODULE}:make", options={"channels": 4}, n_way=3)
    model, card = pretrain_teacher("any", 0, pool, Pretrain(epochs=1, batch_size=16), tiny_dataset, CPU)
    again, _ = pretrain_teacher("any", 0, pool, Pretrain(epochs=1, batch_size=16), tiny_dataset, CPU)
    assert card.format == "weights"
    assert model.trunk.trunk.weight.shape == (4, 3, 3, 3)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Careless", "change with the others of its batch, or at random: .*self.training"),
        ("Centred", "change with the others of its batch, or at random"),
        ("Sure", "gives probabilities: there is a softmax in it; let it return what goes into that, the logits"),
        ("Wide", r"gives \(2, 3, 1\) for two images and 3 classes, wanted \(2, 3\)"),
        ("nameless", "has no parameter n_classes or num_classes"),
        ("no_network", "gives a Tensor, wanted a torch.nn.Module"),
        ("number", "the module tests.own_networks has no callable number"),
        ("missing", "the module tests.own_networks has no callable missing"),
    ],
)
def test_networks_that_cannot_be_used(tmp_path: Path, name: str, message: str) -> None:
    save_tensors(tmp_path / "weights.safetensors", network().state_dict())
    with pytest.raises(TgrError, match=rf"row 1 \(mine\): .*{message}"):
        import_one(tmp_path, architecture=f"{MODULE}:{name}")


def test_what_foreign_code_raises_is_told(tmp_path: Path) -> None:
    save_tensors(tmp_path / "weights.safetensors", network().state_dict())
    with pytest.raises(TgrError, match=r"cannot take images of 32 px \(sixteen pixels\)$"):
        import_one(tmp_path, architecture=f"{MODULE}:Small", image_size=32)
    with pytest.raises(TgrError, match=r"cannot be built with .*'wings': 2.*: .*wings"):
        build(f"{MODULE}:Net", 3, 4, SIZE, "test", options={"wings": 2})
    with pytest.raises(TgrError, match=r"cannot import tests\.nowhere .*in the working directory, /"):
        build("python:tests.nowhere:make", 3, 4, SIZE, "test")
    with pytest.raises(TgrError, match=r"its parameters cannot be known .*; name one written in Python"):
        build("python:torch:zeros", 3, 4, SIZE, "test")
    with pytest.raises(TgrError, match=r"does not return what an nn\.Linear gives"):
        build(f"{MODULE}:Halved", 3, 4, SIZE, "test")


def test_a_module_that_runs_as_a_script_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("own_script_of_a_test.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(TgrError, match=r"importing own_script_of_a_test ends the program, with exit code 3.*__main__"):
        build("python:own_script_of_a_test:Net", 3, 4, SIZE, "test")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "weights.safetensors", network(channels=5).state_dict())
    with pytest.raises(TgrError, match=r"weights: .*weights\.safetensors does not fit architecture python:"):
        import_one(tmp_path, architecture=f"{MODULE}:Net")


@pytest.mark.parametrize("name", ["make", "anything"])
def test_names_of_parameters(name: str) -> None:
    assert own_network(f"{MODULE}:{name}", 7, SIZE, {})(torch.rand(2, 3, SIZE, SIZE)).shape == (2, 7)


def test_a_network_that_is_not_taken_apart_stays_whole() -> None:
    model, images = network("Reused"), torch.rand(3, 3, SIZE, SIZE)
    before = model(images)
    assert take_apart(model, SIZE) is None
    assert torch.equal(model(images), before)


def test_code_lies_in_the_working_directory_and_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lab").mkdir()
    file = Path("lab/of_this_test.py")
    file.write_text(
        "from torch import nn\ndef make(n_classes): return nn.Sequential(nn.Flatten(), nn.Linear(768, 5))\n"
    )
    architecture = "python:lab.of_this_test:make"
    assert find_own_source(architecture) == file
    assert find_own_source("python:lab.nowhere:make") is None
    assert build(architecture, 5, 4, SIZE, "test").feature_dim == 768
    before = networks.named(architecture, 1, SIZE)
    assert before.parameters == pytest.approx(768 * 5 / 1e6 + 5e-6)
    assert before.features == 768
    whole = networks.named(f"{MODULE}:Halved", 1, SIZE)
    assert (whole.features, whole.outputs) == (5, pytest.approx((8 * 64 + 16 + 5) / 1e6))
    key = networks._key(architecture, 1, SIZE, "{}")
    file.write_text(file.read_text() + "\n")
    assert networks._key(architecture, 1, SIZE, "{}") != key


def test_the_digest_in_the_card_is_that_of_the_file(tmp_path: Path) -> None:
    card = stored(tmp_path, "Halved").card
    assert read_json(tmp_path / "teachers/teacher-0000.json")["sha256"] == card.sha256 != ""
