"""From what a caller hands over to what a training works on: checked trials, windows, scaling, validation series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..config import Config
from ..data import (
    DataError,
    Trials,
    as_trials,
    check_trials,
    find_scaling,
    inputs_of_trials,
    interpolated,
    stays_on_disk,
)
from ..model import Scaling
from .windows import Windows, make_windows


class TrainingData(NamedTuple):
    """Data that fit together and to the configuration."""

    windows: Windows
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
    windows = make_windows(trials, drives, config.training.sequence_length, scaling, config.dtype, masked)
    series, drive = _validation_series(trials, drives, validation, validation_inputs, config)
    return TrainingData(windows, scaling, trials[0].shape[1], drives[0].shape[1], series, drive)


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
    if stays_on_disk([X]):
        rows = config.evaluation.steps * config.evaluation.orbits
        X, drive = np.array(X[:rows]), drive[:rows]
    if np.isnan(X).any():
        X = interpolated(X)
    return X, drive if drive.shape[1] else None
