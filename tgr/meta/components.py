"""Principal components of what many teachers say together, of more columns than fit into memory at once."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

VARIANCE, LIMIT = 0.995, 256
"""The share of the variance that is kept, and the number of components at most."""
EXACT = 1024
"""Up to so many columns the covariance is decomposed; of more, its leading part is found by iteration."""
SPARE, ITERATIONS = 32, 3
"""Directions beside those that are wanted, and multiplications by the covariance, of the iteration."""
CONSTANT = 1e-12
"""Columns whose variance is below this share of their mean square are constant up to rounding."""

Blocks = Callable[[], Iterable[Tensor]]
"""Yields the rows of a matrix in some blocks (n_i, columns), each time from the first to the last."""


def joint_components(blocks: Blocks, sizes: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return the principal components of teachers' joint features: products of its rows are those of theirs, nearly.

    Each teacher is centred over all rows and scaled to unit mean squared norm, so that all have an equal say; a teacher
    that says the same about every image has none. As many components are kept as hold 99.5 % of the variance of all,
    256 at most.

    Above 1,024 columns the components come from a subspace iteration (Halko et al., Finding Structure with Randomness,
    SIAM Review 2011, algorithm 4.4, then Rayleigh-Ritz), which reads the blocks some times over and keeps
    ``columns x 288`` numbers. A mean squared norm is a sum of variances, so the variance of all is the number of
    teachers, and is known without the rest of the spectrum.

    Args:
        blocks: yields all rows, with the teachers' columns side by side.
        sizes: how many columns each teacher has.
        generator: draws the start of the iteration.

    Returns:
        (rows, components), of the type of the blocks.
    """
    n, mean, scale, total = _moments(blocks, sizes)

    def scaled() -> Iterable[Tensor]:
        return ((block - mean) * scale for block in blocks())

    basis = _leading_directions(scaled, n, generator, mean)
    scores = torch.cat([block @ basis for block in scaled()])
    variances = scores.double().square().mean(0)
    return scores[:, : _count(variances, total)].contiguous()


def _moments(blocks: Blocks, sizes: Sequence[int]) -> tuple[int, Tensor, Tensor, float]:
    """Return the number of rows, mean and factor of each column, and the variance of all columns when scaled."""
    count, sums, squares = 0, torch.zeros(()), torch.zeros(())
    for block in blocks():
        wide, dtype = block.double(), block.dtype
        count, sums, squares = count + len(wide), sums + wide.sum(0), squares + wide.square().sum(0)
    means, squares = sums / count, squares / count
    by_teacher = zip((squares - means.square()).split([*sizes]), squares.split([*sizes]), strict=True)
    norms = [float(variances.sum()) if variances.sum() > CONSTANT * s.sum() else 0.0 for variances, s in by_teacher]
    factors = torch.tensor([norm**-0.5 if norm else 0.0 for norm in norms], dtype=torch.float64)
    scale = factors.repeat_interleave(torch.tensor([*sizes]))
    return count, means.to(dtype), scale.to(dtype), float(sum(norm > 0 for norm in norms))


def _leading_directions(blocks: Blocks, n: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Return orthonormal directions (columns, up to 256) of the largest variance, that of the largest first."""
    columns = len(like)
    if columns <= EXACT:
        covariance = sum((block.double().T @ block.double() for block in blocks()), torch.zeros(())) / n
        directions = torch.linalg.eigh(covariance).eigenvectors.flip(1)
        return directions[:, :LIMIT].to(like.dtype)
    start = torch.randn(columns, LIMIT + SPARE, generator=generator, dtype=like.dtype)
    directions = torch.linalg.qr(start).Q
    for _ in range(ITERATIONS):
        product = sum((block.T @ (block @ directions) for block in blocks()), torch.zeros_like(start))
        directions = torch.linalg.qr(product).Q
    small = torch.zeros(LIMIT + SPARE, LIMIT + SPARE, dtype=torch.float64)
    for block in blocks():
        inside = (block @ directions).double()
        small += inside.T @ inside
    turned = torch.linalg.eigh(small).eigenvectors.flip(1)[:, :LIMIT]
    return directions @ turned.to(like.dtype)


def _count(variances: Tensor, total: float) -> int:
    """Return how many of the components, largest first, hold the share of the variance of all; at least one."""
    held = variances.cumsum(0) >= VARIANCE * total
    return int(held.to(torch.uint8).argmax()) + 1 if held.any() else len(variances)
