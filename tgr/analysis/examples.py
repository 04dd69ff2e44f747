"""Examples of recovered images, with real images of the same classes for the reader's eye only."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from tgr.artifacts import load_tensors, read_json, save_tensors
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, load_recovered

N_CLASSES = 5
"""Classes shown of each teacher."""


@dataclass(frozen=True)
class Example:
    """What a figure shows of one teacher.

    Attributes:
        pool, name, architecture, n_classes: the teacher's, the latter of all its classes.
        engine, agreement: of the inversion, see ``tgr.inversion.recovered.Recovery``.
        student: accuracy of the student that learnt from the images alone; None if it was not measured.
        classes: names of those shown.
        recovered, real: by the index of a class its images, uint8 (n, 3, size, size); no real ones for models from
            elsewhere.
    """

    pool: str
    name: str
    architecture: str
    n_classes: int
    engine: str
    agreement: float
    student: float | None
    classes: list[str]
    recovered: dict[int, Tensor] = field(repr=False)
    real: dict[int, Tensor] = field(repr=False)


class Examples(list[Example]):
    """The examples of a figure, one for each teacher, in the order in which they are shown."""

    @classmethod
    def load(cls, file: str | Path) -> "Examples":
        """Read what ``pick_examples`` wrote.

        Raises:
            TgrError: the file is missing or damaged.
        """
        tensors, metadata = load_tensors(file)
        if "examples" not in metadata:
            raise TgrError(f"{file}: holds no examples of recovered images; delete it and run again")
        return cls(
            Example(**about, recovered=_images(tensors, f"{i}/recovered/"), real=_images(tensors, f"{i}/real/"))
            for i, about in enumerate(metadata["examples"])
        )


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
    """Write recovered and real images of a few teachers of all pools as safetensors; ``Examples.load`` reads them.

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
            tensors |= {f"{index}/{kind}/{label}": part for label, part in images.items()}
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
        real = {label: _real(dataset, classes[label], r.card.key)[:images_per_class] for label in labels}
    return Example(
        pool=r.card.pool,
        name=r.card.name,
        architecture=r.card.architecture,
        n_classes=len(r.card.classes),
        engine=r.report.engine,
        agreement=r.report.agreement,
        student=student,
        classes=classes,
        recovered={label: r.images[r.labels == label][:images_per_class] for label in labels},
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


def _images(tensors: Mapping[str, Tensor], prefix: str) -> dict[int, Tensor]:
    return {int(name.removeprefix(prefix)): part for name, part in tensors.items() if name.startswith(prefix)}
