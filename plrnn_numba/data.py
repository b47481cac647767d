"""Data as trials: checked, scaled, joined, and cut into windows that never cross a trial's end; files."""

from __future__ import annotations

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


def check_trials(name: str, trials: list[np.ndarray]) -> None:
    """Raise DataError where there is nothing, or NaN or inf; the message names the place."""
    where = (lambda i: name) if len(trials) == 1 else (lambda i: f"{name}[{i}]")
    for i, trial in enumerate(trials):
        if trial.shape[1] < 1:
            raise DataError(f"{where(i)}: got shape {trial.shape}, expected at least one column")
        bad = ~np.isfinite(trial)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(
                f"{where(i)}: got {trial[row, column]} at trial {i}, row {row}, column {column}, "
                f"expected finite numbers ({int(bad.sum())} of {trial.size} are not)"
            )


def find_scaling(trials: list[np.ndarray]) -> Scaling:
    """Mean and standard deviation of each column, over all trials, in float64."""
    n = sum(len(trial) for trial in trials)
    mean = sum(trial.sum(axis=0, dtype=np.float64) for trial in trials) / n
    square = sum(((trial - mean) ** 2).sum(axis=0, dtype=np.float64) for trial in trials)
    scale = np.sqrt(square / n)
    constant = np.flatnonzero(scale <= 1e-12 * np.maximum(1.0, np.abs(mean)))
    if len(constant):
        raise DataError(
            f"X: column {constant[0]} is constant ({mean[constant[0]]:g}) and cannot be standardized; "
            f'leave it out, or set "standardize": false'
        )
    return Scaling(mean, scale)


class Windows(NamedTuple):
    """All trials behind each other, and where windows of n_steps + 1 rows may start.

    X (rows, N) and U (rows, K), in the model's units; `starts` (trials,) the first row of each trial that is
    long enough, `counts` (trials,) the cumulative numbers of windows up to its end.
    """

    X: np.ndarray
    U: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


def make_windows(
    trials: list[np.ndarray],
    inputs: list[np.ndarray],
    n_steps: int,
    scaling: Scaling | None,
    dtype: Any,
) -> Windows:
    """Scale and join the trials; raise DataError where none is long enough."""
    lengths = np.array([len(trial) for trial in trials])
    if lengths.max() <= n_steps:
        raise DataError(
            f"X: the longest trial has {lengths.max()} rows, but training.sequence_length {n_steps} "
            f"needs {n_steps + 1}; lower training.sequence_length"
        )
    X = np.concatenate(trials)
    if scaling is not None:
        X = (X - scaling.mean) / scaling.scale
    U = np.concatenate(inputs)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    usable = lengths > n_steps
    return Windows(
        np.ascontiguousarray(X, dtype),
        np.ascontiguousarray(U, dtype),
        firsts[usable].astype(np.int64),
        np.cumsum(lengths[usable] - n_steps, dtype=np.int64),
    )


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
            return np.load(path, allow_pickle=False)
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
