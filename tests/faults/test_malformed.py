"""Malformed input: each is refused with a message that names it, without a traceback, and without a trace on disk.

Scripts of the workflow run here in the test's process with a stand-in for Snakemake's object; some configurations go
through Snakemake itself in tests/workflow.
"""

import runpy
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tests.workflow.workflow_project import REPOSITORY
from tgr.artifacts import digest, read_json, save_tensors, write_json
from tgr.backbones.registry import build
from tgr.config.existing_models import read_table
from tgr.config.load import load
from tgr.config.teachers import Dataset, Inversion
from tgr.data.readers import registry as readers
from tgr.errors import TgrError
from tgr.pool.existing_models import import_shard
from tgr.run import job

CLASSES = ("ant", "bee", "cat", "dog")
SPLITS = {"meta_train": ["ant", "bee"], "meta_val": ["cat"], "meta_test": ["dog"]}
ROW = {
    "name": "mine",
    "architecture": "conv4",
    "width": 4,
    "weights": "w.safetensors",
    "classes": 2,
    "image_size": 16,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.2, 0.2, 0.2],
    "licence": "CC0",
}
Damage = Callable[[], object]


def attempt(action: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> str:
    """Do what must fail; return its message after having checked that it is one, and that nothing changed."""
    before = content()
    capfd.readouterr()
    try:
        action()
    except TgrError as error:
        message = str(error)
    except SystemExit as left:
        message = capfd.readouterr().err
        assert left.code == 1 and message.count("\n") == 1
        assert "unexpected" not in message
    else:
        pytest.fail("it was accepted")
    assert "Traceback" not in message + "".join(log.read_text() for log in Path("results/logs").glob("*"))
    assert content() == before
    return message


def content() -> dict[Path, bytes]:
    files = [file for file in Path().rglob("*") if file.is_file() and "logs" not in file.parts]
    return {file: file.read_bytes() for file in files}


def run(script: str, wildcards: dict[str, str], params: dict[str, Any], output: str, **inputs: Any) -> None:
    """Run a script of the workflow as its job does."""
    snakemake = SimpleNamespace(
        rule=script,
        wildcards=wildcards,
        params=params,
        input=inputs,
        output={output: f"results/{output}"},
        log=["results/logs/log"],
    )
    runpy.run_path(str(REPOSITORY / f"workflow/scripts/{script}.py"), {"snakemake": snakemake})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(job.OWNER, raising=False)
    return tmp_path


# Configurations

TINY = (REPOSITORY / "tests/workflow/tiny.yaml").read_text()


def tiny(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new, 1)


CONFIGURATIONS = [
    ("empty", "", "a configuration is a mapping of sections, not NoneType"),
    ("a list", "- 1", "a configuration is a mapping of sections, not list"),
    ("no YAML", "a: [", "not valid YAML"),
    ("tabs", "a:\n\t- 1", "not valid YAML"),
    ("not UTF-8", b"a: \xff", "not valid YAML"),
    ("too deep", "[" * 1000, "not valid YAML"),
    ("a date that is none", tiny("dataset: shapes", "dataset: 2024-13-45"), "not valid YAML: month must be in 1..12"),
    ("a number of 5,000 digits", tiny("epochs: 2", "epochs: " + "1" * 5000), "not valid YAML: Exceeds the limit"),
    ("a tag that builds objects", "a: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ("a section twice", TINY + "methods: {bank: {}}\n", "methods: this key stands in line "),
    ("a key twice in one line", tiny("{epochs: 2,", "{epochs: 2, epochs: 3,"), "epochs: this key stands in line "),
    ("an unknown section", TINY + "pretrian: {}\n", "pretrian: unknown key; did you mean 'pretrain'?"),
    ("an unknown key", tiny("{epochs: 2,", "{epoch: 2,"), "pretrain.epoch: unknown key; did you mean 'epochs'?"),
    ("a section missing", tiny("scenarios:", "ablation:"), "scenarios: this key is required"),
    ("text for a number", tiny("epochs: 2", "epochs: two"), "pretrain.epochs: Input should be a valid integer"),
    ("too small a number", tiny("epochs: 2", "epochs: 0"), "pretrain.epochs: Input should be greater than or equal"),
    ("not a number", tiny("epochs: 2", "lr: .nan"), "pretrain.lr: Input should be a finite number"),
    (
        "a name that YAML reads as no",
        tiny("evaluate_on: [shapes]", "evaluate_on: [no]"),
        "valid string; put it in quotes",
    ),
    (
        "a comment for a value",
        tiny("dataset: shapes", "table: #a"),
        "pools.shapes-conv4: a pool needs one of `dataset`",
    ),
    (
        "wildcards in a path",
        tiny("data/shapes.npz", "'data/{x}*.npz'"),
        "datasets.shapes.path: a path names one file or",
    ),
    ("a stranger's home", tiny("data/shapes.npz", "~nobody-here/a.npz"), "datasets.shapes.path: nobody has this home"),
    (
        "a dataset twice",
        tiny("evaluate_on: [shapes]", "evaluate_on: [shapes, shapes]"),
        "evaluate_on: 'shapes' stands there",
    ),
    ("a shot twice", tiny("shots: [1]", "shots: [1, 1]"), "evaluation.shots: 1 stands there twice; name each once"),
    ("infinite", tiny("epochs: 2", "lr: .inf"), "pretrain.lr: Input should be a finite number"),
    ("a fraction of classes", tiny("n_way: 2", "n_way: 2.5"), "n_way: Input should be a valid integer"),
    ("an unknown dataset", tiny("dataset: shapes", "dataset: shape"), "dataset: unknown name 'shape'; valid: shapes"),
    ("an unknown pool", tiny("[shapes-conv4,", "[shapes-conv5,"), "pools: unknown name 'shapes-conv5'; valid: "),
    ("an unknown method", tiny("bank: {steps", "bonk: {steps"), "methods.bonk: unknown key; did you mean 'bank'?"),
    ("too many groups", tiny("n_groups: 2", "n_groups: 9"), "n_groups: 9 groups (tgr) need as many teachers"),
    ("neither dataset nor table", tiny("dataset: shapes\n", "\n"), "a pool needs one of `dataset`, `table` and"),
    ("no splits", tiny(", splits: data/splits.json", ""), "source npz needs both `path` and `splits`"),
    ("an unknown device", tiny("device: cpu", "device: abacus"), "device: "),
    ("a factor that is none", tiny("{grouping:", "{groupings:"), "factors: unknown name 'groupings'; valid: "),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in CONFIGURATIONS], ids=[c[0] for c in CONFIGURATIONS])
def test_malformed_configuration_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], text: str | bytes, message: str
) -> None:
    (folder / "my.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = attempt(lambda: load("my.yaml"), capfd)
    assert found.startswith("my.yaml: ") and message in found


# Tables of own models


def table(**changes: object) -> str:
    return yaml.safe_dump([{key: value for key, value in {**ROW, **changes}.items() if value is not None}])


TABLES = [
    ("empty", "", "t.yaml: the table of models has no rows"),
    ("no list", "name: x", "t.yaml: wanted a list of models"),
    ("no YAML", "- {", "t.yaml: not a valid table"),
    ("not UTF-8", b"- \xff", "t.yaml: not a valid table"),
    ("too deep", "[" * 1000, "t.yaml: not a valid table"),
    ("a date that is none", table() + "  held_out_accuracy: 2024-13-45\n", "t.yaml: not a valid table: month must be"),
    ("a row that is no mapping", "- 3", "row 1: wanted a mapping of keys to values"),
    ("a key missing", table(licence=None), "row 1 (mine): licence: this key is required"),
    ("an unknown key", table(license="MIT"), "row 1 (mine): license: unknown key; valid: name, "),
    ("an unknown architecture", table(architecture="vgg"), "row 1 (mine): architecture: "),
    ("one class", table(classes=1), "row 1 (mine): classes: "),
    ("a negative number of classes", table(classes=-3), "row 1 (mine): classes: "),
    ("an absurd number of classes", table(classes=10**13), "classes: 10000000000000 is more than 1000000"),
    ("classes from a missing file", table(classes="no.txt"), "classes: cannot read the names in no.txt"),
    ("no digest of SHA-256", table(sha256="abc"), "row 1 (mine): sha256: "),
    ("a mean of one channel", table(mean=[0.5]), "row 1 (mine): mean: "),
    ("a mean that is not finite", table(mean=[0.5, float("nan"), 0.5]), "mean.1: Input should be a finite number"),
    (
        "classes of truth values",
        table(classes=[True, False]),
        "classes.0: Input should be a valid string; put it in quotes",
    ),
    (
        "a date for a class",
        table(classes=[date(2024, 5, 1), "b"]),
        "classes.0: Input should be a valid string; put it in",
    ),
    (
        "nothing for a class",
        table().replace("classes: 2", "classes: [a, ~]"),
        "classes.1: Input should be a valid string; ",
    ),
    (
        "a path of wildcards",
        table(weights="*.pth"),
        "row 1 (mine): weights: a path names one file or folder, and cannot hol",
    ),
    (
        "colours of 0 to 255",
        table(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
        "divided by 255: mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]",
    ),
    (
        "an address without a digest",
        table(weights="https://example.org/w.pth"),
        "sha256: an address needs the digest of its file, so that nobody can exchange it; once you have seen",
    ),
    (
        "the hub without a digest",
        table(weights="hf-hub:timm/resnet18"),
        "get it with: curl -sL 'https://huggingface.co/timm/resnet18/resolve/main/model.safetensors' | sha256sum",
    ),
    (
        "an address of files",
        table(weights="file:///etc/passwd"),
        "weights: an address begins with https://, http:// or",
    ),
    ("an address with letters", table(weights="https://example.org/\u00fc.pth"), "is ASCII without blanks and quotes"),
    ("an address of two dots", table(weights="https://a..org/w.pth"), "has a host such as example.org, and is ASCII"),
    ("an address of a strange port", table(weights="https://a.org:x/w.pth"), "has a host such as example.org, and is "),
    ("half an address", table(weights="https://[w.pth"), "weights: an address begins with https://, http:// or"),
    ("an address of a page", table(weights="https://example.org/"), "weights: the address names no file of .safetens"),
    ("half a repository", table(weights="hf-hub:resnet18"), "weights: an address in the hub is hf-hub:<owner>/<name>"),
    ("a way out of the hub", table(weights="hf-hub:a/b/../../c.bin"), "weights: an address in the hub is hf-hub:<own"),
    (
        "classes from a stranger's home",
        table(classes="~nobody-here/a.txt"),
        "classes: cannot read the names in ~nobody-",
    ),
    ("classes from no path", table(classes="a\0b"), "row 1 (mine): classes: cannot read the names in "),
    ("two of a name", table() + table(), "row 2: name: 'mine' is also row 1's"),
    (
        "a key twice in a row",
        table().replace("  mean:", "  mean: [0.1, 0.2, 0.3]\n  mean:"),
        ": mean: this key stands in line ",
    ),
]


@pytest.mark.parametrize(("text", "message"), [case[1:] for case in TABLES], ids=[case[0] for case in TABLES])
def test_malformed_table_of_models_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], text: str | bytes, message: str
) -> None:
    (folder / "t.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in attempt(lambda: read_table("t.yaml"), capfd)


# Checkpoints


def weights(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {**build("conv4", 2, 4, 16, "malformed").state_dict(), **changes}


def truncated(name: str) -> None:
    save_tensors("w.safetensors", weights()) if name.endswith("s") else torch.save(weights(), name)
    Path(name).write_bytes(Path(name).read_bytes()[:-100])


def rewritten(change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    """Write a checkpoint whose archive has other members."""
    torch.save(weights(), "whole.pth")
    with zipfile.ZipFile("whole.pth") as whole, zipfile.ZipFile("w.pth", "w") as archive:
        for name in whole.namelist():
            archive.writestr(*change(name, whole.read(name)))


def unlistable() -> None:
    rewritten(lambda name, content: (name.replace("version", "\u00fc"), content))
    Path("w.pth").write_bytes(Path("w.pth").read_bytes().replace("\u00fc".encode(), b"\xff\xff"))


CHECKPOINTS = [
    ("empty", "w.safetensors", lambda: Path("w.safetensors").touch(), "weights: w.safetensors: empty; get it again"),
    (
        "a web page",
        "w.pth",
        lambda: Path("w.pth").write_text("<!DOCTYPE html>"),
        "weights: w.pth: a web page, such as a server's error, instead of the file; get it again",
    ),
    (
        "a pointer",
        "w.bin",
        lambda: Path("w.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "weights: w.bin: a pointer of Git LFS instead of the file (`git lfs pull` fetches it); get it again",
    ),
    (
        "of 8-bit floats",
        "w.pth",
        lambda: torch.save(weights(**{"head.bias": torch.ones(2).to(torch.float8_e5m2)}), "w.pth"),
        "weights: w.pth: head.bias is of torch.float8_e5m2: quantised weights are not read",
    ),
    (
        "of integers",
        "w.ckpt",
        lambda: torch.save({"state_dict": weights(**{"head.bias": torch.ones(2, dtype=torch.int8)})}, "w.ckpt"),
        "weights: w.ckpt: head.bias is of torch.int8: quantised weights are not read; take them in floating point",
    ),
    (
        "of several networks",
        "w.pth.tar",
        lambda: torch.save({"one": weights(), "two": weights()}, "w.pth.tar"),
        "weights: w.pth.tar: holds several sets of tensors: one, two; save the one you mean alone",
    ),
    (
        "with more than tensors",
        "w.bin",
        lambda: torch.save({"model": weights(), "root": Path()}, "w.bin"),
        "weights: w.bin: refused, because it is damaged or holds more than tensors (pathlib.",
    ),
    (
        "untrained",
        "w.pth",
        lambda: torch.save({name: torch.zeros_like(value) for name, value in weights().items()}, "w.pth"),
        "mean, std: the model says the same of a black image and of two random ones; check both",
    ),
    (
        "text",
        "w.pth",
        lambda: Path("w.pth").write_text("weights"),
        "w.pth: refused, because it is damaged or holds more",
    ),
    ("truncated", "w.safetensors", lambda: truncated("w.safetensors"), "row 1 (mine): weights: w.safetensors: damaged"),
    (
        "a pickle that makes a key of a mapping",
        "w.pth",
        lambda: rewritten(lambda name, content: (name, b"\x80\x02}}Ns." if name.endswith("data.pkl") else content)),
        "w.pth: damaged or not a checkpoint (unhashable type: 'dict'); get it again",
    ),
    (
        "an archive whose names are no text",
        "w.pth",
        unlistable,
        "weights: w.pth: refused: what this archive holds cannot be listed",
    ),
    ("truncated pickle", "w.pth", lambda: truncated("w.pth"), "w.pth: damaged or not a checkpoint"),
    (
        "of another kind",
        "w.onnx",
        lambda: Path("w.onnx").write_text("onnx"),
        "wanted a file of .safetensors, .pth, .pt,",
    ),
    (
        "JSON",
        "w.json",
        lambda: Path("w.json").write_text("{"),
        "wanted a file of .safetensors, .pth, .pt, .pth.tar, .bi",
    ),
    ("a folder", "w.pth", lambda: Path("w.pth").mkdir(), "w.pth: no such file"),
    ("a list", "w.pth", lambda: torch.save([1], "w.pth"), "wanted a mapping of names to tensors"),
    ("numbers", "w.pth", lambda: torch.save({"a": 1}, "w.pth"), "wanted a mapping of names to tensors"),
    (
        "of another shape",
        "w.safetensors",
        lambda: save_tensors("w.safetensors", build("conv4", 2, 8, 16, "other").state_dict()),
        "does not fit architecture conv4",
    ),
    (
        "a tensor missing",
        "w.pth",
        lambda: torch.save({"head.bias": torch.ones(2)}, "w.pth"),
        "does not fit architecture conv4 | missing: trunk.0.conv.weight, trunk.0.conv.bias, trunk.0.norm.weight and ",
    ),
    (
        "not finite",
        "w.safetensors",
        lambda: save_tensors("w.safetensors", weights(**{"head.bias": torch.tensor([0, torch.inf])})),
        "head.bias has values that are not finite",
    ),
    (
        "of three classes",
        "w.safetensors",
        lambda: save_tensors("w.safetensors", build("conv4", 3, 4, 16, "other").state_dict()),
        "classes: 2 are named, but w.safetensors has 3 outputs",
    ),
]


@pytest.mark.parametrize(
    ("name", "write", "message"), [case[1:] for case in CHECKPOINTS], ids=[case[0] for case in CHECKPOINTS]
)
def test_malformed_checkpoint_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], name: str, write: Damage, message: str
) -> None:
    write()
    sha256 = digest(name) if Path(name).is_file() and name != "w.json" else None
    if name == "w.json":
        sha256 = "021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96"
    Path("models.yaml").write_text(table(weights=name, sha256=sha256))

    def import_it() -> None:
        run("import_models", {"pool": "own"}, {"members": [0]}, "teachers", table="models.yaml")

    assert message in attempt(import_it, capfd)


# Datasets and their splits


def images(strange: Image.Image | None = None) -> None:
    """Write a folder of two images a class, and another one of ``bee``."""
    for name in CLASSES:
        Path("images", name).mkdir(parents=True)
        for index in range(2):
            Image.new("RGB", (16, 16), (index * 9, 9, 9)).save(f"images/{name}/{index}.png")
    if strange:
        strange.save("images/bee/1.tif")
    write_json("splits.json", SPLITS)


def arrays(**changes: Any) -> None:
    found = {
        "images": np.zeros((8, 16, 16, 3), np.uint8),
        "labels": np.repeat(np.arange(4), 2),
        "class_names": np.array(CLASSES),
    } | changes
    np.savez("d.npz", **{key: value for key, value in found.items() if value is not None})
    write_json("splits.json", SPLITS)


def splits(**changes: object) -> None:
    images()
    write_json("splits.json", {key: value for key, value in {**SPLITS, **changes}.items() if value is not None})


def broken_image(bytes_: bytes) -> None:
    images()
    Path("images/bee/1.png").write_bytes(bytes_)


def truncated_image() -> None:
    images()
    broken = Path("images/bee/1.png")
    Image.effect_noise((64, 64), 50).convert("RGB").save(broken)
    broken.write_bytes(broken.read_bytes()[:600])


def no_classes() -> None:
    Path("images").mkdir()
    write_json("splits.json", SPLITS)


def empty_class() -> None:
    images()
    for file in Path("images/bee").iterdir():
        file.unlink()


def sub_folder() -> None:
    empty_class()
    Path("images/bee/train").mkdir()
    Image.new("RGB", (16, 16)).save("images/bee/train/0.png")


def look_alikes() -> None:
    images()
    for name in ("u\xe9", "ue\u0301"):
        Path("images", name).mkdir()


def class_that_is_a_file() -> None:
    empty_class()
    Path("images/bee").rmdir()
    Path("images/bee").touch()


def two_sizes() -> None:
    images()
    Image.new("RGB", (20, 20)).save("images/bee/1.png")


def oblong() -> None:
    for name in CLASSES:
        Path("images", name).mkdir(parents=True)
        Image.new("RGB", (16, 20)).save(f"images/{name}/0.png")
    write_json("splits.json", SPLITS)


def text_splits(text: str) -> None:
    images()
    Path("splits.json").write_text(text)


def raw(bytes_: bytes) -> None:
    arrays()
    Path("d.npz").write_bytes(bytes_)


def single_array() -> None:
    arrays()
    with Path("d.npz").open("wb") as file:
        np.save(file, np.zeros(3))


def foreign_arrays() -> None:
    arrays()
    np.savez("d.npz", x_train=np.zeros(3), y_train=np.zeros(3))


def cut_archive() -> None:
    arrays()
    Path("d.npz").write_bytes(Path("d.npz").read_bytes()[:300])


DATASETS = [
    (
        "no folder",
        "folder",
        lambda: write_json("splits.json", SPLITS),
        "datasets.mine.path: images is not a folder; put the images into images/<class>/",
    ),
    ("a folder without classes", "folder", no_classes, "images/ant: no images, but splits.json names this class"),
    ("an empty class", "folder", empty_class, "images/bee: no images, but splits.json names this class"),
    ("a file for a class", "folder", class_that_is_a_file, "images/bee: no images, but splits.json names this class"),
    ("no image", "folder", lambda: broken_image(b"no picture"), "images/bee/1.png: damaged or not an image"),
    ("an empty image", "folder", lambda: broken_image(b""), "images/bee/1.png: empty; get it again"),
    ("a web page for an image", "folder", lambda: broken_image(b"<html>404"), "images/bee/1.png: a web page, such as"),
    (
        "a pointer for an image",
        "folder",
        lambda: broken_image(b"version https://git-lfs.github.com/spec/v1\n"),
        "images/bee/1.png: a pointer of Git LFS instead of the file (`git lfs pull` fetches it); get",
    ),
    (
        "greys without a white",
        "folder",
        lambda: images(Image.new("F", (16, 16), 255.0)),
        "images/bee/1.tif: it is unclear which of its grey values is white (F, 255 to 255)",
    ),
    (
        "an invisible image",
        "folder",
        lambda: images(Image.new("LA", (16, 16))),
        "images/bee/1.tif: all of it is transparent",
    ),
    ("images below their class", "folder", sub_folder, "images/bee: no images, but splits.json names this class; it"),
    ("classes that look alike", "folder", look_alikes, "images: the classes 'ue\\u0301' and 'u\\xe9' look alike"),
    ("a truncated image", "folder", truncated_image, "images/bee/1.png: damaged or not an image"),
    ("images of two sizes", "folder", two_sizes, "images/bee/1.png: 20 x 20 pixels, where 16 x 16 were expected"),
    ("oblong images", "folder", oblong, "images/ant/0.png: 16 x 20 pixels, where 20 x 20 were expected"),
    (
        "splits: a web page",
        "folder",
        lambda: text_splits("<html>"),
        "splits.json: a web page, such as a server's error",
    ),
    ("splits: no JSON", "folder", lambda: text_splits("{"), "splits.json: damaged or not JSON"),
    ("splits: too deep", "folder", lambda: text_splits("[" * 100_000), "splits.json: damaged or not JSON"),
    ("splits: a list", "folder", lambda: text_splits("[]"), "splits.json: wanted a JSON object with the class lists"),
    (
        "splits: one missing",
        "folder",
        lambda: splits(meta_val=None),
        "splits.json: wanted a JSON object with the class",
    ),
    ("splits: one empty", "folder", lambda: splits(meta_val=[]), "the split meta_val has no classes"),
    (
        "splits: all empty",
        "folder",
        lambda: splits(meta_train=[], meta_val=[], meta_test=[]),
        "splits.json: there are no images of its classes",
    ),
    ("splits: a class in two", "folder", lambda: splits(meta_val=["ant"]), "class 'ant' is in meta_train and in"),
    ("splits: an unknown class", "folder", lambda: splits(meta_val=["gnu"]), "images/gnu: no images"),
    ("splits: a number", "folder", lambda: splits(meta_val=[7]), "meta_val names the class 7, which is no text"),
    ("splits: a pattern", "folder", lambda: splits(meta_val=["*"]), "images/*: no images"),
    ("not there", "npz", lambda: write_json("splits.json", SPLITS), "d.npz: No such file or directory"),
    ("no archive", "npz", lambda: raw(b"PK no archive"), "d.npz: damaged, or not an npz file"),
    ("an empty file", "npz", lambda: raw(b""), "d.npz: empty; get it again"),
    ("a web page", "npz", lambda: raw(b"<!DOCTYPE html>"), "d.npz: a web page, such as a server's error"),
    ("a pointer", "npz", lambda: raw(b"version https://git-lfs.github.com/spec/v1\n"), "d.npz: a pointer of Git LFS"),
    ("a truncated archive", "npz", cut_archive, "d.npz: damaged, or not an npz file"),
    ("an array alone", "npz", single_array, "d.npz: one array alone; wanted images, labels, class_names"),
    (
        "an array missing",
        "npz",
        lambda: arrays(labels=None),
        "d.npz: no array labels; it holds images, class_names; want",
    ),
    ("another's arrays", "npz", foreign_arrays, "d.npz: no array images; it holds x_train, y_train; wanted: images, "),
    (
        "oblong images",
        "npz",
        lambda: arrays(images=np.zeros((8, 16, 20, 3), np.uint8)),
        "d.npz: images of 20 x 16 pixels: they must be square; set datasets.mine.image_size to resize them",
    ),
    (
        "channels first",
        "npz",
        lambda: arrays(images=np.zeros((8, 3, 16, 16), np.uint8)),
        "found uint8 (8, 3, 16, 16); put the channels last: np.moveaxis(images, 1, -1)",
    ),
    (
        "classes that look alike",
        "npz",
        lambda: arrays(class_names=np.array(["\xe9", "e\u0301", "cat", "dog"])),
        "d.npz: the classes '\\xe9' and 'e\\u0301' look alike",
    ),
    ("objects", "npz", lambda: arrays(class_names=np.array([{}, 1, 2, 3])), "d.npz: damaged, or not an npz file"),
    (
        "floats",
        "npz",
        lambda: arrays(images=np.zeros((8, 16, 16, 3))),
        "images must be uint8 (n, size, size, 3), found",
    ),
    (
        "no pixels",
        "npz",
        lambda: arrays(images=np.zeros((8, 0, 0, 3), np.uint8)),
        "d.npz: images hold no pixels: (8, 0, 0, 3)",
    ),
    (
        "no images",
        "npz",
        lambda: arrays(images=np.zeros((0, 16, 16, 3), np.uint8), labels=np.zeros(0, int)),
        "d.npz: images hold no pixels: (0, 16, 16, 3)",
    ),
    ("grey", "npz", lambda: arrays(images=np.zeros((8, 16, 16), np.uint8)), "images must be uint8 (n, size, size, 3)"),
    ("text labels", "npz", lambda: arrays(labels=np.array(["a"] * 8)), "labels must be integers (n,), found"),
    ("too few labels", "npz", lambda: arrays(labels=np.arange(4)), "d.npz: 8 images but 4 labels"),
    ("strange labels", "npz", lambda: arrays(labels=np.arange(8)), "d.npz: labels must lie in 0..3"),
    ("numbered classes", "npz", lambda: arrays(class_names=np.arange(4)), "class_names must be texts (n,), found"),
    ("a class twice", "npz", lambda: arrays(class_names=np.array(["ant"] * 4)), "class_names must differ"),
]


@pytest.mark.parametrize(
    ("source", "write", "message"), [case[1:] for case in DATASETS], ids=[case[0] for case in DATASETS]
)
def test_malformed_dataset_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], source: str, write: Damage, message: str
) -> None:
    write()
    path = "images" if source == "folder" else "d.npz"
    entry = Dataset(source=source, path=path, splits="splits.json")

    def load_it() -> None:
        found = readers.find("mine", entry)
        params = {"section": entry.model_dump(mode="json")}
        run("load_dataset", {"dataset": "mine"}, params, "dataset", source=found.files, images=found.folder or [])

    assert message in attempt(load_it, capfd)


