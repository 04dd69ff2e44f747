"""Examples of recovered images, with real ones of the same classes, as a figure shows them: without PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgr.artifacts import load_arrays
from tgr.errors import TgrError


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
    recovered: dict[int, NDArray[np.uint8]] = field(repr=False)
    real: dict[int, NDArray[np.uint8]] = field(repr=False)


class Examples(list[Example]):
    """The examples of a figure, one for each teacher, in the order in which they are shown."""

    @classmethod
    def load(cls, file: str | Path) -> "Examples":
        """Read what ``tgr.analysis.example_picking.pick_examples`` wrote.

        Raises:
            TgrError: the file is missing or damaged.
        """
        arrays, metadata = load_arrays(file)
        if "examples" not in metadata:
            raise TgrError(f"{file}: holds no examples of recovered images; delete it and run again")
        return cls(
            Example(**about, recovered=_images(arrays, f"{i}/recovered/"), real=_images(arrays, f"{i}/real/"))
            for i, about in enumerate(metadata["examples"])
        )


def _images(arrays: Mapping[str, NDArray[np.uint8]], prefix: str) -> dict[int, NDArray[np.uint8]]:
    return {int(name.removeprefix(prefix)): part for name, part in arrays.items() if name.startswith(prefix)}
