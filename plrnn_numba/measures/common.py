"""What the measures share: pairs of series that are checked, their scale, estimates with an error, NaN with a reason."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import warn
from ..engine import as_floats


class UndefinedMeasureWarning(RuntimeWarning):
    """A measure is NaN, or leaves a part of the data out, for the reason that is given."""


class Estimate(float):
    """A number that was estimated by Monte Carlo: a float that knows its standard error.

    Examples
    --------
    >>> from plrnn_numba.measures import Estimate
    >>> found = Estimate(0.5, 0.01)
    >>> found, found + 1, found.standard_error
    (Estimate(0.5, standard_error=0.01), 1.5, 0.01)
    """

    standard_error: float

    def __new__(cls, value: float, standard_error: float) -> Estimate:
        self = super().__new__(cls, value)
        self.standard_error = float(standard_error)
        return self

    def __reduce__(self) -> tuple[type[Estimate], tuple[float, float]]:
        return Estimate, (float(self), self.standard_error)

    def __repr__(self) -> str:
        return f"Estimate({float(self)!r}, standard_error={self.standard_error:.3g})"


def mean_of_draws(draws: np.ndarray) -> Estimate:
    """The mean over independent draws (n,), and its standard error; NaN for a single one."""
    n = len(draws)
    return Estimate(draws.mean(), draws.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan)


def undefined(measure: str, reason: str) -> float:
    warn(f"{measure} is NaN: {reason}", UndefinedMeasureWarning)
    return math.nan


def as_pair(X: ArrayLike, Y: ArrayLike, same_length: bool) -> tuple[np.ndarray, np.ndarray]:
    X = as_floats("X", X, None, ("T", "N"))
    length = X.shape[0] if same_length else "T"
    Y = as_floats("Y", Y, np.float64, (length, X.shape[1]))
    if len(X) < 2:
        raise ValueError(f"X: got {len(X)} rows, expected at least 2")
    if not X.shape[1]:
        raise ValueError(f"X: got shape {X.shape}, expected at least one column")
    if not np.isfinite(X).all():
        raise ValueError("X: got NaN or inf, expected a finite true series")
    constant = np.flatnonzero(~moving(X))
    if len(constant):
        raise ValueError(f"X: column {constant[0]} is constant, so no measure is defined on it")
    return as_floats("X", X, np.float64), Y


def why_not_finite(Y: np.ndarray) -> str | None:
    """What is wrong with a generated orbit, if anything."""
    if not len(Y):
        return "Y has no rows"
    finite = np.isfinite(Y)
    return None if finite.all() else f"Y has NaN or inf from row {int(np.argmin(finite.all(axis=1)))} on"


# --- scale: squares of numbers near 1 neither overflow nor vanish, and powers of two round nothing ---------------


def exponents(A: np.ndarray) -> np.ndarray:
    """For each column of A (T, N) the least e with all its numbers below 2**e in size: (N,)."""
    return np.frexp(np.abs(_by_rows(A)).max(axis=1))[1]


def _by_rows(A: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(A.T)  # along which NumPy is quick, however few columns


def in_units_of(e: int | np.ndarray, A: np.ndarray) -> np.ndarray:
    """A in units of 2**e, which is exact; what is beyond the largest float then is inf."""
    half = -np.asarray(e) // 2  # the whole may be no float; and np.ldexp of an array takes five times as long
    with np.errstate(over="ignore", under="ignore"):
        return A * np.ldexp(1.0, half) * np.ldexp(1.0, -np.asarray(e) - half)


def in_data_units(measure: str, value: float, e: int) -> float:
    """A number in units of 2**e as one in data units, where float64 holds it."""
    with np.errstate(over="ignore", under="ignore"):
        found = float(np.ldexp(value, e))
    if math.isinf(found) or (found == 0 and value != 0):
        return undefined(measure, f"it is {value:.3g} * 2**{e} in data units, which float64 does not hold")
    return found


# How many times the rounding of its largest number a column's range is at most, where it is called constant.
_ROUNDINGS = 4


def moving(A: np.ndarray) -> np.ndarray:
    """Which columns of A (T, N), finite, are not constant: their range is more than rounding makes of their numbers."""
    rows = _by_rows(A)
    low, high = rows.min(axis=1) / 2, rows.max(axis=1) / 2  # / 2: the range neither leaves the floats
    return high - low > _ROUNDINGS * np.finfo(A.dtype).eps * np.maximum(-low, high)
