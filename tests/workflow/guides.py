"""Following a guide `docs/adding-*.md` to the letter, in a copy of the project.

A guide names a file on a line of its own. The block below it is the content of a new file; or, if its language is
`diff`, a change: lines with `+` are added between the lines around them, which must be in the file exactly once.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from workflow_project import ENVIRONMENT, REPOSITORY

BLOCK = re.compile(r"^(?:`|\*\*)([\w./-]+)(?:`|\*\*)[^\n]*:\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GENERATED = {"workflow/schemas/config.schema.json", "config/README.md"}
"""What `make generate` writes."""


def copy_repository(folder: Path) -> Path:
    """Copy all files of the project that belong to its repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():  # not deleted since the last commit
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    return folder


def follow(guide: str, root: Path) -> dict[str, int]:
    """Write the files and make the changes of a guide, and generate what is generated; return as ``change`` does."""
    added = change(guide, root)
    generate(root)
    return added


def change(guide: str, root: Path) -> dict[str, int]:
    """Write the files and make the changes of a guide.

    Returns:
        the lines that were added to each file that the guide names.
    """
    added = {}
    for name, language, text in BLOCK.findall((REPOSITORY / "docs" / guide).read_text()):
        file = root / name
        if language == "diff":
            lines = text.splitlines(keepends=True)
            old = "".join(line[1:] or line for line in lines if not line.startswith("+"))
            content = file.read_text()
            assert content.count(old) == 1, f"{guide}: {name} has not exactly once:\n{old}"
            file.write_text(content.replace(old, "".join(line[1:] or line for line in lines)))
            added[name] = sum(line.startswith("+") for line in lines)
        else:
            assert not file.exists(), f"{guide}: {name} is there already"
            file.write_text(text)
            added[name] = text.count("\n")
    return added


def generate(root: Path) -> None:
    """Write the generated files, as `make generate` does."""
    run(root, "-m", "tgr.config.generate")


def run(root: Path, *arguments: str) -> str:
    """Run Python in a copy of the project and return what it prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def changed_files(root: Path) -> set[str]:
    """Return the files of a copy that are new or differ from the project's, without those that are generated."""
    files = {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    files = {name for name in files if "__pycache__" not in name and not name.startswith(".snakemake")}
    return {name for name in files if _differs(root / name, REPOSITORY / name)} - GENERATED


def _differs(file: Path, original: Path) -> bool:
    return not original.exists() or file.read_bytes() != original.read_bytes()
