"""What a method receives and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build
from tgr.config.learning import Meta, MetaModel
from tgr.config.teachers import Inversion, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.inversion.recovered import Recovered
from tgr.meta.bank import MEAN, STD, ImageBank, bank_of_real, bank_of_recovered
from tgr.meta.judge import Judge
from tgr.pool.teacher import Teacher


@dataclass(frozen=True)
class Training:
    """Everything from which a method may learn.

    Attributes:
        meta_model: the network to train, as the scenario configures it.
        meta: the episodic meta-learner's configuration.
        k_shot: support images a class in training episodes.
        seed_names: the names from which all random draws derive.
        teachers: the pool, in the order of the groups.
        recovered: one entry a teacher, in the same order.
        groups: the task group of each teacher; empty for methods without groups.
        real: the real datasets; only methods on real images may look.
        device: where to compute.
        inversions: each teacher's inversion, in the same order; only for a method that recovers images as it trains.
        probe: names the probe network, if one of these inversions uses it.
        judgements: the folder with what a panel says of each teacher's recovered images, in the same order; only for a
            method that starts from it.
    """

    meta_model: MetaModel
    meta: Meta
    k_shot: int
    seed_names: tuple[str | int, ...]
    teachers: Sequence[Teacher]
    recovered: Sequence[Recovered]
    groups: Sequence[int]
    real: Sequence[ImageDataset]
    device: torch.device
    inversions: Sequence[Inversion] = ()
    probe: TaskSpace | None = None
    judgements: Sequence[Path] = ()

    def bank(self, class_identity: str) -> ImageBank:
        """Return all recovered images, without those held out for selection; classes ``shared`` or ``local``."""
        size, held_out = self.meta_model.image_size, self.meta.held_out_per_class
        return bank_of_recovered(self.recovered, size, held_out, class_identity).held_on(self.device)

    @cached_property
    def real_bank(self) -> ImageBank:
        """All real meta-train images."""
        return bank_of_real(self.real, self.meta_model.image_size).held_on(self.device)

    def class_keys(self, class_identity: str) -> set[str]:
        """Return the names of the classes of all teachers; classes ``shared`` or ``local``."""
        return {key for teacher in self.teachers for key in teacher.card.class_keys(class_identity)}

    def judges(self) -> list[Judge]:
        """Return all teachers as judges of the meta-model's images, on the classes that were recovered."""
        return [Judge(teacher, r.report.classes) for teacher, r in zip(self.teachers, self.recovered, strict=True)]

    def model(self, n_classes: int) -> Classifier:
        """Return a fresh meta-model."""
        config = self.meta_model
        model = build(
            config.architecture, n_classes, config.width, config.image_size, *self.seed_names, options=config.options
        )
        return model.to(self.device)


@dataclass
class Trained:
    """Checkpoints of a meta-model, in the order of training, and the curves recorded on the way.

    Attributes:
        architecture: a registered architecture, ``pixels``, or ``ensemble``.
        checkpoints: (step, state dict); a state without ``head.*`` gets a zero head for each new task.
        points: of the curves, (step, phase, name, value); values of a device wait there until they are asked for.
        mean, std: the input normalisation that the model expects.
        sampled: how many steps each teacher took part in, by its key, where a method counts that.
        members: of an ensemble, ``key`` and ``sha256`` of each of its teachers.
    """

    architecture: str
    checkpoints: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)
    points: list[tuple[int, str, str, float | Tensor]] = field(default_factory=list)
    mean: list[float] = field(default_factory=lambda: list(MEAN))
    std: list[float] = field(default_factory=lambda: list(STD))
    sampled: dict[str, int] = field(default_factory=dict)
    members: list[dict[str, str]] = field(default_factory=list)

    @property
    def curves(self) -> list[tuple[int, str, str, float]]:
        """Rows (step, phase, name, value)."""
        waiting = [value for *_, value in self.points if isinstance(value, Tensor)]
        fetched = iter(torch.stack(waiting).tolist() if waiting else [])
        return [
            (step, phase, name, next(fetched) if isinstance(value, Tensor) else value)
            for step, phase, name, value in self.points
        ]

    def log(self, step: int, phase: str, values: Mapping[str, float | Tensor]) -> None:
        """Append one point to some curves; a value may be a scalar on the device, without a graph."""
        self.points += [(step, phase, name, value) for name, value in values.items()]

    def phases(self, step: int) -> list[str]:
        """Return the phases that the curves have seen up to a step, in the order of their starts."""
        return list(dict.fromkeys(phase for at, phase, _, _ in self.points if at <= step))

    def keep(self, step: int, model: nn.Module, *, head: bool) -> None:
        """Append a checkpoint."""
        state = {
            k: v.detach().cpu().clone() for k, v in model.state_dict().items() if head or not k.startswith("head.")
        }
        self.checkpoints.append((step, state))


def checkpoint_steps(first: int, last: int, count: int) -> set[int]:
    """Return up to ``count`` steps, evenly spaced in (first, last], the last one always among them."""
    return {first + round((last - first) * (i + 1) / count) for i in range(count)}


def generator(training: Training, *names: str | int) -> torch.Generator:
    """Return a torch generator for one purpose of a training."""
    return seeds.torch_generator(*training.seed_names, *names)
