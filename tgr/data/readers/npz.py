"""An npz file of plain arrays, and a JSON file of class splits.

The arrays are ``images``, uint8 (n, size, size, 3), ``labels`` (n,) and ``class_names``.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgr.artifacts import refuse_bombs, refuse_placeholder
from tgr.config.teachers import Dataset
from tgr.data.readers.base import Source, SourceFiles, shorten
from tgr.data.splits import index_splits, normalised, read_splits
from tgr.errors import TgrError, escape

ABOUT = None
ARRAYS = ("images", "labels", "class_names")


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the npz file and the file of splits."""
    return SourceFiles([Path(str(config.path)), Path(str(config.splits))])


def read(inputs: SourceFiles, name: str) -> Source:
    """Read the arrays; never unpickles.

    Raises:
        TgrError: the file is missing or damaged, or an array is missing or has the wrong shape.
    """
    file, splits_file = inputs.files
    refuse_placeholder(file)
    refuse_bombs(file)
    arrays = _read_arrays(file)
    _check(arrays, file)
    class_names = arrays["class_names"].tolist()
    splits = index_splits(read_splits(splits_file, class_names), class_names)
    unused = sorted({*class_names} - {class_names[index] for split in splits.values() for index in split})
    left_out = [f"classes that no split names ({len(unused)}): {shorten([*map(escape, unused)])}"] if unused else []
    images, labels = arrays["images"].astype(np.uint8, copy=False), arrays["labels"].astype(np.int64)
    return Source(images, labels, class_names, splits, left_out)


def _read_arrays(file: Path) -> dict[str, NDArray[np.generic]]:
    """Return the three arrays, whatever they hold."""
    try:
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise TgrError(
                f"{file}: one array alone; wanted {', '.join(ARRAYS)}: np.savez('d.npz', images=images, ...)"
            )
        with archive:
            present = list(archive.files)
            arrays = {key: archive[key] for key in ARRAYS if key in present}
    except TgrError:
        raise
    except OSError as error:
        raise TgrError(f"{file}: cannot be read ({error})") from error
    except Exception as error:  # the readers of damaged archives and arrays raise many kinds
        raise TgrError(f"{file}: damaged, or not an npz file of plain arrays ({error})") from error
    missing = [key for key in ARRAYS if key not in arrays]
    if missing:
        found = ", ".join(map(escape, present)) or "nothing"
        raise TgrError(f"{file}: no array {missing[0]}; it holds {found}; wanted: {', '.join(ARRAYS)}")
    return arrays


def _check(arrays: Mapping[str, NDArray[np.generic]], file: Path) -> None:
    images, labels, class_names = arrays["images"], arrays["labels"], arrays["class_names"]
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise TgrError(
            f"{file}: images must be uint8 (n, size, size, 3), found {images.dtype} {images.shape}{_advise(images)}"
        )
    if not images.size:
        raise TgrError(f"{file}: images hold no pixels: {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise TgrError(f"{file}: labels must be integers (n,), found {labels.dtype} {labels.shape}")
    if len(labels) != len(images):
        raise TgrError(f"{file}: {len(images)} images but {len(labels)} labels")
    if class_names.ndim != 1 or class_names.dtype.kind != "U":
        raise TgrError(f"{file}: class_names must be texts (n,), found {class_names.dtype} {class_names.shape}")
    if len({*class_names.tolist()}) != len(class_names):
        raise TgrError(f"{file}: class_names must differ")
    normalised(class_names.tolist(), file)
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(class_names):
        raise TgrError(f"{file}: labels must lie in 0..{len(class_names) - 1}")


def _advise(images: NDArray[np.generic]) -> str:
    """Say how to make of an array what is wanted, if it is one of the usual others."""
    if images.ndim == 4 and images.shape[1] == 3 != images.shape[-1]:
        return "; put the channels last: np.moveaxis(images, 1, -1)"
    if images.ndim == 3 or images.shape[-1:] == (1,):
        return "; make grey ones RGB: np.repeat(images.reshape(*images.shape[:3], 1), 3, axis=-1)"
    if images.dtype.kind == "f":
        return "; scale them, here from 0..1: (images * 255).round().astype(np.uint8)"
    return ""