# Cards and manifests of artefacts


def shard() -> None:
    """Write a teacher as the workflow does, but without a record, as if it came from elsewhere."""
    save_tensors("w.safetensors", weights())
    Path("models.yaml").write_text(table(sha256=digest("w.safetensors")))
    import_shard(pool="own", table=Path("models.yaml"), members=[0], teachers=Path("teachers"))


def card(**changes: object) -> None:
    shard()
    values = {**read_json("teachers/teacher-0000.json"), **changes}
    left = {key: value for key, value in values.items() if key not in changes or value is not None}
    write_json("teachers/teacher-0000.json", left)


def lost_weights() -> None:
    shard()
    Path("teachers/teacher-0000.safetensors").unlink()


def text_card() -> None:
    shard()
    Path("teachers/teacher-0000.json").write_text("{")


CARDS = [
    ("no JSON", text_card, "teacher-0000.json: damaged or not JSON"),
    ("a key missing", lambda: card(classes=None), "teacher-0000.json: classes: Field required"),
    ("an unknown key", lambda: card(colour=1), "teacher-0000.json: colour: Extra inputs are not permitted"),
    ("text for a number", lambda: card(image_size="large"), "teacher-0000.json: image_size: Input should be a valid"),
    ("another's name", lambda: card(name="../teacher-0001"), "name: the card is that of '../teacher-0001'"),
    ("another architecture", lambda: card(width=8), "weights do not fit architecture conv4"),
    ("no weights", lost_weights, "teacher-0000.safetensors: no such file"),
]


