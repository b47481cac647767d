"""Measures of a reconstruction: geometry (D_stsp), frequencies (D_H), prediction.

The projects of the field compute them in different ways, and published numbers are comparable only within one. What is
computed where nothing is said is what docs/analysis.md argues for; the others are there as variants, by name, with
their quirks, so that numbers can be reproduced.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
from scipy.fft import rfft
from scipy.integrate import trapezoid
from scipy.ndimage import correlate1d, gaussian_filter1d
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ._arrays import as_floats
from .dynamics import generate
from .model import Model, initial_state, observe, predict
from .observation import n_reached

# Starts of a prediction error that are run at a time.
_STARTS = 4096

# Added to the count of every cell, as the public implementations of the field do.
PSEUDO_COUNT = 1e-5


class UndefinedMeasureWarning(RuntimeWarning):
    """A measure is NaN, for the reason that is given."""


def _undefined(measure: str, reason: str) -> float:
    warnings.warn(f"{measure} is NaN: {reason}", UndefinedMeasureWarning, stacklevel=3)
    return math.nan


def _as_pair(X: Any, Y: Any, same_length: bool) -> tuple[np.ndarray, np.ndarray]:
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


def _why_not_finite(Y: np.ndarray) -> str | None:
    """What is wrong with a generated orbit, if anything."""
    if not len(Y):
        return "Y has no rows"
    finite = np.isfinite(Y)
    return None if finite.all() else f"Y has NaN or inf from row {int(np.argmin(finite.all(axis=1)))} on"


def _one_of(name: str, given: Any, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise ValueError(f"{name}: got {given!r}, allowed are {', '.join(map(repr, allowed))}")


# --- D_stsp ----------------------------------------------------------------------------------------

_BINNINGS = ("julia", "julia-legacy", "python", "python-2std")
_MIXTURES = ("default", "gtf", "dend-symmetric", "mtf-reversed")


def state_space_divergence(
    X: Any,
    Y: Any,
    bins: int = 30,
    *,
    method: str = "binning",
    variant: str | None = None,
    sigma: float | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> float:
    """D_stsp: Kullback-Leibler divergence between the densities of the true and the generated orbit.

    By `binning`, densities are histograms over ``bins**N`` cells of a box that the true orbit sets; points outside it
    are dropped. The sum over all cells is exact, and takes memory with T only. By `gmm`, for more dimensions than a
    histogram has use for, densities are mixtures of Gaussians around the first 10,000 points of each orbit, and the
    divergence is estimated by Monte Carlo.

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
    variant : str, optional
        Of 'binning', with s the standard deviation of each column of X:

        'julia' (the default): the box is [min - s/10, max + s/10];
        'julia-legacy': it is [-2 s, 2 s], wherever the mean lies;
        'python': it is [min, max], and the first slab of cells of every axis is dropped, and the maximum;
        'python-2std': [-2 s, 2 s] with the same cells dropped.

        Of 'gmm': 'default': the densities' logarithms, without a loss; 'gtf': float32 densities, and draws of which
        one underflows are dropped; 'dend-symmetric': the mean of both directions; 'mtf-reversed': the divergence
        of X from Y, as the arguments are swapped there.
    sigma : float, optional
        Standard deviation of the Gaussians, in the data's units; needed by 'gmm', whose value it decides.
    samples, seed : int, optional
        Of 'gmm': draws from the mixture, and their seed.

    Returns
    -------
    float
        In nats; 0 for equal histograms; NaN where Y has NaN or inf, or no point in the box, with a warning that says
        which.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, the method is unknown, or sigma is missing.

    Warns
    -----
    RuntimeWarning
        Where the pseudo-counts of empty cells outweigh a tenth of the data, so that the value is too small.
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Koppe et al. (2019), PLoS Comput. Biol. 15, e1007263; the rule for the box is that of Hess et al. (2023). Mixtures:
    Brenner et al. (2022), ICML.

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
    _one_of("method", method, ("binning", "gmm"))
    variant = variant or ("julia" if method == "binning" else "default")
    _one_of("variant", variant, _BINNINGS if method == "binning" else _MIXTURES)
    reason = _why_not_finite(Y)
    if method == "gmm":
        if sigma is None or not sigma > 0:
            raise ValueError(f"sigma: got {sigma!r}, method 'gmm' needs a number above 0")
        if reason:
            return _undefined("D_stsp", reason)
        return _mixture_divergence(X, Y, sigma, samples, seed, variant)
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
    if reason:
        return _undefined("D_stsp", reason)
    low, high = _box(X, variant)
    x_cells, y_cells = (_cells(A, low, high, int(bins), variant.startswith("python")) for A in (X, Y))
    if not len(y_cells):
        return _undefined("D_stsp", "no point of Y lies in the box of X")
    x_counts, y_counts = _counts(x_cells, y_cells, int(bins))
    x_sum = len(x_cells) + PSEUDO_COUNT * n_cells
    y_sum = len(y_cells) + PSEUDO_COUNT * n_cells
    p = (x_counts + PSEUDO_COUNT) / x_sum
    q = (y_counts + PSEUDO_COUNT) / y_sum
    empty = (n_cells - len(p)) * PSEUDO_COUNT / x_sum * np.log(y_sum / x_sum)
    return float(np.sum(p * np.log(p / q)) + empty)


