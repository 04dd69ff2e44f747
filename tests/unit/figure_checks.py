"""What every figure must be: of a printable size, legible, without overlaps, with embedded fonts, without a date."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from tgr.reporting.figures.style import WIDTHS, style

SMALLEST = 5.5
"""Points: the smallest letters that print well."""


@pytest.fixture(autouse=True)
def legible_figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Check the letters of every figure that a test saves, and return these figures."""
    saved: list[Figure] = []
    write = Figure.savefig

    def check_and_write(figure: Figure, *arguments: object, **options: object) -> None:
        if figure not in saved:
            saved.append(figure)
            with style():  # in which the figure is drawn
                assert_legible(figure)
        write(figure, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", check_and_write)
    return saved


def assert_legible(figure: Figure) -> None:
    """Letters are large enough, lie inside the figure and do not overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes: list[tuple[str, Bbox]] = []
    for text in _texts(figure):
        assert text.get_fontsize() >= SMALLEST, f"'{text.get_text()}' is too small"
        box = text.get_window_extent(renderer)
        inside = figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert inside and figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, f"'{text.get_text()}' is cut off"
        boxes.append((text.get_text(), box.padded(-0.5)))
    for (first, a), (second, b) in combinations(boxes, 2):
        assert not a.overlaps(b), f"'{first}' and '{second}' overlap"


def _texts(figure: Figure) -> list[Text]:
    """Return the texts that are drawn; tick labels outside the limits of their axis exist, but are not."""
    hidden = {
        text
        for axes in figure.findobj(lambda artist: hasattr(artist, "get_majorticklabels"))
        for text in [*axes.get_majorticklabels(), *axes.get_minorticklabels()]
    }
    drawn = {
        label
        for axis in figure.findobj(lambda artist: hasattr(artist, "get_majorticklabels"))
        if axis.get_visible() and axis.axes.axison
        for tick in axis._update_ticks()
        for label in (tick.label1, tick.label2)
    }
    found = figure.findobj(Text)
    return [t for t in found if t.get_visible() and t.get_text().strip() and (t in drawn or t not in hidden)]


def assert_figure(png: Path, pdf: Path) -> None:
    """A figure has the venue's width at most, ink that does not touch its edge, embedded TrueType fonts, no date."""
    with Image.open(png) as image:
        pixels = np.asarray(image.convert("L"))
        assert not {"Software", "Creation Time"} & set(image.info)
    assert pixels.shape[1] <= round(WIDTHS["icml"][1] * 200)
    ink = pixels < 200
    assert ink.any()
    assert not ink[[0, -1]].any()
    assert not ink[:, [0, -1]].any()
    content = pdf.read_bytes()
    assert b"FontFile2" in content
    assert b"/Type3" not in content
    assert b"CreationDate" not in content
