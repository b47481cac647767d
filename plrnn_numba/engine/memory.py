"""Memory for kernels: zeros that start on a cache line, with room behind them where whole vectors are written."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

LANES = 16  # sequences that are computed side by side
ROOM = 8  # numbers of a vector of units that may be written past the last unit, where there is room
ALIGNMENT = 64  # bytes: a cache line


def zeros(shape: tuple[int, ...], dtype: DTypeLike, lanes: int = LANES) -> np.ndarray:
    """Zeros for `elements`, aligned to a cache line.

    Of `shape` and one axis more, that of the lanes; for one lane, of `shape`.
    """
    shape = (*shape, lanes) if lanes > 1 else tuple(shape)
    dtype = np.dtype(dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    raw = np.zeros(n_bytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def zeros_with_room(n: int, dtype: DTypeLike) -> np.ndarray:
    """Zeros (n,) for `with_room`."""
    return zeros((-(-n // ROOM) * ROOM,), dtype, lanes=1)[:n]


def columns_with_room(array: np.ndarray) -> np.ndarray:
    """Zeros for `by_roomy_columns` to copy `array` to: a vector, or a row for each column of a matrix."""
    if array.ndim == 1:
        return zeros_with_room(len(array), array.dtype)
    m, n = array.shape
    return zeros((n, -(-m // ROOM) * ROOM), array.dtype, lanes=1)
