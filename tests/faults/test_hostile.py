"""Hostile input: refused or contained, each with its message. See unit/test_existing_models.py for more pickles."""

import json
import os
import pickle
import re
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from tests.workflow.workflow_project import REPOSITORY
from tgr.artifacts import load_tensors, write_json
from tgr.backbones.checkpoints import read_checkpoint
from tgr.backbones.fitting import fit, own_names
from tgr.backbones.unwrapping import unwrap
from tgr.config.existing_models import read_table
from tgr.config.load import load
from tgr.config.teachers import Dataset
from tgr.data.readers.base import SourceFiles
from tgr.data.sources import load_dataset
from tgr.errors import TgrError

SIZE = 16
EVIL = (
    "../up",
    "/etc",
    "a/b",
    "a\\b",
    ".",
    "a b",
    "a;touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "a|b",
    "a&b",
    "a>b",
    "*",
    "{shard}",
    "-rf",
    "a\nb",
    "a\n",
    "\x1b[2J",
    "a\0b",
    "ä",
    "A",
    "a" * 41,
    "",
)
"""Names that would leave their folder, reach a shell, a wildcard or a terminal, or be too long for a path."""


# Names


def one_line(message: str) -> bool:
    return all(line.isprintable() for line in message.split("\n"))


@pytest.mark.parametrize("evil", EVIL, ids=repr)
@pytest.mark.parametrize("section", ["datasets", "pools", "scenarios", "methods", "ablations"])
def test_names_in_a_configuration(tmp_path: Path, section: str, evil: str) -> None:
    values = yaml.safe_load((REPOSITORY / "tests/workflow/tiny.yaml").read_text())
    values[section][evil] = next(iter(values[section].values()))
    file = tmp_path / "my.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(TgrError, match=rf"my\.yaml: {section}\.") as caught:
        load(file)
    assert one_line(str(caught.value)) and "\n" not in str(caught.value)


ROW = {
    "architecture": "conv4",
    "width": 4,
    "weights": "w.safetensors",
    "classes": 2,
    "image_size": SIZE,
    "licence": "CC0",
}
ROW |= {"mean": [0.5] * 3, "std": [0.2] * 3, "sha256": "0" * 64}


@pytest.mark.parametrize("evil", EVIL, ids=repr)
def test_hostile_names_of_teachers_are_refused(tmp_path: Path, evil: str) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump([{"name": evil, **ROW}]))
    with pytest.raises(TgrError, match=r"models\.yaml: row 1.*: name: ") as caught:
        read_table(tmp_path / "models.yaml")
    assert one_line(str(caught.value)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("evil", ["../outside", "/etc", "a/b", "..\\up", ".hidden", "", "a\0b"], ids=repr)
def test_names_of_classes_stay_in_their_folder(tmp_path: Path, evil: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "outside").mkdir()
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "outside/0.png")
    write_json(tmp_path / "splits.json", {"meta_train": [evil], "meta_val": ["b"], "meta_test": ["c"]})
    entry = Dataset(source="folder", path="images", splits="splits.json")
    with pytest.raises(TgrError, match="is not a plain folder name"):
        load_dataset("mine", entry, SourceFiles([tmp_path / "splits.json"], tmp_path / "images"))


def alias_bomb(key: str, depth: int = 6) -> str:
    """Return a row of a table of which one entry is a list of lists of lists, nine times as many at each depth."""
    lists = [f"a0: &a0 [{', '.join('xxxxxxxxx')}]"]
    lists += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "- " + "\n  ".join([*lists, f"{key}: *a{depth - 1}"])


@pytest.mark.parametrize("key", ["name", "classes", "options", "mean", "licence"])
def test_lists_that_aliases_make_huge_are_not_written_out(tmp_path: Path, key: str) -> None:
    (tmp_path / "models.yaml").write_text(alias_bomb(key))
    with pytest.raises(TgrError, match=rf"models\.yaml: row 1.*: {key}") as caught:
        read_table(tmp_path / "models.yaml")
    assert len(str(caught.value)) < 20_000


def test_a_number_too_long_to_write_is_described(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump([{"name": "mine", **ROW}]).replace("16", "0x" + "f" * 5000))
    with pytest.raises(TgrError, match=r"row 1 \(mine\): image_size: .*a number of 20000 bits"):
        read_table(tmp_path / "models.yaml")


# Files that would fill the memory