def _box(X: np.ndarray, variant: str) -> tuple[np.ndarray, np.ndarray]:
    spread = np.array([x.std(ddof=1) for x in X.T])
    if variant in ("julia-legacy", "python-2std"):
        return -2 * spread, 2 * spread
    margin = 0.1 * spread if variant == "julia" else 0.0
    return np.array([x.min() for x in X.T]) - margin, np.array([x.max() for x in X.T]) + margin


def _cells(A: np.ndarray, low: np.ndarray, high: np.ndarray, bins: int, drop_first: bool) -> np.ndarray:
    """The cell of each point in the box: integers (n, N); by the Python projects' rule none is 0."""
    place = [(a - l) / (h - l) * bins for a, l, h in zip(A.T, low, high)]
    inside = np.ones(len(A), bool)
    for p in place:
        inside &= (p >= (1 if drop_first else 0)) & (p < bins)
    return np.stack([p[inside].astype(np.int64) for p in place], axis=1)


_DENSE = 5_000_000  # cells, up to which it is quicker to count them all


def _counts(x_cells: np.ndarray, y_cells: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each cell is visited by either, of those that are by one of them (or of all, where they are few)."""
    cells = np.concatenate([x_cells, y_cells])
    if float(bins) ** cells.shape[1] <= _DENSE:
        number = np.zeros(len(cells), np.int64)
        for column in cells.T:
            number = number * bins + column
        n_used = bins ** cells.shape[1]
    else:
        number = _number_cells(cells, bins)
        n_used = int(number.max()) + 1
    n = len(x_cells)
    return np.bincount(number[:n], minlength=n_used), np.bincount(number[n:], minlength=n_used)


def _number_cells(cells: np.ndarray, bins: int) -> np.ndarray:
    """Number the distinct rows of cells (T, N) from 0 on, however many cells there could be."""
    number = cells[:, 0]
    for column in cells.T[1:]:
        number = number * bins + column
        if number.max() > 2**31:  # a column more might not fit
            number = np.unique(number, return_inverse=True)[1]
    return np.unique(number, return_inverse=True)[1]


_COMPONENTS = 10_000  # of a mixture, at most


def _mixture_divergence(
    X: np.ndarray, Y: np.ndarray, sigma: float, samples: int, seed: int, variant: str
) -> float:
    """KL(X || Y) of mixtures of equal isotropic Gaussians, as a mean over draws from X's."""
    X, Y = X[:_COMPONENTS], Y[:_COMPONENTS]
    if variant == "mtf-reversed":
        X, Y = Y, X
    rng = np.random.default_rng(seed)

    def draws_from(A: np.ndarray) -> np.ndarray:
        return A[rng.integers(0, len(A), samples)] + sigma * rng.standard_normal((samples, A.shape[1]))

    def log_density(draws: np.ndarray, points: np.ndarray) -> np.ndarray:
        squares = cdist(draws, points, "sqeuclidean")
        return logsumexp(squares / (-2 * sigma**2), axis=1) - np.log(len(points))

    draws = draws_from(X)
    log_p, log_q = log_density(draws, X), log_density(draws, Y)
    if variant == "gtf":
        normalization = X.shape[1] / 2 * math.log(2 * math.pi * sigma**2)
        with np.errstate(under="ignore"):
            p, q = (np.exp(l - normalization).astype(np.float32) for l in (log_p, log_q))
        kept = (p > 0) & (q > 0)
        if not kept.any():
            return _undefined("D_stsp", "every draw has a density that underflows in float32")
        return float(np.mean(np.log(p[kept].astype(np.float64)) - np.log(q[kept].astype(np.float64))))
    found = float(np.mean(log_p - log_q))
    if variant == "dend-symmetric":
        draws = draws_from(Y)
        found = (found + float(np.mean(log_density(draws, Y) - log_density(draws, X)))) / 2
    return found


# --- D_H -------------------------------------------------------------------------------------------

_SPECTRA = ("default", "python", "julia", "mtf", "dend", "dend-vi", "julia-corr")


def power_spectra(X: Any, smoothing: float = 20.0, mode: str = "reflect") -> np.ndarray:
    """Smoothed power spectra of the columns of X (T, N) about their means, each with sum 1: (T//2 + 1, N).

    With sum 1, they are those of the standardized columns. A constant column has no spectrum: zeros. `mode` is how the
    smoothing goes on beyond the ends, in SciPy's words.
    """
    X = as_floats("X", X, np.float64, ("T", "N"))
    rows = np.ascontiguousarray(X.T)
    size = np.maximum(1.0, np.abs(rows).max(axis=1))
    rows = rows - rows.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.einsum("jt,jt->j", rows, rows) / rows.shape[1])
    waves = rfft(rows, axis=1, overwrite_x=True)
    power = waves.real**2 + waves.imag**2
    power[spread <= 1e-12 * size] = 0
    if smoothing > 0:
        power = gaussian_filter1d(power, smoothing, axis=1, mode=mode, truncate=4.0)
    total = power.sum(axis=1, keepdims=True)
    power /= np.where(total > 0, total, 1.0)
    return power.T


