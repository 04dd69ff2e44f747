"""What runs again after a change, and what does not."""

import json
import os
from pathlib import Path

import pytest
from workflow_project import ABLATION, Project

pytestmark = pytest.mark.slow

AFTER_ONE_METHOD = {
    "train": 1,
    "evaluate": 1,
    "summarise": 1,
    "plot_accuracy": 1,
    "gather_curves": 1,
    "plot_curves": 1,
    "measure_selection": 1,
    "plot_selection": 1,
    "gather_sweep": 1,
    "plot_sweep": 1,
    "measure_pools": 1,
    "measure_cost": 1,
    "plot_cost": 1,
    "tabulate_main": 1,
    "tabulate_selection": 1,
    "tabulate_pools": 1,
    "tabulate_cost": 1,
    "tabulate_overview": 1,
    "write_index": 1,
}
FIGURES = {"plot_accuracy", "plot_dissimilarity", "plot_recovered", "plot_curves", "plot_ablation", "plot_conflict"}
FIGURES |= {"plot_selection", "plot_sweep", "plot_task_map", "plot_cost", "plot_budget", "plot_contrasts"}
DRAWN = {*FIGURES, "plot_theory", "plot_pairs"}
ACCURACIES = {
    "summarise",
    "tabulate_main",
    "tabulate_selection",
    "tabulate_ablation",
    "tabulate_overview",
    "write_index",
    "measure_selection",
    "plot_selection",
    "gather_sweep",
    "plot_sweep",
    "gather_budget",
    "plot_budget",
    "measure_contrasts",
    "plot_contrasts",
    "measure_cost",
    "tabulate_cost",
    "plot_cost",
}
TABLES = {*ACCURACIES, "measure_pools", "tabulate_pools", "summarise_ablation"}
GATHERED = {"gather_curves", "pick_examples", "gather_pairs"}
AFTER_INVERSION = {"measure_transfer", "embed", "compare", "group", "map_task_space", "train", "evaluate"}
AFTER_INVERSION |= {*FIGURES, *TABLES, *GATHERED, "measure_pairs", "plot_pairs"}


def test_moving_touching_and_editing_what_leaves_no_trace_do_nothing(project: Project) -> None:
    """Errors leave none, and the card of a method reaches its jobs as values."""
    for folder in ("tgr", "workflow", "results", "config", "data"):
        for path in [*(project.root / folder).rglob("*")]:
            if path.name != ".snakemake_timestamp":
                os.utime(path)
    project.edit("tgr/errors.py")
    project.edit("tgr/config/methods/tgr.py")
    assert project.planned() == {}


def test_changed_inversion_keeps_teachers(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "steps: 3}", "steps: 4}")
    assert set(project.planned()) == {"invert", *AFTER_INVERSION}


def test_more_teachers_keep_the_old_ones(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "n_teachers: 4", "n_teachers: 6")
    planned = project.planned()
    assert planned["pretrain"] == planned["invert"] == planned["embed"] == 1


def test_changed_number_of_groups_keeps_embeddings(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "n_groups: 2", "n_groups: 1")
    planned = project.planned()
    assert "group" in planned
    assert not {"embed", "compare", "invert"} & set(planned)


def test_changed_protocol_keeps_models(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "  inner_steps: 2\n", "  inner_steps: 3\n")
    assert set(project.planned()) == {"evaluate", "plot_accuracy", *ABLATION, *ACCURACIES}


def test_changed_looks_redraw_figures_only(project: Project) -> None:
    project.edit("tests/workflow/tiny.yaml", "\nfigures: {venue: slide}\n")
    assert set(project.planned()) == DRAWN


def test_parameter_of_one_method_concerns_that_method(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "bank: {steps: 5", "bank: {steps: 6")
    assert project.planned() == AFTER_ONE_METHOD


def test_another_method_trains_only_that_method(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "  pixels: {}", "  pixels: {}\n  random: {}")
    planned = project.planned()
    assert planned["train"] == planned["evaluate"] == 1
    assert not {"pretrain", "invert", "embed", "compare", "group"} & set(planned)


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        (
            {
                "tgr/reporting/figures/curves.py": ("plot_curves",),
                "tgr/reporting/tables/overview.py": ("tabulate_overview",),
                "tgr/analysis/pools.py": ("measure_pools", "tabulate_pools"),
                "workflow/scripts/pick_examples.py": ("pick_examples", "plot_recovered"),
                "tgr/reporting/publish/templates/index.css": ("write_index",),
            },
            {},
        ),
        ({"tgr/methods/bank.py": ()}, AFTER_ONE_METHOD),
        (
            {"tgr/evaluation/protocols.py": (*ABLATION, *ACCURACIES)},
            {"evaluate": 4, "plot_accuracy": 1},
        ),
    ],
    ids=["reports", "method", "protocols"],
)
def test_editing_a_file_reruns_what_uses_it(
    project: Project, edited: dict[str, tuple[str, ...]], expected: dict[str, int]
) -> None:
    """Files of which none concerns another's rules are edited together: each dry run takes seconds."""
    for file in edited:
        project.edit(file)
    assert project.planned() == expected | {rule: 1 for rules in edited.values() for rule in rules}


def test_editing_the_import_keeps_the_teachers_trained_here(project: Project) -> None:
    project.edit("tgr/pool/existing_models.py")
    planned = project.planned()
    assert planned["import_models"] == planned["invert"] == 1 and "pretrain" not in planned


def test_changed_row_of_a_table_imports_it_again(project: Project) -> None:
    project.replace("data/models.csv", "CC0\n", "MIT\n")
    assert "import_models" in project.planned()


def test_another_variant_trains_only_that_variant(project: Project) -> None:
    project.replace("tests/workflow/tiny.yaml", "[heterogeneous, random]", "[heterogeneous, random, single]")
    assert project.planned() == {"group": 1, "train": 1, "evaluate": 1, "write_index": 1} | dict.fromkeys(ABLATION, 1)


def test_editing_an_early_module_keeps_what_is_before_it(project: Project) -> None:
    project.edit("tgr/inversion/stage.py")
    assert set(project.planned()) == {"invert", *AFTER_INVERSION}


def test_editing_an_engine_keeps_the_trainings_that_need_no_recovered_images(project: Project) -> None:
    """Of the four trainings, that of `pixels`; it keeps its evaluation, too, since it has no checkpoint to choose."""
    project.edit("tgr/inversion/pixel.py")
    planned = project.planned()
    assert set(planned) == {"invert", *AFTER_INVERSION}
    assert planned["train"] == planned["evaluate"] == 3


def test_lost_results_are_made_again(project: Project) -> None:
    (project.root / "results/figures/shapes/accuracy.pdf").unlink()
    assert project.planned() == {"plot_accuracy": 1}


def test_provenance_is_complete_and_free_of_absolute_paths(finished: Project) -> None:
    records = [*(finished.root / "results").rglob("*provenance.json")]
    assert len(records) > 20
    for file in records:
        record = json.loads(file.read_text())
        assert record["sha256"] and record["code"]["files"] and record["versions"]["python"] and record["finished"]
        assert f"{Path.home()}/" not in file.read_text() and str(finished.root) not in file.read_text()
        scripts = {f"workflow/scripts/{name}.py" for name in (record["rule"], "report")}
        assert scripts & set(record["code"]["files"])
