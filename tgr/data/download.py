"""Fetching a file from the network: resumable, and checked by its SHA-256."""

import errno
import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tgr.errors import TgrError

BLOCK = 1 << 20
TIMEOUT_SECONDS = 60
PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True)
class Download:
    """A file on the network.

    Attributes:
        url: where it is.
        size: in bytes.
        sha256: of its content.
        path: where it is put, relative to the working directory.
        licence: what its makers allow.
    """

    url: str
    size: int
    sha256: str
    path: str
    licence: str


CIFAR100 = Download(
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    size=169_001_437,
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    path="results/downloads/cifar-100-python.tar.gz",
    licence="no licence is stated; published for research, its makers ask to cite the report of 2009",
)


def fetch(download: Download, target: Path) -> None:
    """Write the file to ``target``. What arrives is kept beside it, with the suffix ``.part``, until it is complete, so
    that another call continues an interrupted one.

    Raises:
        TgrError: the server cannot be reached, the connection ended early, or the content is not what it should be.
    """
    print(f"{download.url}\nlicence: {download.licence}")
    part = target.with_name(f"{Path(download.path).name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists() or part.stat().st_size < download.size:
        _continue(download, part)
    size, sha256 = part.stat().st_size, _sha256(part)
    if size < download.size:
        raise TgrError(f"{download.url}: the connection ended after {size} of {download.size} bytes; run again")
    if sha256 != download.sha256:
        part.unlink()
        raise TgrError(
            f"{download.url}: not the expected file: SHA-256 {sha256}, {size} bytes, instead of {download.sha256}, "
            f"{download.size} bytes; it was deleted; run again, or get the file from elsewhere"
        )
    part.replace(target)


def _continue(download: Download, part: Path) -> None:
    """Append what is missing, or start anew if the server does not send parts."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(download.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            append = answer.status == PARTIAL
            print(f"{download.url}: fetching from byte {done if append else 0} of {download.size}")
            with part.open("ab" if append else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if isinstance(error, urllib.error.HTTPError) and error.code == RANGE_NOT_SATISFIABLE:
            part.unlink()
        raise TgrError(
            f"{download.url}: cannot be fetched ({error}); run again to continue, or get the file elsewhere and "
            f"name it in the configuration: datasets.<name>.path ({download.size} bytes, SHA-256 {download.sha256})"
        ) from error


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
