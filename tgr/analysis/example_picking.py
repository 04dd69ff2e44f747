"""Picking examples of recovered images, with real images of the same classes for the reader's eye only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from tgr.analysis.examples import Example
from tgr.artifacts import read_json, save_tensors
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, load_recovered

N_CLASSES = 5
"""Classes shown of each teacher."""


def pick_examples(
    *,
    recovered: Sequence[Path],
    teachers: Sequence[Path],
    transfers: Sequence[Path],
    datasets: Sequence[Path],
    n_teachers: int,
    images_per_class: int,
    examples: Path,
) -> None:
    """Write recovered and real images of a few teachers of all pools as safetensors; ``tgr.analysis.examples`` reads
    them.

    Args:
        recovered, teachers: the shards of the scenario's pools, in the same order.
        transfers: what ``tgr.inversion.transfer.measure_transfer`` wrote for the pools with real images.
        datasets: the files of the real datasets, named after them; those of all teachers must be among them.
        n_teachers: teachers to show; the pools take turns, and each has one at least.
        images_per_class: images of each class.
        examples: the file to write.

    Raises:
        TgrError: a teacher's dataset is not among ``datasets``, or lacks its classes.
    """
    chosen = pick_teachers(load_recovered(recovered, teachers), n_teachers)
    files = {Path(file).stem: Path(file) for file in datasets}
    for r in chosen:
        if r.card.dataset and r.card.dataset not in files:
            raise TgrError(f"teacher {r.card.key}: its dataset {r.card.dataset} is not among the datasets to show")
    loaded = {name: ImageDataset.load(files[name]) for name in {r.card.dataset for r in chosen if r.card.dataset}}
    students = _students(transfers)
    shown = [_example(r, loaded, students.get(r.card.key), images_per_class) for r in chosen]
    tensors: dict[str, Tensor] = {}
    about = []
    for index, example in enumerate(shown):
        for kind in ("recovered", "real"):
            images = getattr(example, kind)
            tensors |= {f"{index}/{kind}/{label}": torch.from_numpy(part) for label, part in images.items()}
        about.append({key: value for key, value in asdict(example).items() if key not in ("recovered", "real")})
    save_tensors(examples, tensors, {"examples": about})


def pick_teachers(recovered: Sequence[Recovered], count: int) -> list[Recovered]:
    """Return the first teachers of each pool in turn, until there are ``count`` and one of each, ordered by pool."""
    pools = list(dict.fromkeys(r.card.pool for r in recovered))
    count = max(count, len(pools))
    turns = [[r for r in recovered if r.card.pool == pool] for pool in pools]
    longest = max((len(turn) for turn in turns), default=0)
    mixed = [turn[i] for i in range(longest) for turn in turns if i < len(turn)][:count]
    return sorted(mixed, key=lambda r: pools.index(r.card.pool))


def _example(
    r: Recovered, datasets: Mapping[str, ImageDataset], student: float | None, images_per_class: int
) -> Example:
    classes = r.classes[:N_CLASSES]
    labels = range(len(classes))
    real = {}
    if r.card.dataset:
        dataset = datasets[r.card.dataset]
        real = {label: _real(dataset, classes[label], r.card.key)[:images_per_class].numpy() for label in labels}
    return Example(
        pool=r.card.pool,
        name=r.card.name,
        architecture=r.card.architecture,
        n_classes=len(r.card.classes),
        engine=r.report.engine,
        agreement=r.report.agreement,
        student=student,
        classes=classes,
        recovered={label: r.images[r.labels == label][:images_per_class].numpy() for label in labels},
        real=real,
    )


def _real(dataset: ImageDataset, class_name: str, key: str) -> Tensor:
    if class_name not in dataset.class_names:
        raise TgrError(f"teacher {key}: the dataset {dataset.name} has no class '{class_name}'; load it again")
    return dataset.images[dataset.indices_of(dataset.class_names.index(class_name))]


def _students(transfers: Sequence[Path]) -> dict[str, float]:
    """Return the accuracy of the students that learnt from a teacher's images alone, by the teacher's key."""
    measured = [read_json(file) for file in transfers]
    return {
        f"{about['pool']}/{teacher['name']}": teacher["student_accuracy"]
        for about in measured
        for teacher in about["teachers"]
    }
