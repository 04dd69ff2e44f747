"""Training on real images until meta-val accuracy no longer rises: what the ceilings have in common."""

from collections.abc import Callable
from statistics import fmean

from torch import Tensor

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import Episodes, split_episodes
from tgr.data.transforms import normalise, resize
from tgr.meta.bank import MEAN, STD
from tgr.meta.nearest_mean import Task, ncm
from tgr.meta.stall import Stall
from tgr.methods.training import Trained, Training

N_EPISODES = 60
"""Meta-val episodes of each dataset after each round, the same ones after every round."""
K_SHOT = 5


def train_out(
    train_round: Callable[[int], None], score: Callable[[], float], trained: Trained, rounds: int, patience: int
) -> None:
    """Train in rounds until ``patience`` of them in a row have not exceeded the best score; keep the best model.

    Args:
        train_round: is given its number, from 0; trains a model on and keeps a checkpoint in ``trained``.
        score: returns the meta-val accuracy of the model as it is, see ``meta_val_score``.
        trained: holds one checkpoint in the end.
        rounds: at most.
    """
    stall, best = Stall(patience), float("-inf")
    for number in range(rounds):
        train_round(number)
        step, _ = last = trained.checkpoints[-1]
        accuracy = score()
        trained.log(step, trained.phases(step)[-1], {"meta_val_accuracy": accuracy})
        trained.checkpoints[:] = [last] if accuracy > best else trained.checkpoints[:1]
        best = max(best, accuracy)
        if stall.observe(accuracy):
            return


def meta_val_score(model: Classifier, training: Training) -> Callable[[], float]:
    """Return a function that gives a model's accuracy by 5-shot nearest class mean, averaged over the real datasets.

    Its episodes are drawn once, from meta-val classes; evaluation has others.

    Raises:
        TgrError: a dataset has too few meta-val classes for an episode.
    """
    drawn = [(dataset, _draw(dataset, training)) for dataset in training.real]
    return lambda: fmean(_score(model, episodes, dataset, training) for dataset, episodes in drawn)


def _draw(dataset: ImageDataset, training: Training) -> Episodes:
    """Draw the episodes of a dataset; with fewer shots and queries where its classes are small."""
    smallest = min(len(dataset.indices_of(index)) for index in dataset.splits["meta_val"])
    k_shot = min(K_SHOT, smallest // 2)
    n_query = min(training.meta.n_query, smallest - k_shot)
    generator = seeds.numpy_generator("trained out", dataset.name)
    return split_episodes(dataset, "meta_val", training.meta.n_way, k_shot, n_query, N_EPISODES, generator)


def _score(model: Classifier, episodes: Episodes, dataset: ImageDataset, training: Training) -> float:
    """Return the mean accuracy over some episodes."""

    def images(chosen: Tensor) -> Tensor:
        small = resize(dataset.images[chosen.flatten()], training.meta_model.image_size)
        return normalise(small.to(training.device), MEAN, STD).unflatten(0, chosen.shape)

    parts = zip(episodes.support, episodes.query, strict=True)
    return fmean(ncm(model, Task(images(support), images(query)), "batch") for support, query in parts)
