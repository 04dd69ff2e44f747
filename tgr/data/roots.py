"""Square roots in float64 that are the same on every processor."""

from torch import Tensor


def square_root(values: Tensor) -> Tensor:
    """Return the square root of non-negative values, of any shape, within two units in the last place.

    PyTorch leaves ``sqrt`` to MKL, which in float64 starts from an approximate instruction that each maker of
    processors implements differently. ``rsqrt`` is PyTorch's own: a root and a quotient, rounded as IEEE 754 says.
    """
    return values.rsqrt().reciprocal()
