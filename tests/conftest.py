"""What several test modules share."""

import os
from collections.abc import Iterator

from tgr.run import processor

# Before torch is imported: tests run side by side, and more threads than cores would slow all of them down; golden
# numbers are those of pinned kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ |= processor.environment("pinned")

import pytest
import torch

from tests import device
from tgr.data.dataset import ImageDataset


@pytest.fixture(scope="session", autouse=True)
def on_device() -> Iterator[None]:
    """Let the pretended device be there, if tests ask for it."""
    with device.present():
        yield


@pytest.fixture(autouse=True)
def nothing_refused(on_device: None) -> Iterator[None]:
    """Fail a test whose backward pass asked what the pretended device refuses."""
    yield
    assert not device.refusals()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Let a test that builds a network draw the same weights whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_dataset() -> ImageDataset:
    """Fourteen classes of 24 images at 16 px; a class is a colour and a brighter quadrant under noise."""
    generator = torch.Generator().manual_seed(0)
    n_classes, per_class, size = 14, 24, 16
    images = torch.randint(0, 60, (n_classes * per_class, 3, size, size), generator=generator)
    labels = torch.arange(n_classes).repeat_interleave(per_class)
    colours = torch.randint(40, 140, (n_classes, 3, 1, 1), generator=generator)
    images = images + colours[labels]
    for index, label in enumerate(labels.tolist()):
        row, column = divmod(label % 4, 2)
        images[index, :, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] += 50
    splits = {"meta_train": list(range(6)), "meta_val": list(range(6, 10)), "meta_test": list(range(10, 14))}
    names = [f"class-{i:02d}" for i in range(n_classes)]
    return ImageDataset("tiny", images.clamp(0, 255).to(torch.uint8), labels, names, splits)
