"""The report and the page of all accuracies in a real browser."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import PROGRAM, Page, browser
from PIL import Image
from workflow_project import Project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM, reason="Chromium is missing (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(chromium: Page) -> Iterator[Page]:
    """The browser's tab; whatever a test does there, nothing may go wrong or be asked for from elsewhere."""
    chromium.errors.clear()
    chromium.foreign.clear()
    yield chromium
    assert not chromium.errors
    assert not chromium.foreign


@pytest.fixture(scope="module")
def report(reported: Project) -> str:
    return (reported.root / "results/report.html").as_uri()


def assert_not_blank(picture: Image.Image) -> None:
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    assert len(colours) > 20
    assert counts.max() < 0.99 * len(pixels)


def test_report_shows_every_figure_and_table(page: Page, report: str, finished: Project) -> None:
    page.open(report)
    page.wait("typeof categories === 'object' && document.querySelectorAll('a').length > 0")
    assert_not_blank(page.screenshot())
    shown = []
    for category, kinds in page.run("categories").items():
        for kind, items in kinds.items():
            page.open(report)
            page.click(category)
            if len(kinds) > 1:
                page.click(kind)
            page.wait(f"document.querySelectorAll('tbody tr').length === {len(items)}")
            names = page.run("[...document.querySelectorAll('tbody tr')].map(row => row.innerText.trim())")
            assert len(set(names)) == len(items), f"{category}, {kind}: items that share a name cannot be found"
            for row in range(len(items)):
                assert_item_loads(page, kind, row)
            shown += items
    made = {file.relative_to(finished.root).as_posix() for file in (finished.root / "results").rglob("*.png")}
    assert made <= set(shown)
    assert {"results/index.html", "results/tables/overview.csv", "results/tables/shapes/main.csv"} <= set(shown)


def assert_item_loads(page: Page, kind: str, row: int) -> None:
    link = f"document.querySelectorAll('tbody tr')[{row}].querySelector('a')"
    if kind == "tables":  # a table is a download
        head, content = page.run(f"{link}.href").split(",", 1)
        assert head.startswith("data:text/csv") and head.endswith("base64")
        assert len(base64.b64decode(content).splitlines()) > 1
        return
    page.run(f"{link}.click()")
    if kind == "figures":
        page.wait("[...document.images].some(one => one.src.startsWith('data:image/png') && one.naturalWidth > 300)")
    else:
        page.wait("[...document.querySelectorAll('iframe')].some(one => one.src.startsWith('data:text/html'))")
    assert_not_blank(page.screenshot())


def test_report_says_what_its_items_were_made_by(page: Page, report: str) -> None:
    page.open(report)
    page.click("Workflow")
    page.wait("document.body.innerText.includes('TGR-bench compares methods')")
    assert "shapes: pools shapes-conv4, strangers; evaluated on shapes" in page.run(
        "[...document.querySelectorAll('li')].map(item => item.innerText.trim())"
    )
    page.click("Statistics")
    page.wait("document.querySelectorAll('canvas, svg').length > 0")


def test_index_filters_sorts_and_tells_interval_and_n(page: Page, finished: Project) -> None:
    page.open((finished.root / "results/index.html").as_uri())
    table = pd.read_csv(finished.root / "results/tables/shapes/main.csv")
    own = table[(table["protocol"] == "ncm") & (table["dataset"] == "shapes")]
    page.choose("protocol", "ncm")
    assert page.run("document.querySelectorAll('#chart .row').length") == len(own)
    means = page.run("[...document.querySelectorAll('#table tbody tr')].map(row => row.cells[1].innerText)")
    assert means == [f"{100 * mean:.1f}" for mean in sorted(own["mean"], reverse=True)]
    page.click("Method")
    names = page.run("[...document.querySelectorAll('#table tbody tr')].map(row => row.cells[0].innerText)")
    assert names == sorted(names, key=str.lower)
    page.hover("#chart .row")
    tip = page.run("document.getElementById('tip').innerText")
    assert re.search(r"95 % CI: .* to .* %", tip) and "n = 4 episodes, 1 seed" in tip
    page.choose("protocol", "finetune")
    floor = "document.querySelector('#chart line.floor').getBoundingClientRect().x"
    assert page.run(f"{floor} < document.querySelector('#chart svg').getBoundingClientRect().right"), "inside the chart"
    assert_not_blank(page.screenshot())
    page.dark()
    assert np.asarray(page.screenshot())[5, 5].max() < 64, "dark where the reader prefers it"


def test_index_links_lead_to_figures_and_tables(page: Page, finished: Project) -> None:
    for link, arrived in (
        ("figures/shapes/accuracy.png", "document.images[0]?.naturalWidth > 300"),
        ("tables/shapes/main.md", "document.body?.innerText.includes('Accuracy (%)')"),
    ):
        page.open((finished.root / "results/index.html").as_uri())
        page.click(link)
        page.wait(f"location.pathname.endsWith({json.dumps(link)}) && {arrived}")


def test_index_gives_its_rows_as_csv(page: Page, finished: Project, tmp_path: Path) -> None:
    page.download_to(tmp_path)
    page.open((finished.root / "results/index.html").as_uri())
    page.click("Download all rows (CSV)")
    file = wait_for(page, tmp_path / "tgr-bench.csv")
    found = pd.read_csv(file)
    for comparison, table in (("main", "selection"), ("ablation-conflict", "ablation-conflict")):
        wanted = pd.read_csv(finished.root / f"results/tables/shapes/{table}.csv")
        rows = found[found["comparison"] == comparison]
        assert len(rows) == len(wanted)
        assert sorted(rows["mean"].round(6)) == sorted(wanted["mean"].round(6))
    assert found["trainings"].str.fullmatch(r"seed 0: [\d.]+").all()


def wait_for(page: Page, file: Path) -> Path:
    for _ in range(300):
        if file.exists():
            return file
        page.run("new Promise(done => setTimeout(done, 100))")
    raise AssertionError(f"{file.name} was not downloaded")
