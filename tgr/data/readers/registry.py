"""Readers by name: a name of ``tgr.config.sources`` is the name of a module here."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from tgr.config.sources import SOURCES
from tgr.config.teachers import Dataset
from tgr.data.readers.base import SourceFiles

RESOURCES = Path(__file__).parents[2] / "resources"
READERS = tuple(source for source in SOURCES if source != "mix")


def module(source: str) -> str:
    """Return the module of a reader."""
    return f"tgr.data.readers.{source}"


def get(source: str) -> ModuleType:
    """Return a reader (see ``tgr.data.readers.base``). No reader is imported before it is asked for, so that changing
    one concerns only the datasets that use it.

    Raises:
        KeyError: there is no such reader.
    """
    if source not in READERS:
        raise KeyError(source)
    return import_module(module(source))


def find(name: str, config: Dataset, resources: Path = RESOURCES) -> SourceFiles:
    """Return what a dataset is read from.

    Raises:
        TgrError: it is not where the configuration says; the message tells where to get it.
    """
    inputs: SourceFiles = get(config.source).find(name, config, resources)
    return inputs