@pytest.mark.parametrize(("write", "message"), [case[1:] for case in CARDS], ids=[case[0] for case in CARDS])
def test_malformed_card_is_named(folder: Path, capfd: pytest.CaptureFixture[str], write: Damage, message: str) -> None:
    write()
    params = {"inversion": Inversion(steps=1).model_dump(mode="json"), "probe": None, "device": "cpu"}

    def invert() -> None:
        run("invert", {"pool": "own"}, params, "recovered", teachers="teachers", weights=[])

    assert message in attempt(invert, capfd)


STORED = [
    (
        "no tensors",
        lambda: Path("d.safetensors").write_bytes(b"12345678"),
        "d.safetensors: damaged or not a safetensors",
    ),
    (
        "other tensors",
        lambda: save_tensors("d.safetensors", {"a": torch.ones(1)}),
        "not a dataset as the suite stores it",
    ),
]


@pytest.mark.parametrize(("write", "message"), [case[1:] for case in STORED], ids=[case[0] for case in STORED])
def test_malformed_stored_dataset_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str], write: Damage, message: str
) -> None:
    write()

    def draw() -> None:
        run("draw_episodes", {"dataset": "d", "shot": "1"}, {"shape": {}}, "episodes", dataset="d.safetensors")

    assert message in attempt(draw, capfd)
