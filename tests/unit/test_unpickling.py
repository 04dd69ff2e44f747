"""The restricted reader of pickles: what it gives, and that nothing in a pickle runs."""

import copyreg
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_formats import python2_pickle

from tgr.data.unpickling import read_pickle
from tgr.errors import TgrError


def test_content_is_read() -> None:
    pixels = np.arange(300, dtype=np.uint8).reshape(3, 100)
    content: dict[str, Any] = {"data": pixels, "fine_labels": [1, 2, 70000], "batch_label": b"x" * 300}
    read = read_pickle(python2_pickle(content), "train")
    assert np.array_equal(read["data"], pixels) and read["data"].dtype == np.uint8
    assert read["fine_labels"] == content["fine_labels"] and read["batch_label"] == content["batch_label"]


class Bomb:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_bomb_is_refused_without_running(tmp_path: Path, protocol: int) -> None:
    """A function of this Python, in the encoding of every protocol."""
    victim = tmp_path / "victim"
    content = pickle.dumps({"data": Bomb(Path.touch, victim)}, protocol)
    pickle.loads(content)
    assert victim.exists(), "the bomb must work, or the test would show nothing"
    victim.unlink()
    with pytest.raises(TgrError, match="train: refused, because the pickle asks for "):
        read_pickle(content, "train")
    assert not victim.exists()


VICTIM = b"tgr_victim"


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cos\nmkdir\n(U\x0a" + VICTIM + b"tR",
        b"(U\x0a" + VICTIM + b"ios\nmkdir\n",
        b"(cos\nmkdir\nU\x0a" + VICTIM + b"o",
        b"\x8c\x02os\x8c\x05mkdir\x93(U\x0a" + VICTIM + b"tR",
        b"\x82\xf0(U\x0a" + VICTIM + b"tR",
        b"cbuiltins\neval\n(U\x15__import__('os').nowtR",
        b"cnumpy.core.multiarray\nscalar\n(tR",
        b"cnumpy\nload\n(U\x0a" + VICTIM + b"tR",
        b"ctgr.data.unpickling\nread_pickle\n(U\x0aU\x01atR",
    ],
)
def test_every_way_to_call_is_refused(opcodes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copyreg.add_extension("os", "mkdir", 0xF0)
    try:
        with pytest.raises(TgrError, match="refused, because the pickle asks for"):
            read_pickle(b"\x80\x04}U\x01a" + opcodes + b"s.", "train")
    finally:
        copyreg.remove_extension("os", "mkdir", 0xF0)
    assert not list(tmp_path.iterdir())


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(tR"
BYTES = b"cnumpy\ndtype\n(U\x02u1tR"


@pytest.mark.parametrize(
    ("opcodes", "message"),
    [
        (b"cnumpy\ndtype\n(U\x02O8tR", "an array holds b'O8', not bytes"),
        (ARRAY + b"(K\x01K\x04" + BYTES + b"\x89]tb", "not one of bytes in C order"),
        (ARRAY + b"(K\x01K\x04" + BYTES + b"\x88U\x04aaaatb", "not one of bytes in C order"),
        (ARRAY + b"(K\x01J\xff\xff\xff\x7f" + BYTES + b"\x89U\x01atb", "cannot reshape array"),
        (ARRAY + b"U\x01ab", "damaged or not a pickle of CIFAR"),
        (b"cnumpy\nndarray\n}U\x01aK\x01sb", "damaged or not a pickle of CIFAR"),
        (b"P1\n", "damaged or not a pickle of CIFAR"),
    ],
)
def test_arrays_of_anything_but_bytes_are_refused(opcodes: bytes, message: str) -> None:
    with pytest.raises(TgrError, match=message):
        read_pickle(b"\x80\x02}U\x01a" + opcodes + b"s.", "train")


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"hello", python2_pickle({"a": 1})[:-3]])
def test_damaged_pickle_is_named(content: bytes) -> None:
    with pytest.raises(TgrError, match="train: damaged or not a pickle of CIFAR"):
        read_pickle(content, "train")


@pytest.mark.parametrize("content", [b"K\x01.", b"].", b"}K\x01K\x02s."])
def test_pickle_of_something_else_is_named(content: bytes) -> None:
    with pytest.raises(TgrError, match="holds no mapping by name"):
        read_pickle(content, "train")
