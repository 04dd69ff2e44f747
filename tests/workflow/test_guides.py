"""The guides `docs/adding-*.md`, each followed to the letter: what they touch, what the tests say, what then runs."""

from pathlib import Path

import pandas as pd
import pytest
from guides import changed_files, copy_repository, follow, run
from workflow_project import REPOSITORY, Project

pytestmark = pytest.mark.slow
REGISTRIES = {
    "adding-a-method.md": "tgr/config/methods/registry.py",
}
"""The one file that each guide changes, by one line."""
FAST_TESTS = {
    "adding-a-method.md": ["tests/contract/test_methods.py", "tests/unit"],
}


@pytest.fixture(scope="module", params=REGISTRIES)
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict]:
    """A guide, a copy of the project in which it was followed, and the lines that it added to each file."""
    root = copy_repository(tmp_path_factory.mktemp("followed"))
    return request.param, root, follow(request.param, root)


def test_guide_touches_new_files_and_one_line_of_one_registry(followed: tuple[str, Path, dict]) -> None:
    guide, root, added = followed
    assert changed_files(root) == set(added)
    assert {name: n for name, n in added.items() if (REPOSITORY / name).exists()} == {REGISTRIES[guide]: 1}
    run(root, "-m", "ruff", "check", *added)
    run(root, "-m", "ruff", "format", "--check", *added)


def test_fast_tests_pass_in_a_project_that_followed_a_guide(followed: tuple[str, Path, dict]) -> None:
    guide, root, _ = followed
    run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *FAST_TESTS[guide])


def test_a_new_method_runs_alone_and_stands_in_the_table(project: Project) -> None:
    follow("adding-a-method.md", project.root)
    project.replace(project.config, "  bank: {", "  reptile: {steps: 3}\n  bank: {")
    planned = project.planned()
    assert planned.pop("train") == planned.pop("evaluate") == 1
    assert not set(planned) & {"pretrain", "invert", "embed", "compare", "group"}
    project.run()
    table = pd.read_csv(project.root / "results/tables/shapes/main.csv")
    assert table.loc[table["method"] == "reptile", "mean"].between(0, 1).all()
    assert (project.root / "results/tables/shapes/main.md").read_text().count("| Reptile") == 1
