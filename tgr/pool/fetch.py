"""Weights from the network, verified by their digest."""

import shutil
from pathlib import Path

from tgr.artifacts import atomic, sha256_of
from tgr.config.addresses import HubFile, hub_file
from tgr.data.download import Download, fetch
from tgr.errors import TgrError, first_line


def fetch_weights(*, address: str, sha256: str, weights: Path) -> None:
    """Write the file of an address to ``weights``.

    Files of the hub go through its own cache (``HF_HOME``), and are taken from there without the network if they are
    the right ones.

    Args:
        address: as ``tgr.config.addresses`` has it.
        sha256: of the file.

    Raises:
        TgrError: it cannot be had, or is another file.
    """
    in_the_hub = hub_file(address)
    if in_the_hub is None:
        fetch(Download(address, sha256, path=sha256, alternative="as the row's weights"), weights)
        return
    file = _cached(in_the_hub, sha256) or _from_the_hub(in_the_hub)
    if (found := sha256_of(file)) != sha256:
        raise TgrError(f"{address}: not the expected file: SHA-256 {found} instead of {sha256}; name a @<revision>")
    with atomic(weights) as partial:
        shutil.copyfile(file, partial)


def _cached(wanted: HubFile, sha256: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(wanted.repository, wanted.file, revision=wanted.revision)
    return found if isinstance(found, str) and sha256_of(found) == sha256 else None


def _from_the_hub(wanted: HubFile) -> str:
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(wanted.repository, wanted.file, revision=wanted.revision)
    except Exception as error:  # of several libraries: of the hub, of its transport, of the system
        raise TgrError(
            f"{wanted.url}: cannot be fetched ({first_line(error)}); get it elsewhere and name the file as the row's "
            "weights"
        ) from error
