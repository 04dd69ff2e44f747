"""An npz file of plain arrays, and a JSON file of class splits.

The arrays are ``images``, uint8 (n, size, size, 3), ``labels`` (n,) and ``class_names``.
"""

import zipfile
from pathlib import Path

import numpy as np

from tgr.config.schema import Dataset
from tgr.data.readers.base import Inputs, Source
from tgr.data.splits import class_indices, read_splits
from tgr.errors import TgrError

ABOUT = None


def find(name: str, config: Dataset, resources: Path) -> Inputs:
    """Return the npz file and the file of splits."""
    return Inputs([Path(str(config.path)), Path(str(config.splits))])


def read(inputs: Inputs, name: str) -> Source:
    """Read the arrays; never unpickles.

    Raises:
        TgrError: the file is missing or damaged, or an array is missing or has the wrong shape.
    """
    file, splits_file = inputs.files
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("images", "labels", "class_names")}
    except OSError as error:
        raise TgrError(f"{file}: cannot be read ({error})") from error
    except KeyError as error:
        raise TgrError(f"{file}: the array {error} is missing; wanted: images, labels, class_names") from error
    except (ValueError, zipfile.BadZipFile) as error:
        raise TgrError(f"{file}: damaged, or not an npz file of plain arrays ({error})") from error
    if arrays["images"].ndim != 4 or arrays["images"].shape[-1] != 3:
        raise TgrError(f"{file}: images must be (n, size, size, 3), found {arrays['images'].shape}")
    class_names = [str(class_name) for class_name in arrays["class_names"]]
    splits = class_indices(read_splits(splits_file, class_names), class_names)
    return Source(arrays["images"], arrays["labels"].astype(np.int64), class_names, splits)
