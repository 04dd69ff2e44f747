"""Accuracies of a trained model on sets of episodes; whatever was computed once is remembered."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from tqdm import tqdm

from tgr.backbones.classifier import Classifier
from tgr.config.learning import Evaluation
from tgr.evaluation.model import TrainedModel
from tgr.evaluation.protocols import NEAREST_MEAN, finetuning
from tgr.evaluation.tasks import TaskSet
from tgr.meta.nearest_mean import Task, ncm


class Scorer:
    """Runs the protocols for one trained model.

    Two rules that choose the same checkpoint, or a tuned protocol that settles on the fixed one's step size and count,
    cost nothing the second time.

    Args:
        trained: the model folder.
        evaluation: protocols' parameters and BatchNorm mode.
        device: where to compute.
        title: what the progress bars say.
    """

    def __init__(self, trained: TrainedModel, evaluation: Evaluation, device: torch.device, title: str) -> None:
        self.trained = trained
        self.evaluation = evaluation
        self.device = device
        self.title = title
        self._loaded: tuple[int, Classifier] | None = None
        self._tuned: dict[int, tuple[float, int]] = {}
        # TaskSets are kept beside their results, so that no other can take over an id() that serves as key.
        self._results: dict[tuple[int, int, str, float, int], tuple[TaskSet, list[float]]] = {}

    def score(self, checkpoint: int, protocol: str, tasks: TaskSet) -> list[float]:
        """Return the accuracy of each episode.

        ``finetune_tuned`` must have been tuned for the checkpoint before.
        """
        inner_lr, inner_steps = 0.0, 0
        if protocol == "finetune":
            inner_lr, inner_steps = self.evaluation.inner_lr, self.evaluation.inner_steps
        elif protocol == "finetune_tuned":
            inner_lr, inner_steps = self._tuned[checkpoint]
        kind = protocol if protocol in NEAREST_MEAN else "finetune"
        key = (checkpoint, id(tasks), kind, inner_lr, inner_steps)
        if key not in self._results:
            self._results[key] = (tasks, self._run(checkpoint, protocol, tasks, inner_lr, inner_steps))
        return self._results[key][1]

    def _run(self, checkpoint: int, protocol: str, tasks: TaskSet, inner_lr: float, inner_steps: int) -> list[float]:
        model, bn_mode = self._model(checkpoint), self.evaluation.bn_mode_of(protocol)
        episodes = self._episodes(checkpoint, tasks, protocol)
        if protocol in NEAREST_MEAN:
            return [ncm(model, task, bn_mode) for task in episodes]
        adapt = finetuning(model, inner_lr, [inner_steps], bn_mode)
        return [adapt(task)[0] for task in episodes]

    def tune(self, checkpoint: int, sets: Sequence[TaskSet]) -> tuple[float, int]:
        """Choose step size and step count for ``finetune_tuned`` on meta-val episodes.

        Args:
            sets: meta-val episodes of each dataset; the first ``evaluation.tune.n_episodes`` of each are used.

        Returns:
            inner_lr and inner_steps with the highest accuracy, averaged over datasets; of equal ones the fewest
            steps, then the smallest step size.
        """
        if checkpoint not in self._tuned:
            grid = self.evaluation.tune
            parts = [tasks[: grid.n_episodes] for tasks in sets]
            steps, sizes = sorted(set(grid.inner_steps)), sorted(set(grid.inner_lr))
            results: dict[tuple[float, int], float] = {}
            for inner_lr in sizes:
                means = np.mean([self._trajectories(checkpoint, part, inner_lr, steps) for part in parts], axis=0)
                results |= {(inner_lr, count): round(float(mean), 9) for count, mean in zip(steps, means, strict=True)}
            self._tuned[checkpoint] = min(results, key=lambda pair: (-results[pair], pair[1], pair[0]))
        return self._tuned[checkpoint]

    def _trajectories(self, checkpoint: int, tasks: TaskSet, inner_lr: float, steps: Sequence[int]) -> np.ndarray:
        """Return the mean accuracy after each step count: (len(steps),)."""
        model = self._model(checkpoint)
        episodes = self._episodes(checkpoint, tasks, f"tuning at {inner_lr:g}")
        adapt = finetuning(model, inner_lr, steps, self.evaluation.bn_mode)
        return np.mean([adapt(task) for task in episodes], axis=0)

    def _episodes(self, checkpoint: int, tasks: TaskSet, purpose: str) -> Iterable[Task]:
        """Return the episodes behind a progress bar that says what they are for."""
        return tqdm(
            tasks.tasks(self.trained.card, self.device),
            desc=f"{self.title}, checkpoint {checkpoint}, {purpose}",
            total=len(tasks),
            unit="episode",
            mininterval=2,
        )

    def _model(self, checkpoint: int) -> Classifier:
        if self._loaded is None or self._loaded[0] != checkpoint:
            model = self.trained.load(checkpoint, self.evaluation.n_way, self.device)
            self._loaded = (checkpoint, model)
        return self._loaded[1]
