"""The HTML report, without a browser; in one: test_pages.py."""

import pytest
from workflow_project import Project

pytestmark = pytest.mark.slow


def test_report_is_one_page_of_html(reported: Project) -> None:
    text = (reported.root / "results/report.html").read_text()
    assert "<html" in text
    for item in ("main.csv", "selection.csv", "accuracy.png", "dissimilarity.png", "recovered.png", "curves.png"):
        assert item in text