def hellinger_distance(X: Any, Y: Any, smoothing: float | None = None, variant: str = "default") -> float:
    """D_H: Hellinger distance between the power spectra of the true and the generated orbit.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True and generated orbit.
    smoothing : float, optional
        Standard deviation, in frequency bins, of the Gaussian that smooths the spectra; 0 for none. Where none is
        given, 20, or what the variant has.
    variant : str, optional
        'default': spectra as the Python projects smooth them, and the distance as ``|sqrt p - sqrt q| / sqrt 2``;
        'python': as ``sqrt(1 - sum of sqrt(p q))``, NaN where rounding makes the sum larger than 1, as for equal series;
        'julia': smoothing that reflects without the edge ('mirror');
        'mtf': smoothing 1 within 5 bins, zeros beyond the ends; even length; the first 100 bins alone, not normalized
        anew, and summed by the trapezoidal rule: equal series have a distance above 0.

        Correlations, 1 for equal series, which are published beside distances: 'dend': absolute correlation of the
        amplitudes in decibels, smoothed by 20, of the first 20,000 bins; 'dend-vi': correlation of the smoothed (10)
        power spectra of series that are not standardized; 'julia-corr': of the default's spectra.

    Returns
    -------
    float
        The mean over the dimensions; a distance is from 0 to 1. NaN where Y has NaN or inf, with a warning. A dimension in
        which Y is constant, and so has no spectrum, counts 1 (a correlation: 0).

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, or the variant is unknown.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

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
    _one_of("variant", variant, _SPECTRA)
    reason = _why_not_finite(Y)
    if reason:
        return _undefined("D_H", reason)
    moving = np.array([np.ptp(y) > 1e-12 * max(1.0, np.abs(y).max()) for y in Y.T])
    if variant in ("dend", "dend-vi", "julia-corr"):
        correlations = [
            _correlation(x, y, smoothing, variant) if m else 0.0 for x, y, m in zip(X.T, Y.T, moving)
        ]
        return float(np.mean(correlations))
    if variant == "mtf":
        distances = [_mtf_distance(x, y, smoothing) if m else 1.0 for x, y, m in zip(X.T, Y.T, moving)]
        return float(np.mean(distances))
    sigma = 20.0 if smoothing is None else smoothing
    mode = "mirror" if variant == "julia" else "reflect"
    p, q = power_spectra(X, sigma, mode), power_spectra(Y, sigma, mode)
    if variant == "python":
        with np.errstate(invalid="ignore"):
            distance = np.sqrt(1 - np.sqrt(p * q).sum(axis=0))
        if np.isnan(distance[moving]).any():
            return _undefined("D_H", "rounding made an overlap larger than 1, as the variant 'python' does")
    else:
        distance = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=0) / 2)
    return float(np.where(moving, distance, 1.0).mean())


def _mtf_distance(x: np.ndarray, y: np.ndarray, smoothing: float | None) -> float:
    sigma = 1.0 if smoothing is None else smoothing
    offsets = np.arange(-int(5 * sigma), int(5 * sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    n = len(x) // 2 * 2

    def spectrum(a: np.ndarray) -> np.ndarray:
        a = (a - a.mean()) / a.std()
        power = np.abs(rfft(a[:n], norm="ortho")) ** 2 * 2 / n
        power = correlate1d(power, weights / weights.sum(), mode="constant")
        return (power / power.sum())[:100]

    overlap = trapezoid(np.sqrt(spectrum(x) * spectrum(y)))
    return math.sqrt(max(0.0, 1.0 - float(overlap)))


def _correlation(x: np.ndarray, y: np.ndarray, smoothing: float | None, variant: str) -> float:
    if variant == "julia-corr":
        sigma = 20.0 if smoothing is None else smoothing
        p, q = (power_spectra(a[:, None], sigma)[:, 0] for a in (x, y))
    elif variant == "dend":
        sigma = 20.0 if smoothing is None else smoothing
        amplitudes = (np.abs(rfft((a - a.mean()) / a.std())) for a in (x, y))
        decibels = (20 * np.log10(np.maximum(a, np.finfo(float).tiny)) for a in amplitudes)
        p, q = (gaussian_filter1d(d, sigma)[:20_000] for d in decibels)
    else:
        sigma = 10.0 if smoothing is None else smoothing
        p, q = (gaussian_filter1d(np.abs(rfft(a)) ** 2, sigma) for a in (x, y))
    r = float(np.corrcoef(p, q)[0, 1])
    return abs(r) if variant == "dend" else r


# --- prediction ------------------------------------------------------------------------------------


def prediction_error(
    model: Model, X: Any, n: int = 20, inputs: Any = None, variant: str = "pe", seed: int = 0
) -> Any:
    """PE: error of predictions, n steps ahead.

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
    variant : str, optional
        'pe': mean squared error exactly n steps ahead, over all starts; 'mtf': of each of 1, ..., n steps, where
        latent units that the data do not reach start from a normal distribution instead of where the model says;
        'dynamix-pe': mean absolute error n steps ahead of the first row alone, summed over the dimensions.
    seed : int, optional
        Of 'mtf'.

    Returns
    -------
    float, or ndarray (n,) for 'mtf'
        In squared data units ('dynamix-pe': data units); NaN where a prediction diverges.

    Raises
    ------
    ValueError
        Where a shape does not fit, or the variant is unknown.

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
    _one_of("variant", variant, ("pe", "mtf", "dynamix-pe"))
    if n != int(n) or not 1 <= n < len(X):
        raise ValueError(f"n: got {n!r}, expected an integer from 1 to {len(X) - 1}")
    drives = None
    if inputs is not None:
        inputs = as_floats("inputs", inputs, None, (len(X), "K"))
        drives = np.lib.stride_tricks.sliding_window_view(inputs, n, axis=0).transpose(0, 2, 1)
    total = np.zeros(n)
    rng = np.random.default_rng(seed)
    n_starts = 1 if variant == "dynamix-pe" else len(X) - n
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN says it
        for first in range(0, n_starts, _STARTS):
            rows = slice(first, min(first + _STARTS, n_starts))
            drive = None if drives is None else drives[rows]
            if variant == "mtf":
                states = initial_state(model, X[rows])
                reached = n_reached(model.observation)
                states[:, reached:] = rng.standard_normal(states[:, reached:].shape)
                ahead = observe(model, generate(model.latent, states, n + 1, drive))
                true = np.lib.stride_tricks.sliding_window_view(X[rows.start : rows.stop + n], n + 1, axis=0)
                error = ahead[:, 1:] - true.transpose(0, 2, 1)[:, 1:]
                total += (error.astype(np.float64) ** 2).sum(axis=(0, 2))
                continue
            error = predict(model, X[rows], n + 1, drive)[:, n] - X[rows.start + n : rows.stop + n]
            if variant == "dynamix-pe":
                return float(np.abs(error).sum())
            total[-1] += float((error**2).sum(dtype=np.float64))
    mean = total / (n_starts * X.shape[1])
    return mean if variant == "mtf" else float(mean[-1])


