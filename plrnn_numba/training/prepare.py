"""From what a caller hands over to what a training works on: checked trials, windows, scaling, validation series."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from ..basics.checks import warn
from ..basics.sizes import check_memory
from ..config import Config
from ..data import (
    DataError,
    Trials,
    as_native,
    as_trials,
    check_trials,
    extent,
    find_scaling,
    inputs_of_trials,
    interpolated,
    parts_of,
    release,
    stays_on_disk,
)
from ..model import Scaling
from .optimizers import EPSILON
from .windows import Windows, WindowsOnDisk, make_windows

# Data that are rounded to fewer values than this, from the least to the largest, have lost what is to be learned.
_FEWEST_VALUES = 1024


class TrainingData(NamedTuple):
    """Data that fit together and to the configuration."""

    windows: Windows | WindowsOnDisk
    scaling: Scaling | None
    n_observed: int
    n_inputs: int
    validation: np.ndarray
    validation_inputs: np.ndarray | None
    measured_on: str  # what `validation` is
    key: str  # by which the data are known again


def prepare(
    X: Trials,
    config: Config,
    inputs: Trials | None,
    validation: Trials | None,
    validation_inputs: Trials | None,
) -> TrainingData:
    """Check the arguments of `fit`, and make of them what a training works on; raise DataError."""
    if validation is None and validation_inputs is not None:
        raise DataError("validation_inputs: got some, but no validation that they belong to")
    trials = as_trials("X", X)
    masked = check_trials("X", trials, missing=config.missing == "mask")
    drives = inputs_of_trials("inputs", inputs, "X", trials)
    scaling = find_scaling(trials) if config.standardize else None
    if scaling is None:
        _check_size("X", trials, config, 'set "standardize": true')
    if drives[0].shape[1]:
        _check_size("inputs", drives, config, "rescale them")
    windows = make_windows(trials, drives, config.training.sequence_length, scaling, config.dtype, masked)
    _warn_of_short_trials(trials, config)
    key = _key(trials, drives)
    N, K = trials[0].shape[1], drives[0].shape[1]
    name, what = "X", "training data"
    if validation is not None:
        name, what = "validation", "validation"
        trials = as_trials(name, validation)
        check_trials(name, trials, missing=config.missing == "mask")
        if trials[0].shape[1] != N:
            raise DataError(f"{name}: got {trials[0].shape[1]} columns, but X has {N}")
        drives = inputs_of_trials("validation_inputs", validation_inputs, name, trials)
        if drives[0].shape[1] != K:
            raise DataError(f"validation_inputs: got {drives[0].shape[1]} columns, but inputs has {K}")
    series, drive, details = _measured_series(name, trials, drives, config)
    return TrainingData(windows, scaling, N, K, series, drive, ", ".join([what, *details]), key)


def _check_size(name: str, trials: list[np.ndarray], config: Config, remedy: str) -> None:
    """Refuse data that are taken as they are and too large to train on; warn where they are too small, or too far off.

    Gradients are about as the data's square, and the optimizer's second moments as its fourth power.
    """
    low, high = extent(trials)
    sizes = np.maximum(np.abs(low), np.abs(high))
    size, largest = sizes.max(), float(np.finfo(config.dtype).max) ** 0.25
    bound = config.training.gradient_bound
    reached = f"{name}: column {sizes.argmax()} reaches {size:.3g}"
    if size > largest:
        raise DataError(
            f"{reached}; above {largest:.2g} the squares of gradients are more than {config.dtype} can hold: {remedy}"
        )
    if size**2 > bound:
        warn(
            f"{reached}; gradients, which are about as its square, are taken for divergence above "
            f"training.gradient_bound, {bound:g}: {remedy}"
        )
    if 0 < size**2 <= EPSILON:
        warn(
            f"{name}: no entry is above {size:.3g}; gradients, which are about as its square, are lost beside the "
            f"optimizer's epsilon, {EPSILON:g}: {remedy}"
        )
    told_apart = (high - low) / np.spacing(sizes.astype(config.dtype)).astype(np.float64)
    coarse = np.flatnonzero((high > low) & (told_apart < _FEWEST_VALUES))
    if config.dtype == "float32" and len(coarse):
        i = coarse[0]
        warn(
            f"{name}: column {i} goes from {low[i]:.9g} to {high[i]:.9g}, where float32 tells {told_apart[i] + 1:.0f} "
            f'values apart: {remedy}, or "dtype": "float64"'
        )


def _warn_of_short_trials(trials: list[np.ndarray], config: Config) -> None:
    """Say how many trials are too short for a training sequence: a loss that should not go unnoticed."""
    needed = config.training.sequence_length + 1
    short = [len(trial) for trial in trials if len(trial) < needed]
    if short:
        are = "trials is" if len(short) == 1 else "trials are"
        warn(
            f"X: {len(short)} of {len(trials)} {are} shorter than training.sequence_length + 1 = {needed} rows "
            f"and not used ({sum(short)} of {sum(map(len, trials))} rows)"
        )


def _key(trials: list[np.ndarray], drives: list[np.ndarray]) -> str:
    """A hash over the trials' shapes and a thousand of their rows."""
    digest = hashlib.sha256()
    step = max(1, sum(map(len, trials)) // 1000)
    for trial, drive in zip(trials, drives):
        digest.update(repr((trial.shape, drive.shape)).encode())
        for part in (trial, drive):
            digest.update(np.ascontiguousarray(as_native(part[::step]), np.float64).data)
            release(part)  # each of a thousand rows brings its neighbourhood along
    return digest.hexdigest()[:32]


def _measured_series(
    name: str, trials: list[np.ndarray], drives: list[np.ndarray], config: Config
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """The longest trial, with its inputs, and what there is to say of it; raise DataError where it is too short."""
    # A column that was never observed in a trial cannot be compared with.
    whole = [i for i, trial in enumerate(trials) if len(trial) and not _unobserved(trial).any()]
    if not whole:
        raise DataError(f"{name}: no trial has every column observed, and the measures need one")
    longest = max(whole, key=lambda i: len(trials[i]))
    X, drive = trials[longest], drives[longest]
    evaluation = config.evaluation
    n_rows = len(X)
    if n_rows < 2:
        raise DataError(f"{name}: the longest trial has {n_rows} row, but the measures need at least 2")
    ahead = min(evaluation.steps, n_rows) - 1
    if ahead < evaluation.prediction_steps:
        asked = evaluation.prediction_steps
        warn(
            f"{name}: PE looks {ahead} steps ahead, not evaluation.prediction_steps = {asked}: the orbits that are "
            f"compared have {ahead + 1} rows"
        )
    details = [f"the longest of {len(trials)} trials ({n_rows} rows)"] if len(trials) > 1 else []
    if stays_on_disk([*trials, *drives]):
        n_rows = min(n_rows, evaluation.steps * evaluation.orbits)
        itemsize = max(X.itemsize, 8)
        check_memory({"evaluation.steps": (evaluation.steps, n_rows * X.shape[1] * itemsize)}, DataError)
        if n_rows < len(X):
            details.append(f"its first {n_rows} rows")
        X, drive = np.array(as_native(X[:n_rows])), np.array(as_native(drive[:n_rows]))
    n_missing = int(np.isnan(X).sum())
    if n_missing:
        details.append(f"{n_missing} missing entries interpolated")
        X = interpolated(X)
    constant = np.flatnonzero(X.min(axis=0) == X.max(axis=0))
    if len(constant):
        columns = ", ".join(map(str, constant[:5])) + (", ..." if len(constant) > 5 else "")
        details.append(f"constant column{'s' if len(constant) > 1 else ''} {columns}")
    return X, drive if drive.shape[1] else None, details


def _unobserved(trial: np.ndarray) -> np.ndarray:
    """Which columns of a trial have no observed entry."""
    empty = np.ones(trial.shape[1], bool)
    for _, part in parts_of(trial):
        empty &= np.isnan(part).all(axis=0)
        if not empty.any():
            break
    return empty
