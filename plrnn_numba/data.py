"""Data as trials: checked, scaled, joined, and cut into windows that never cross a trial's end; files."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._arrays import FLOATS
from .model import Scaling


class DataError(ValueError):
    """A mistake in the data; the message is one line that names argument, trial, row and column."""


def as_trials(name: str, X: Any) -> list[np.ndarray]:
    """One array (T, N), an array (trials, T, N), or a list of (T_i, N), as a list of 2-D float arrays."""
    if isinstance(X, np.ndarray) or not _is_list_of_trials(X):
        array = _as_real(name, X)
        if array.ndim == 2:
            return [array]
        if array.ndim == 3:
            return list(array)
        raise DataError(
            f"{name}: got shape {array.shape}, expected (T, N), (trials, T, N) or a list of (T_i, N)"
        )
    trials = [_as_real(f"{name}[{i}]", trial) for i, trial in enumerate(X)]
    for i, trial in enumerate(trials):
        if trial.ndim != 2:
            raise DataError(f"{name}[{i}]: got shape {trial.shape}, expected (T_i, N)")
        if trial.shape[1] != trials[0].shape[1]:
            raise DataError(
                f"{name}[{i}]: got {trial.shape[1]} columns, but {name}[0] has {trials[0].shape[1]}"
            )
    return trials


def _is_list_of_trials(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and np.ndim(X[0]) == 2


def _as_real(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{name}: not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name}: got dtype {array.dtype}, expected real numbers")
    return array if array.dtype in FLOATS else array.astype(np.float64)


def check_trials(name: str, trials: list[np.ndarray], missing: bool = False) -> bool:
    """Raise DataError where there is nothing, or inf, or NaN unless it may be `missing`; say whether any is."""
    where = (lambda i: name) if len(trials) == 1 else (lambda i: f"{name}[{i}]")
    n_columns = max((trial.shape[1] for trial in trials), default=0)
    seen = np.zeros(n_columns, bool)
    any_missing = False
    for i, trial in enumerate(trials):
        if trial.shape[1] < 1:
            raise DataError(f"{where(i)}: got shape {trial.shape}, expected at least one column")
        for first, part in _parts(trial):
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
                    if missing or np.isinf(part[row, column])
                    else '; "missing": "mask" takes NaN as missing'
                )
                raise DataError(
                    f"{where(i)}: got {part[row, column]} at trial {i}, row {first + row}, column {column}, "
                    f"expected finite numbers ({_n_bad(trial, missing)} of {trial.size} are not){hint}"
                )
    if missing and not seen.all():
        raise DataError(f"{name}: column {int(np.argmin(seen))} has no observed entry")
    return any_missing


def _n_bad(trial: np.ndarray, missing: bool) -> int:
    return sum(int((np.isinf(part) if missing else ~np.isfinite(part)).sum()) for _, part in _parts(trial))


def _parts(trial: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of a trial by the million entries, which need not all be in memory: (first row, part)."""
    step = max(1, _PART // max(trial.shape[1], 1))
    for first in range(0, len(trial), step):
        yield first, trial[first : first + step]
        release(trial)


def find_scaling(trials: list[np.ndarray]) -> Scaling:
    """Mean and standard deviation of each column, over all trials, in float64; of what is not NaN."""
    N = trials[0].shape[1]
    rows = (row for trial in trials for _, part in _parts(trial) for row in part[~np.isnan(part).any(axis=1)])
    origin = next(rows, np.zeros(N)).astype(np.float64)  # near the data, so that the squares lose nothing
    n, total, square = np.zeros(N), np.zeros(N), np.zeros(N)
    for trial in trials:
        for _, part in _parts(trial):
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


# --- series that are larger than memory ------------------------------------------------------------

_PART = 2**20  # entries that are looked at at once
_MAPPED_BYTES = 2**28  # a mapped file of this size stays on disk; smaller ones are read


def mapping_of(array: Any) -> mmap.mmap | None:
    """The memory map that an array, or a view of one, lies in."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "_mmap", None) or getattr(array, "base", None)
    return array


def release(array: np.ndarray) -> None:
    """Give the pages of a mapped file back, where one is: they are read again when they are needed."""
    mapping = mapping_of(array)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def stays_on_disk(trials: list[np.ndarray]) -> bool:
    """Whether there is one series, in a large mapped file."""
    return len(trials) == 1 and trials[0].nbytes > _MAPPED_BYTES and mapping_of(trials[0]) is not None


# --- windows ---------------------------------------------------------------------------------------


class Source(NamedTuple):
    """Series that windows are cut from. An observation x enters the model as ``(x - shift) * scale``."""

    X: np.ndarray  # (rows, N), NaN where `masked`
    starts: np.ndarray  # X without gaps, for the first row of a window: the last value that was observed
    U: np.ndarray  # (rows, K)
    shift: np.ndarray  # (N,)
    scale: np.ndarray  # (N,)
    masked: bool


def as_source(X: np.ndarray, U: np.ndarray, scaling: Scaling | None = None) -> Source:
    """Take series that are complete, and in the model's units unless a scaling is given."""
    N = X.shape[1]
    shift, scale = (np.zeros(N), np.ones(N)) if scaling is None else (scaling.mean, 1.0 / scaling.scale)
    return Source(X, X, U, shift, scale, False)


class Windows(NamedTuple):
    """All trials behind each other, and where windows of n_steps + 1 rows may start.

    `starts` (trials,) is the first row of each trial that is long enough, `counts` (trials,) the cumulative
    numbers of windows up to its end.
    """

    source: Source
    starts: np.ndarray
    counts: np.ndarray


def make_windows(
    trials: list[np.ndarray],
    inputs: list[np.ndarray],
    n_steps: int,
    scaling: Scaling | None,
    dtype: Any,
    masked: bool = False,
) -> Windows:
    """Scale and join the trials; raise DataError where none is long enough."""
    lengths = np.array([len(trial) for trial in trials])
    if lengths.max() <= n_steps:
        raise DataError(
            f"X: the longest trial has {lengths.max()} rows, but training.sequence_length {n_steps} "
            f"needs {n_steps + 1}; lower training.sequence_length"
        )
    if stays_on_disk(trials) and not masked:
        X = np.asarray(trials[0])
        mapping = mapping_of(X)
        if mapping is not None and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_RANDOM)  # a window, and not what lies around it
        source = as_source(X, np.ascontiguousarray(np.concatenate(inputs), dtype), scaling)
    else:
        X = np.concatenate(trials)
        if scaling is not None:
            X = (X - scaling.mean) / scaling.scale
        X = np.ascontiguousarray(X, dtype)
        source = as_source(X, np.ascontiguousarray(np.concatenate(inputs), dtype))
        if masked:
            starts = np.concatenate([_without_gaps(part) for part in np.split(X, np.cumsum(lengths)[:-1])])
            source = source._replace(starts=starts, masked=True)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    usable = lengths > n_steps
    return Windows(
        source, firsts[usable].astype(np.int64), np.cumsum(lengths[usable] - n_steps, dtype=np.int64)
    )


