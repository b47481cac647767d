"""Source: the series that a batch's windows are cut from, as kernels see them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """Series that windows are cut from, in the model's units."""

    X: np.ndarray  # (rows, N), NaN where `masked`
    starts: np.ndarray  # X without gaps, for the first row of a window: the last value that was observed
    U: np.ndarray  # (rows, K)
    masked: bool


def as_source(X: np.ndarray, U: np.ndarray) -> Source:
    """Take series that are complete."""
    return Source(X, X, U, False)
