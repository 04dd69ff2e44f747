"""How large datasets are."""

from tgr.config.schema import Config
from tgr.config.sources import PACKS, SOURCES, Shape
from tgr.config.teachers import Dataset, Pool

UNKNOWN = Shape(100, 60_000, 84)
"""What a dataset is taken for of which the configuration says nothing."""
MB = 1e6


def known_shape(name: str, dataset: Dataset) -> Shape | None:
    """Return the shape of a pack or a benchmark before images are resized; None for any other dataset."""
    return PACKS[dataset.pack or name] if dataset.source == "pack" else SOURCES[dataset.source].shape


def shape_of(config: Config, name: str) -> Shape:
    """Return the shape of a dataset."""
    dataset = config.datasets[name]
    if dataset.source == "mix":
        members = [shape_of(config, member) for member in dataset.of]
        shape = Shape(sum(m.classes for m in members), sum(m.images for m in members), UNKNOWN.pixels)
    else:
        shape = known_shape(name, dataset) or UNKNOWN
    return Shape(shape.classes, shape.images, dataset.image_size or shape.pixels)


def images_mb(shape: Shape) -> float:
    """MB of all images of a dataset, as bytes."""
    return shape.images * 3 * shape.pixels**2 / MB


def pool_pixels(config: Config, pool: Pool) -> int:
    """Return the height of a pool's images; existing models, whose table says it, are taken for 32 pixels here."""
    return shape_of(config, pool.dataset).pixels if pool.dataset else 32