def _without_gaps(X: np.ndarray) -> np.ndarray:
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


def interpolated(X: np.ndarray) -> np.ndarray:
    """Each missing entry between its neighbours in time, linearly: to compare with, not to learn from."""
    filled = np.array(X, np.float64)
    rows = np.arange(len(filled))
    for column in filled.T:
        known = ~np.isnan(column)
        if known.any():
            column[:] = np.interp(rows, rows[known], column[known])
    return filled


# --- files -----------------------------------------------------------------------------------------


def load_array(path: Any) -> Any:
    """Read a series from .npy, .npz or .csv, or trials from a folder of them, in the order of names."""
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in (".npy", ".npz", ".csv"))
        if not files:
            raise DataError(f"{path}: the folder has no .npy, .npz or .csv file")
        return [_load_trial(file) for file in files]
    return _load_file(path)


def _load_trial(path: Path) -> np.ndarray:
    array = _load_file(path)
    if np.ndim(array) != 2:
        raise DataError(f"{path}: got shape {np.shape(array)}, expected (T, N) in a folder of trials")
    return array


def _load_file(path: Path) -> np.ndarray:
    suffix = path.suffix.lower()
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        if suffix == ".npy":
            # Mapped, copy on write: nothing is written, and to compiled code it is an array like any other.
            mapped = path.stat().st_size > _MAPPED_BYTES
            return np.load(path, allow_pickle=False, mmap_mode="c" if mapped else None)
        if suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if len(archive.files) != 1:
                    raise DataError(
                        f"{path}: got {len(archive.files)} arrays ({', '.join(archive.files[:5])}), "
                        f"expected one"
                    )
                return archive[archive.files[0]]
        if suffix == ".csv":
            return _load_csv(path)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file does to the reader
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read: {message}") from None
    raise DataError(f"{path}: got the ending {suffix!r}, allowed are .npy, .npz, .csv or a folder")


def _load_csv(path: Path) -> np.ndarray:
    """Columns of numbers, with or without one line of names above."""
    with path.open() as lines:
        first = lines.readline()
    try:
        [float(cell) for cell in first.strip().split(",")]
        header = 0
    except ValueError:
        header = 1
    return np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2)
