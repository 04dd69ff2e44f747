"""FC100: CIFAR-100 with 60/20/20 classes, split by superclass."""

from dataclasses import replace
from pathlib import Path

from tgr.config.teachers import Dataset
from tgr.data.readers import cifar100
from tgr.data.readers.base import Source, SourceFiles

ABOUT = replace(
    cifar100.ABOUT,
    title=f"FC100 (Oreshkin et al., TADAM, NeurIPS 2018), a split of {cifar100.ABOUT.title}",
)


def find(name: str, config: Dataset, resources: Path) -> SourceFiles:
    """Return the images' files. Raises as ``cifar100.find``."""
    return cifar100.find(name, config, resources / "splits" / "fc100.json", ABOUT)


def read(inputs: SourceFiles, name: str) -> Source:
    """Read the images. Raises as ``cifar100.read``."""
    return cifar100.read(inputs)
