"""Downloads from a server on this machine: whole, resumed, damaged, refused."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from tests.local_server import serve
from tgr.data.download import Download, fetch
from tgr.errors import TgrError

CONTENT = np.random.default_rng(0).bytes(3_000_000)


@dataclass
class Server:
    """What the server sends, and which first bytes were asked for."""

    content: bytes = CONTENT
    ranges: bool = True
    stop_after: int | None = None
    status: int | None = None
    asked: list[int] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
            first = int(wanted[1]) if wanted else 0
            state.asked.append(first)
            if state.status or first >= len(state.content):
                self.send_error(state.status or 416)
                return
            partial = wanted and state.ranges
            body = state.content[first if partial else 0 :]
            self.send_response(206 if partial else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.stop_after])

        def log_message(self, *_: object) -> None:
            pass

    with serve(Handler) as url:
        state.url = f"{url}/file.tar.gz"
        yield state


def download(server: Server) -> Download:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return Download(
        url=server.url,
        sha256=sha256,
        path="results/downloads/file.tar.gz",
        alternative="in the configuration as datasets.<name>.path",
        size=len(CONTENT),
        licence="for tests only",
    )


def part_of(folder: Path) -> Path:
    return folder / "file.tar.gz.part"


def test_file_is_fetched(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(download(server), tmp_path / "new/target")
    assert (tmp_path / "new/target").read_bytes() == CONTENT
    assert not part_of(tmp_path / "new").exists()
    assert "licence: for tests only" in capsys.readouterr().out


def test_interrupted_download_is_continued(server: Server, tmp_path: Path) -> None:
    server.stop_after = 1_000_000
    with pytest.raises(TgrError, match="the connection ended after 1000000 of 3000000 bytes; run again"):
        fetch(download(server), tmp_path / "target")
    assert not (tmp_path / "target").exists()
    server.stop_after = None
    fetch(download(server), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert server.asked == [0, 1_000_000]


def test_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(b"the beginning of something")
    server.ranges = False
    fetch(download(server), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_complete_part_is_only_checked(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT)
    fetch(download(server), tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT and not server.asked


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT + b"more"], ids=["changed", "longer"])
def test_wrong_content_is_deleted(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content
    with pytest.raises(TgrError, match=f"not the expected file: SHA-256 {hashlib.sha256(content).hexdigest()}"):
        fetch(download(server), tmp_path / "target")
    assert not list(tmp_path.iterdir())


def test_shorter_file_on_the_server_starts_anew_next_time(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:100]
    with pytest.raises(TgrError, match="the connection ended after 100 of 3000000"):
        fetch(download(server), tmp_path / "target")
    with pytest.raises(TgrError, match="cannot be fetched"):
        fetch(download(server), tmp_path / "target")
    server.content = CONTENT
    fetch(download(server), tmp_path / "target")
    assert server.asked == [0, 100, 0]


def test_unreachable_server_keeps_what_came_and_says_what_to_do(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT[:500])
    nowhere = replace(download(server), url="http://127.0.0.1:9/file.tar.gz")
    with pytest.raises(TgrError) as caught:
        fetch(nowhere, tmp_path / "target")
    assert "cannot be fetched" in str(caught.value)
    assert "or get the file elsewhere and name it in the configuration as datasets.<name>.path" in str(caught.value)
    assert nowhere.sha256 in str(caught.value)
    assert part_of(tmp_path).read_bytes() == CONTENT[:500]
    server.status = 503
    with pytest.raises(TgrError, match="503"):
        fetch(download(server), tmp_path / "target")
    assert part_of(tmp_path).exists()
