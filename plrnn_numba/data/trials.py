"""Data as trials: one series, an array of trials, or a list of them, checked; and what to put in the place of a gap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import show
from ..engine.arrays import NotRealError, as_real
from .mapped import as_native, mapping_of, parts_of, stays_on_disk

# One series (T, N), an array (trials, T, N), or a list of (T_i, N).
Trials: TypeAlias = ArrayLike | Sequence[ArrayLike]


class DataError(ValueError):
    """A mistake in the data; the message is one line that names argument, trial, row and column."""


def as_trials(name: str, X: Trials) -> list[np.ndarray]:
    """One array (T, N), an array (trials, T, N), or a list of (T_i, N), as a list of 2-D float arrays.

    What is missing is NaN. Large mapped files stay as they are, of any dtype: `parts_of` reads them as floats.
    """
    if isinstance(X, np.ndarray) or not _is_list_of_trials(X):
        array = _as_array(name, X)
        if array.ndim not in (2, 3) or (array.ndim == 3 and not len(array)):
            raise DataError(
                f"{name}: got shape {array.shape}, expected (T, N), (trials, T, N) or a list of (T_i, N)"
            )
        trials = [array] if array.ndim == 2 else list(array)
    else:
        given = cast("Sequence[ArrayLike]", X)
        trials = [_as_array(f"{name}[{i}]", trial) for i, trial in enumerate(_in_one_order(name, given))]
    for i, trial in enumerate(trials):
        if trial.ndim != 2:
            raise DataError(f"{name}[{i}]: got shape {trial.shape}, expected (T_i, N)")
        if trial.shape[1] != trials[0].shape[1]:
            raise DataError(
                f"{name}[{i}]: got {trial.shape[1]} columns, but {name}[0] has {trials[0].shape[1]}"
            )
    return trials if stays_on_disk(trials) else [as_native(trial) for trial in trials]


def _in_one_order(name: str, trials: Sequence[Any]) -> list[Any]:
    """Data frames with their columns in the order of the first."""
    names = [list(t.columns) if hasattr(t, "iloc") and hasattr(t, "columns") else None for t in trials]
    first, ordered = names[0], list(trials)
    for i, own in enumerate(names):
        if first is None or own is None or own == first:
            continue
        if len(set(first)) < len(first) or sorted(map(str, own)) != sorted(map(str, first)):
            raise DataError(f"{name}[{i}]: has columns {show(own)}, but {name}[0] has {show(first)}")
        ordered[i] = trials[i][first]
    return ordered


def _is_list_of_trials(X: Trials) -> bool:
    if not isinstance(X, (list, tuple)) or hasattr(X, "_fields"):
        return False
    try:
        return len(X) > 0 and np.ndim(X[0]) == 2
    except ValueError:  # rows of unequal lengths, of which there is more to say when it is read
        return True


def _as_array(name: str, value: Trials) -> np.ndarray:
    if isinstance(value, (str, os.PathLike)) or hasattr(value, "files"):
        raise DataError(
            f"{name}: got {show(value)}, expected an array; plrnn_numba.data.load_array reads files"
        )
    if hasattr(value, "_fields"):
        raise DataError(f"{name}: got {type(value).__name__}, expected an array of real numbers")
    try:
        if isinstance(value, np.ma.MaskedArray) and mapping_of(value) is not None:
            as_real(value[:0])  # of which dtype it is
            return value  # to be filled part by part
        return as_real(value)
    except NotRealError as error:
        of = "" if isinstance(value, np.ndarray) else f"{error.of} of "
        what = f"{error.of}{error.what}" if error.what else f"{of}dtype {error.dtype}"
        raise DataError(f"{name}: got {what}, expected real numbers") from None
    except ValueError as error:
        raise DataError(f"{name}: not an array: {error}") from None


def check_trials(
    name: str, trials: list[np.ndarray], missing: bool = False, may_be_masked: bool = True
) -> bool:
    """Raise DataError where there is nothing, or inf, or NaN unless it may be `missing`; say whether any is."""
    where = (lambda i: name) if len(trials) == 1 else (lambda i: f"{name}[{i}]")
    n_columns = max((trial.shape[1] for trial in trials), default=0)
    seen = np.zeros(n_columns, bool)
    any_missing = False
    for i, trial in enumerate(trials):
        if trial.shape[1] < 1:
            raise DataError(f"{where(i)}: got shape {trial.shape}, expected at least one column")
        for first, part in parts_of(trial):
            bad = ~np.isfinite(part)
            if bad.any() and missing:
                bad = np.isinf(part)
                gaps = np.isnan(part)
                any_missing = any_missing or bool(gaps.any())
                seen |= ~gaps.all(axis=0)
            else:
                seen[:] = True
            if bad.any():
                row, column = np.argwhere(bad)[0]
                hint = (
                    ""
                    if missing or not may_be_masked or np.isinf(part[row, column])
                    else '; "missing": "mask" takes NaN as missing'
                )
                raise DataError(
                    f"{where(i)}: got {part[row, column]} at trial {i}, row {first + row}, column {column}, "
                    f"expected finite numbers ({_n_bad(trial, missing)} of {trial.size} are not){hint}"
                )
    if not any(map(len, trials)):
        raise DataError(f"{name}: got no rows")
    if missing and not seen.all():
        raise DataError(f"{name}: column {int(np.argmin(seen))} has no observed entry")
    return any_missing


def _n_bad(trial: np.ndarray, missing: bool) -> int:
    return sum(int((np.isinf(part) if missing else ~np.isfinite(part)).sum()) for _, part in parts_of(trial))


def inputs_of_trials(name: str, inputs: Trials | None, of: str, trials: list[np.ndarray]) -> list[np.ndarray]:
    """The inputs of each trial, (T_i, K); K = 0 where there are none."""
    if inputs is None:
        return [np.zeros((len(trial), 0), np.float32) for trial in trials]
    drives = as_trials(name, inputs)
    check_trials(name, drives, may_be_masked=False)
    lengths, needed = [len(d) for d in drives], [len(t) for t in trials]
    if lengths != needed:
        first = next(
            (i for i, (a, b) in enumerate(zip(lengths, needed)) if a != b), min(len(lengths), len(needed))
        )
        shown, where = (slice(5), "") if first < 5 else (slice(first, first + 5), f" from trial {first} on")
        raise DataError(
            f"{name}: got trials of {lengths[shown]} rows{where}, but {of} has {needed[shown]}; each row of {name} belongs "
            f"to the same row of {of}"
        )
    return drives


def without_gaps(X: np.ndarray) -> np.ndarray:
    """Each missing entry as the last one observed before it, else the first after it, else zero."""
    filled = X.copy()
    for column in filled.T:
        known = np.flatnonzero(~np.isnan(column))
        if len(known) == 0:
            column[:] = 0
            continue
        latest = np.searchsorted(known, np.arange(len(column)), side="right") - 1
        column[:] = column[known[np.maximum(latest, 0)]]
    return filled


def fill_from(part: np.ndarray, x: np.ndarray, last: bool = False) -> None:
    """Put the first, or the last, known entry of each column of a part where x (N,) is NaN."""
    for i in np.flatnonzero(np.isnan(x)):
        known = np.flatnonzero(~np.isnan(part[:, i]))
        if len(known):
            x[i] = part[known[-1 if last else 0], i]


def interpolated(X: np.ndarray) -> np.ndarray:
    """Each missing entry between its neighbours in time, linearly: to compare with, not to learn from."""
    filled = np.array(as_real(X), np.float64)
    rows = np.arange(len(filled))
    for column in filled.T:
        known = ~np.isnan(column)
        if known.any():
            column[:] = np.interp(rows, rows[known], column[known])
    return filled
