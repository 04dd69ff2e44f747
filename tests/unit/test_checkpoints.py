"""Checkpoints as they lie around: what is taken from them, and whether it fits the network of a row."""

import argparse
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from tests.unit.test_existing_models import ROW, SIZE, import_one
from tgr.artifacts import save_tensors
from tgr.backbones.checkpoints import read_checkpoint
from tgr.backbones.fitting import fit, own_names
from tgr.backbones.registry import build
from tgr.backbones.unwrapping import unwrap
from tgr.errors import TgrError
from tgr.pool.card import read_cards
from tgr.pool.existing_models import import_shard
from tgr.pool.teacher import load_teachers

Weights = dict[str, Tensor]
IMAGES = torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def trained(name: str = "test") -> nn.Module:
    return build("conv4", 3, 8, SIZE, name).eval()


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: tensor for name, tensor in weights.items()}


def logits(model: nn.Module, images: Tensor = IMAGES) -> Tensor:
    shift, scale = (torch.tensor(ROW[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    return model((images - shift) / scale)


def imported(folder: Path, content: Any, name: str = "w.pth", **changes: object) -> Callable[[Tensor], Tensor]:
    """Save a checkpoint, import it, and return what the teacher computes."""
    save_tensors(folder / name, content) if name.endswith(".safetensors") else torch.save(content, folder / name)
    return load_teachers([import_one(folder, weights=name, **changes)])[0].logits


def test_what_its_makers_wrote_into_the_header_of_a_file_is_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(2)}, file, {"metadata": "trained by me", "format": "pt"})
    assert torch.equal(read_checkpoint(file, "weights").tensors["a"], torch.ones(2))


# What training scripts put around weights

RIGHT, WRONG = trained().state_dict(), trained("another").state_dict()
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
CONTENTS: dict[str, tuple[Any, str]] = {
    "a state_dict": (RIGHT, ""),
    "state_dict": ({"state_dict": RIGHT, "optimizer": OPTIMIZER, "epoch": 7}, "took state_dict\n.*epoch = 7"),
    "model_state_dict": ({"model_state_dict": RIGHT, "loss": 0.5}, "took model_state_dict"),
    "model": ({"model": RIGHT, "args": argparse.Namespace(lr=0.1)}, "took model"),
    "net": ({"net": RIGHT, "acc": 91.2}, "acc = 91.2"),
    "params": ({"params": RIGHT}, "took params"),
    "teacher": ({"teacher": RIGHT, "specific": [3, 17, 40]}, r"specific = \[3, 17, 40\]"),
    "two deep": ({"model": {"state_dict": RIGHT}}, "took model\n.*took state_dict"),
    "a name of one's own": ({"best": RIGHT, "optimizer": OPTIMIZER}, "took best"),
    "EMA before the last": ({"model": WRONG, "model_ema": RIGHT}, "took model_ema, and left model"),
    "timm's EMA": ({"state_dict": WRONG, "state_dict_ema": RIGHT}, "took state_dict_ema, and left state_dict"),
    "the last of a student": ({"model": RIGHT, "teacher": WRONG}, "took model, and left teacher"),
    "data parallel": (prefixed("module.", RIGHT), r"read without the prefix module\."),
    "compiled": (prefixed("_orig_mod.", RIGHT), ""),
    "compiled, in parallel": ({"model": prefixed("module._orig_mod.", RIGHT)}, r"prefix module\."),
    "Lightning": ({"state_dict": prefixed("model.", RIGHT) | {"loss.weight": torch.ones(3)}}, "something else: loss"),
    "compiled beside itself": (prefixed("net.", RIGHT) | prefixed("fast._orig_mod.", RIGHT), r"prefix net\."),
    "any prefix": (prefixed("encoder.net.", RIGHT), r"prefix encoder\.net\."),
    "averaged by torch": (prefixed("module.", RIGHT) | {"n_averaged": torch.tensor(5)}, r"prefix module\."),
    "EMA by prefix": (prefixed("net.", WRONG) | prefixed("net_ema.", RIGHT), r"prefix net_ema\."),
    "numbers among tensors": ({**RIGHT, "epoch": 3}, "epoch = 3"),
    "without counters": ({n: w for n, w in RIGHT.items() if not n.endswith("num_batches_tracked")}, ""),
    "parameters": ({n: nn.Parameter(w, requires_grad=w.is_floating_point()) for n, w in RIGHT.items()}, ""),
}


@pytest.mark.parametrize(("content", "note"), CONTENTS.values(), ids=CONTENTS)
def test_weights_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Any, note: str) -> None:
    asked = imported(tmp_path, content)
    torch.testing.assert_close(asked(IMAGES), logits(trained()))
    assert re.search(note, capsys.readouterr().out)


