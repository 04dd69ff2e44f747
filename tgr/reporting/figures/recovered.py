"""Figure: images recovered from teachers, with real images of the same classes for the reader's eye only."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tgr.analysis.examples import Example, Examples
from tgr.reporting.figures.style import StyledFigure, style, width

LABEL = 1.05
"""Width in inches of the column of labels."""
GAP = 0.07
"""Gap in inches between classes."""
LETTER = 0.052
"""Width in inches of a letter at 6 points."""
REAL = "real, unseen by\nthe method"
NO_REAL = "(the real images\nare unknown)"


@style()
def draw(examples: Examples, *, venue: str = "icml") -> Figure:
    """Draw recovered images of each class above real ones of that class; models from elsewhere have none to show.

    Args:
        examples: what ``tgr.analysis.example_picking.pick_examples`` wrote.
    """
    inches = width(venue)
    n_classes = max(len(example.classes) for example in examples)
    per_class = max(len(images) for example in examples for images in example.recovered.values())
    tile = (inches - LABEL - GAP * n_classes) / (n_classes * per_class)
    title, band = 0.2, 2 * tile + 0.33
    height = band * len(examples) + 0.06
    figure = StyledFigure((inches, height))
    for row, example in enumerate(examples):
        top = height - row * band - title
        _labels(figure, example, top, tile)
        for label, name in enumerate(example.classes):
            left = LABEL + label * (per_class * tile + GAP)
            for line, images in enumerate((example.recovered, example.real)):
                if len(images.get(label, ())):
                    _strip(figure, images[label], left, top - (line + 1) * tile - 0.03 * line, tile)
            middle = left + per_class * tile / 2
            _text(figure, middle, top + 0.05, _fitting(name, per_class * tile), ha="center", va="bottom")
    return figure


def _labels(figure: Figure, example: Example, top: float, tile: float) -> None:
    number = example.name.rsplit("-", 1)[-1].lstrip("0") or "0"
    hidden = example.n_classes > len(example.classes)
    lines = [
        example.pool,
        f"teacher {number}, {example.engine}",
        example.architecture.removeprefix("timm:")
        + (f", {len(example.classes)}/{example.n_classes} classes" if hidden else ""),
        f"agreement {100 * example.agreement:.0f} %",
        *([] if example.student is None else [f"student {100 * example.student:.0f} %"]),
    ]
    _text(figure, 0.02, top + 0.07, "\n".join(_fitting(line, LABEL) for line in lines), va="top")
    _text(figure, 0.02, top - 0.03 - 2 * tile, REAL if example.real else NO_REAL, va="bottom", color="#555555")


def _text(figure: Figure, x: float, y: float, text: str, **look: Any) -> None:
    """Write a text as it is, with its dollars, at a position in inches."""
    inches, height = figure.get_size_inches()
    figure.text(x / inches, y / height, text, fontsize=6, parse_math=False, **look)


def _fitting(name: str, inches: float) -> str:
    """Shorten a name to a width."""
    most = int(inches / LETTER)
    return name if len(name) <= most else name[: most - 1] + "\u2026"


def _strip(figure: Figure, images: NDArray[np.uint8], left: float, bottom: float, tile: float) -> None:
    """Draw images side by side, positions in inches."""
    inches, height = figure.get_size_inches()
    axes = figure.add_axes((left / inches, bottom / height, len(images) * tile / inches, tile / height))
    axes.imshow(_side_by_side(images), interpolation="nearest", aspect="auto")
    axes.set_axis_off()


def _side_by_side(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    gap = max(1, images.shape[-1] // 32)
    framed = np.pad(images, ((0, 0), (0, 0), (0, 0), (0, gap)), constant_values=255)
    return np.concatenate(list(framed.transpose(0, 2, 3, 1)), 1)[:, :-gap]
