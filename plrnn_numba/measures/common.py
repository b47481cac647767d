"""What the measures share: pairs of series that are checked, and NaN with a reason."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import warn
from ..engine import as_floats


class UndefinedMeasureWarning(RuntimeWarning):
    """A measure is NaN, for the reason that is given."""


def undefined(measure: str, reason: str) -> float:
    warn(f"{measure} is NaN: {reason}", UndefinedMeasureWarning)
    return math.nan


def as_pair(X: ArrayLike, Y: ArrayLike, same_length: bool) -> tuple[np.ndarray, np.ndarray]:
    X = as_floats("X", X, np.float64, ("T", "N"))
    length = X.shape[0] if same_length else "T"
    Y = as_floats("Y", Y, np.float64, (length, X.shape[1]))
    if len(X) < 2:
        raise ValueError(f"X: got {len(X)} rows, expected at least 2")
    if not np.isfinite(X).all():
        raise ValueError("X: got NaN or inf, expected a finite true series")
    constant = [j for j, x in enumerate(X.T) if np.ptp(x) == 0]  # by columns: rows are short for NumPy
    if constant:
        raise ValueError(f"X: column {constant[0]} is constant, so no measure is defined on it")
    return X, Y


def why_not_finite(Y: np.ndarray) -> str | None:
    """What is wrong with a generated orbit, if anything."""
    if not len(Y):
        return "Y has no rows"
    finite = np.isfinite(Y)
    return None if finite.all() else f"Y has NaN or inf from row {int(np.argmin(finite.all(axis=1)))} on"
