"""Fetching a file from the network: resumable, and checked by its SHA-256."""

import errno
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tgr.artifacts import placeholder, sha256_of
from tgr.errors import TgrError

BLOCK = 1 << 20
TIMEOUT_SECONDS = 60
PARTIAL, RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True)
class Download:
    """A file on the network.

    Attributes:
        url: where it is.
        sha256: of its content.
        path: where it is put, relative to the working directory.
        alternative: what a file from elsewhere is to be named as.
        size: in bytes, if known.
        licence: what its makers allow, if known.
    """

    url: str
    sha256: str
    path: str
    alternative: str
    size: int | None = None
    licence: str = ""

    @property
    def known(self) -> str:
        """What is known of its content, in words."""
        return f"SHA-256 {self.sha256}" + (f", {self.size} bytes" if self.size else "")


CIFAR100 = Download(
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    size=169_001_437,
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    path="results/downloads/cifar-100-python.tar.gz",
    alternative="in the configuration as datasets.<name>.path",
    licence="no licence is stated; published for research, its makers ask to cite the report of 2009",
)


def fetch(download: Download, target: Path) -> None:
    """Write the file to ``target``. What arrives is kept beside it, with the suffix ``.part``, until it is complete, so
    that another call continues an interrupted one.

    Raises:
        TgrError: the server cannot be reached, the connection ended early, or the content is not what it should be.
    """
    print(download.url + (f"\nlicence: {download.licence}" if download.licence else ""))
    part = target.with_name(f"{Path(download.path).name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if not part.exists() or sha256_of(part) != download.sha256:
        size = _continue(download, part)
        if size is not None and part.stat().st_size < size:
            done = f"{part.stat().st_size} of {size} bytes"
            raise TgrError(f"{download.url}: the connection ended after {done}; run again")
    if (sha256 := sha256_of(part)) != download.sha256:
        found = f"SHA-256 {sha256}, {part.stat().st_size} bytes"
        what = placeholder(part)
        part.unlink()
        raise TgrError(
            f"{download.url}: {what or 'not the expected file'}: {found}, instead of {download.known}; it was deleted; "
            "run again, or get the file from elsewhere"
        )
    part.replace(target)


def _continue(download: Download, part: Path) -> int | None:
    """Append what is missing, or start anew if the server does not send parts; return the whole's size if known."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(download.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            append = answer.status == PARTIAL
            length = answer.headers.get("Content-Length", "")
            size = (done if append else 0) + int(length) if length.isdecimal() else None
            print(f"{download.url}: fetching from byte {done if append else 0} of {download.size or size or '?'}")
            with part.open("ab" if append else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
            return download.size or size
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if isinstance(error, urllib.error.HTTPError) and error.code == RANGE_NOT_SATISFIABLE:
            part.unlink()
        raise TgrError(
            f"{download.url}: cannot be fetched ({error}); run again to continue, or get the file elsewhere and "
            f"name it {download.alternative} ({download.known})"
        ) from error
