"""Fetching the pinned npm packages, and reading what was fetched."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
DATA = HERE / "data"


def fetch(work: Path) -> None:
    """Install the exact versions of package-lock.json below `work`, without running any package's scripts."""
    work.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, work / name)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=work, check=True)


def read_json(path: Path) -> dict:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def package_id(work: Path, package: str) -> str:
    """`name@version` of an installed package; the version is the one found on disk."""
    return f"{package}@{read_json(work / 'node_modules' / package / 'package.json')['version']}"
