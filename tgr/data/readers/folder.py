"""Any images: ``<path>/<class>/*.png``, or of another of ``listing.SUFFIXES``; and a JSON file of class splits."""

from pathlib import Path

from tgr.config.teachers import Dataset
from tgr.data.readers.base import Source, SourceFiles
from tgr.data.readers.listing import LeftOut, find_folders, list_images
from tgr.data.splits import index_splits, list_classes, read_splits
from tgr.errors import TgrError

ABOUT = None


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the file of splits and the folder.

    Raises:
        TgrError: the folder is not there.
    """
    folder = Path(str(config.path))
    if not folder.is_dir():
        raise TgrError(f"datasets.{name}.path: {folder} is not a folder; put the images into {folder}/<class>/")
    return SourceFiles([Path(str(config.splits))], folder)


def read(inputs: SourceFiles, name: str) -> Source:
    """List the images of the classes that the splits name.

    Raises:
        TgrError: a class has no images.
    """
    splits_file, folder = inputs.files[0], inputs.images()
    splits = read_splits(splits_file)
    class_names = list_classes(splits)
    left_out = LeftOut()
    folders = find_folders(folder, class_names, left_out)
    images: list[Path] = []
    labels: list[int] = []
    for label, class_name in enumerate(class_names):
        files = list_images(folders[class_name], left_out)
        if not files:
            others = left_out.kinds(folders[class_name])
            found = f"; it holds {others}: convert or move them" if others else ""
            raise TgrError(f"{folder / class_name}: no images, but {splits_file} names this class{found}")
        images += files
        labels += [label] * len(files)
    return Source(images, labels, class_names, index_splits(splits, class_names), left_out.describe())
