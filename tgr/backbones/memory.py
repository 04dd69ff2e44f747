"""How much memory feature maps take. No torch here: the planner asks, too."""

FLOAT = 4
COPIES = 3
"""Of each layer's output that a step keeps: itself, normalised, and its gradient, about."""


def kept_mb(outputs: float, images: float) -> float:
    """Return the MB that a forward pass of some images keeps for the backward pass.

    Args:
        outputs: millions of values that the layers give for one image, as in ``tgr.backbones.size``.
    """
    return images * outputs * COPIES * FLOAT


def chunk_size(outputs: float, images: int, memory_mb: float) -> int:
    """Return how many images go through a network at a time: as few equal chunks as fit into some MB, at least one
    image each."""
    fitting = max(1, int(memory_mb / kept_mb(outputs, 1)))
    n_chunks = -(-images // fitting)
    return -(-images // n_chunks)
