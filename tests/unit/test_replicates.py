"""Tables, figures and pages of several replicates: they say how many, and show them all."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_ablation import write_variants
from synthetic_results import summary_of, write_evaluation

from tgr.analysis.ablation import summarise_ablation
from tgr.analysis.selection import measure_selection
from tgr.artifacts import read_frame, read_json, write_json
from tgr.config.replicates import number, numbered, original
from tgr.evaluation.summary import read_episodes, seed_means
from tgr.reporting.figures import accuracy
from tgr.reporting.publish.index import write_index
from tgr.reporting.tables import main, overview, pools, selection

METHODS = {"pixels": "Pixels", "bank": "Bank", "tgr": "TGR"}
FEW: dict[str, Any] = {"n_episodes": 12, "selections": ("last", "datafree")}
MEANS = {"pixels": 0.3, "bank": 0.6, "tgr": 0.5}


def write_replicates(root: Path, n_replicates: int, seeds: tuple[int, ...] = (0,)) -> list[Path]:
    """Write evaluations whose replicates differ by two points."""
    folders = []
    for index in range(1, n_replicates + 1):
        for method, mean in MEANS.items():
            for seed in seeds:
                place = root / str(index)
                folder = write_evaluation(place, method, mean + 0.02 * index, seed=seed, protocols=("ncm",), **FEW)
                episodes = pd.read_parquet(folder / "episodes.parquet").assign(scenario=numbered("toys", index))
                episodes.to_parquet(folder / "episodes.parquet", index=False)
                folders.append(folder)
    return folders


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    return write_replicates(tmp_path / "results", 3)


def test_names_of_replicates_are_told_from_names_of_the_configuration() -> None:
    assert [numbered("icons-conv4", 1), numbered("icons-conv4", 12)] == ["icons-conv4", "icons-conv4~12"]
    assert (original("icons~12"), number("icons~12")) == ("icons", 12)
    assert (original("icons"), number("icons")) == ("icons", 1)


def test_main_table_says_what_intervals_cover(folders: list[Path]) -> None:
    summary = summary_of(folders, METHODS)
    assert set(summary["scenario"]) == {"toys"} and set(summary["n_replicates"]) == {3}
    text = " ".join(main.table(summary).to_markdown().split())
    assert "95 % interval over 3 replicates (teachers, images, groups and a training of each method drawn anew" in text
    assert "on the same episodes, replicates and seeds" in text and "Bold, with 3 replicates or more" in text
    assert "s: standard deviation of the replicates' means" in text and "**" in text.split("Bank")[1].split("TGR")[0]
    assert "3 replicates" in overview.table([summary]).to_markdown()
    assert "3 replicates" in selection.table(summary).to_markdown()


def test_two_replicates_of_many_seeds_earn_no_bold(tmp_path: Path) -> None:
    summary = summary_of(write_replicates(tmp_path / "results", 2, (0, 1, 2)), METHODS)
    text = main.table(summary).to_markdown()
    assert "No bold: fewer than 3 replicates" in text and "fewer than 3 replicates get no star" in text
    assert "groups and 3 trainings of each method drawn anew" in text


def test_a_single_replicate_has_no_columns_of_its_own(tmp_path: Path) -> None:
    folders = write_replicates(tmp_path / "results", 1)
    assert not [name for name in summary_of(folders, METHODS) if "replicate" in name]
    assert not [name for name in seed_means(read_episodes(folders)) if "replicate" in name]


def test_accuracy_figure_marks_the_mean_of_each_training(folders: list[Path]) -> None:
    means = seed_means(read_episodes(folders))
    assert set(means["replicate"]) == {1, 2, 3}
    figure = accuracy.draw(summary_of(folders, METHODS), means)
    [axes] = figure.axes
    assert axes.get_xlabel().endswith("12 episodes, 3 replicates")
    several = [line.get_xdata() for line in axes.get_lines() if line.get_marker() == "|" and len(line.get_xdata()) > 1]
    assert [len(ticks) for ticks in several] == [3, 3], "error bars have caps of the same mark, one each"
    assert "mean of one training" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_all_measures_of_an_ablation_count_replicates_and_the_seeds_in_each(tmp_path: Path) -> None:
    variants = {name: {"method": "TGR", "changes": {"lr": lr}} for name, lr in (("tgr", 1), ("tgr.lr-2", 2))}
    evaluations, models = [], []
    for index in (1, 2, 3):
        folders, trained = write_variants(tmp_path / str(index), variants, (0, 1))
        scenario = {"scenario": numbered("toys", index)}
        for folder in folders:
            episodes = pd.read_parquet(folder / "episodes.parquet")
            episodes.assign(**scenario).to_parquet(folder / "episodes.parquet", index=False)
        for model in trained:
            write_json(model / "model.json", read_json(model / "model.json") | scenario)
        evaluations, models = evaluations + folders, models + trained
    files = {name: tmp_path / f"{name}.csv" for name in ("accuracies", "ablation")}
    files |= {name: tmp_path / f"{name}.parquet" for name in ("conflict", "seeds")}
    summarise_ablation(evaluations=evaluations, models=models, variants=variants, headline="datafree", **files)
    table = pd.read_csv(files["ablation"])
    assert set(table["measure"]) == {"accuracy", "gap", "relative_variance", "gradient_cosine"}
    assert set(table["n_seeds"]) == {2} and set(table["n_replicates"]) == {3}


def test_page_names_the_replicates_of_a_scenario(folders: list[Path], tmp_path: Path) -> None:
    tables = {"summaries": [summary_of(folders, METHODS)], "seeds": [seed_means(read_episodes(folders))]}
    nothing = {"ablations": [], "ablation_seeds": [], "captions": {}, "files": []}
    write_index(**tables, **nothing, headline="datafree", html=tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '"toys (3 replicates)"' in page
    assert all(page.count(f'{{"replicate": {number}, "seed": 0, "mean": ') == 2 * len(MEANS) for number in (1, 2, 3))


def test_gains_of_selection_rules_are_paired_within_replicates(folders: list[Path], tmp_path: Path) -> None:
    for folder in folders:
        scores = [{"rule": "oracle", "checkpoint": index, "accuracy": 0.5} for index in (0, 1)]
        write_json(folder / "selection.json", {"method": folder.parts[-3], "shot": 1, "scores": scores})
    measure_selection(
        evaluations=folders, methods={"tgr": "TGR"}, gains=tmp_path / "gains.csv", inflation=tmp_path / "inflation.csv"
    )
    gains = read_frame(tmp_path / "gains.csv")
    assert set(gains["n_seeds"]) == {3} and gains["gain_ci95"].max() < 0.05 < gains["ci95"].min()


def test_tables_of_the_first_replicate_say_so() -> None:
    rows = pd.DataFrame([dict.fromkeys(pools.COLUMNS) | {"scenario": "toys", "pool": "p", "n_students": 0}])
    assert "Of the first of 3 replicates." in pools.table(rows, replicates=3).notes
    assert not [note for note in pools.table(rows).notes if re.search("replicate", note)]
