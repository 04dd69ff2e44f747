"""An npz file of plain arrays, and a JSON file of class splits.

The arrays are ``images``, uint8 (n, size, size, 3), ``labels`` (n,) and ``class_names``.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgr.artifacts import refuse_bombs
from tgr.config.teachers import Dataset
from tgr.data.readers.base import Source, SourceFiles
from tgr.data.splits import index_splits, read_splits
from tgr.errors import TgrError

ABOUT = None


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the npz file and the file of splits."""
    return SourceFiles([Path(str(config.path)), Path(str(config.splits))])


def read(inputs: SourceFiles, name: str) -> Source:
    """Read the arrays; never unpickles.

    Raises:
        TgrError: the file is missing or damaged, or an array is missing or has the wrong shape.
    """
    file, splits_file = inputs.files
    refuse_bombs(file)
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("images", "labels", "class_names")}
    except OSError as error:
        raise TgrError(f"{file}: cannot be read ({error})") from error
    except KeyError as error:
        raise TgrError(f"{file}: the array {error} is missing; wanted: images, labels, class_names") from error
    except Exception as error:  # the readers of damaged archives and arrays raise many kinds
        raise TgrError(f"{file}: damaged, or not an npz file of plain arrays ({error})") from error
    _check(arrays, file)
    class_names = arrays["class_names"].tolist()
    splits = index_splits(read_splits(splits_file, class_names), class_names)
    return Source(arrays["images"], arrays["labels"].astype(np.int64), class_names, splits)


def _check(arrays: Mapping[str, NDArray[np.generic]], file: Path) -> None:
    images, labels, class_names = arrays["images"], arrays["labels"], arrays["class_names"]
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise TgrError(f"{file}: images must be uint8 (n, size, size, 3), found {images.dtype} {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise TgrError(f"{file}: labels must be integers (n,), found {labels.dtype} {labels.shape}")
    if len(labels) != len(images):
        raise TgrError(f"{file}: {len(images)} images but {len(labels)} labels")
    if class_names.ndim != 1 or class_names.dtype.kind != "U":
        raise TgrError(f"{file}: class_names must be texts (n,), found {class_names.dtype} {class_names.shape}")
    if len({*class_names.tolist()}) != len(class_names):
        raise TgrError(f"{file}: class_names must differ")
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(class_names):
        raise TgrError(f"{file}: labels must lie in 0..{len(class_names) - 1}")
