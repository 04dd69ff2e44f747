"""Images recovered anew for each step of a training, as the authors' release of TGR does it.

A module of its own, imported by those who ask for it: inversion then concerns no other training.
"""

from collections.abc import Sequence

import numpy as np
import torch

from tgr.backbones.probe import load_probe
from tgr.config.learning import Meta
from tgr.config.teachers import Inversion, TaskSpace
from tgr.errors import TgrError
from tgr.inversion import registry
from tgr.inversion.objective import require_finite
from tgr.meta.bank import MEAN, STD, ImageBank
from tgr.meta.learners import Episode
from tgr.meta.sources import Drawn
from tgr.meta.synthesis import ClassMemory, TeacherTask, as_meta_input


class FreshImages:
    """Images that a teacher's inversion makes anew whenever they are drawn; they join a memory of all that there were.

    Args:
        bank: the images recovered before the training, with which the memory starts.
        tasks: the teachers, and those of their classes that were recovered.
        inversions: one for each teacher.
        probe: names the network of the prior ``probe_weight``; None without that prior.
        count: images of a draw, as equally many of each class as can be.
        memory_per_class: images of a class from which episodes are drawn, the newest.
    """

    def __init__(
        self,
        bank: ImageBank,
        tasks: Sequence[TeacherTask],
        inversions: Sequence[Inversion],
        probe: TaskSpace | None,
        count: int,
        memory_per_class: int,
        generator: torch.Generator,
    ) -> None:
        self._tasks, self._inversions, self._count, self._generator = tasks, inversions, count, generator
        self._probe = load_probe(probe, tasks[0].teacher.device) if probe else None
        self._memory = ClassMemory(bank.images.shape[-1], memory_per_class)
        mean, std = (bank.images.new_tensor(part).view(1, 3, 1, 1) for part in (MEAN, STD))
        self._memory.add(bank.images * std + mean, bank.classes, bank.class_names)

    def draw(self, teacher: int) -> Drawn:
        """Return new images of a teacher, by its index.

        Raises:
            TgrError: the inversion does not stay finite.
        """
        task, config = self._tasks[teacher], self._inversions[teacher]
        labels = torch.arange(self._count) % len(task.classes)
        invert = registry.get(config.engine)
        images = invert(task.teacher, task.classes[labels], config, self._probe, self._generator)
        require_finite(images, task.teacher)
        self._memory.add(images, labels, task.keys)
        flips = torch.full((self._count,), task.teacher.card.flips)
        return Drawn(as_meta_input(images, self._memory.size), labels, flips)

    def episodes(self, meta: Meta, k_shot: int, generator: np.random.Generator, device: torch.device) -> list[Episode]:
        """Return the episodes of one outer step.

        Raises:
            TgrError: too few classes or images.
        """
        episodes = self._memory.episodes(meta, k_shot, generator, device)
        if not episodes:
            raise TgrError(
                f"meta: fewer than {meta.n_way} classes have the {k_shot + meta.n_query} recovered images that an "
                "episode needs; raise inversion.images_per_class"
            )
        return episodes
