"""Reading the Python 2 pickles in which CIFAR is distributed, without ever running what a pickle asks for.

A pickle names functions that the reader calls. Here it can name three things, which are what an array of bytes is made
of, and gets stand-ins for them that only take values. So a pickle cannot reach any code, numpy's own included.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tgr.errors import TgrError


class _Array:
    """Stands for ``numpy.ndarray`` and for the function that makes an empty one."""

    def __init__(self, *_: Any) -> None:
        self.value: NDArray[np.uint8] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran_order, content = state
        if not isinstance(dtype, _Bytes) or fortran_order or not isinstance(content, bytes):
            raise pickle.UnpicklingError("an array is not one of bytes in C order")
        self.value = np.frombuffer(content, np.uint8).reshape(shape)


class _Bytes:
    """Stands for ``numpy.dtype('u1')``."""

    def __init__(self, kind: Any, *_: Any) -> None:
        if kind != b"u1":
            raise pickle.UnpicklingError(f"an array holds {kind!r}, not bytes")

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and alignment, which bytes do not have."""


ALLOWED: dict[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Bytes,
}


class _RefusedError(Exception):
    """A pickle asks for what is not allowed; the message names it."""


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in ALLOWED:
            raise _RefusedError(f"{module}.{name}")
        return ALLOWED[module, name]


def read_pickle(content: bytes, file: Path | str) -> dict[str, Any]:
    """Return the mapping that a pickle holds: numbers, bytes, lists, mappings, and arrays of bytes.

    Args:
        content: the pickle.
        file: what error messages call it.

    Raises:
        TgrError: it asks for anything else (nothing of it is run), is damaged, or holds no mapping.
    """
    try:
        value = _Restricted(io.BytesIO(content), encoding="bytes").load()
    except _RefusedError as error:
        raise TgrError(
            f"{file}: refused, because the pickle asks for {error}, which images do not need; take the original file"
        ) from None
    except Exception as error:  # a damaged pickle may raise anything
        raise TgrError(f"{file}: damaged or not a pickle of CIFAR ({error}); take the original file") from error
    if not isinstance(value, dict) or not all(isinstance(key, bytes) for key in value):
        raise TgrError(f"{file}: holds no mapping by name; take the original file")
    return {key.decode("latin-1"): item.value if isinstance(item, _Array) else item for key, item in value.items()}
