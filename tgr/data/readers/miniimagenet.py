"""miniImageNet: 100 classes of ImageNet, 64/16/20, 600 images each."""

from collections import Counter
from pathlib import Path

from tgr.artifacts import read_json, refuse_placeholder
from tgr.config.delimited import read_rows
from tgr.config.teachers import Dataset
from tgr.data.readers.base import About, Source, SourceFiles, require_path, shorten
from tgr.data.readers.listing import LeftOut, find_split_folders, has_splits, list_images
from tgr.data.splits import SPLITS, index_splits, list_classes, read_splits
from tgr.errors import TgrError

LISTS = dict(zip(SPLITS, ("train.csv", "val.csv", "test.csv"), strict=True))
IMAGES_PER_CLASS = 600
ABOUT = About(
    title="miniImageNet (Vinyals et al., Matching Networks, NeurIPS 2016; split of Ravi and Larochelle, ICLR 2017)",
    origin="https://www.image-net.org (ILSVRC 2012) by means of https://github.com/yaoyao-liu/mini-imagenet-tools",
    layout="a folder with images/*.jpg and the lists train.csv, val.csv and test.csv (columns filename, label), or "
    "with meta_train/<class>/*.jpg, meta_val/... and meta_test/...; a class is a WordNet number such as n01532829",
    licence="ImageNet's terms of access: research and teaching that is not commercial, no redistribution",
)


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the three lists and the folder of images, or the folder of the splits' folders.

    Raises:
        TgrError: they are not there.
    """
    folder = require_path(name, config.path, ABOUT)
    if has_splits(folder):
        return SourceFiles([resources / "splits" / "miniimagenet.json"], folder)
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
    images, left_out = _read_lists(lists, splits, folder) if lists else _read_folders(splits, folder)
    numbers = list_classes(splits)
    counts = Counter(label for _, label in images)
    if set(counts.values()) != {IMAGES_PER_CLASS}:
        counted = f"{min(counts.values())} to {max(counts.values())} images a class"
        print(ABOUT.incomparable(counted, str(IMAGES_PER_CLASS)))
    position = {number: index for index, number in enumerate(numbers)}
    names = read_json(splits_file)["class_names"]
    return Source(
        images=[image for image, _ in images],
        labels=[position[label] for _, label in images],
        class_names=[names[number] for number in numbers],
        splits=index_splits(splits, numbers),
        left_out=left_out,
    )


def _read_folders(splits: dict[str, list[str]], folder: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return the images (file, class) of folders named by class, and what is left out."""
    left_out = LeftOut()
    folders = find_split_folders(folder, splits, left_out)
    files = {number: list_images(folders[number], left_out) for number in list_classes(splits)}
    if empty := [str(folders[number].relative_to(folder)) for number in files if not files[number]]:
        raise TgrError(f"{folder}: no images in {shorten(empty)}; wanted the 100 classes by their WordNet numbers")
    return [(file, number) for number, listed in files.items() for file in listed], left_out.describe()


def _read_lists(
    lists: list[Path], splits: dict[str, list[str]], folder: Path
) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return the images (file, class) that the lists name, and what they do not."""
    rows = [row for file, split in zip(lists, SPLITS, strict=True) for row in _read_list(file, splits[split], split)]
    present = {file.name for file in folder.iterdir()}
    absent = [image for image, _ in rows if image not in present]
    if absent:
        raise TgrError(f"{folder}: {shorten(absent)} are listed but missing; copy all images")
    repeated = [image for image, count in Counter(image for image, _ in rows).items() if count > 1]
    if repeated:
        raise TgrError(f"{folder.parent}: {shorten(repeated)} are listed more than once; take the original lists")
    unlisted = sorted(present - {image for image, _ in rows})
    left_out = [f"{len(unlisted)} in {folder} that no list names: {shorten(unlisted)}"] if unlisted else []
    return [(folder / image, label) for image, label in rows], left_out


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
