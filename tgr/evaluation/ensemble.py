"""Many teachers together, by nearest class mean in their features side by side (method ``ensemble``).

The squared distance in features side by side is the sum of the distances in those of each teacher. So teachers take
their turns: each classifies all episodes before the next is loaded, and no more than one is in memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from tgr.artifacts import digest
from tgr.backbones.classifier import batchnorm_layers, batchnorm_mode
from tgr.config.learning import Evaluation
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.evaluation.model import Member, TrainedModel
from tgr.evaluation.protocols import NEAREST_MEAN
from tgr.evaluation.scoring import Scorer
from tgr.evaluation.tasks import TaskSet
from tgr.meta.nearest_mean import accuracy, labels
from tgr.pool.card import Card, read_cards
from tgr.pool.teacher import Teacher, load_teacher


class EnsembleScorer(Scorer):
    """Scores an ensemble of teachers.

    Args:
        trained: the model folder, which names the members.
        evaluation: protocols' parameters and BatchNorm mode.
        device: where to compute.
        title: what the progress bars say.
        folders: of the shards of the scenario's pools.

    Raises:
        TgrError: a member is not among the teachers.
    """

    def __init__(
        self,
        trained: TrainedModel,
        evaluation: Evaluation,
        device: torch.device,
        title: str,
        folders: Sequence[Path],
    ) -> None:
        super().__init__(trained, evaluation, device, title)
        self._members = find_members(trained, folders)

    def _run(self, checkpoint: int, protocol: str, tasks: TaskSet, inner_lr: float, inner_steps: int) -> list[float]:
        if protocol not in NEAREST_MEAN:
            raise TgrError(f"{self.trained.folder}: an ensemble has no weights to fine-tune; evaluate it by ncm")
        n_episodes, n_way, n_query = tasks.episodes.query.shape
        total = torch.zeros(n_episodes, n_way * n_query, n_way, dtype=torch.float64)
        resized = tasks
        for folder, card, member in tqdm(self._members, desc=self.title, unit="teacher", mininterval=2):
            teacher = load_member(folder, card, member, self.device)
            if resized.images.shape[-1] != card.image_size:
                resized = TaskSet(resize(tasks.images, card.image_size), tasks.episodes)
            distances = torch.stack([*_distances(teacher, resized, self.evaluation.bn_mode_of(protocol))])
            if not torch.isfinite(distances).all():
                raise TgrError(f"{folder / card.file}: gives features that are not finite; take it out of its pool")
            total += distances
        targets = labels(tasks.episodes.query[0])
        return [accuracy(-distances, targets) for distances in total]


def _distances(teacher: Teacher, tasks: TaskSet, bn_mode: str) -> Iterator[Tensor]:
    n_way = tasks.episodes.support.shape[1]
    for support, query in episode_features(teacher, tasks, bn_mode):
        yield scaled_distances(support, query, n_way, transductive=bn_mode == "batch")


def find_members(trained: TrainedModel, folders: Sequence[Path]) -> list[tuple[Path, Card, Member]]:
    """Return folder and card of each member of an ensemble, in its order.

    Raises:
        TgrError: a member is not among the teachers of these folders.
    """
    found = {card.key: (Path(folder), card) for folder in folders for card in read_cards(folder)}
    missing = [member.key for member in trained.card.members if member.key not in found]
    if missing:
        raise TgrError(
            f"{trained.folder}: its members {', '.join(missing)} are not among the teachers of the scenario; "
            "delete the folder and run again"
        )
    return [(*found[member.key], member) for member in trained.card.members]


def load_member(folder: Path, card: Card, member: Member, device: torch.device) -> Teacher:
    """Load a member of an ensemble.

    Raises:
        TgrError: its file is missing, damaged, or another than when the ensemble was put together.
    """
    teacher = load_teacher(folder, card, device)
    if digest(folder / card.file) != member.sha256:
        raise TgrError(
            f"{folder / card.file}: has another digest than the teacher of which the ensemble was made; "
            "delete the model's folder and run again"
        )
    return teacher


@torch.no_grad()
def episode_features(teacher: Teacher, tasks: TaskSet, bn_mode: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a teacher's features of each episode: support (n_way * k_shot, d) and query (n_way * n_query, d).

    BatchNorm statistics of the batch are those of support and query together, as for the protocol ``ncm``. Where no
    image's features depend on other images, each image passes once, in however many episodes it occurs.

    Args:
        tasks: images in the teacher's size.
    """
    if bn_mode == "batch" and batchnorm_layers(teacher.model):
        with batchnorm_mode(teacher.model, bn_mode):
            for task in tasks.tasks(teacher.card, teacher.device):
                images = torch.cat([task.support_images, task.query_images])
                features = teacher.logits_and_features(images)[1]
                yield features[: len(task.support_labels)], features[len(task.support_labels) :]
        return
    known = teacher.ask(tasks.images)[1]
    for support, query in zip(tasks.episodes.support, tasks.episodes.query, strict=True):
        yield known[support.flatten()], known[query.flatten()]


def scaled_distances(support: Tensor, query: Tensor, n_way: int, transductive: bool) -> Tensor:
    """Return squared distances to the class means in one teacher's features: float64, (n_way * n_query, n_way).

    Features are centred and scaled to unit mean squared norm, over support and query together if ``transductive``, over
    the support alone otherwise. A term is left out that is the same for all classes of a query: its squared norm. A
    teacher to whom all images look the same has nothing to say: zeros.

    Args:
        support: (n_way * k_shot, d), class by class.
        query: (n_way * n_query, d).
    """
    support, query = support.cpu().double(), query.cpu().double()
    seen = torch.cat([support, query]) if transductive else support
    centre = seen.mean(0)
    scale = (seen - centre).square().sum(1).mean()
    if scale == 0:
        return torch.zeros(len(query), n_way, dtype=torch.float64)
    means = (support - centre).view(n_way, -1, support.shape[1]).mean(1)
    return (means.square().sum(1) - 2 * (query - centre) @ means.T) / scale
