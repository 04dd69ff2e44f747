"""VGG-Flower: Oxford's 102 flowers, 71/15/16 classes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tgr.artifacts import read_json, refuse_placeholder
from tgr.config.teachers import Dataset
from tgr.data.readers.base import About, Source, SourceFiles, require_path
from tgr.data.splits import index_splits, list_classes, read_splits
from tgr.errors import TgrError

LABELS, IMAGES = "imagelabels.mat", "jpg"
N_IMAGES = 8_189
ABOUT = About(
    title="VGG-Flower (Nilsback and Zisserman, Automated flower classification over a large number of classes, 2008)",
    origin="https://www.robots.ox.ac.uk/~vgg/data/flowers/102 (102flowers.tgz and imagelabels.mat)",
    layout="a folder with jpg/image_00001.jpg, ... and imagelabels.mat",
    licence="no licence is stated; research use, its makers ask to cite the paper",
)


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the file of splits, the labels and the folder of images.

    Raises:
        TgrError: they are not there.
    """
    path = require_path(name, config.path, ABOUT)
    for part in (LABELS, IMAGES):
        if not (path / part).exists():
            raise ABOUT.missing(name, f"{path} has no {part}")
    return SourceFiles([resources / "splits" / "vgg_flower.json", path / LABELS], path / IMAGES)


def read(inputs: SourceFiles, name: str) -> Source:
    """List the images by class.

    Raises:
        TgrError: the labels are damaged, or an image is missing.
    """
    splits_file, labels_file = inputs.files
    splits = read_splits(splits_file)
    names = read_json(splits_file)["class_names"]
    class_names = list_classes(splits)
    numbers = _read_labels(labels_file, len(names))
    position = {class_name: index for index, class_name in enumerate(class_names)}
    files = [inputs.images() / f"image_{index:05d}.jpg" for index in range(1, len(numbers) + 1)]
    rows = sorted((position[names[number - 1]], file) for number, file in zip(numbers.tolist(), files, strict=True))
    for _, file in rows:
        if not file.is_file():
            raise TgrError(f"{file}: missing, but {labels_file} has a label for it; unpack 102flowers.tgz again")
    if len(rows) != N_IMAGES:
        print(ABOUT.incomparable(f"{len(rows)} images", str(N_IMAGES)))
    return Source(
        images=[file for _, file in rows],
        labels=[label for label, _ in rows],
        class_names=class_names,
        splits=index_splits(splits, class_names),
    )


def _read_labels(file: Path, n_classes: int) -> NDArray[np.int64]:
    """Return the label of each image, from 1: (n,)."""
    from scipy.io import loadmat

    refuse_placeholder(file)
    try:
        labels = np.asarray(loadmat(file)["labels"]).ravel()
    except Exception as error:  # a damaged file may raise anything
        raise TgrError(f"{file}: damaged, or not a MATLAB file with the array labels ({error!r})") from error
    if labels.dtype.kind not in "iu" or set(labels.tolist()) != set(range(1, n_classes + 1)):
        raise TgrError(f"{file}: labels must be the numbers 1 to {n_classes}, each at least once")
    return labels.astype(np.int64)
