"""Artefacts on disk: atomic writing, safe reading, content digests."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgr.errors import TgrError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

PROVENANCE = "provenance.json"
METADATA = "metadata"
"""The entry of a safetensors header that holds an artefact's metadata."""
HEAD = 512
"""Bytes of a file by which a web page and a pointer are known."""
UNPACKED_BYTES = 2**30
UNPACKED_RATIO = 100
"""An archive may unpack to this many bytes, or to this many times its size, whichever is more."""
VOLATILE_KEYS = ("wall_seconds",)
"""Keys of JSON artefacts that differ between equal runs and do not count in digests."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` and rename it when the block succeeds, so that no half-written file
    or folder ever carries the final name. A leftover of a killed run is removed first. The temporary name keeps the
    suffix, from which some writers choose the format."""
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(temporary)
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON with a final newline."""
    Path(path).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        TgrError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TgrError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        what = placeholder(path) or f"damaged or not JSON ({error})"
        raise TgrError(f"{path}: {what}; mend it, or delete it if a run made it") from error


def read_frame(path: str | Path) -> "pd.DataFrame":
    """Read a table of a run from Parquet or CSV; of CSV only empty fields are missing values, and floats are exact.

    Raises:
        TgrError: the file is missing or damaged.
    """
    import pandas as pd

    try:
        if Path(path).suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise TgrError(f"{path}: missing or damaged ({error}); delete it and run again") from error


def save_tensors(path: str | Path, tensors: Mapping[str, "Tensor"], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors as safetensors; ``metadata`` is stored as JSON in its header.

    It is one entry there, because the library writes several in random order, and equal content must give equal bytes.
    Tensors that share their memory, such as tied weights, are each written in full.
    """
    from safetensors.torch import save_file

    written: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        contiguous = tensor.detach().cpu().contiguous()
        place = contiguous.data_ptr()
        written[name] = contiguous.clone() if place in places else contiguous
        places.add(place)
    save_file(written, path, {METADATA: json.dumps(metadata or {}, sort_keys=True)})


def load_tensors(
    path: str | Path, remedy: str = "delete it and run again"
) -> tuple[dict[str, "Tensor"], dict[str, Any]]:
    """Read a safetensors file: tensors and metadata.

    Args:
        remedy: what to do about a damaged file, for the message.

    Raises:
        TgrError: the file is missing, truncated, or not safetensors.
    """
    return _load(path, "pt", remedy)


def load_arrays(path: str | Path) -> tuple[dict[str, "np.ndarray"], dict[str, Any]]:
    """Read a safetensors file as ``load_tensors`` does, but as arrays, for jobs that need no PyTorch."""
    return _load(path, "np", "delete it and run again")


def _load(path: str | Path, framework: str, remedy: str) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework=framework) as file:
            metadata = dict(json.loads((file.metadata() or {}).get(METADATA, "{}")))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except FileNotFoundError as error:
        raise TgrError(f"{path}: no such file") from error
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError) as error:
        raise TgrError(f"{path}: damaged or not a safetensors file ({error}); {remedy}") from error


def placeholder(file: str | Path) -> str:
    """Say what lies in the place of a file that was to be fetched; an empty text if it is none of the usual things."""
    try:
        with Path(file).open("rb") as opened:
            head = opened.read(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError:
        return ""  # its reader says so
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS instead of the file (`git lfs pull` fetches it)"
    if head.startswith((b"<!doctype html", b"<html", b"<?xml")) and b"<svg" not in head:
        return "a web page, such as a server's error, instead of the file"
    return "" if head else "empty"


def refuse_placeholder(file: str | Path, key: str = "") -> None:
    """Raise TgrError if a file is empty, a web page, or a pointer of Git LFS: what a failed download leaves.

    Args:
        key: the key that names the file, for the message.
    """
    if what := placeholder(file):
        raise TgrError(f"{f'{key}: ' if key else ''}{file}: {what}; get it again")


def refuse_bombs(file: str | Path, key: str = "") -> None:
    """Raise TgrError if a zip archive, such as PyTorch's or NumPy's, would unpack to far more bytes than it has, or
    does not tell.

    Args:
        key: the key that names the file, for the message.
    """
    where = f"{key}: {file}" if key else str(file)
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile):
        return  # no archive: its reader says so
    except (ValueError, NotImplementedError) as error:  # of its names or format, which others may read
        raise TgrError(f"{where}: refused: what this archive holds cannot be listed ({error}); get it again") from error
    size = Path(file).stat().st_size
    if unpacked > max(UNPACKED_BYTES, UNPACKED_RATIO * size):
        raise TgrError(f"{where}: refused: its {size} bytes would unpack to {unpacked}, as those of a zip bomb do")


def digest(path: str | Path) -> str:
    """Return the SHA-256 of an artefact's content; a folder is hashed over its sorted files.

    Provenance and Snakemake's marker are left out, and so are the volatile keys of JSON files: equal runs have equal
    digests.

    Raises:
        TgrError: a JSON file is damaged.
    """
    path = Path(path)
    if path.is_dir():
        hasher = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file() and not is_record(p)):
            hasher.update(f"{file.relative_to(path).as_posix()}\0{digest(file)}\n".encode())
        return hasher.hexdigest()
    if path.suffix == ".json":
        content = json.dumps(_without_volatile(read_json(path)), sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()
    return sha256_of(path)


def sha256_of(file: str | Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def is_record(path: Path) -> bool:
    """Return whether a file records how an artefact was made, rather than being part of it."""
    return path.name.endswith(PROVENANCE) or path.name == ".snakemake_timestamp"


def provenance_path(path: Path) -> Path:
    """Return where an artefact's provenance is: inside a folder, beside a file."""
    return path / PROVENANCE if path.is_dir() else path.with_name(f"{path.name}.{PROVENANCE}")


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_volatile(item) for key, item in value.items() if key not in VOLATILE_KEYS}
    return [_without_volatile(item) for item in value] if isinstance(value, list) else value
