"""Episodes with their images: real ones of a dataset, and `datafree` ones of held-out recovered images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tgr import seeds
from tgr.config.learning import Evaluation
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import Episodes, load_episodes
from tgr.data.transforms import normalise, resize
from tgr.devices import hold
from tgr.errors import TgrError
from tgr.evaluation.model import ModelCard
from tgr.inversion.holdout import holdout_mask
from tgr.inversion.recovered import Recovered
from tgr.meta.nearest_mean import Task
from tgr.pool.card import Card


@dataclass(frozen=True)
class TaskSet:
    """Frozen episodes, and the images to which their indices refer.

    Attributes:
        images: uint8, (n, 3, size, size), at the model's input size; for an ensemble as the dataset has them.
        episodes: image indices.
    """

    images: Tensor
    episodes: Episodes

    def __len__(self) -> int:
        return len(self.episodes)

    def __getitem__(self, part: slice) -> "TaskSet":
        return TaskSet(self.images, self.episodes[part])

    def tasks(self, card: ModelCard | Card, device: torch.device) -> Iterator[Task]:
        """Yield the episodes, normalised for a model, on a device."""
        images = hold(self.images, device)
        parts = (part.to(images.device) for part in (self.episodes.support, self.episodes.query))
        for chosen in zip(*parts, strict=True):
            yield Task(*(_normalised(images[part.flatten()].to(device), part.shape, card) for part in chosen))


def _normalised(images: Tensor, shape: torch.Size, card: ModelCard | Card) -> Tensor:
    return normalise(images, card.mean, card.std).unflatten(0, shape)


def real_tasks(
    dataset_file: Path, episode_file: Path, evaluation: Evaluation, shot: int, image_size: int | None
) -> dict[str, TaskSet]:
    """Read the frozen episodes of ``meta_val`` and ``evaluation.split`` with their images, resized to ``image_size``.

    ``None`` leaves images as the dataset has them.

    Raises:
        TgrError: a file is missing or damaged, or the episodes are not those that the configuration asks for.
    """
    dataset = ImageDataset.load(dataset_file)
    episodes = load_episodes(episode_file)
    sets: dict[str, TaskSet] = {}
    for split in dict.fromkeys(("meta_val", evaluation.split)):
        if split not in episodes or episodes[split].support.shape[1:] != (evaluation.n_way, shot):
            raise TgrError(f"{episode_file}: no {evaluation.n_way}-way {shot}-shot episodes of {split}; draw them")
        sets[split] = _compact(dataset.images, episodes[split], image_size)
    return sets


def _compact(images: Tensor, episodes: Episodes, image_size: int | None) -> TaskSet:
    """Keep and resize only the images that the episodes use."""
    used, positions = torch.cat([episodes.support.flatten(), episodes.query.flatten()]).unique(return_inverse=True)
    support, query = positions.split([episodes.support.numel(), episodes.query.numel()])
    renumbered = Episodes(support.view(episodes.support.shape), query.view(episodes.query.shape))
    return TaskSet(resize(images[used], image_size or images.shape[-1]), renumbered)


def datafree_tasks(
    recovered: Sequence[Recovered],
    scenario: str,
    evaluation: Evaluation,
    held_out_per_class: int,
    shot: int,
    image_size: int,
) -> TaskSet:
    """Draw episodes from recovered images: support sets from those used in training, queries from held-out ones.

    Images of one class are pooled over the teachers that know it; classes of models from elsewhere are their own. The
    draw depends on the scenario and the shot only, so all methods share it.

    Raises:
        TgrError: fewer classes than ``evaluation.n_way``, or a class with too few images.
    """
    train, held_out = _pooled_members(recovered, held_out_per_class)
    images = torch.cat([resize(r.images, image_size) for r in recovered])
    generator = seeds.numpy_generator("episodes", scenario, "datafree", shot)
    n_query = min(evaluation.n_query, min(len(m) for m in held_out))
    episodes = _sample(train, held_out, evaluation.n_way, shot, n_query, evaluation.n_val_episodes, generator)
    return TaskSet(images, episodes)


def _pooled_members(recovered: Sequence[Recovered], held_out_per_class: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return, for each class of the bank in order of name, its training and its held-out images' indices."""
    parts: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
    offset = 0
    for r in recovered:
        mask = holdout_mask(r.labels, held_out_per_class)
        for label, name in enumerate(r.class_keys("shared")):
            train, held_out = parts.setdefault(name, ([], []))
            train.append(offset + torch.nonzero((r.labels == label) & ~mask).flatten())
            held_out.append(offset + torch.nonzero((r.labels == label) & mask).flatten())
        offset += len(r.labels)
    ordered = [parts[name] for name in sorted(parts)]
    return [torch.cat(train) for train, _ in ordered], [torch.cat(held_out) for _, held_out in ordered]


def _sample(
    train: list[Tensor],
    held_out: list[Tensor],
    n_way: int,
    k_shot: int,
    n_query: int,
    n_episodes: int,
    generator: np.random.Generator,
) -> Episodes:
    if len(train) < n_way:
        raise TgrError(f"the selection rule datafree needs {n_way} recovered classes, but there are {len(train)}")
    smallest = min(len(members) for members in train)
    if smallest < k_shot:
        raise TgrError(
            f"the selection rule datafree needs {k_shot} recovered images a class beside those held out; one class has "
            f"{smallest}; raise inversion.images_per_class"
        )
    support = torch.empty((n_episodes, n_way, k_shot), dtype=torch.int64)
    query = torch.empty((n_episodes, n_way, n_query), dtype=torch.int64)
    for episode in range(n_episodes):
        for position, index in enumerate(generator.choice(len(train), n_way, replace=False)):
            for drawn, members in ((support, train[index]), (query, held_out[index])):
                chosen = generator.choice(len(members), drawn.shape[-1], replace=False)
                drawn[episode, position] = members[torch.from_numpy(chosen)]
    return Episodes(support, query)