@pytest.mark.parametrize("name", ["w.pth.tar", "w.bin", "w.ckpt", "w.pt"])
def test_suffixes(tmp_path: Path, name: str) -> None:
    torch.testing.assert_close(imported(tmp_path, {"state_dict": RIGHT}, name)(IMAGES), logits(trained()))


@pytest.mark.parametrize("prefix", ["", "module."])
def test_prefixes_in_safetensors(tmp_path: Path, prefix: str) -> None:
    asked = imported(tmp_path, prefixed(prefix, RIGHT), "w.safetensors")
    torch.testing.assert_close(asked(IMAGES), logits(trained()))


def test_files_of_an_early_pytorch(tmp_path: Path) -> None:
    torch.save({"state_dict": RIGHT}, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    teacher = load_teachers([import_one(tmp_path, weights="w.pth")])[0]
    torch.testing.assert_close(teacher.logits(IMAGES), logits(trained()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_precisions_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    stored = {name: w.to(dtype) if w.is_floating_point() else w for name, w in RIGHT.items()}
    expected = trained()
    expected.load_state_dict({name: w.float() if w.is_floating_point() else w for name, w in stored.items()})
    torch.testing.assert_close(imported(tmp_path, stored, "w.safetensors")(IMAGES), logits(expected))


# What is refused

BOTH = {"student": {"x": torch.ones(1)}, "other": {"x": torch.ones(1)}}
REFUSED: dict[str, tuple[Any, str]] = {
    "8-bit floats": (
        {**RIGHT, "head.weight": torch.ones(3, 8).to(torch.float8_e4m3fn)},
        "head.weight is of torch.float8",
    ),
    "integers": (
        {**RIGHT, "head.weight": torch.ones(3, 8, dtype=torch.int8)},
        "head.weight is of torch.int8: quantised",
    ),
    "complex numbers": (
        {**RIGHT, "head.bias": torch.ones(3, dtype=torch.complex64)},
        "head.bias is of torch.complex64",
    ),
    "sparse": ({**RIGHT, "head.bias": torch.ones(3).to_sparse()}, "head.bias is of torch.float32, torch.sparse"),
    "nested": (
        {**RIGHT, "head.bias": torch.nested.nested_tensor([torch.ones(1), torch.ones(2)])},
        "head.bias is of torch.float32, torch.strided: wanted plain real numbers",
    ),
    "several sets": (BOTH, "holds several sets of tensors: student, other; save the one you mean"),
    "two networks": (prefixed("a.", RIGHT) | prefixed("b.", WRONG), r"several such networks are in it: a\.\*, b\.\*"),
    "numbers for names": ({0: torch.ones(1)}, "wanted names of tensors, found 0"),
    "wrapped and not": (
        RIGHT | prefixed("_orig_mod.", WRONG),
        "holds trunk.0.conv.weight with and without a wrapper's name; save one alone",
    ),
    "an optimiser": ({"optimizer": OPTIMIZER}, "wanted a mapping of names to tensors"),
    "not finite": ({**RIGHT, "head.bias": torch.tensor([0, 0, torch.nan])}, "head.bias has values that are not finite"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_right_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(TgrError, match=rf"row 1 \(mine\): weights: .*w\.pth.*{message}"):
        imported(tmp_path, content)


def test_quantised_tensors_are_refused() -> None:
    quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    with pytest.raises(TgrError, match=r"w\.pth: a is of torch\.qint8: quantised weights are not read"):
        unwrap({"a": quantised}, "w.pth")


@pytest.mark.parametrize("value", [np.float64(1.5), Path("x"), {1, 2}], ids=["numpy", "path", "set"])
def test_no_message_advises_to_read_a_file_unsafely(tmp_path: Path, value: object) -> None:
    torch.save({"state_dict": RIGHT, "best": value}, tmp_path / "w.pth")
    (tmp_path / "raw.pth").write_bytes(b"\x80\x02cos\nsystem\n.")
    (tmp_path / "old.pth").write_bytes(tar_of_an_early_pytorch())
    for name in ("w.pth", "raw.pth", "old.pth"):
        try:
            read_checkpoint(tmp_path / name, "weights")
        except TgrError as error:
            message = str(error)
            assert message.startswith(f"weights: {tmp_path / name}: ")
            assert "weights_only" not in message and "safe_globals" not in message and "\x1b" not in message
            assert "refused" in message or "damaged" in message
        else:
            assert name == "w.pth" and isinstance(value, set)  # which PyTorch counts among plain values


def tar_of_an_early_pytorch() -> bytes:
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def test_what_a_file_asks_for_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": RIGHT, "root": Path("x")}, tmp_path / "w.pth")
    with pytest.raises(
        TgrError, match=r"holds more than tensors \(pathlib\.\w+\), and reading it could run code; where"
    ):
        read_checkpoint(tmp_path / "w.pth", "weights")


# What does not fit


def error_of(folder: Path, content: Any, **changes: object) -> list[str]:
    with pytest.raises(TgrError) as caught:
        imported(folder, content, **changes)
    return str(caught.value).splitlines()


def test_what_does_not_fit_is_told_in_five_lines(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        strange = timm.create_model("resnet18", num_classes=3).state_dict()
    lines = error_of(tmp_path, strange, architecture="resnet18", width=64)
    assert len(lines) == 4
    assert re.search(r"row 1 \(mine\): weights: .*w\.pth does not fit architecture resnet18$", lines[0])
    assert lines[1].startswith("missing: trunk.0.weight, trunk.1.weight, trunk.1.bias and ")
    assert lines[2].startswith("unexpected: conv1.weight, bn1.weight, bn1.bias and ")
    assert lines[3] == "nearest of those tried: timm:resnet18 (120 of 120 tensors before the head)"


def test_another_width_is_recognised(tmp_path: Path) -> None:
    lines = error_of(tmp_path, RIGHT, width=16)
    assert lines[-1].startswith("nearest of those tried: conv4 with width 8 (")
    assert any(
        line.startswith("of another shape: trunk.0.conv.weight (8, 3, 3, 3) instead of (16, 3, 3, 3)") for line in lines
    )


def test_a_longer_network_is_not_cut_to_a_shorter_one(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        longer = build("resnet18", 3, 8, SIZE, "longer").state_dict()
    [first, *_] = error_of(tmp_path, longer, architecture="resnet10")
    assert "does not fit architecture resnet10" in first


def test_unexpected_tensors_are_refused(tmp_path: Path) -> None:
    assert error_of(tmp_path, {**RIGHT, "extra.weight": torch.ones(2)})[1] == "unexpected: extra.weight"


def test_names_with_control_characters_are_shown_escaped(tmp_path: Path) -> None:
    lines = error_of(tmp_path, {**RIGHT, "\x1b[2J\n": torch.ones(2)})
    assert lines[1] == r"unexpected: '\x1b[2J\n'"


# Vision transformers


def test_position_embeddings_are_resampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"patch_size": 4}
    with torch.random.fork_rng(devices=[]):
        large = timm.create_model("test_vit", num_classes=3, img_size=48, **options).eval()
    row = {"architecture": "timm:test_vit", "options": options, "image_size": 32}
    asked = imported(tmp_path, large.state_dict(), **row)
    large.set_input_size((32, 32))  # timm's own way to another size
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(asked(images), logits(large, images), rtol=1e-4, atol=1e-4)
    assert "trunk.pos_embed: resampled from 145 to 65 positions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "shape"), [(lambda t: t[:, :60], "1, 60, "), (lambda t: t[:, :50].repeat(2, 1, 1), "2, 50, ")]
)
def test_what_cannot_be_resampled_is_refused_with_its_shapes(
    tmp_path: Path, change: Callable[[Tensor], Tensor], shape: str
) -> None:
    with torch.random.fork_rng(devices=[]):
        weights = timm.create_model("test_vit", num_classes=3, img_size=32, patch_size=4).state_dict()
    weights["pos_embed"] = change(weights["pos_embed"])
    row = {"architecture": "timm:test_vit", "options": {"patch_size": 4}, "image_size": 32}
    lines = error_of(tmp_path, weights, **row)
    assert any(line.startswith(f"of another shape: pos_embed ({shape}") for line in lines)


# Tied weights


class Tied(nn.Module):
    """Two layers share their weights."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 4)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.head = nn.Linear(8, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.stem(images).relu().mean((2, 3))
        return self.head(self.second(self.first(hidden).relu()).relu())


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "once.safetensors"])
def test_tied_weights_are_written_and_read(tmp_path: Path, name: str) -> None:
    """The last file holds them once, as the library writes a network."""
    torch.manual_seed(0)
    network, row = Tied(3), {"architecture": "python:tests.unit.test_checkpoints:Tied"}
    if name == "once.safetensors":
        save_model(network, str(tmp_path / name))
        teacher = load_teachers([import_one(tmp_path, weights=name, **row)])[0]
        torch.testing.assert_close(teacher.logits(IMAGES), logits(network))
    else:
        torch.testing.assert_close(imported(tmp_path, network.state_dict(), name, **row)(IMAGES), logits(network))


def test_the_fit_leaves_the_network_alone() -> None:
    network = Tied(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fitted = fit(network, prefixed("net.", {n: v + 1 for n, v in before.items()}), own_names(network))
    assert fitted.fits and fitted.prefix == "net."
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# Teachers of the authors' releases

GUIDE = Path(__file__).parents[2] / "docs/bring-your-own-models.md"


class ReleasedBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.C, self.BN = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.trunk = nn.Sequential(self.C, self.BN, nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)


class Released(nn.Module):
    """Conv4 with names as in the releases: each layer of a block has two."""

    def __init__(self, n_classes: int, size: int) -> None:
        super().__init__()
        blocks = [ReleasedBlock(3 if i == 0 else 32, 32) for i in range(4)]
        self.trunk = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * (size // 16) ** 2, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)


@pytest.mark.parametrize("size", [32, 84])
@pytest.mark.parametrize("form", ["w.pth", "once.safetensors"])
def test_teachers_of_the_releases(tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int, form: str) -> None:
    torch.manual_seed(1)
    network = Released(5, size)
    network(torch.rand(8, 3, size, size))  # which gives BatchNorm something to say
    network.eval()
    images = torch.rand(3, 3, size, size)
    row = {"width": 32, "image_size": size, "classes": 5}
    if form == "w.pth":
        asked = imported(tmp_path, {"teacher": network.state_dict(), "specific": [40, 3, 17, 8, 55]}, **row)
        assert "specific = [40, 3, 17, 8, 55]" in capsys.readouterr().out
    else:
        save_model(network, str(tmp_path / form))
        asked = load_teachers([import_one(tmp_path, weights=form, **row)])[0].logits
    torch.testing.assert_close(asked(images), logits(network, images), rtol=1e-4, atol=1e-4)


def test_the_guide_makes_a_table_of_released_teachers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("pretrained_model/cifar100/conv4/meta_train/5way/model")
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    for number in range(2):
        content = {"teacher": Released(5, 32).state_dict(), "specific": [2, 0, 5, 3, 1 + 3 * number]}
        torch.save(content, folder / f"model_specific_{number}.pth")
    Path("DFL2Ldata/cifar100/split").mkdir(parents=True)
    rows = [f"images/{name}_{i}.png,{name}" for name in ("bee", "ant", "cat", "dog", "eel", "fox") for i in range(2)]
    Path("DFL2Ldata/cifar100/split/meta_train.csv").write_text("\n".join(["filename,label", *rows]))
    [code] = re.findall(r'python -c "\n([^"]+)" > models/released\.yaml', GUIDE.read_text())
    exec(code, {})
    Path("released.yaml").write_text(capsys.readouterr().out)
    import_shard(pool="own", table=Path("released.yaml"), members=range(2), teachers=Path("teachers"))
    classes = [card.classes for card in read_cards("teachers")]
    assert classes == [["cat", "bee", "fox", "dog", "ant"], ["cat", "bee", "fox", "dog", "eel"]]
