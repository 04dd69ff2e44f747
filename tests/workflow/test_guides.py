"""The guides `docs/adding-*.md`, followed to the letter: what they touch, what the tests say, what then runs."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from guides import change, changed_files, copy_repository, follow, generate, run
from PIL import Image
from workflow_project import REPOSITORY, Project

from tgr.data.dataset import ImageDataset

pytestmark = pytest.mark.slow
REGISTRIES = {
    "adding-a-method.md": "tgr/config/methods/registry.py",
    "adding-a-dataset-reader.md": "tgr/config/sources.py",
    "adding-an-architecture.md": "tgr/config/architectures.py",
    "adding-a-table.md": "tgr/workflow/targets.py",
    "adding-a-figure.md": "tgr/workflow/targets.py",
}
"""The one list in which each guide names what it adds, in one line."""
RULES = {"adding-a-table.md": {"workflow/rules/tables.smk"}, "adding-a-figure.md": {"workflow/rules/figures.smk"}}
"""The file to which a guide adds a rule."""
UNIT = ("config", "imports", "plan", "workflow_jobs", "documents", "cards", "equal_cost", "paper", "paper_values")
OF_DATA_AND_TABLES = ("data", "benchmarks", "tables")
STATIC = (
    "test_static.py::test_lint_is_clean",
    "test_planning.py::test_tiny_configuration_runs_every_rule_that_needs_no_network",
)
TESTS = [
    *(f"tests/unit/test_{name}.py" for name in UNIT + OF_DATA_AND_TABLES),
    *(f"tests/workflow/{name}" for name in STATIC),
    *(f"tests/contract/test_{name}.py" for name in ("methods", "architectures")),
]
"""What holds for every entry of a list. Of the contracts only those of what was added: all else is tested elsewhere."""
ADDED = "not contract or reptile or allconv"


@pytest.mark.parametrize("guide", REGISTRIES)
def test_guide_touches_new_files_and_one_line_of_one_list(guide: str, tmp_path: Path) -> None:
    root = copy_repository(tmp_path / "followed")
    added = change(guide, root)
    assert changed_files(root) == set(added)
    assert added[REGISTRIES[guide]] == 1
    assert {name for name in added if (REPOSITORY / name).exists()} == {REGISTRIES[guide], *RULES.get(guide, ())}
    modules = [name for name in added if name.endswith(".py")]
    run(root, "-m", "ruff", "check", *modules)
    run(root, "-m", "ruff", "format", "--check", *modules)


def test_fast_tests_pass_in_a_project_that_followed_all_guides(tmp_path: Path) -> None:
    root = copy_repository(tmp_path / "followed")
    for guide in REGISTRIES:
        change(guide, root)
    generate(root)
    run(root, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", "-k", ADDED, *TESTS)


def test_a_new_method_runs_alone_and_stands_in_the_table(project: Project) -> None:
    follow("adding-a-method.md", project.root)
    project.replace(project.config, "  bank: {", "  reptile: {steps: 3}\n  bank: {")
    planned = project.planned()
    assert planned.pop("train") == planned.pop("evaluate") == 1
    assert not set(planned) & {"pretrain", "invert", "embed", "compare", "group"}
    project.run(*(f"results/tables/shapes/main.{suffix}" for suffix in ("csv", "md")))
    table = pd.read_csv(project.root / "results/tables/shapes/main.csv")
    assert table.loc[table["method"] == "reptile", "mean"].between(0, 1).all()
    assert (project.root / "results/tables/shapes/main.md").read_text().count("| Reptile") == 1


def test_a_new_reader_makes_its_dataset_and_nothing_else(project: Project) -> None:
    follow("adding-a-dataset-reader.md", project.root)
    arrays = np.load(project.root / "data/shapes.npz")
    table = {"image": [], "label": arrays["class_names"][arrays["labels"]]}
    for image in arrays["images"]:
        content = io.BytesIO()
        Image.fromarray(image).save(content, "PNG")
        table["image"].append({"bytes": content.getvalue()})
    pd.DataFrame(table).to_parquet(project.root / "data/shapes.parquet")
    entry = "  more: {source: parquet, path: data/shapes.parquet, splits: data/splits.json}\n"
    project.replace(project.config, "\npools:", f"{entry}\npools:")
    dataset = "results/datasets/more.safetensors"
    assert project.planned() == {}
    assert project.planned(dataset) == {"load_dataset": 1}
    project.run(dataset)
    made, same = (
        ImageDataset.load(project.root / f"results/datasets/{name}.safetensors") for name in ("more", "shapes")
    )
    for split, classes in same.splits.items():
        assert [made.class_names[i] for i in made.splits[split]] == [same.class_names[i] for i in classes]
    assert made.images.shape == same.images.shape and made.images.sum() == same.images.sum()


def test_a_new_architecture_trains_its_own_teachers_alone(project: Project) -> None:
    follow("adding-an-architecture.md", project.root)
    assert project.planned() == {}
    pool = "  more: {dataset: shapes, architecture: allconv, width: 4, n_teachers: 2, n_way: 2}\n"
    project.replace(project.config, "  strangers: {", f"{pool}  strangers: {{")
    assert project.planned("results/recovered/more/shard-0") == {"pretrain": 1, "invert": 1}


@pytest.mark.parametrize(
    ("guide", "rule", "files"),
    [
        ("adding-a-table.md", "tabulate_ceiling", ("tables/shapes/ceiling.csv", "tables/shapes/ceiling.tex")),
        ("adding-a-figure.md", "plot_shots", ("figures/shapes/shots.png", "figures/shapes/shots.pdf")),
    ],
)
def test_a_new_table_or_figure_is_made_with_the_page_that_links_to_it(
    project: Project, guide: str, rule: str, files: tuple[str, ...]
) -> None:
    change(guide, project.root)
    assert project.planned() == {rule: 1, "write_index": 1}
    project.run()
    assert all((project.root / "results" / file).stat().st_size > 50 for file in files)
