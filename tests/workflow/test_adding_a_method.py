"""The guide `docs/adding-a-method.md`, followed to the letter in a copy of the project."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pandas as pd
import pytest
from workflow_project import ENVIRONMENT, REPOSITORY, Project, copy_project

pytestmark = pytest.mark.slow


def code_blocks(guide: Path) -> list[str]:
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```$", guide.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [dedent(block) for _, block in blocks]


def follow_the_guide(project: Project) -> None:
    parameters, listing, method = code_blocks(REPOSITORY / "docs/adding-a-method.md")
    for block in (parameters, method):
        path, text = block.removeprefix("# ").split("\n", 1)
        (project.root / path).write_text(text)
    project.replace("tgr/config/methods/registry.py", '    "realdata",', f'    {listing.strip()}\n    "realdata",')
    command = [sys.executable, "-m", "tgr.config.generate"]
    subprocess.run(command, cwd=project.root, env=ENVIRONMENT, check=True)


def test_a_method_added_by_the_guide_runs_and_stands_in_the_table(project: Project) -> None:
    follow_the_guide(project)
    project.replace(project.config, "  bank: {", "  reptile: {steps: 3}\n  bank: {")
    planned = project.planned()
    assert planned.pop("train") == planned.pop("evaluate") == 1
    assert not set(planned) & {"pretrain", "invert", "embed", "compare", "group"}
    project.run()
    table = pd.read_csv(project.root / "results/tables/shapes/main.csv")
    assert table.loc[table["method"] == "reptile", "mean"].between(0, 1).all()
    assert (project.root / "results/tables/shapes/main.md").read_text().count("| Reptile") == 1


def test_a_method_added_by_the_guide_keeps_the_contract(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "bench")
    follow_the_guide(project)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "reptile", "tests/contract"]
    done = subprocess.run(command, cwd=project.root, env=ENVIRONMENT, text=True, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\b4 passed", done.stdout)
