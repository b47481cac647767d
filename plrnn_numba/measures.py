"""Measures of a reconstruction: geometry (D_stsp), frequencies (D_H), short-term prediction."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ._arrays import as_floats
from .model import Model, predict

# Starts of a prediction error that are run at a time.
_STARTS = 4096

# Added to the count of every cell, as the public implementations of the field do.
PSEUDO_COUNT = 1e-5


def _as_pair(X: Any, Y: Any, same_length: bool) -> tuple[np.ndarray, np.ndarray]:
    X = as_floats("X", X, np.float64, ("T", "N"))
    length = X.shape[0] if same_length else "T"
    Y = as_floats("Y", Y, np.float64, (length, X.shape[1]))
    if len(X) < 2:
        raise ValueError(f"X: got {len(X)} rows, expected at least 2")
    if not np.isfinite(X).all():
        raise ValueError("X: got NaN or inf, expected a finite true series")
    constant = np.flatnonzero(np.ptp(X, axis=0) == 0)
    if len(constant):
        raise ValueError(f"X: column {constant[0]} is constant, so no measure is defined on it")
    return X, Y


def state_space_divergence(
    X: Any,
    Y: Any,
    bins: int = 30,
    *,
    method: str = "binning",
    sigma: float | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> float:
    """D_stsp: Kullback-Leibler divergence between the densities of the true and the generated orbit.

    By `binning`, densities are histograms. The box reaches a tenth of a standard deviation beyond the true orbit
    on each side; generated points outside it are dropped. The sum over all bins**N cells is exact, and takes
    memory with T only. By `gmm`, for more dimensions than a histogram has use for, densities are mixtures of
    Gaussians around the first 10,000 points of each orbit, and the divergence is estimated by Monte Carlo.

    Parameters
    ----------
    X : array_like, (T, N)
        True orbit.
    Y : array_like, (T', N)
        Generated orbit, in the same units.
    bins : int, optional
        Cells in each dimension, of the histograms.
    method : {'binning', 'gmm'}, optional
        How densities are found.
    sigma : float, optional
        Standard deviation of the Gaussians, in the data's units; needed by 'gmm', whose value it decides.
    samples, seed : int, optional
        Of 'gmm': draws from the true orbit's mixture.

    Returns
    -------
    float
        In nats; 0 for equal histograms; NaN where Y has NaN or inf, or no point in the box.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, the method is unknown, or sigma is missing.

    Warns
    -----
    RuntimeWarning
        Where the pseudo-counts of empty cells outweigh a tenth of the data, so that the value is too small.

    References
    ----------
    Koppe et al. (2019), PLoS Comput. Biol. 15, e1007263; the rule for the box is that of Hess et al. (2023).

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import state_space_divergence
    >>> X = np.random.default_rng(0).standard_normal((1000, 2))
    >>> state_space_divergence(X, X)
    0.0
    >>> round(state_space_divergence(X, X[:, ::-1] + 1), 1)
    4.3
    """
    X, Y = _as_pair(X, Y, same_length=False)
    if method == "gmm":
        return _mixture_divergence(X, Y, sigma, samples, seed)
    if method != "binning":
        raise ValueError(f"method: got {method!r}, allowed are 'binning', 'gmm'")
    if bins != int(bins) or bins < 1:
        raise ValueError(f"bins: got {bins!r}, expected an integer at least 1")
    n_cells = float(bins) ** X.shape[1]
    if PSEUDO_COUNT * n_cells > 0.1 * len(X):
        warnings.warn(
            f"state_space_divergence: {bins}**{X.shape[1]} cells for {len(X)} points; the pseudo-counts "
            f"outweigh the data, and the value is too small; use fewer bins or dimensions",
            RuntimeWarning,
            stacklevel=2,
        )
    if not len(Y) or not np.isfinite(Y).all():
        return float("nan")
    margin = 0.1 * X.std(axis=0, ddof=1)
    low, high = X.min(axis=0) - margin, X.max(axis=0) + margin
    Y = Y[np.all((low <= Y) & (high > Y), axis=1)]
    if not len(Y):
        return float("nan")
    cells = np.floor((np.concatenate([X, Y]) - low) / (high - low) * bins)
    cell = _number_cells(np.clip(cells, 0, bins - 1).astype(np.int64), int(bins))
    n_used = cell.max() + 1
    x_counts = np.bincount(cell[: len(X)], minlength=n_used)
    y_counts = np.bincount(cell[len(X) :], minlength=n_used)
    x_sum = len(X) + PSEUDO_COUNT * n_cells
    y_sum = len(Y) + PSEUDO_COUNT * n_cells
    p = (x_counts + PSEUDO_COUNT) / x_sum
    q = (y_counts + PSEUDO_COUNT) / y_sum
    empty = (n_cells - n_used) * PSEUDO_COUNT / x_sum * np.log(y_sum / x_sum)
    return float(np.sum(p * np.log(p / q)) + empty)


_COMPONENTS = 10_000  # of a mixture, at most


def _mixture_divergence(X: np.ndarray, Y: np.ndarray, sigma: Any, samples: int, seed: int) -> float:
    """KL(X || Y) of mixtures of equal isotropic Gaussians, as a mean over draws from X's."""
    if sigma is None or not sigma > 0:
        raise ValueError(f"sigma: got {sigma!r}, method 'gmm' needs a number above 0")
    if not len(Y) or not np.isfinite(Y).all():
        return float("nan")
    X, Y = X[:_COMPONENTS], Y[:_COMPONENTS]
    rng = np.random.default_rng(seed)
    draws = X[rng.integers(0, len(X), samples)] + sigma * rng.standard_normal((samples, X.shape[1]))

    def log_density(points: np.ndarray) -> np.ndarray:
        squares = cdist(draws, points, "sqeuclidean")
        return logsumexp(squares / (-2 * sigma**2), axis=1) - np.log(len(points))

    return float(np.mean(log_density(X) - log_density(Y)))


def _number_cells(cells: np.ndarray, bins: int) -> np.ndarray:
    """Number the distinct rows of cells (T, N) from 0 on, however many cells there could be."""
    number = cells[:, 0]
    for column in cells.T[1:]:
        number = number * bins + column
        if number.max() > 2**31:  # a column more might not fit
            number = np.unique(number, return_inverse=True)[1]
    return np.unique(number, return_inverse=True)[1]


def power_spectra(X: Any, smoothing: float = 20.0) -> np.ndarray:
    """Smoothed power spectra of the standardized columns of X (T, N), each with sum 1: (T//2 + 1, N).

    A constant column has no spectrum: zeros.
    """
    X = as_floats("X", X, np.float64, ("T", "N"))
    spread = X.std(axis=0)
    spread = np.where(spread > 1e-12 * np.maximum(1.0, np.abs(X).max(axis=0)), spread, np.inf)
    power = np.abs(np.fft.rfft((X - X.mean(axis=0)) / spread, axis=0)) ** 2
    if smoothing > 0:
        power = gaussian_filter1d(power, smoothing, axis=0, mode="reflect", truncate=4.0)
    total = power.sum(axis=0)
    return power / np.where(total > 0, total, 1.0)


def hellinger_distance(X: Any, Y: Any, smoothing: float = 20.0) -> float:
    """D_H: Hellinger distance between the power spectra of the true and the generated orbit.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True and generated orbit.
    smoothing : float, optional
        Standard deviation, in frequency bins, of the Gaussian that smooths the spectra; 0 for none.

    Returns
    -------
    float
        The mean over the dimensions, from 0 to 1. NaN where Y has NaN or inf. A dimension in which Y is
        constant, and so has no spectrum, counts 1.

    Raises
    ------
    ValueError
        Where a shape does not fit, or X has NaN, inf or a constant column.

    References
    ----------
    Mikhaeil, Monfared and Durstewitz (2022), NeurIPS; smoothing as in Brenner, Hemmer et al. (2024).

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import hellinger_distance
    >>> t = np.arange(1000)[:, None]
    >>> hellinger_distance(np.sin(0.1 * t), np.sin(0.1 * t))
    0.0
    >>> round(hellinger_distance(np.sin(0.1 * t), np.sin(1.3 * t), smoothing=2), 3)
    0.997
    """
    X, Y = _as_pair(X, Y, same_length=True)
    if not np.isfinite(Y).all():
        return float("nan")
    p, q = power_spectra(X, smoothing), power_spectra(Y, smoothing)
    distance = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=0) / 2)
    return float(np.where(q.sum(axis=0) > 0, distance, 1.0).mean())


