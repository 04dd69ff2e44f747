"""CIFAR-FS: CIFAR-100 with 64/16/20 classes."""

from dataclasses import replace
from pathlib import Path

from tgr.config.teachers import Dataset
from tgr.data.readers import cifar100
from tgr.data.readers.base import Source, SourceFiles, shorten
from tgr.data.splits import SPLITS, read_splits
from tgr.errors import TgrError

ABOUT = replace(
    cifar100.ABOUT,
    title="CIFAR-FS (Bertinetto et al., Meta-learning with differentiable closed-form solvers, ICLR 2019), "
    f"a split of {cifar100.ABOUT.title}",
)
LISTS = dict(zip(SPLITS, ("train.txt", "val.txt", "test.txt"), strict=True))


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the images' files, and the class lists that a folder has of its own. Raises as ``cifar100.find``."""
    inputs = cifar100.find(name, config, resources / "splits" / "cifar_fs.json", ABOUT)
    if inputs.folder is None:
        return inputs
    lists = [inputs.folder.parent / "splits" / "bertinetto" / file for file in LISTS.values()]
    return replace(inputs, files=[*inputs.files, *(file for file in lists if file.is_file())])


def read(inputs: SourceFiles, name: str) -> Source:
    """Read the images, after comparing the folder's own class lists with the published ones.

    Raises:
        TgrError: they differ; and as ``cifar100.read``.
    """
    lists = [file for file in inputs.files if file.name in LISTS.values()]
    published = read_splits(inputs.files[0])
    for split, file_name in LISTS.items():
        for file in lists:
            if file.name == file_name:
                _check_list(file, published[split], split)
    return cifar100.read(replace(inputs, files=[file for file in inputs.files if file not in lists]))


def _check_list(file: Path, published: list[str], split: str) -> None:
    try:
        listed = file.read_text(encoding="utf-8").split()
    except UnicodeDecodeError as error:
        raise TgrError(f"{file}: not a list of classes in UTF-8 ({error}); take the original list") from error
    differing = set(listed) ^ set(published)
    if differing:
        raise TgrError(
            f"{file}: not the {split} classes of CIFAR-FS: {shorten(list(differing))} differ; for a split of your own "
            "use `source: folder`"
        )
