"""Figure: images recovered from teachers, with real images of the same classes for the reader's eye only."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tgr.artifacts import read_json
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, load_recovered
from tgr.reporting.figures.style import save, style, width

N_CLASSES = 5
"""Classes shown of each teacher."""
LABEL = 1.05
"""Width in inches of the column of labels."""
GAP = 0.07
"""Gap in inches between classes."""
MARK = "real, unseen by\nthe method"
NO_REAL = "(the real images\nare unknown)"


def write_recovered_figure(
    recovered_folders: Sequence[Path],
    teacher_folders: Sequence[Path],
    transfers: Sequence[Path],
    dataset_files: Mapping[str, Path],
    png: Path,
    pdf: Path,
    n_teachers: int = 4,
    per_class: int = 3,
    venue: str = "icml",
) -> None:
    """Draw, for a few teachers of all pools, recovered images of each class above real ones of that class.

    Models from elsewhere have no real images to show.

    Args:
        recovered_folders, teacher_folders: the shards of the scenario's pools, in the same order.
        transfers: what ``tgr.inversion.transfer.measure_transfer`` wrote for the pools with real images.
        dataset_files: the real datasets by name; those of all teachers must be among them.
        n_teachers: teachers to show; the pools take turns, and each has one at least.
        per_class: images of each class.

    Raises:
        TgrError: a teacher's dataset is not among ``dataset_files``, or lacks its classes.
    """
    shown = pick(load_recovered(recovered_folders, teacher_folders), n_teachers)
    for one in shown:
        if one.card.dataset and one.card.dataset not in dataset_files:
            raise TgrError(f"teacher {one.card.key}: its dataset {one.card.dataset} is not among the datasets to show")
    names = {one.card.dataset for one in shown if one.card.dataset}
    datasets = {name: ImageDataset.load(dataset_files[name]) for name in names}
    with style():
        save(_draw(shown, datasets, _students(transfers), per_class, width(venue)), png, pdf)


def pick(recovered: Sequence[Recovered], count: int) -> list[Recovered]:
    """Return the first teachers of each pool in turn, until there are ``count`` and one of each, ordered by pool."""
    pools = list(dict.fromkeys(one.card.pool for one in recovered))
    count = max(count, len(pools))
    turns = [[one for one in recovered if one.card.pool == pool] for pool in pools]
    longest = max((len(turn) for turn in turns), default=0)
    mixed = [turn[i] for i in range(longest) for turn in turns if i < len(turn)][:count]
    return sorted(mixed, key=lambda one: pools.index(one.card.pool))


def _students(transfers: Sequence[Path]) -> dict[str, float]:
    """Return the accuracy of the students that learnt from a teacher's images alone, by the teacher's key."""
    measured = [read_json(file) for file in transfers]
    return {
        f"{about['pool']}/{one['name']}": one["student_accuracy"] for about in measured for one in about["teachers"]
    }


def _draw(
    shown: Sequence[Recovered],
    datasets: Mapping[str, ImageDataset],
    students: Mapping[str, float],
    per_class: int,
    inches: float,
) -> Figure:
    n_classes = min(N_CLASSES, max(len(one.classes) for one in shown))
    tile = (inches - LABEL - GAP * n_classes) / (n_classes * per_class)
    title, band = 0.2, 2 * tile + 0.33
    height = band * len(shown) + 0.06
    figure = Figure((inches, height))
    for row, one in enumerate(shown):
        top = height - row * band - title
        _labels(figure, one, students.get(one.card.key), top, tile)
        for label, name in enumerate(one.classes[:n_classes]):
            left = LABEL + label * (per_class * tile + GAP)
            pairs = [one.images[one.labels == label][:per_class]]
            if one.card.dataset:
                pairs.append(_real(datasets[one.card.dataset], name, one.card.key)[:per_class])
            for line, images in enumerate(pairs):
                _strip(figure, images, left, top - (line + 1) * tile - 0.03 * line, tile)
            text = _fitting(name, per_class * tile)
            middle = (left + per_class * tile / 2) / inches
            figure.text(middle, (top + 0.05) / height, text, ha="center", va="bottom", fontsize=6)
    return figure


def _labels(figure: Figure, one: Recovered, student: float | None, top: float, tile: float) -> None:
    inches, height = figure.get_size_inches()
    number = one.card.name.rsplit("-", 1)[-1].lstrip("0") or "0"
    hidden = len(one.card.classes) > N_CLASSES
    lines = [
        one.card.pool,
        f"teacher {number}, {one.report.engine}",
        one.card.architecture.removeprefix("timm:")
        + (f", {N_CLASSES}/{len(one.card.classes)} classes" if hidden else ""),
        f"agreement {100 * one.report.agreement:.0f} %",
    ]
    lines += [] if student is None else [f"student {100 * student:.0f} %"]
    head = "\n".join(_fitting(line, LABEL) for line in lines)
    mark = MARK if one.card.dataset else NO_REAL
    for text, place, align, colour in (
        (head, top + 0.07, "top", "black"),
        (mark, top - 0.03 - 2 * tile, "bottom", "#555555"),
    ):
        figure.text(0.02 / inches, place / height, text, ha="left", va=align, fontsize=6, color=colour)


def _fitting(name: str, inches: float) -> str:
    """Shorten a name to a width, at 6 points."""
    most = int(inches / 0.052)
    return name if len(name) <= most else name[: most - 1] + "\u2026"


def _real(dataset: ImageDataset, class_name: str, key: str) -> Tensor:
    if class_name not in dataset.class_names:
        raise TgrError(f"teacher {key}: the dataset {dataset.name} has no class '{class_name}'; load it again")
    return dataset.images[dataset.indices_of(dataset.class_names.index(class_name))]


def _strip(figure: Figure, images: Tensor, left: float, bottom: float, tile: float) -> None:
    """Draw images side by side, positions in inches."""
    inches, height = figure.get_size_inches()
    if not len(images):
        return
    axes = figure.add_axes((left / inches, bottom / height, len(images) * tile / inches, tile / height))
    axes.imshow(_side_by_side(images), interpolation="nearest", aspect="auto")
    axes.set_axis_off()


def _side_by_side(images: Tensor) -> np.ndarray:
    gap = max(1, images.shape[-1] // 32)
    framed = torch.nn.functional.pad(images, (0, gap), value=255)
    return torch.cat(list(framed.permute(0, 2, 3, 1)), 1)[:, :-gap].numpy()