def prediction_error(model: Model, X: Any, n: int = 20, inputs: Any = None) -> float:
    """PE: mean squared error exactly n steps ahead, over all starts.

    Parameters
    ----------
    model : Model
        The model that predicts.
    X : array_like, (T, N)
        True orbit, in data units, T > n.
    n : int, optional
        Steps ahead.
    inputs : array_like, (T, K), optional
        External inputs, needed where the model has any.

    Returns
    -------
    float
        In squared data units; NaN where a prediction diverges.

    Raises
    ------
    ValueError
        Where a shape does not fit.

    References
    ----------
    Koppe et al. (2019), PLoS Comput. Biol. 15, e1007263.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> pl.prediction_error(model, X, n=5) > 0
    True
    """
    X = as_floats("X", X, None, ("T", "N"))
    if n != int(n) or not 1 <= n < len(X):
        raise ValueError(f"n: got {n!r}, expected an integer from 1 to {len(X) - 1}")
    drives = None
    if inputs is not None:
        inputs = as_floats("inputs", inputs, None, (len(X), "K"))
        drives = np.lib.stride_tricks.sliding_window_view(inputs, n, axis=0).transpose(0, 2, 1)
    total = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN says it
        for first in range(0, len(X) - n, _STARTS):
            rows = slice(first, min(first + _STARTS, len(X) - n))
            drive = None if drives is None else drives[rows]
            ahead = predict(model, X[rows], n + 1, drive)[:, n]
            total += float(((ahead - X[rows.start + n : rows.stop + n]) ** 2).sum(dtype=np.float64))
    return total / ((len(X) - n) * X.shape[1])


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` returns: medians over the orbits, and each orbit's values.

    D_stsp, D_H and PE are medians in which a diverged orbit counts as the worst (NaN where the median itself
    is one); `each` holds the same measures as arrays (orbits,).
    """

    D_stsp: float
    D_H: float
    PE: float
    each: dict[str, np.ndarray]
    n_diverged: int
    steps: int


def _median(values: np.ndarray) -> float:
    ordered = np.sort(values)  # NaN last
    n = len(ordered)
    return float((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)


def evaluate(
    model: Model,
    X: Any,
    inputs: Any = None,
    steps: int = 10_000,
    orbits: int = 10,
    bins: int = 30,
    smoothing: float = 20.0,
    prediction_steps: int = 20,
) -> Evaluation:
    """Compare free-running orbits of a model with stretches of a series, each from its stretch's start.

    Parameters
    ----------
    model : Model
        The model.
    X : array_like, (T, N)
        True series, held out, in data units.
    inputs : array_like, (T, K), optional
        External inputs, needed where the model has any.
    steps, orbits : int, optional
        Length of a stretch, and their largest number; they do not overlap. A shorter series is one stretch.
    bins, smoothing, prediction_steps : optional
        Of `state_space_divergence`, `hellinger_distance`, `prediction_error`.

    Returns
    -------
    Evaluation
        Medians, each orbit's values, and how many orbits diverged.

    Raises
    ------
    ValueError
        Where a shape does not fit, or the series is constant or too short; the message names the argument.

    References
    ----------
    See `state_space_divergence`, `hellinger_distance`, `prediction_error`. All three depend on `steps`: two
    true orbits of Lorenz-63 (dt 0.01) differ by D_stsp 0.58 after 10,000 steps and 0.03 after 100,000.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((900, 2))
    >>> found = pl.evaluate(model, X, steps=300)
    >>> len(found.each["D_H"]), found.n_diverged
    (3, 0)
    """
    X = as_floats("X", X, None, ("T", "N"))
    steps = min(steps, len(X))
    starts = np.arange(0, len(X) - steps + 1, steps)
    # Where nothing moves for a whole stretch, as in a recording with pauses, there is nothing to compare.
    moving = [np.ptp(X[s : s + steps], axis=0).all() for s in starts]
    starts = starts[moving][:orbits]
    if not len(starts):
        raise ValueError(
            f"X: a column is constant in every stretch of {steps} rows, so no measure is defined"
        )
    drives = None
    if inputs is not None:
        inputs = as_floats("inputs", inputs, None, (len(X), "K"))
        drives = np.stack([inputs[s : s + steps] for s in starts])
    n = min(prediction_steps, steps - 1)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN, and n_diverged, say it
        generated = predict(model, X[starts], steps, drives)
        for i, start in enumerate(starts):
            true = X[start : start + steps]
            drive = None if drives is None else drives[i]
            rows.append(
                (
                    state_space_divergence(true, generated[i], bins),
                    hellinger_distance(true, generated[i], smoothing),
                    prediction_error(model, true, n, drive),
                )
            )
    each = {name: np.array(v) for name, v in zip(("D_stsp", "D_H", "PE"), zip(*rows))}
    n_diverged = int((~np.isfinite(generated).all(axis=(1, 2))).sum())
    medians = {name: _median(values) for name, values in each.items()}
    return Evaluation(**medians, each=each, n_diverged=n_diverged, steps=steps)
