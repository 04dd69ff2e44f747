"""The stage `compare`: the dissimilarity of all pairs of teachers, by any embedding."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from tgr.artifacts import save_tensors
from tgr.config.teachers import TaskSpace
from tgr.inversion.recovered import load_recovered
from tgr.pool.teacher import load_teachers
from tgr.task_space.dissimilarity import dissimilarity as dissimilarity_of_embeddings
from tgr.task_space.dissimilarity import load_embeddings


def compare_teachers(
    *,
    embedding: str,
    embeddings: Sequence[Path],
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    task_space: TaskSpace,
    dissimilarity: Path,
    device: torch.device,
) -> None:
    """Write the matrix of dissimilarities, (n, n), and the teachers' keys into the file ``dissimilarity``.

    Args:
        embedding: ``fisher``, for which the folders ``embeddings`` are there, or a module of this package that compares
            ``teachers`` by their ``recovered`` images; that is loaded only if it is asked for.

    Raises:
        TgrError: an input is missing or damaged, or the teachers cannot be compared so.
    """
    if embedding == "fisher":
        keys, stored = load_embeddings(embeddings)
        matrix = dissimilarity_of_embeddings(stored)
    else:
        models = load_teachers(teachers, device)
        images = load_recovered(recovered, teachers)
        module = import_module(f"tgr.task_space.{embedding}")
        matrix = module.dissimilarity(images, models, task_space, device)
        keys = [teacher.card.key for teacher in models]
    save_tensors(dissimilarity, {"dissimilarity": matrix}, {"teachers": keys})
