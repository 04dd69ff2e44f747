"""The record beside each artefact: what the artefact was made from, and the digests by which damage is found.

A record is sealed with a digest of its own, so that damage to the record is noticed too.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tgr.artifacts import digest, is_record, provenance_path, sha256_of
from tgr.errors import TgrError

SEAL = "seal"
FILES = "files"
"""Keys of a record. Those of earlier versions have neither: such an artefact is judged by its ``sha256`` as a whole."""


@dataclass(frozen=True)
class Damage:
    """A file that is not what it was when it was written, and what is wrong with it."""

    file: Path
    reason: str


def write_record(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record with its seal."""
    file.write_text(_format({**record, SEAL: _seal(record)}), encoding="utf-8")


def read_record(file: Path) -> dict[str, Any]:
    """Read a record, without its seal.

    Raises:
        TgrError: it is missing, or is not what was written.
    """
    try:
        text = file.read_text(encoding="utf-8")
        record = json.loads(text)
        types = {"output": str, "sha256": str, "inputs": dict}
        complete = all(isinstance(record[key], kind) for key, kind in types.items())
        sealed = SEAL in record or FILES in record
        unsealed = {key: value for key, value in record.items() if key != SEAL}
        intact = not sealed or (record.get(SEAL) == _seal(unsealed) and text == _format(record))
    except FileNotFoundError as error:
        raise TgrError(f"{file}: is missing") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TgrError(f"{file}: is damaged, or no record ({type(error).__name__})") from error
    if not complete or not intact:
        raise TgrError(f"{file}: is damaged: it differs from what was written")
    return unsealed


def file_digests(artefact: Path, name: str) -> dict[str, str]:
    """Return the SHA-256 of each file's bytes: of a folder's files by their paths in it, of a file by ``name``."""
    if not artefact.is_dir():
        return {name: sha256_of(artefact)}
    return {file.relative_to(artefact).as_posix(): sha256_of(file) for file in sorted(_list_files(artefact))}


def find_damages(artefact: Path, record: Mapping[str, Any]) -> list[Damage]:
    """Compare an artefact with its record; return what is damaged, missing, or does not belong to it."""
    if not artefact.exists():
        return [Damage(artefact, "is missing")]
    if FILES not in record:
        return [] if _equals(artefact, record["sha256"]) else [Damage(artefact, "is damaged: its SHA-256 has changed")]
    folder = artefact if artefact.is_dir() else artefact.parent
    changed = [_find_damage(folder / name, sha256) for name, sha256 in record[FILES].items()]
    strange = [
        file for file in sorted(_list_files(artefact)) if file.relative_to(folder).as_posix() not in record[FILES]
    ]
    return [damage for damage in changed if damage] + [Damage(file, "is not what the job wrote") for file in strange]


def verified_digest(artefact: Path) -> str:
    """Return the digest of an artefact that a stage is about to read.

    Raises:
        TgrError: it has a record from which it differs. What has no record is taken as it is, such as a user's folder
            of images, even if it holds a file of that name.
    """
    file = provenance_path(artefact)
    if not file.exists() or _is_of_others(file):
        return digest(artefact)
    record = read_record(file)
    for damage in find_damages(artefact, record):
        raise TgrError(f"{damage.file}: {damage.reason}; run `make repair`, then continue the run")
    return str(record["sha256"])


def _is_of_others(file: Path) -> bool:
    """Return whether a file of a record's name is sound JSON without any of a record's keys."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return not (isinstance(content, dict) and {"output", "sha256", "inputs", FILES, SEAL} & content.keys())


def _find_damage(file: Path, sha256: str) -> Damage | None:
    try:
        return None if sha256_of(file) == sha256 else Damage(file, "is damaged: its SHA-256 has changed")
    except FileNotFoundError:
        return Damage(file, "is missing")
    except OSError as error:
        return Damage(file, f"cannot be read ({error.strerror})")


def _equals(artefact: Path, sha256: str) -> bool:
    try:
        return digest(artefact) == sha256
    except (OSError, TgrError):
        return False


def _list_files(artefact: Path) -> Iterator[Path]:
    files = artefact.rglob("*") if artefact.is_dir() else [artefact]
    return (file for file in files if file.is_file() and not is_record(file))


def _seal(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(_format(record).encode()).hexdigest()


def _format(record: Mapping[str, Any]) -> str:
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