def valid_prediction_time(
    X: Any, Y: Any, epsilon: float, exponent: float | None = None, dt: float = 1.0
) -> float:
    """How long a prediction is right: the first time at which it is off by more than `epsilon`.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True orbit and its prediction, from the same start.
    epsilon : float
        Allowed distance, as a part of the true orbit's root mean squared distance from its mean; 0.4 and 0.5 are usual.
    exponent : float, optional
        The system's largest Lyapunov exponent, per time unit: the answer is then in Lyapunov times.
    dt : float, optional
        Time units a step.

    Returns
    -------
    float
        ``min {t : |y_t - x_t| > epsilon sqrt(mean |x - mean(x)|^2)}`` in steps of dt, or in Lyapunov times; the
        orbit's length where there is no such t. A prediction that is NaN is off.

    Raises
    ------
    ValueError
        Where a shape does not fit, or epsilon or exponent is not above 0.

    References
    ----------
    Vlachas et al. (2020), Neural Networks 126, 191.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> t = np.arange(100.0)[:, None]
    >>> measures.valid_prediction_time(np.sin(t), np.sin(1.01 * t), epsilon=0.5)
    41.0
    """
    X, Y = _as_pair(X, Y, same_length=True)
    if not epsilon > 0:
        raise ValueError(f"epsilon: got {epsilon!r}, expected a number above 0")
    if exponent is not None and not exponent > 0:
        raise ValueError(f"exponent: got {exponent!r}, expected a number above 0")
    scale = math.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=1).mean())
    with np.errstate(invalid="ignore"):
        off = ~(np.linalg.norm(Y - X, axis=1) <= epsilon * scale)
    steps = int(off.argmax()) if off.any() else len(X)
    time = steps * dt
    return time if exponent is None else time * exponent


