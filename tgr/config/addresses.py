"""Addresses of weights on the network: a URL, or a file in a repository of the Hugging Face hub."""

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

FETCHED = "results/downloads/weights/{weights}"
"""Where fetched weights lie, named by their digest."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".pth.tar", ".bin", ".ckpt")
"""Of files of weights."""
HUB = "hf-hub:"
_IN_THE_HUB = re.compile(
    rf"{HUB}(?P<repository>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w.-]*))?(/(?P<file>\w[\w-]*([./]\w[\w-]*)*))?"
)


class HubFile(NamedTuple):
    """A file in a repository of the hub, as timm names repositories: ``hf-hub:<owner>/<name>@<revision>/<file>``."""

    repository: str
    revision: str
    file: str

    @property
    def url(self) -> str:
        """Where it is on the network."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{self.file}"


def is_address(weights: str) -> bool:
    """Return whether weights are on the network."""
    return "://" in weights or weights.startswith(HUB)


def hub_file(address: str) -> HubFile | None:
    """Return the file that an address means; None if it is none of the hub."""
    found = _IN_THE_HUB.fullmatch(address)
    return found and HubFile(found["repository"], found["revision"] or "main", found["file"] or "model.safetensors")


def check_address(address: str, sha256: str | None) -> None:
    """Raise ValueError, which names the key, if an address is none, or has no digest."""
    in_the_hub = hub_file(address)
    if address.startswith(HUB) and in_the_hub is None:
        raise ValueError(f"weights: an address in the hub is {HUB}<owner>/<name>, perhaps with @<revision> and /<file>")
    url = in_the_hub.url if in_the_hub else address
    if not _is_url(url):
        raise ValueError(
            f"weights: an address begins with https://, http:// or {HUB}, has a host such as example.org, and is ASCII "
            "without blanks and quotes; write %20 and the like, as browsers copy them"
        )
    if not _suffix(url):
        raise ValueError(f"weights: the address names no file of {', '.join(SUFFIXES)}")
    if sha256 is None:
        raise ValueError(
            f"sha256: an address needs the digest of its file, so that nobody can exchange it; once you have seen that "
            f"it is the file you mean, get it with: curl -sL '{url}' | sha256sum"
        )


def _is_url(text: str) -> bool:
    """Return whether a text is a URL that a request and, between single quotes, a shell take as it is."""
    try:
        parts = urlsplit(text)
        host, _ = str(parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and not {" ", "'"} & {*text}
    return plain and parts.scheme in ("https", "http") and bool(host)


def fetched_file(address: str, sha256: str) -> Path:
    """Return where the file of an address lies once it was fetched, relative to the working directory."""
    in_the_hub = hub_file(address)
    return Path(FETCHED.format(weights=sha256 + _suffix(in_the_hub.url if in_the_hub else address)))


def _suffix(url: str) -> str:
    path = unquote(urlsplit(url).path)
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if path.endswith(suffix)), "")
