"""Weights from the network: a server on this machine stands for the web and for the Hugging Face hub."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from tests.local_server import serve
from tests.unit.test_existing_models import SIZE, import_one
from tgr.artifacts import save_tensors, sha256_of
from tgr.backbones.registry import build
from tgr.config.addresses import fetched_file, hub_file
from tgr.errors import TgrError
from tgr.pool.fetch import fetch_weights
from tgr.pool.teacher import load_teachers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Web:
    """A server of files, by path."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            state.asked.append(self.path)
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            for key, value in {"ETag": f'"{len(content)}"', "X-Repo-Commit": COMMIT}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with serve(Handler) as url:
        state.url = url
        yield state


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "made.safetensors"
    save_tensors(file, build("conv4", 3, 8, SIZE, "test").state_dict())
    return file


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def put(cache: Path, repository: str, file: str, content: bytes) -> None:
    """Put a file into the cache as the hub's library does."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "snapshots" / COMMIT / file).write_bytes(content)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(COMMIT)


def test_a_row_with_a_url_is_fetched_once(
    web: Web, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"weights": f"{web.url}/models/net.safetensors?download=true", "sha256": sha256_of(weights)}
    web.files["/models/net.safetensors?download=true"] = weights.read_bytes()
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        teacher = load_teachers([import_one(tmp_path / folder, **row)])[0]
        assert torch.equal(teacher.model.head.weight, build("conv4", 3, 8, SIZE, "test").head.weight)
    assert len(web.asked) == 1
    assert [file.name for file in Path("results/downloads/weights").iterdir()] == [f"{row['sha256']}.safetensors"]


def test_another_file_at_the_url_is_refused(web: Web, tmp_path: Path) -> None:
    web.files["/w.pth"] = b"other weights"
    with pytest.raises(
        TgrError, match=r"w\.pth: not the expected file: SHA-256 \w{64}, 13 bytes, instead of SHA-256 00"
    ):
        fetch_weights(address=f"{web.url}/w.pth", sha256="0" * 64, weights=tmp_path / "w.pth")
    web.files["/w.pth"] = b"<html>Sign in</html>"
    with pytest.raises(TgrError, match=r"w\.pth: a web page, such as a server's error, instead of the file: SHA-256"):
        fetch_weights(address=f"{web.url}/w.pth", sha256="0" * 64, weights=tmp_path / "w.pth")
    with pytest.raises(TgrError, match=r"none\.pth: cannot be fetched \(.*404.*name it as the row's weights"):
        fetch_weights(address=f"{web.url}/none.pth", sha256="0" * 64, weights=tmp_path / "w.pth")
    assert not list(tmp_path.iterdir())


def test_the_cache_of_the_hub_is_used_without_a_network(
    hub: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put(hub, "someone/conv4.tiny", "model.safetensors", weights.read_bytes())
    row = {"weights": "hf-hub:someone/conv4.tiny", "sha256": sha256_of(weights)}
    teacher = load_teachers([import_one(tmp_path, **row)])[0]
    assert torch.equal(teacher.model.head.weight, build("conv4", 3, 8, SIZE, "test").head.weight)


def test_what_the_cache_lacks_needs_the_network(hub: Path, tmp_path: Path) -> None:
    put(hub, "someone/net", "model.safetensors", b"an earlier version")
    for address in ("hf-hub:someone/net", "hf-hub:someone/net@v2", "hf-hub:someone/other/pytorch_model.bin"):
        with pytest.raises(TgrError, match=r"not the expected file|cannot be fetched") as caught:
            fetch_weights(address=address, sha256="0" * 64, weights=tmp_path / "w.bin")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "w.bin").exists()


def test_a_hub_on_this_machine(web: Web, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", web.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", web.url + "/{repo_id}/resolve/{revision}/{filename}")
    content = b"weights of the hub" * 100
    web.files["/someone/net/resolve/v2/pytorch_model.bin"] = content
    (tmp_path / "same").write_bytes(content)
    fetch_weights(
        address="hf-hub:someone/net@v2/pytorch_model.bin",
        sha256=sha256_of(tmp_path / "same"),
        weights=tmp_path / "w.bin",
    )
    assert (tmp_path / "w.bin").read_bytes() == content
    assert web.asked


@pytest.mark.parametrize(
    ("address", "found", "suffix"),
    [
        ("hf-hub:timm/resnet18.a1_in1k", ("timm/resnet18.a1_in1k", "main", "model.safetensors"), ".safetensors"),
        ("hf-hub:a/b@v1.0", ("a/b", "v1.0", "model.safetensors"), ".safetensors"),
        ("hf-hub:a/b@v1/sub/w.ckpt", ("a/b", "v1", "sub/w.ckpt"), ".ckpt"),
        ("https://example.org/a%20b/w.pth.tar?x=1", None, ".pth.tar"),
    ],
)
def test_addresses(address: str, found: tuple[str, str, str] | None, suffix: str) -> None:
    assert hub_file(address) == found
    assert fetched_file(address, "0" * 64) == Path(f"results/downloads/weights/{'0' * 64}{suffix}")
