"""Standardization: mean and standard deviation of each column, over all trials."""

from __future__ import annotations

import numpy as np

from ..model import Scaling
from .mapped import parts_of
from .trials import DataError


def find_scaling(trials: list[np.ndarray]) -> Scaling:
    """Mean and standard deviation of each column, over all trials, in float64; of what is not NaN."""
    N = trials[0].shape[1]
    rows = (
        row for trial in trials for _, part in parts_of(trial) for row in part[~np.isnan(part).any(axis=1)]
    )
    origin = next(rows, np.zeros(N)).astype(np.float64)  # near the data, so that the squares lose nothing
    n, total, square = np.zeros(N), np.zeros(N), np.zeros(N)
    for trial in trials:
        for _, part in parts_of(trial):
            known = ~np.isnan(part)
            shifted = np.where(known, part - origin, 0.0)
            n += known.sum(axis=0)
            total += shifted.sum(axis=0)
            square += (shifted * shifted).sum(axis=0)
    mean = total / n
    scale = np.sqrt(np.maximum(square / n - mean * mean, 0.0))
    constant = np.flatnonzero(scale <= 1e-12 * np.maximum(1.0, np.abs(mean + origin)))
    mean = mean + origin
    if len(constant):
        raise DataError(
            f"X: column {constant[0]} is constant ({mean[constant[0]]:g}) and cannot be standardized; "
            f'leave it out, or set "standardize": false'
        )
    return Scaling(mean, scale)
