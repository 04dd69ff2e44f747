"""The page of all accuracies, as text; how a browser shows it is tested with the workflow."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_ablation import measure_ablation
from synthetic_results import summary_of, write_evaluation

from tests.workflow.browser import PROGRAM, browser
from tgr.artifacts import read_frame
from tgr.reporting.publish.index import write_index

METHODS = {"pixels": "Pixels", "bank": "Bank </script>", "tgr": "TGR", "realdata": "Real data"}


VARIANTS = {
    "tgr": {"method": "TGR", "changes": {"grouping": "heterogeneous"}},
    "tgr.grouping-random": {"method": "TGR", "changes": {"grouping": "random"}},
}
COMPARISONS = {"main": "all methods", "ablation-groups": "ablation: Kind of groups"}


def write_page(results: Path, html: Path, datasets: tuple[str, ...] = ("toys",)) -> str:
    """Write the page of four methods, the floor and the ceiling among them, with two seeds, and of an ablation."""
    folders = []
    for (index, name), shot, seed in product(enumerate(METHODS), (1, 5), (0, 1)):
        protocols = ("ncm",) if name == "pixels" else ("finetune", "finetune_tuned", "ncm")
        about = {"shot": shot, "seed": seed, "protocols": protocols, "datasets": datasets}
        folders.append(write_evaluation(results / "main", name, 0.3 + 0.1 * index, **about))
    summary = summary_of(folders, METHODS)
    ablation = measure_ablation(results / "ablation", VARIANTS, seeds_=(0, 1))
    write_index(
        summaries=[summary],
        seeds=[read_frame(results / "main/seeds.parquet")],
        ablations=[read_frame(ablation["accuracies"])],
        ablation_seeds=[read_frame(ablation["seeds"])],
        captions={"groups": "Kind of groups"},
        headline="meta_val",
        files=["tables/toys/main.csv"],
        html=html,
    )
    return html.read_text(encoding="utf-8")


@pytest.fixture
def page(tmp_path: Path) -> str:
    return write_page(tmp_path, tmp_path / "index.html")


def data_of(page: str) -> dict[str, Any]:
    [text] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_data_are_complete_and_stay_inside_their_element(page: str) -> None:
    data = data_of(page)
    frame = pd.DataFrame(data["data"], columns=data["columns"])
    main = frame[frame["comparison"] == "main"]
    assert len(main) == 2 * 4 * (3 * 3 + 1)
    assert {"label", "mean", "ci95", "n_episodes", "n_seeds", "as_good_as_best", "role"} <= set(frame.columns)
    assert set(main["label"]) == {"Pixels (floor)", "Bank </script>", "TGR", "Real data (ceiling)"}
    assert data["defaults"] == {"comparison": "main", "selection": "meta_val", "protocol": "ncm", "shot": "5"}
    assert data["files"] == ["tables/toys/main.csv"]


def test_variants_of_an_ablation_are_compared_with_one_another(page: str) -> None:
    data = data_of(page)
    frame = pd.DataFrame(data["data"], columns=data["columns"])
    variants = frame[frame["comparison"] == "ablation-groups"]
    assert data["names"]["comparison"] == COMPARISONS
    assert set(variants["label"]) == {"TGR: grouping heterogeneous", "TGR: grouping random"}
    assert set(variants["selection"]) == {"meta_val"} and set(variants["scenario"]) == {"toys"}
    compared = variants[variants["method"] == "tgr.grouping-random"]
    assert compared["difference"].notna().all() and set(compared["reference"]) == {"TGR: grouping heterogeneous"}
    assert (
        variants["gradient_cosine"].notna().all()
        and frame.loc[frame["comparison"] == "main", "gradient_cosine"].isna().all()
    )


@pytest.mark.parametrize("datasets", [("toys",), ("toys", "tools")])
def test_each_row_knows_the_accuracies_of_its_trainings(tmp_path: Path, datasets: tuple[str, ...]) -> None:
    data = data_of(write_page(tmp_path, tmp_path / "index.html", datasets))
    frame = pd.DataFrame(data["data"], columns=data["columns"])
    assert len(set(frame["dataset"])) == (1 if len(datasets) == 1 else 3)
    assert [[each["seed"] for each in trainings] for trainings in frame["trainings"]] == [[0, 1]] * len(frame)
    means = [sum(each["mean"] for each in trainings) / 2 for trainings in frame["trainings"]]
    assert means == pytest.approx(list(frame["mean"]), abs=2e-6)
    assert any(first["mean"] != second["mean"] for first, second in frame["trainings"])


def test_page_asks_for_nothing_from_elsewhere(page: str) -> None:
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "default-src 'none'" in page
    assert "{{" not in page, "a mark of the template is left"


def test_page_is_the_same_twice(page: str, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert write_page(tmp_path / "again", tmp_path / "again.html") == page


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="Chromium is missing (Debian: apt-get install chromium)")
def test_a_browser_shows_points_ablations_and_every_column(page: str, tmp_path: Path) -> None:
    assert page
    right = "[...document.querySelectorAll('#table th')].at(-1).getBoundingClientRect().right"
    with browser(tmp_path / "profile") as tab:
        tab.open((tmp_path / "index.html").as_uri())
        for width in (390, 1300, 1920):
            tab.resize(width, 900)
            tab.wait("document.querySelector('#chart svg').viewBox.baseVal.width <= innerWidth")
            assert tab.run("document.documentElement.scrollWidth <= innerWidth"), f"{width} pixels: the page is cut"
            assert tab.run(
                "[...document.querySelectorAll('#chart text')].every(one => one.getBoundingClientRect().left >= 0)"
            )
            assert width < 600 or tab.run(f"{right} <= innerWidth"), f"{width} pixels: the table is cut"
        assert tab.run("document.querySelectorAll('#chart circle').length") == 2 * len(METHODS)
        tab.choose("comparison", "ablation-groups")
        names = tab.run("[...document.querySelectorAll('#table tbody tr')].map(row => row.cells[0].innerText)")
        assert sorted(names) == ["TGR: grouping heterogeneous", "TGR: grouping random"]
        assert "ablation: Kind of groups" in tab.run("document.getElementById('title').innerText")
        assert "seed 1:" in tab.run("document.querySelector('#chart .row').ariaLabel")
        assert not tab.errors and not tab.foreign
