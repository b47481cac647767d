"""Standardization: mean and standard deviation of each column, over all trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..model import Scaling
from .mapped import parts_of
from .trials import DataError, fill_from

# A column is constant where it varies by no more than so many times what float64 can tell apart at its size.
_RESOLUTION = 4 * np.finfo(np.float64).eps

_LEAST_EXPONENT = -1022  # of a number of full precision


def find_scaling(trials: list[np.ndarray]) -> Scaling:
    """Mean and standard deviation of each column, over all trials, in float64; of what is not NaN.

    Sums and squares are of distances from an entry of the column, as parts of a power of two near the largest: so they
    lose nothing to an offset, and neither overflow nor vanish, whatever the unit.
    """
    N = trials[0].shape[1]
    origin = _first_entries(trials)
    n, total, square, lowest, highest = np.zeros((5, N))
    exponent = np.full(N, _LEAST_EXPONENT)
    for trial in trials:
        for _, part in parts_of(trial):
            part = np.ascontiguousarray(part)  # sums are rounded in the order of memory
            known = ~np.isnan(part)
            with np.errstate(over="ignore"):
                shifted = np.where(known, part - origin, 0.0)
                lowest = np.minimum(lowest, _by_columns(np.min, shifted))
                highest = np.maximum(highest, _by_columns(np.max, shifted))
                fits = np.isfinite(highest - lowest).all()
            if not fits:
                raise _too_wide(trials)
            larger = np.frexp(np.maximum(-lowest, highest))[1].clip(_LEAST_EXPONENT, -_LEAST_EXPONENT)
            total, square = np.ldexp(total, exponent - larger), np.ldexp(square, 2 * (exponent - larger))
            exponent = larger
            shifted *= np.ldexp(1.0, -exponent)
            n += _by_columns(np.count_nonzero, known)
            total += shifted.sum(axis=0)
            square += (shifted * shifted).sum(axis=0)
    mean = total / n
    scale = np.ldexp(np.sqrt(np.maximum(square / n - mean * mean, 0.0)), exponent)
    mean = np.ldexp(mean, exponent) + origin
    size = np.maximum(np.abs(origin + lowest), np.abs(origin + highest))
    constant = np.flatnonzero((highest - lowest <= _RESOLUTION * size) | (scale == 0))
    if len(constant):
        raise DataError(
            f"X: column {constant[0]} is constant ({mean[constant[0]]:g}) and cannot be standardized; "
            f'leave it out, or set "standardize": false'
        )
    return Scaling(mean, scale)


def _first_entries(trials: list[np.ndarray]) -> np.ndarray:
    """The first entry of each column that is not NaN."""
    first = np.full(trials[0].shape[1], np.nan)
    for trial in trials:
        for _, part in parts_of(trial):
            fill_from(part, first)
            if not np.isnan(first).any():
                return first
    raise DataError(f"X: column {int(np.isnan(first).argmax())} has no observed entry")


def _too_wide(trials: list[np.ndarray]) -> DataError:
    low, high = extent(trials)
    with np.errstate(over="ignore"):
        i = int(np.isinf(high - low).argmax())
    return DataError(
        f"X: column {i} goes from {low[i]:g} to {high[i]:g}, and float64 cannot hold the difference; "
        f"divide it by a number"
    )


def _by_columns(function: Callable[[np.ndarray], Any], array: np.ndarray) -> np.ndarray:
    """What a function says of each column: where rows are short, NumPy takes a hundred times as long along them."""
    return np.array([function(column) for column in array.T])


def extent(trials: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest entry of each column, over all trials; of what is not NaN."""
    N = trials[0].shape[1]
    low, high = np.full(N, np.inf), np.full(N, -np.inf)
    for trial in trials:
        for _, part in parts_of(trial):
            low = np.fmin(low, _by_columns(np.fmin.reduce, part))
            high = np.fmax(high, _by_columns(np.fmax.reduce, part))
    return low, high
