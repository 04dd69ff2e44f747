"""The page of all accuracies, as text; how a browser shows it is tested with the workflow."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from synthetic_results import summary_of, write_evaluation

from tgr.reporting.publish.index import write_index

METHODS = {"pixels": "Pixels", "bank": "Bank </script>", "tgr": "TGR", "realdata": "Real data"}


@pytest.fixture
def page(tmp_path: Path) -> str:
    folders = [
        write_evaluation(
            tmp_path, name, 0.3 + 0.1 * i, shot=shot, **({"protocols": ("ncm",)} if name == "pixels" else {})
        )
        for i, name in enumerate(METHODS)
        for shot in (1, 5)
    ]
    html = tmp_path / "index.html"
    summaries = [summary_of(folders, METHODS)]
    write_index(summaries=summaries, headline="meta_val", files=["tables/toys/main.csv"], html=html)
    return html.read_text(encoding="utf-8")


def test_data_are_complete_and_stay_inside_their_element(page: str) -> None:
    text = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert len(text) == 1
    data = json.loads(text[0])
    frame = pd.DataFrame(data["data"], columns=data["columns"])
    assert len(frame) == 2 * 4 * (3 * 3 + 1)
    assert {"label", "mean", "ci95", "n_episodes", "n_seeds", "as_good_as_best", "role"} <= set(frame.columns)
    assert set(frame["label"]) == {"Pixels (floor)", "Bank </script>", "TGR", "Real data (ceiling)"}
    assert data["defaults"] == {"selection": "meta_val", "protocol": "finetune", "shot": "5"}
    assert data["files"] == ["tables/toys/main.csv"]


def test_page_asks_for_nothing_from_elsewhere(page: str) -> None:
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "default-src 'none'" in page
    assert "{{" not in page, "a mark of the template is left"


def test_page_is_the_same_twice(page: str, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    folders = sorted((tmp_path / "evaluation").glob("*/*/*/*"))
    summaries = [summary_of(folders, METHODS)]
    write_index(summaries=summaries, headline="meta_val", files=["tables/toys/main.csv"], html=again)
    assert again.read_text(encoding="utf-8") == page
