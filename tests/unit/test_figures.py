"""The figures that have a file of numbers of their own."""

from pathlib import Path
from typing import Any

import pytest
from figure_checks import assert_figure, legible_figures  # noqa: F401
from synthetic_ablation import grouping_variants, lambda_variants, level_variants, measure_ablation, write_variants
from synthetic_results import write_task_space
from test_analysis import NEEDS, measured_cost

from tgr.analysis import theory
from tgr.analysis.selection import measure_selection
from tgr.analysis.task_map import map_task_space
from tgr.reporting.figures.ablation import write_ablation_figure
from tgr.reporting.figures.conflict import write_conflict_figure
from tgr.reporting.figures.cost import write_cost_figure
from tgr.reporting.figures.panels import panels_of, read_table
from tgr.reporting.figures.selection import write_selection_figure
from tgr.reporting.figures.task_map import letter, write_task_map_figure
from tgr.reporting.figures.theory import write_theory_figure


def test_theory_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "N_PROBLEMS", 2)
    monkeypatch.setattr(theory, "STEPS", 5)
    files = [tmp_path / name for name in ("errors.csv", "descents.csv", "t.png", "t.pdf")]
    theory.measure_theory(errors=files[0], descents=files[1])
    write_theory_figure(*files)
    assert_figure(*files[2:])


@pytest.mark.parametrize(
    "variants", [level_variants(), lambda_variants(), grouping_variants()], ids=["2d", "1d", "rows"]
)
def test_ablation_figures(tmp_path: Path, variants: dict[str, dict[str, Any]]) -> None:
    files = measure_ablation(tmp_path, variants)
    for name, write, drawn in (("a", write_ablation_figure, "ablation"), ("c", write_conflict_figure, "conflict")):
        write(files[drawn], tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
        assert_figure(tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")


def test_numeric_parameter_becomes_the_axis_and_another_the_series(tmp_path: Path) -> None:
    variants = level_variants()
    table = read_table(measure_ablation(tmp_path, variants)["ablation"])
    assert (table.numeric, table.split) == ("level", ["treatment"])
    grid = panels_of(table)
    assert [len(row) for row in grid] == [3, 3, 3]
    assert all(set(panel.rows["series"]) == {"implicit", "none"} for row in grid for panel in row)
    assert grid[2][0].title == "Recovered minus unseen" and set(grid[2][0].rows["line"]) == {"1-shot", "5-shot"}


def test_one_numeric_parameter_has_a_line_for_each_protocol(tmp_path: Path) -> None:
    variants = lambda_variants()
    first = panels_of(read_table(measure_ablation(tmp_path, variants)["ablation"]))[0][0]
    assert first.title == "1-shot" and first.rows["series"].nunique() == 3


def test_factors_that_are_no_axis(tmp_path: Path) -> None:
    for values in ([True, False, True], [1.0, 2.0], ["a", "b", "c"], [None, 1.0, 2.0, 3.0]):
        variants = {f"tgr.x-{i}": {"method": "TGR", "changes": {"x": value}} for i, value in enumerate(values)}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        assert read_table(measure_ablation(folder, variants)["ablation"]).numeric is None


def test_selection_figure(tmp_path: Path) -> None:
    evaluations, _ = write_variants(tmp_path, {"replay": {}, "tgr": {}})
    tables, files = [tmp_path / "g.csv", tmp_path / "i.csv"], [tmp_path / "s.png", tmp_path / "s.pdf"]
    for methods in ({"replay": "Replay", "tgr": "TGR"}, {}):  # without any method it says so
        measure_selection(evaluations=evaluations, methods=methods, gains=tables[0], inflation=tables[1])
        write_selection_figure(*tables, *files)
        assert_figure(*files)


def test_task_map_figure(tmp_path: Path) -> None:
    tables, files = [tmp_path / "m.csv", tmp_path / "q.json"], [tmp_path / "m.png", tmp_path / "m.pdf"]
    dissimilarity, groups, teachers = write_task_space(tmp_path)
    outputs = {"task_map": tables[0], "quality": tables[1], "matrix": tmp_path / "d.parquet"}
    map_task_space(dissimilarity=dissimilarity, groups=groups, teachers=teachers, **outputs)
    write_task_map_figure(*tables, *files)
    assert_figure(*files)
    tables[0].write_text(tables[0].read_text().replace(",0.9,", ",,").replace(",toys,", ",,"))  # models from elsewhere
    write_task_map_figure(*tables, *files)
    assert_figure(*files)


def test_groups_have_letters() -> None:
    assert [letter(group) for group in (0, 25, 26, 27)] == ["A", "Z", "AA", "AB"]


def test_cost_figure(tmp_path: Path) -> None:
    seconds = {"pixels": 0.5, "random": 1.0, "free": 50.0, "tgr": 10.0, "realdata": 30.0}
    files = measured_cost(tmp_path, seconds, NEEDS | {"pixels": [], "realdata": []})
    write_cost_figure(files["cost"], tmp_path / "c.png", tmp_path / "c.pdf")
    assert_figure(tmp_path / "c.png", tmp_path / "c.pdf")