def mase(X: Any, Y: Any, n: int | None = None, variant: str = "default") -> float:
    """Mean absolute scaled error of the first n steps of a prediction.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True orbit and its prediction, from the same start.
    n : int, optional
        How many steps; all where none is given.
    variant : {'default', 'dynamix-mase'}, optional
        The scale is the mean step ``|x[t+1] - x[t]|`` of the true orbit, all of it; for 'dynamix-mase' that of the
        prediction, as the arguments are swapped there.

    Returns
    -------
    float
        The mean over the dimensions; NaN where Y is.

    Raises
    ------
    ValueError
        Where a shape or n does not fit, or the variant is unknown.

    References
    ----------
    Hyndman and Koehler (2006), Int. J. Forecasting 22, 679.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> x = np.arange(10.0)[:, None]
    >>> round(measures.mase(x, x + 3), 6)
    3.0
    """
    X, Y = _as_pair(X, Y, same_length=True)
    _one_of("variant", variant, ("default", "dynamix-mase"))
    if variant == "dynamix-mase":
        X, Y = Y, X
    n = len(X) if n is None else n
    if n != int(n) or not 1 <= n <= len(X):
        raise ValueError(f"n: got {n!r}, expected an integer from 1 to {len(X)}")
    scale = np.abs(np.diff(X, axis=0)).mean(axis=0) + 1e-8
    return float((np.abs(X - Y)[: int(n)].mean(axis=0) / scale).mean())