def zip_bomb(file: Path, member: str) -> None:
    """Write an archive of 6 MB that unpacks to 1.3 GB."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(member, "w", force_zip64=True) as opened,
    ):
        for _ in range(1200):
            opened.write(bytes(2**20))


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bomb") / "bomb.zip"
    zip_bomb(file, "bomb/data.pkl")
    return file


@pytest.mark.parametrize("kind", ["checkpoint", "npz"])
def test_zip_bomb_is_refused(tmp_path: Path, bomb: Path, kind: str) -> None:
    suffix = {"checkpoint": ".pth", "npz": ".npz"}[kind]
    file = tmp_path / f"bomb{suffix}"
    os.link(bomb, file)
    write_json(tmp_path / "splits.json", {})
    entry = Dataset(source="npz", path="bomb.npz", splits="splits.json")
    readers: dict[str, Callable[[], object]] = {
        "checkpoint": lambda: read_checkpoint(file, "weights"),
        "npz": lambda: load_dataset("mine", entry, SourceFiles([file, tmp_path / "splits.json"])),
    }
    started = time.perf_counter()
    with pytest.raises(TgrError, match=rf"bomb{re.escape(suffix)}: refused: its \d+ bytes would unpack to 1258291200"):
        readers[kind]()
    assert time.perf_counter() - started < 5


def test_image_of_absurd_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name in "abc":
        (tmp_path / "images" / name).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "images" / name / "0.png")
    write_json(tmp_path / "splits.json", {"meta_train": ["a"], "meta_val": ["b"], "meta_test": ["c"]})
    entry = Dataset(source="folder", path="images", splits="splits.json")
    with pytest.raises(TgrError, match=r"0\.png: damaged or not an image .*decompression bomb"):
        load_dataset("mine", entry, SourceFiles([tmp_path / "splits.json"], tmp_path / "images"))


def array_of_absurd_shape(file: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1125899906842624, 8, 8, 3)}"
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)


def test_array_of_absurd_shape(tmp_path: Path) -> None:
    array_of_absurd_shape(tmp_path / "d.npz")
    write_json(tmp_path / "splits.json", {})
    entry = Dataset(source="npz", path="d.npz", splits="splits.json")
    with pytest.raises(TgrError, match=r"d\.npz: damaged, or not an npz file of plain arrays"):
        load_dataset("mine", entry, SourceFiles([tmp_path / "d.npz", tmp_path / "splits.json"]))


def safetensors(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(16)


def tensor(shape: list[int], offsets: list[int]) -> bytes:
    return json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()


HEADERS = {
    "longer than any file": safetensors(b"{}", 2**63),
    "longer than this file": safetensors(b"{}", 2**20),
    "no JSON": safetensors(b"{{{{"),
    "a list": safetensors(b"[]"),
    "nested without end": safetensors(b'{"a":' * 30_000),
    "an absurd shape": safetensors(tensor([2**40, 2**40], [0, 16])),
    "a shape beyond its data": safetensors(tensor([1000], [0, 16])),
    "offsets beyond the file": safetensors(tensor([2**30], [0, 2**32])),
    "offsets backwards": safetensors(tensor([4], [16, 0])),
    "negative offsets": safetensors(tensor([4], [-16, 0])),
    "metadata that is no mapping": safetensors(
        json.dumps({"__metadata__": {"metadata": "[1]"}, **json.loads(tensor([4], [0, 16]))}).encode()
    ),
    "metadata nested without end": safetensors(
        json.dumps({"__metadata__": {"metadata": "[" * 100_000}, **json.loads(tensor([4], [0, 16]))}).encode()
    ),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_safetensors_with_an_absurd_header(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(header)
    with pytest.raises(TgrError, match=r"w\.safetensors: damaged or not a safetensors file"):
        load_tensors(tmp_path / "w.safetensors")


class Reduced:
    """Unpickling it calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.called


@pytest.mark.parametrize("function", [os.mkdir, eval, getattr, bytearray, torch.load, Path], ids=lambda f: f.__name__)
def test_pickle_bomb_does_not_go_off(tmp_path: Path, function: object) -> None:
    """What may be called at all, may not fill the memory."""
    argument = 10**15 if function is bytearray else str(tmp_path / "pwned")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("w/data.pkl", pickle.dumps({"a": Reduced(function, argument)}, protocol=2))
        archive.writestr("w/version", b"3\n")
    with pytest.raises(TgrError, match=r"weights: .*w\.pth: (refused|damaged)"):
        read_checkpoint(tmp_path / "w.pth", "weights")
    assert not (tmp_path / "pwned").exists()


def nested(depth: int) -> dict[str, Any]:
    """Return containers in each other, each under two names, so that there are more ways in than anybody can go."""
    content: dict[str, Any] = {"x": torch.ones(1)}
    for _ in range(depth):
        content = {"model": content, "net": content}
    return content


def in_itself() -> dict[str, Any]:
    content: dict[str, Any] = {"x": torch.ones(1), "again": [10**5000, "long" * 10**6]}
    content["model"] = content
    content["again"].append(content["again"])
    return content


@pytest.mark.parametrize("content", [nested(200), in_itself()], ids=["nested", "in itself"])
def test_containers_without_end(content: dict[str, Any]) -> None:
    started = time.perf_counter()
    with pytest.raises(TgrError, match=r"^w\.pth: wanted a mapping of names to tensors"):
        unwrap(content, "w.pth")
    assert time.perf_counter() - started < 5


def test_names_without_end() -> None:
    names = [".".join("a" * 50_000) + f".{index}" for index in range(20)]
    network = nn.Linear(2, 2)
    started = time.perf_counter()
    fitted = fit(network, dict.fromkeys(names, torch.ones(1)), own_names(network))
    assert not fitted.fits and len(fitted.describe()) < 1000
    assert time.perf_counter() - started < 5


def test_pickle_bomb_in_an_array(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", images=np.array([Reduced(os.mkdir, str(tmp_path / "pwned"))]), labels=[0], class_names=[0]
    )
    write_json(tmp_path / "splits.json", {})
    entry = Dataset(source="npz", path="d.npz", splits="splits.json")
    with pytest.raises(TgrError, match="not an npz file of plain arrays"):
        load_dataset("mine", entry, SourceFiles([tmp_path / "d.npz", tmp_path / "splits.json"]))
    assert not (tmp_path / "pwned").exists()
