"""Claims put to the test: weighted sums of accuracies, what they decide, and their figure."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_figure, legible_figures  # noqa: F401 (a fixture that every figure passes)

from tgr.analysis.contrasts import measure_contrasts
from tgr.evaluation.statistics import contrast, crossed, difference, trainings_for
from tgr.reporting.figures import contrasts as figure_of_contrasts
from tgr.reporting.save import save

CELLS = {"unlike": "tgr", "alike": "tgr.level-0", "plain-unlike": "tgr.plain", "plain-alike": "tgr.plain.level-0"}
MEANS = {"unlike": 0.60, "alike": 0.55, "plain-unlike": 0.55, "plain-alike": 0.55}
CLAIMS = {
    "Unlike groups are better": {"unlike": 1, "alike": -1},
    "Without regularisation too": {"plain-unlike": 1, "plain-alike": -1},
    "Regularisation helps unlike groups more": {"unlike": 1, "plain-unlike": -1, "alike": -1, "plain-alike": 1},
}


def write_cells(root: Path, n_replicates: int, spread: float = 0.005) -> list[Path]:
    """Write evaluations of all cells: accuracies of 40 episodes in each replicate, which differ by ``spread``."""
    draws, folders = np.random.default_rng(0), []
    episode = draws.normal(0, 0.05, 40)
    for replicate in range(1, n_replicates + 1):
        scenario = "s" if replicate == 1 else f"s~{replicate}"
        for cell, training in CELLS.items():
            accuracies = MEANS[cell] + episode + draws.normal(0, spread) + draws.normal(0, 0.01, 40)
            folder = root / scenario / training
            folder.mkdir(parents=True)
            rows = {"dataset": "toys", "shot": 5, "seed": 0, "protocol": "ncm", "selection": "last", "checkpoint": 0}
            rows |= {"bn_mode": "batch", "split": "meta_test", "phase": ""}
            frame = pd.DataFrame({"episode": range(40), "accuracy": accuracies}).assign(
                scenario=scenario, method=training, **rows
            )
            frame.to_parquet(folder / "episodes.parquet", index=False)
            folders.append(folder)
    return folders


def measure(folders: list[Path], file: Path, margin: float = 0.01) -> pd.DataFrame:
    measure_contrasts(evaluations=folders, cells=CELLS, claims=CLAIMS, margin=margin, headline="last", contrasts=file)
    return pd.read_csv(file).set_index("claim")


def test_claims_are_confirmed_or_refuted_by_enough_replicates(tmp_path: Path) -> None:
    found = measure(write_cells(tmp_path, 8), tmp_path / "c.csv")
    assert found["verdict"].tolist() == ["confirmed", "refuted", "confirmed"]
    assert found["mean"].tolist() == pytest.approx([0.05, 0, 0.05], abs=0.01)
    assert (found["low"] < found["mean"]).all() and (found["mean"] < found["high"]).all()
    assert (found["p_holm"] >= found["p_value"]).all()
    assert (found["n_replicates"] == 8).all() and (found["n_seeds"] == 1).all() and (found["n_episodes"] == 40).all()


def test_two_replicates_decide_nothing(tmp_path: Path) -> None:
    found = measure(write_cells(tmp_path, 2), tmp_path / "c.csv")
    assert (found["verdict"] == "undecided").all()
    assert found["trainings_needed"].max() > 2


def test_an_effect_below_the_margin_refutes_although_it_is_there(tmp_path: Path) -> None:
    found = measure(write_cells(tmp_path, 8, spread=0.0005), tmp_path / "c.csv", margin=0.08)
    assert found.loc["Unlike groups are better", "low"] > 0
    assert (found["verdict"] == "refuted").all()


def test_a_single_training_does_not_say_how_many_are_needed(tmp_path: Path) -> None:
    assert measure(write_cells(tmp_path, 1), tmp_path / "c.csv")["trainings_needed"].isna().all()


def table(values: np.ndarray) -> pd.DataFrame:
    seeds, episodes = values.shape
    rows = [(seed, episode, values[seed, episode]) for seed in range(seeds) for episode in range(episodes)]
    frame = pd.DataFrame(rows, columns=["seed", "episode", "accuracy"]).assign(dataset="toys")
    return crossed(frame)


def test_a_difference_of_differences_is_that_of_the_single_accuracies() -> None:
    a, b, c, d = np.random.default_rng(1).normal(0.5, 0.1, (4, 5, 30))
    found = contrast([(1, table(a)), (-1, table(b)), (-1, table(c)), (1, table(d))])
    direct = difference(table(a - b), table(c - d))
    assert found.mean == pytest.approx(direct.mean, abs=1e-12)
    assert found.half_width == pytest.approx(direct.half_width, rel=1e-9)


def test_as_many_trainings_as_planned_give_the_planned_interval() -> None:
    draws = np.random.default_rng(2)
    values = draws.normal(0, 0.03, (400, 1)) + draws.normal(0, 0.01, (400, 200))
    few, zeros = table(values[:4]), np.zeros((400, 200))
    terms = [(1.0, few), (-1.0, table(zeros[:4]))]
    needed = trainings_for(terms, 0.01)
    assert needed is not None and needed > 4
    many = difference(table(values[:needed]), table(zeros[:needed]))
    assert many.half_width == pytest.approx(0.01, rel=0.5), "the variance found in four trainings is rough"
    assert trainings_for(terms, 1e-6) is None, "200 episodes cannot tell a ten-thousandth of a point"


@pytest.mark.parametrize("shots", [[5], [1, 5]])
def test_figure_shows_each_claim_with_its_interval(tmp_path: Path, shots: list[int]) -> None:
    rows = measure(write_cells(tmp_path, 8), tmp_path / "c.csv").reset_index()
    rows = pd.concat([rows.assign(shot=shot) for shot in shots])
    figure = figure_of_contrasts.draw(rows, margin=0.01)
    save(figure, tmp_path / "c.png", tmp_path / "c.pdf")
    assert_figure(tmp_path / "c.png", tmp_path / "c.pdf")
    first = figure.axes[0]
    assert [text.get_text().replace("\n", " ") for text in first.get_yticklabels()] == list(CLAIMS)
    points = [float(container[0].get_xdata()[0]) for container in first.containers]
    assert points == pytest.approx((100 * rows["mean"][: len(CLAIMS)]).tolist())
