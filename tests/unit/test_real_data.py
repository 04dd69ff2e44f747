"""The real datasets, where somebody has them: TGR_DATA names a folder with `cifar-fs` or `miniimagenet` in it."""

import os
from pathlib import Path

import pytest

from tgr import seeds
from tgr.config.teachers import Dataset
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import split_episodes
from tgr.data.readers import registry
from tgr.data.sources import load_dataset


def load(source: str, folder: str, image_size: int | None = None) -> ImageDataset:
    """Read a dataset of TGR_DATA, or skip the test."""
    path = Path(os.environ.get("TGR_DATA", "")) / folder
    if "TGR_DATA" not in os.environ:
        pytest.skip("TGR_DATA is not set: it names a folder with real datasets")
    if not path.exists():
        pytest.skip(f"{path}: not there")
    entry = Dataset(source=source, path=str(path), image_size=image_size)
    return load_dataset(source, entry, registry.find(source, entry))


@pytest.mark.parametrize("source", ["cifar_fs", "fc100"])
def test_real_cifar_is_complete(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = load(source, "cifar-fs")
    assert "verified: all images of CIFAR-100, unchanged" in capsys.readouterr().out
    assert dataset.images.shape == (60_000, 3, 32, 32)
    assert all(len(dataset.indices_of(index)) == 600 for index in range(100))
    assert len(split_episodes(dataset, "meta_test", 5, 5, 15, 600, seeds.numpy_generator("real"))) == 600


@pytest.mark.parametrize("image_size", [32, 84])
def test_real_miniimagenet_is_read(image_size: int) -> None:
    dataset = load("miniimagenet", "miniimagenet", image_size)
    assert dataset.image_size == image_size
    counts = {len(dataset.indices_of(index)) for index in range(100)}
    assert len(counts) == 1 and len(dataset.images) == 100 * counts.pop()
