"""Comparing task embeddings pair by pair (Achille et al., Task2Vec, ICCV 2019, section 3; Wei et al. 2024)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tgr.artifacts import load_tensors
from tgr.errors import TgrError

EPSILON = 1e-12
"""Added to a + b, so that entries without Fisher information in both tasks give 0 and not NaN."""

CHUNK_ELEMENTS = 1 << 22
"""Numbers in one working tensor: 32 MiB of float64."""


def dissimilarity(embeddings: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Return one minus the mean similarity of each pair of embeddings.

    For each layer, with a and b the Fisher information of two tasks, the similarity is cos(a / (a + b), b / (a + b)),
    that is cos(r, 1 - r): how evenly each weight matters to both. A layer that is zero for both tasks counts as alike,
    one that is zero for one of them as unlike. Values lie in [0, 1].

    Args:
        embeddings: for each task the same layers, each 1-D and not negative.

    Returns:
        float64, (n, n), symmetric, with a zero diagonal.

    Raises:
        TgrError: no embeddings, or embeddings of different layers.
    """
    if not embeddings:
        raise TgrError("task_space: no embeddings to compare")
    total = torch.zeros(len(embeddings), len(embeddings), dtype=torch.float64)
    for name in embeddings[0]:
        if any(list(e) != list(embeddings[0]) or e[name].shape != embeddings[0][name].shape for e in embeddings):
            raise TgrError("task_space: embeddings of different probes or settings cannot be compared")
        total += _layer_similarity(torch.stack([e[name] for e in embeddings]).double())
    upper = (1 - total / len(embeddings[0])).clamp_(min=0).triu_(1)
    return upper + upper.T


def _layer_similarity(values: Tensor) -> Tensor:
    """Return the cosines (n, n) of one layer's values (n, d), above the diagonal; some rows at a time."""
    n, d = values.shape
    rows = max(1, CHUNK_ELEMENTS // (n * d))
    squares = values.square()
    result = torch.zeros(n, n, dtype=values.dtype)
    for start in range(0, n, rows):
        own, own_squares = values[start : start + rows], squares[start : start + rows]
        others, other_squares = values[start:], squares[start:]
        weight = (own[:, None] + others).add_(EPSILON).square_().reciprocal_()  # the common factor 1 / (a + b)^2
        product = torch.einsum("ijd,id,jd->ij", weight, own, others)
        own_norm = torch.einsum("ijd,id->ij", weight, own_squares)
        other_norm = torch.einsum("ijd,jd->ij", weight, other_squares)
        norms = (own_norm * other_norm).sqrt()
        both_zero = ((own_norm == 0) & (other_norm == 0)).double()
        result[start : start + rows, start:] = torch.where(norms > 0, product / norms, both_zero)
    return result


def load_embeddings(folders: Sequence[str | Path]) -> tuple[list[str], list[dict[str, Tensor]]]:
    """Load the embeddings of some shards, in the order of the folders and of the teachers' names.

    Returns:
        The teachers' keys, and for each of them its layers.

    Raises:
        TgrError: a folder without embeddings, a damaged file, a teacher that comes twice, or embeddings that were made
            with different settings.
    """
    keys: list[str] = []
    embeddings: list[dict[str, Tensor]] = []
    first: dict[str, Any] = {}
    for folder in folders:
        files = sorted(Path(folder).glob("teacher-*.safetensors"))
        if not files:
            raise TgrError(f"{folder}: holds no embeddings; delete the folder and run again")
        for file in files:
            embedding, about = load_tensors(file)
            key = about.pop("key", None)
            _check(file, key, embedding, keys)
            first = first or about
            if about != first:
                raise TgrError(f"{file}: embedded with {about}, other teachers with {first}; embed all of them alike")
            keys.append(key)
            embeddings.append(embedding)
    return keys, embeddings


def _check(file: Path, key: Any, embedding: dict[str, Tensor], keys: list[str]) -> None:
    if not isinstance(key, str) or not embedding:
        raise TgrError(f"{file}: not a task embedding; delete it and run again")
    if key in keys:
        raise TgrError(f"{file}: the teacher {key} was embedded twice; name each folder once")
    for name, values in embedding.items():
        if values.ndim != 1 or not torch.isfinite(values).all() or (values < 0).any():
            raise TgrError(f"{file}: {name} is not a Fisher information (1-D, finite, not negative); embed it again")
