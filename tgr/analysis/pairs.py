"""What a second teacher adds to a base teacher, against the classes that they share and against its architecture.

This is the experiment with which Wei et al. (ICML 2024) motivate task groups, with two differences: teachers of equal
classes are trained apart (the release's script tells no overlap from a full one by the seed alone), and the gain is
over the base teacher with twice the images, so that more images are no gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from tgr import seeds
from tgr.backbones.classifier import recalibrate_batchnorm
from tgr.backbones.probe import Probe
from tgr.backbones.registry import build
from tgr.config.learning import Meta, MetaModel
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.evaluation.model import ModelCard
from tgr.evaluation.tasks import TaskSet
from tgr.inversion.recovered import Recovered
from tgr.inversion.stage import invert_teacher
from tgr.meta.bank import MEAN, STD, bank_of_recovered
from tgr.meta.nearest_mean import ncm
from tgr.meta.replay import draw_episodes, replay
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher

CALIBRATION_BATCH = 128
TEACHERS_OF_A_DRAW = 100
"""At most: teachers are numbered through all draws, and their numbers name their seeds."""


@dataclass(frozen=True)
class Kind:
    """How the teachers of a pool are made."""

    pool: Pool
    pretrain: Pretrain
    inversion: Inversion


@dataclass(frozen=True)
class Learner:
    """What is meta-trained on the images of two teachers, by replay, and the meta-test episodes that judge it."""

    model: MetaModel
    meta: Meta
    k_shot: int
    steps: int
    tasks: TaskSet
    bn_mode: str


@dataclass(frozen=True)
class Draw:
    """A draw of a base teacher and its companions; all seeds derive from its name and index.

    Attributes:
        name: of the experiment.
        index: number of the draw.
        dataset: whose meta-train classes are drawn.
        device: where to compute.
    """

    name: str
    index: int
    dataset: ImageDataset
    device: torch.device

    def classes(self, n_way: int, overlap: int) -> list[int]:
        """Return the classes of a teacher that shares ``overlap`` of them with the base, in an arbitrary label order.

        One more in common exchanges one class, the others stay.

        Raises:
            TgrError: meta-train is too small for two teachers without a class in common.
        """
        candidates = self.dataset.splits["meta_train"]
        if len(candidates) < 2 * n_way:
            raise TgrError(
                f"pairs.{self.name}: two teachers without a class in common need {2 * n_way} meta-train classes, but "
                f"{self.dataset.name} has {len(candidates)}; lower n_way of the pools"
            )
        order = seeds.numpy_generator("pairs", self.name, self.index, "classes").permutation(candidates).tolist()
        chosen = order[:overlap] + order[n_way : 2 * n_way - overlap]
        return seeds.numpy_generator("pairs", self.name, self.index, "labels", overlap).permutation(chosen).tolist()

    def teacher(self, pool: str, kind: Kind, overlap: int, number: int) -> Teacher:
        """Train a teacher; ``number`` tells it from the others of the draw."""
        model, card = pretrain_teacher(
            f"{self.name}-{pool}",
            TEACHERS_OF_A_DRAW * self.index + number,
            kind.pool,
            kind.pretrain,
            self.dataset,
            self.device,
            self.classes(kind.pool.n_way, overlap),
        )
        return Teacher(card, model)

    def accuracy(self, recovered: Sequence[Recovered], learner: Learner) -> float:
        """Return the mean accuracy on meta-test episodes after replay on the images of some teachers."""
        names = ("pairs", self.name, self.index)
        shape, meta = learner.model, learner.meta
        bank = bank_of_recovered(recovered, shape.image_size, meta.held_out_per_class, "shared")
        model = build(
            shape.architecture, meta.n_way, shape.width, shape.image_size, *names, "model", options=shape.options
        ).to(self.device)
        episodes = seeds.numpy_generator(*names, "replay")
        draw = partial(draw_episodes, bank, meta, learner.k_shot, episodes, self.device)
        replay(model, draw, meta, learner.steps, lambda step, values: None)
        recalibrate_batchnorm(model, [part.to(self.device) for part in bank.images.split(CALIBRATION_BATCH)])
        card = ModelCard(**shape.model_dump(), mean=MEAN, std=STD, checkpoints=[])
        return fmean(ncm(model, task, learner.bn_mode) for task in learner.tasks.tasks(card, self.device))


def measure_draw(
    draw: Draw, kinds: Mapping[str, Kind], base: str, learner: Learner, file: Path, probe: Probe | None = None
) -> None:
    """Measure all second teachers of one draw and write one row for each as parquet.

    Columns: ``pairs``, ``draw``, ``other`` (a pool), ``overlap``, ``jaccard`` (of the two teachers' classes),
    ``accuracy`` and ``base_accuracy`` (nearest class mean, mean over meta-test episodes; the latter of the base teacher
    with a second inversion of its own), ``gain`` (their difference), ``n_episodes``.

    Args:
        kinds: how teachers are made, by pool: those of the base's kind at each overlap, the others without a class in
            common with the base.
        base: the pool of the base's kind.
        probe: for inversions with the prior ``probe_weight``.

    Raises:
        TgrError: as training and inversion do.
    """
    kind, n_way = kinds[base], kinds[base].pool.n_way
    teacher = draw.teacher(base, kind, n_way, 0)
    again = replace(teacher, card=teacher.card.model_copy(update={"name": f"{teacher.card.name}-again"}))
    first, second = (invert_teacher(one, kind.inversion, probe) for one in (teacher, again))
    base_accuracy = draw.accuracy([first, second], learner)
    companions = [(base, overlap) for overlap in range(n_way + 1)] + [(other, 0) for other in kinds if other != base]
    rows: list[dict[str, Any]] = []
    for number, (other, overlap) in enumerate(tqdm(companions, desc=f"draw {draw.index}", unit="pair"), 1):
        companion = draw.teacher(other, kinds[other], overlap, number)
        accuracy = draw.accuracy([first, invert_teacher(companion, kinds[other].inversion, probe)], learner)
        rows.append(
            {
                "pairs": draw.name,
                "draw": draw.index,
                "other": other,
                "overlap": overlap,
                "jaccard": overlap / (2 * n_way - overlap),
                "accuracy": accuracy,
                "base_accuracy": base_accuracy,
                "gain": accuracy - base_accuracy,
                "n_episodes": len(learner.tasks),
            }
        )
    pd.DataFrame(rows).to_parquet(file, index=False)
