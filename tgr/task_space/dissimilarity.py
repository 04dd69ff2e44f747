"""Comparing task embeddings pair by pair (Achille et al., Task2Vec, ICCV 2019, section 3; Wei et al. 2024)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tgr.artifacts import load_tensors
from tgr.data.roots import square_root
from tgr.task_space.landmarks import DIRECT_LIMIT, similarity_factor

EPSILON = 1e-12
"""Added to a + b, so that entries without Fisher information in both tasks give 0 and not NaN."""

CHUNK_ELEMENTS = 1 << 22
"""Numbers in one working tensor: 32 MiB of float64."""

BLOCK_ROWS = 512
"""Rows of the matrix that are computed at once from landmarks."""


def dissimilarity(embeddings: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Return one minus the mean similarity of each pair of embeddings.

    For each layer, with a and b the Fisher information of two tasks, the similarity is cos(a / (a + b), b / (a + b)),
    that is cos(r, 1 - r): how evenly each weight matters to both. A layer that is zero for both tasks counts as alike,
    one that is zero for one of them as unlike. Values lie in [0, 1].

    More than ``DIRECT_LIMIT`` tasks are compared through landmarks (``tgr.task_space.landmarks``), an approximation:
    all pairs of 10,000 would take hours, and as float64 twice the memory.

    Args:
        embeddings: for each task the same layers, each 1-D and not negative.

    Returns:
        float64, or float32 above ``DIRECT_LIMIT``: (n, n), symmetric, with a zero diagonal.
    """
    layers = (torch.stack([e[name] for e in embeddings]) for name in embeddings[0])
    if len(embeddings) > DIRECT_LIMIT:
        return _expand_factor(similarity_factor(layers, len(embeddings)))
    total = torch.zeros(len(embeddings), len(embeddings), dtype=torch.float64)
    for layer in layers:
        total += _layer_similarity(layer.double())
    upper = (1 - total / len(embeddings[0])).clamp_(min=0).triu_(1)
    return upper + upper.T


def _expand_factor(factor: Tensor) -> Tensor:
    """Return 1 - factor factor^T, cut to [0, 1], with a zero diagonal; block by block, so that it is symmetric."""
    n = len(factor)
    result = factor.new_empty(n, n)
    for rows in torch.arange(n).split(BLOCK_ROWS):
        start, stop = int(rows[0]), int(rows[-1]) + 1
        block = (1 - factor[start:stop] @ factor[start:].T).clamp_(0, 1)
        square = block[:, : stop - start]
        square.copy_(square.triu(1) + square.triu(1).T)
        result[start:stop, start:] = block
        result[start:, start:stop] = block.T
    return result


def _layer_similarity(values: Tensor) -> Tensor:
    """Return the cosines (n, n) of one layer's values (n, d), above the diagonal; some rows at a time."""
    n, d = values.shape
    rows = max(1, CHUNK_ELEMENTS // (n * d))
    squares = values.square()
    result = torch.zeros(n, n, dtype=values.dtype)
    for start in range(0, n, rows):
        a, a_squares = values[start : start + rows], squares[start : start + rows]
        b, b_squares = values[start:], squares[start:]
        weight = (a[:, None] + b).add_(EPSILON).square_().reciprocal_()  # the common factor 1 / (a + b)^2
        product = torch.einsum("ijd,id,jd->ij", weight, a, b)
        a_norm = torch.einsum("ijd,id->ij", weight, a_squares)
        b_norm = torch.einsum("ijd,jd->ij", weight, b_squares)
        norms = square_root(a_norm * b_norm)
        both_zero = ((a_norm == 0) & (b_norm == 0)).double()
        result[start : start + rows, start:] = torch.where(norms > 0, product / norms, both_zero)
    return result


def load_embeddings(folders: Sequence[str | Path]) -> tuple[list[str], list[dict[str, Tensor]]]:
    """Load the embeddings of some shards, in the order of the folders and of the teachers' names.

    Returns:
        The teachers' keys, and for each of them its layers.

    Raises:
        TgrError: a file is damaged.
    """
    keys, embeddings = [], []
    for folder in folders:
        for file in sorted(Path(folder).glob("teacher-*.safetensors")):
            embedding, about = load_tensors(file)
            keys.append(about["key"])
            embeddings.append(embedding)
    return keys, embeddings
