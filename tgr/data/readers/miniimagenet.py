"""miniImageNet: 100 classes of ImageNet, 64/16/20, 600 images each."""

from collections import Counter
from pathlib import Path

from tgr.artifacts import read_json, refuse_placeholder
from tgr.config.delimited import read_rows
from tgr.config.teachers import Dataset
from tgr.data.readers.base import About, Source, SourceFiles, require_path, shorten
from tgr.data.splits import SPLITS, index_splits, list_classes, read_splits
from tgr.errors import TgrError

LISTS = dict(zip(SPLITS, ("train.csv", "val.csv", "test.csv"), strict=True))
IMAGES_PER_CLASS = 600
ABOUT = About(
    title="miniImageNet (Vinyals et al., Matching Networks, NeurIPS 2016; split of Ravi and Larochelle, ICLR 2017)",
    origin="https://www.image-net.org (ILSVRC 2012) by means of https://github.com/yaoyao-liu/mini-imagenet-tools",
    layout="a folder with images/*.jpg and the lists train.csv, val.csv and test.csv (columns filename, label)",
    licence="ImageNet's terms of access: research and teaching that is not commercial, no redistribution",
)


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the three lists and the folder of images.

    Raises:
        TgrError: they are not there.
    """
    folder = require_path(name, config.path, ABOUT)
    lists = [folder / file for file in LISTS.values()]
    missing = [path.name for path in (*lists, folder / "images") if not path.exists()]
    if missing:
        raise ABOUT.missing(name, f"{folder} has no {missing[0]}")
    return SourceFiles([resources / "splits" / "miniimagenet.json", *lists], folder / "images")


def read(inputs: SourceFiles, name: str) -> Source:
    """List the images.

    Raises:
        TgrError: a list is damaged or not the published split, or an image is missing.
    """
    splits_file, *lists = inputs.files
    splits, folder = read_splits(splits_file), inputs.images()
    rows = [row for file, split in zip(lists, SPLITS, strict=True) for row in _read_list(file, splits[split], split)]
    present = {file.name for file in folder.iterdir()}
    absent = [image for image, _ in rows if image not in present]
    if absent:
        raise TgrError(f"{folder}: {shorten(absent)} are listed but missing; copy all images")
    repeated = [image for image, count in Counter(image for image, _ in rows).items() if count > 1]
    if repeated:
        raise TgrError(f"{folder.parent}: {shorten(repeated)} are listed more than once; take the original lists")
    unlisted = sorted(present - {image for image, _ in rows})
    numbers = list_classes(splits)
    counts = Counter(label for _, label in rows)
    if set(counts.values()) != {IMAGES_PER_CLASS}:
        counted = f"{min(counts.values())} to {max(counts.values())} images a class"
        print(ABOUT.incomparable(counted, str(IMAGES_PER_CLASS)))
    position = {number: index for index, number in enumerate(numbers)}
    names = read_json(splits_file)["class_names"]
    return Source(
        images=[folder / image for image, _ in rows],
        labels=[position[label] for _, label in rows],
        class_names=[names[number] for number in numbers],
        splits=index_splits(splits, numbers),
        left_out=[f"{len(unlisted)} in {folder} that no list names: {shorten(unlisted)}"] if unlisted else [],
    )


def _read_list(file: Path, classes: list[str], split: str) -> list[tuple[str, str]]:
    """Return the rows (image, class) of a list, whose classes must be the given ones; by class, then by image."""
    refuse_placeholder(file)
    rows = [(row["filename"], row["label"]) for row in read_rows(file, ("filename", "label"))]
    for image, label in rows:
        if not label or not image or Path(image).name != image:
            raise TgrError(f"{file}: the row '{image},{label}' does not name an image of the folder and its class")
    differing = {label for _, label in rows} ^ set(classes)
    if differing:
        raise TgrError(f"{file}: not the {split} classes of miniImageNet: {shorten(list(differing))} differ")
    return sorted(rows, key=lambda row: (classes.index(row[1]), row[0]))