def statistical_error(
    X: Any,
    Y: Any,
    variant: str = "sliced",
    directions: int = 1000,
    levels: int = 1000,
    delta: float = 0.0,
    seed: int = 0,
) -> float:
    """How far apart the invariant distributions are: the sliced Wasserstein distance W1.

    Parameters
    ----------
    X, Y : array_like, (T, N) and (T', N)
        True and generated orbit.
    variant : {'sliced', 'dimwise'}, optional
        Along random directions, or along the axes, each relative to half the range of X.
    directions : int, optional
        How many random ones.
    levels : int, optional
        How many quantiles are compared.
    delta : float, optional
        They lie in [delta, 1 - delta].
    seed : int, optional
        Of the directions.

    Returns
    -------
    float
        In data units ('dimwise': relative); NaN where Y has NaN or inf, with a warning.

    Raises
    ------
    ValueError
        Where a shape or number does not fit, or the variant is unknown.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Goering, Hess, Brenner, Monfared and Durstewitz (2024), ICML ("Out-of-domain generalization in DSR").

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> X = np.random.default_rng(0).uniform(size=(1000, 1))
    >>> round(measures.statistical_error(X, X + 0.25), 6)
    0.25
    """
    X, Y = _as_pair(X, Y, same_length=False)
    _one_of("variant", variant, ("sliced", "dimwise"))
    if not 0 <= delta < 0.5:
        raise ValueError(f"delta: got {delta!r}, allowed is from 0 to below 0.5")
    for name, value in (("directions", directions), ("levels", levels)):
        if value != int(value) or value < 1:
            raise ValueError(f"{name}: got {value!r}, expected an integer at least 1")
    reason = _why_not_finite(Y)
    if reason:
        return _undefined("E_stat", reason)
    at = np.linspace(delta, 1 - delta, int(levels))
    if variant == "dimwise":
        gaps = np.abs(np.quantile(X, at, axis=0) - np.quantile(Y, at, axis=0)).mean(axis=0)
        return float((2 * gaps / np.ptp(X, axis=0)).mean())
    axes = np.random.default_rng(seed).standard_normal((int(directions), X.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    total = 0.0
    for axis in axes:
        total += np.abs(np.quantile(X @ axis, at) - np.quantile(Y @ axis, at)).mean()
    return float(total / len(axes))


# --- all of them, over many starts -----------------------------------------------------------------


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

    @property
    def quartiles(self) -> dict[str, tuple[float, float]]:
        """The first and third quartile of each measure over the orbits; NaN counts as the worst."""
        return {name: (_quantile(v, 0.25), _quantile(v, 0.75)) for name, v in self.each.items()}


def _quantile(values: np.ndarray, level: float) -> float:
    ordered = np.sort(values)  # NaN last
    place = level * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return float(below + (above - below) * (place - math.floor(place)))


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
    medians = {name: _quantile(values, 0.5) for name, values in each.items()}
    return Evaluation(**medians, each=each, n_diverged=n_diverged, steps=steps)
