"""The figures that have a file of numbers of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_figure, legible_figures  # noqa: F401
from matplotlib.figure import Figure
from synthetic_ablation import grouping_variants, lambda_variants, level_variants, measure_ablation, write_variants
from synthetic_results import write_task_space
from test_analysis import NEEDS, measured_cost

from tgr.analysis import theory
from tgr.analysis.selection import measure_selection
from tgr.analysis.task_map import map_task_space
from tgr.artifacts import read_frame, read_json
from tgr.errors import TgrError
from tgr.reporting.figures import ablation, conflict, cost, dissimilarity, pairs, panels, selection, task_map
from tgr.reporting.figures import theory as theory_figure
from tgr.reporting.figures.ablation_panels import ablation_table, panels_of
from tgr.reporting.save import save


def check(figure: Figure, folder: Path) -> Figure:
    """Save a figure, look at what was written, and return it."""
    files = folder / "figure.png", folder / "figure.pdf"
    save(figure, *files)
    assert_figure(*files)
    return figure


def legend(figure: Figure) -> list[str]:
    """Return the labels of all legends."""
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return [text.get_text() for one in legends for text in one.get_texts()]


def test_theory_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "N_PROBLEMS", 2)
    monkeypatch.setattr(theory, "STEPS", 5)
    errors, descents = theory.displacement_errors(), theory.compare_descents()
    figure = check(theory_figure.draw(errors, descents), tmp_path)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "2 problems: error", "2 problems: descent", "2 problems: effect of \u03bb"
    ]  # fmt: skip
    assert [label.split(":")[1] for label in legend(figure)[:4]] == [" slope 2.00"] * 2 + [" slope 1.00"] * 2


@pytest.mark.parametrize(
    "variants", [level_variants(), lambda_variants(), grouping_variants()], ids=["2d", "1d", "rows"]
)
def test_ablation_figures(tmp_path: Path, variants: dict[str, dict[str, Any]]) -> None:
    files = measure_ablation(tmp_path, variants)
    check(ablation.draw(read_frame(files["ablation"])), tmp_path)
    check(conflict.draw(read_frame(files["conflict"])), tmp_path)


def test_damaged_ablations_are_refused() -> None:
    with pytest.raises(TgrError, match="the columns configured, high, low"):
        ablation.draw(pd.DataFrame({"variant": ["tgr"], "mean": [0.5]}))


def test_conflict_is_drawn_by_factor_and_its_means_over_steps(tmp_path: Path) -> None:
    rows = [
        {"variant": v, "method": "TGR", "treatment": v, "shot": "any", "seed": 0, "step": step, "name": n, "value": y}
        for v, y in (("none", 1.0), ("implicit", 3.0))
        for step in range(1, 101)
        for n in conflict.QUANTITIES
    ]
    figure = check(conflict.draw(pd.DataFrame(rows)), tmp_path)
    assert legend(figure) == ["treatment none", "treatment implicit"]
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == conflict.STRETCHES]
    assert sorted(float(np.unique(line.get_ydata()).item()) for line in lines) == [1.0, 3.0]
    assert len({line.get_color() for line in lines}) == 2


def test_variants_of_an_ablation_are_rows_and_the_configured_one_is_bold(tmp_path: Path) -> None:
    variants = grouping_variants()
    figure = ablation.draw(read_frame(measure_ablation(tmp_path, variants)["ablation"]))
    names = figure.axes[0].get_yticklabels()
    assert [name.get_text() for name in names if name.get_fontweight() == "bold"] == ["heterogeneous, implicit"]
    assert len(names) == len(variants)


def test_numeric_parameter_becomes_the_axis_and_another_the_series(tmp_path: Path) -> None:
    variants = level_variants()
    table = ablation_table(read_frame(measure_ablation(tmp_path, variants)["ablation"]))
    assert (table.numeric, table.split) == ("level", ["treatment"])
    grid = panels_of(table)
    assert [len(row) for row in grid] == [3, 3, 3]
    assert all(set(panel.rows["series"]) == {"implicit", "none"} for row in grid for panel in row)
    assert grid[2][0].title == "Recovered minus unseen" and set(grid[2][0].rows["line"]) == {"1-shot", "5-shot"}


def test_one_numeric_parameter_has_a_line_for_each_protocol(tmp_path: Path) -> None:
    variants = lambda_variants()
    first = panels_of(ablation_table(read_frame(measure_ablation(tmp_path, variants)["ablation"])))[0][0]
    assert first.title == "1-shot" and first.rows["series"].nunique() == 3


def test_factors_that_are_no_axis(tmp_path: Path) -> None:
    for values in ([True, False, True], [1.0, 2.0], ["a", "b", "c"], [None, 1.0, 2.0, 3.0]):
        variants = {f"tgr.x-{i}": {"method": "TGR", "changes": {"x": value}} for i, value in enumerate(values)}
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        assert ablation_table(read_frame(measure_ablation(folder, variants)["ablation"])).numeric is None


def test_selection_figure(tmp_path: Path) -> None:
    evaluations, _ = write_variants(tmp_path, {"replay": {}, "tgr": {}})
    tables = {"gains": tmp_path / "g.csv", "inflation": tmp_path / "i.csv"}
    measure_selection(evaluations=evaluations, methods={"replay": "Replay", "tgr": "TGR"}, **tables)
    figure = check(selection.draw(*map(read_frame, tables.values())), tmp_path)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Replay", "TGR"]
    assert {"data-free", "oracle (sees meta-test)", "1-shot", "5-shot"} <= set(legend(figure))
    measure_selection(evaluations=evaluations, methods={}, **tables)
    figure = check(selection.draw(*map(read_frame, tables.values())), tmp_path)
    assert [text.get_text() for text in figure.texts] == [selection.EMPTY]


def test_task_map_figure(tmp_path: Path) -> None:
    space = dict(zip(("dissimilarity", "groups", "teachers"), write_task_space(tmp_path), strict=True))
    files = {"task_map": tmp_path / "m.csv", "quality": tmp_path / "q.json", "matrix": tmp_path / "d.parquet"}
    map_task_space(**space, **files)
    teachers, quality = read_frame(files["task_map"]), read_json(files["quality"])
    check(dissimilarity.draw(read_frame(files["matrix"]), teachers, quality), tmp_path)
    figure = check(task_map.draw(teachers, quality), tmp_path)
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["A", "A", "B", "B"]
    assert figure.axes[0].get_title().startswith("4 teachers, 2 groups; stress ")
    assert {"tools", "toys", "conv4", "90 %"} <= set(legend(figure))
    elsewhere = teachers.assign(domain=None, held_out_accuracy=float("nan"))
    figure = check(task_map.draw(elsewhere, quality), tmp_path)
    assert "own models" in legend(figure) and "held-out accuracy" not in legend(figure)


def test_groups_have_letters() -> None:
    assert [task_map.letter(group) for group in (0, 25, 26, 27)] == ["A", "Z", "AA", "AB"]


def test_dissimilarity_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{pool}/teacher-{i:04d}" for pool in ("icons-conv4", "glyphs-conv4") for i in range(3)]
    matrix = np.random.default_rng(0).random((6, 6))
    frame = pd.DataFrame(matrix + matrix.T, index=keys, columns=keys)
    teachers = pd.DataFrame({"teacher": keys, "pool": [k.split("/")[0] for k in keys], "group": [0, 1, 0, 1, 1, 0]})
    quality = {"within": 1.0, "between": 0.9, "silhouette": None}
    quality |= {"random_within": [0.8, 1.1], "random_silhouette": None}
    figure = check(dissimilarity.draw(frame, teachers, quality), tmp_path)
    shown = figure.axes[0].collections[0].get_array()
    order = sorted(range(6), key=lambda i: (teachers["group"][i], teachers["pool"][i], keys[i]))
    assert np.ma.allclose(shown, frame.to_numpy()[np.ix_(order, order)])
    assert shown.mask.diagonal().all() and shown.mask.sum() == 6
    assert legend(figure) == ["glyphs-conv4", "icons-conv4"]
    with pytest.raises(TgrError, match="other teachers"):
        dissimilarity.draw(frame, teachers[:5], quality)
    monkeypatch.setattr(dissimilarity, "MOST", 3)
    thinned = dissimilarity.draw(frame, teachers, quality)
    assert thinned.axes[0].collections[0].get_array().shape == (3, 3)
    assert "6 teachers" in thinned.axes[0].get_xlabel() and "one in 2 is drawn" in thinned.axes[0].get_xlabel()


def test_pairs_show_each_draw_and_the_interval_of_their_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"draw": draw, "other": other, "overlap": overlap, "jaccard": overlap / 2, "gain": rng.normal(0, 0.02)}
        for draw in range(8)
        for other, overlap in (("conv4", 0), ("conv4", 1), ("conv4", 2), ("resnet10", 0))
    ]
    figure = check(pairs.draw(pd.DataFrame(rows).assign(n_episodes=40), base="conv4"), tmp_path)
    assert "n = 8 draws" in figure.axes[0].get_ylabel()
    assert [sum(len(c.get_offsets()) for c in axes.collections) for axes in figure.axes] == [24, 16]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["conv4", "resnet10"]


@pytest.mark.parametrize(
    ("labels", "inches", "expected"), [(["a"] * 4, 6.75, 4), (["a" * 40] * 4, 6.75, 2), ([], 3, 1)]
)
def test_legends_have_as_many_columns_as_fit(labels: list[str], inches: float, expected: int) -> None:
    figure = panels.new_figure(inches, 2)
    panels.legend_below(figure, [panels.key(label) for label in labels])
    assert figure.legends[0]._ncols == expected


def test_cost_figure(tmp_path: Path) -> None:
    seconds = {"pixels": 0.5, "random": 1.0, "free": 50.0, "tgr": 10.0, "realdata": 30.0}
    table = read_frame(measured_cost(tmp_path, seconds, NEEDS | {"pixels": [], "realdata": []})["cost"])
    figure = check(cost.draw(table), tmp_path)
    assert {"Tgr", "Realdata (ceiling)", "Pareto front", "floor"} <= set(legend(figure))
    assert figure.axes[0].get_xscale() == "log"
    assert "1-shot accuracy (%),\nn = 40 episodes" in [axes.get_ylabel() for axes in figure.axes]
