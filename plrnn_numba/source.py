"""Source: the series that a batch's windows are cut from, as kernels see them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """Series that windows are cut from. An observation x enters the model as ``(x - shift) * scale``."""

    X: np.ndarray  # (rows, N), NaN where `masked`
    starts: np.ndarray  # X without gaps, for the first row of a window: the last value that was observed
    U: np.ndarray  # (rows, K)
    shift: np.ndarray  # (N,)
    scale: np.ndarray  # (N,)
    masked: bool


def as_source(
    X: np.ndarray, U: np.ndarray, shift: np.ndarray | None = None, scale: np.ndarray | None = None
) -> Source:
    """Take series that are complete, and in the model's units unless shift and scale are given."""
    N = X.shape[1]
    shift, scale = np.zeros(N) if shift is None else shift, np.ones(N) if scale is None else scale
    return Source(X, X, U, shift, scale, False)
