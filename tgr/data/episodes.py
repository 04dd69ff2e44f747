"""Frozen few-shot episodes: drawn once, stored, and shared by all methods, so that every comparison is paired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tgr import seeds
from tgr.artifacts import load_tensors, save_tensors
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError


@dataclass(frozen=True)
class Episodes:
    """Image indices of n-way k-shot tasks.

    Attributes:
        support: int64, (n_episodes, n_way, k_shot).
        query: int64, (n_episodes, n_way, n_query). The class of an image is its position along the second axis.
    """

    support: Tensor
    query: Tensor

    def __len__(self) -> int:
        return len(self.support)

    def __getitem__(self, part: slice) -> "Episodes":
        return Episodes(self.support[part], self.query[part])


def sample_episodes(
    members: Sequence[Tensor], n_way: int, k_shot: int, n_query: int, n_episodes: int, generator: np.random.Generator
) -> Episodes:
    """Draw episodes: classes without replacement, then images without replacement.

    Args:
        members: for each class, the indices of its images: int64, (n,).

    Raises:
        TgrError: fewer classes than ``n_way``, or a class with fewer than ``k_shot + n_query`` images.
    """
    if len(members) < n_way:
        raise TgrError(f"{n_way}-way episodes need {n_way} classes, but there are {len(members)}")
    per_class = k_shot + n_query
    smallest = min(len(m) for m in members)
    if smallest < per_class:
        raise TgrError(
            f"{k_shot}-shot episodes with {n_query} queries need {per_class} images a class; one has {smallest}"
        )
    drawn = torch.empty((n_episodes, n_way, per_class), dtype=torch.int64)
    for episode in range(n_episodes):
        for position, index in enumerate(generator.choice(len(members), n_way, replace=False)):
            chosen = generator.choice(len(members[index]), per_class, replace=False)
            drawn[episode, position] = members[index][torch.from_numpy(chosen)]
    return Episodes(drawn[:, :, :k_shot].contiguous(), drawn[:, :, k_shot:].contiguous())


def split_episodes(
    dataset: ImageDataset,
    split: str,
    n_way: int,
    k_shot: int,
    n_query: int,
    n_episodes: int,
    generator: np.random.Generator,
) -> Episodes:
    """Draw episodes from the classes of one split of a dataset. Raises as ``sample_episodes``, naming the dataset."""
    members = [dataset.indices_of(index) for index in dataset.splits[split]]
    try:
        return sample_episodes(members, n_way, k_shot, n_query, n_episodes, generator)
    except TgrError as error:
        raise TgrError(f"dataset {dataset.name}, {split}: {error}") from error


def save_episodes(path: str | Path, episodes: dict[str, Episodes]) -> None:
    """Write episodes of several splits into one safetensors file."""
    tensors = {f"{split}.{part}": getattr(e, part) for split, e in episodes.items() for part in ("support", "query")}
    save_tensors(path, tensors)


def load_episodes(path: str | Path) -> dict[str, Episodes]:
    """Read what ``save_episodes`` wrote.

    Raises:
        TgrError: the file is missing, damaged, or holds no episodes.
    """
    tensors, _ = load_tensors(path)
    splits = sorted({name.split(".")[0] for name in tensors})
    try:
        return {split: Episodes(tensors[f"{split}.support"], tensors[f"{split}.query"]) for split in splits}
    except KeyError as error:
        raise TgrError(f"{path}: holds no episodes: {error} is missing; delete it and run again") from error


def draw_episodes(*, dataset: Path, shot: int, shape: Mapping[str, int], episodes: Path) -> None:
    """Draw the frozen episodes of meta-val and meta-test of a dataset, and write them into the file ``episodes``.

    Args:
        shape: ``n_way``, ``n_query``, and how many: ``n_val_episodes``, ``n_episodes``.

    Raises:
        TgrError: the dataset is damaged, or too small for such episodes.
    """
    images = ImageDataset.load(dataset)
    counts = {"meta_val": shape["n_val_episodes"], "meta_test": shape["n_episodes"]}
    drawn = {}
    for split, count in counts.items():
        generator = seeds.numpy_generator("episodes", images.name, split, shot)
        drawn[split] = split_episodes(images, split, shape["n_way"], shot, shape["n_query"], count, generator)
    save_episodes(episodes, drawn)
