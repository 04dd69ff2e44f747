"""CUB-200-2011: 200 species of birds, split by the position of a class in the sorted list: 100/50/50."""

from pathlib import Path

from tgr.config.teachers import Dataset
from tgr.data.readers import folder
from tgr.data.readers.base import About, Source, SourceFiles, require_path, shorten
from tgr.data.readers.listing import list_folders
from tgr.data.splits import list_classes, read_splits
from tgr.errors import TgrError

N_IMAGES = 11_788
ABOUT = About(
    title="CUB-200-2011 (Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, 2011)",
    origin="https://www.vision.caltech.edu/datasets/cub_200_2011 (CUB_200_2011.tgz)",
    layout="the unpacked folder CUB_200_2011, with images/<class>/*.jpg for the 200 classes",
    licence="research and teaching that is not commercial; the photographers hold the rights",
)


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the file of splits and the folder of images.

    Raises:
        TgrError: it is not there.
    """
    path = require_path(name, config.path, ABOUT)
    if not (path / "images").is_dir():
        raise ABOUT.missing(name, f"{path} has no folder images")
    return SourceFiles([resources / "splits" / "cub.json"], path / "images")


def read(inputs: SourceFiles, name: str) -> Source:
    """List the images.

    Raises:
        TgrError: the folders are not the 200 classes, or one of them is empty.
    """
    folders = {path.name for path in list_folders(inputs.images())}
    differing = folders ^ set(list_classes(read_splits(inputs.files[0])))
    if differing:
        raise TgrError(f"{inputs.folder}: not the 200 classes of CUB-200-2011: {shorten(list(differing))} differ")
    source = folder.read(inputs, name)
    if len(source.images) != N_IMAGES:
        print(ABOUT.incomparable(f"{len(source.images)} images", str(N_IMAGES)))
    return source
