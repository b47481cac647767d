"""From what a caller hands over to what a training works on: checked trials, windows, scaling, validation series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..basics.checks import warn
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
        _check_size("X", trials, config.dtype, 'set "standardize": true')
    if drives[0].shape[1]:
        _check_size("inputs", drives, config.dtype, "rescale them")
    windows = make_windows(trials, drives, config.training.sequence_length, scaling, config.dtype, masked)
    series, drive = _validation_series(trials, drives, validation, validation_inputs, config)
    return TrainingData(windows, scaling, trials[0].shape[1], drives[0].shape[1], series, drive)


def _check_size(name: str, trials: list[np.ndarray], dtype: str, remedy: str) -> None:
    """Refuse data that are taken as they are and too large to train on; warn where they are too small, or too far off."""
    low, high = extent(trials)
    size = np.maximum(np.abs(low), np.abs(high))
    # Gradients grow as the data's square, and the optimizer's second moments as its fourth power.
    largest = float(np.finfo(dtype).max) ** 0.25
    if size.max() > largest:
        raise DataError(
            f"{name}: column {size.argmax()} reaches {size.max():.3g}; above {largest:.2g} the squares of gradients "
            f"are more than {dtype} can hold: {remedy}"
        )
    if 0 < size.max() ** 2 <= EPSILON:
        warn(
            f"{name}: no entry is above {size.max():.3g}, and gradients, which are as the square, are lost beside the "
            f"optimizer's epsilon of {EPSILON:g}: {remedy}"
        )
    told_apart = (high - low) / np.spacing(size.astype(dtype)).astype(np.float64)
    coarse = np.flatnonzero((high > low) & (told_apart < _FEWEST_VALUES))
    if dtype == "float32" and len(coarse):
        i = coarse[0]
        warn(
            f"{name}: column {i} goes from {low[i]:.9g} to {high[i]:.9g}, where float32 tells {told_apart[i] + 1:.0f} "
            f'values apart: {remedy}, or "dtype": "float64"'
        )


def _validation_series(
    trials: list[np.ndarray],
    drives: list[np.ndarray],
    validation: Trials | None,
    validation_inputs: Trials | None,
    config: Config,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The longest trial of the validation data, or else of the training data, with its inputs."""
    if validation is not None:
        name, of = "validation_inputs", "validation"
        n_columns, K = trials[0].shape[1], drives[0].shape[1]
        trials = as_trials(of, validation)
        check_trials(of, trials, missing=config.missing == "mask")
        if trials[0].shape[1] != n_columns:
            raise DataError(f"{of}: got {trials[0].shape[1]} columns, but X has {n_columns}")
        drives = inputs_of_trials(name, validation_inputs, of, trials)
        if drives[0].shape[1] != K:
            raise DataError(f"{name}: got {drives[0].shape[1]} columns, but inputs has {K}")
    longest = max(range(len(trials)), key=lambda i: len(trials[i]))
    X, drive = trials[longest], drives[longest]
    if stays_on_disk([*trials, *drives]):
        rows = config.evaluation.steps * config.evaluation.orbits
        X, drive = np.array(as_native(X[:rows])), np.array(as_native(drive[:rows]))
    if np.isnan(X).any():
        X = interpolated(X)
    return X, drive if drive.shape[1] else None
