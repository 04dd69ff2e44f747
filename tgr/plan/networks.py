"""How large a network is: read from ``tgr/resources/networks.json``, so that planning need not import torch, or counted
where it is not listed there.

``python -m tgr.plan.networks config/*.yaml tests/workflow/tiny.yaml`` writes it for these files.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tgr.artifacts import read_json, sha256_of, write_json
from tgr.backbones.memory import FLOAT, kept_mb
from tgr.config.architectures import find_own_source, is_own, module_of, takes_options
from tgr.config.learning import MetaModel
from tgr.config.load import load
from tgr.config.schema import Config
from tgr.config.teachers import Pool
from tgr.plan.shapes import pool_pixels

FILE = Path(__file__).parents[1] / "resources" / "networks.json"
CACHE = Path(".snakemake/networks.json")
"""What was counted in this working directory, so that the jobs of a run need not count again."""
N_VALUES = 4
"""Of a network in both files, in the order of ``Network``."""


@dataclass(frozen=True)
class Network:
    """What a network costs; see ``tgr.backbones.size``.

    Attributes:
        family: ``conv4``, ``resnet``, ``timm`` and so on: networks of a family take the same time for a multiplication.
        macs, parameters, outputs: millions, for one image.
        features: numbers in front of the head.
    """

    family: str
    macs: float
    parameters: float
    outputs: float
    features: float = 0.0

    @property
    def weights_mb(self) -> float:
        """MB of its weights."""
        return self.parameters * FLOAT

    def training_mb(self, images: float) -> float:
        """MB that a forward pass of some images keeps for the backward pass."""
        return kept_mb(self.outputs, images)


def network(section: Pool | MetaModel, image_size: int) -> Network:
    """Return the network of a pool's teachers, or of a scenario.

    Raises:
        TgrError: there is no such network, or it cannot take images of this size.
    """
    return named(section.architecture, section.width, image_size, **section.options)


def named(architecture: str, width: int, image_size: int, **options: bool | int | float | str) -> Network:
    """Return the network of an architecture's name. Raises as ``network``."""
    return _network(architecture, width, image_size, json.dumps(options, sort_keys=True))


@cache
def _network(architecture: str, width: int, image_size: int, options: str) -> Network:
    key = _key(architecture, width, image_size, options)
    size = _table(FILE).get(key) or _table(CACHE).get(key)
    if size is None or len(size) != N_VALUES:  # an earlier version counted less
        size = _measure(architecture, width, image_size, options)
        if CACHE.parent.is_dir():
            write_json(CACHE, {**_table(CACHE), key: size})
            _table.cache_clear()
    return Network(module_of(architecture), *size)


def _measure(architecture: str, width: int, image_size: int, options: str) -> Sequence[float]:
    from tgr.backbones.size import measure  # imports torch

    return measure(architecture, width, image_size, json.loads(options))


@cache
def _table(file: Path) -> Mapping[str, Sequence[float]]:
    return read_json(file) if file == FILE or file.exists() else {}


def _key(architecture: str, width: int, image_size: int, options: str) -> str:
    """Name a network; own code is named with its digest, so that an edit counts anew."""
    channels = "" if takes_options(architecture) else f" {width}"
    source = find_own_source(architecture) if is_own(architecture) else None
    channels += f" {sha256_of(source)[:16]}" if source else ""
    return f"{architecture}{channels} {image_size} px" + (f" {options}" if options != "{}" else "")


def _networks(config: Config) -> Iterator[tuple[str, int, int, str]]:
    for pool in config.pools.values():
        yield pool.architecture, pool.width, pool_pixels(config, pool), json.dumps(pool.options, sort_keys=True)
    for model in config.scenarios.values():
        yield model.architecture, model.width, model.image_size, json.dumps(model.options, sort_keys=True)


def main(files: Sequence[str]) -> None:
    """Count the networks of some configurations, and write the table."""
    networks = {network for file in files for network in _networks(load(file))}
    sizes = {_key(*network): [float(f"{value:.4g}") for value in _measure(*network)] for network in networks}
    write_json(FILE, dict(sorted(sizes.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
