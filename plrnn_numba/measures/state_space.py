"""D_stsp: how the densities of two orbits in state space differ."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ..basics.checks import as_integer, as_number, as_rng, one_of, warn
from .common import as_pair, undefined, why_not_finite

# Added to the count of every cell, as the public implementations of the field do.
PSEUDO_COUNT = 1e-5

_BINNINGS = ("julia", "julia-legacy", "python", "python-2std")
_MIXTURES = ("default", "gtf", "dend-symmetric", "mtf-reversed")


def state_space_divergence(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    bins: int = 30,
    method: Literal["binning", "gmm"] = "binning",
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
    Koppe et al. (2019) [koppe2019]; Hess et al. (2023) [hess2023], for the rule for the box; Brenner et al. (2022)
    [brenner2022], for mixtures.

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
    X, Y = as_pair(X, Y, same_length=False)
    one_of("method", method, ("binning", "gmm"))
    variant = variant or ("julia" if method == "binning" else "default")
    one_of("variant", variant, _BINNINGS if method == "binning" else _MIXTURES)
    reason = why_not_finite(Y)
    if method == "gmm":
        sigma = as_number("sigma", sigma, above=0)
        samples = as_integer("samples", samples)
        if reason:
            return undefined("D_stsp", reason)
        return _mixture_divergence(X, Y, sigma, samples, seed, variant)
    bins = as_integer("bins", bins)
    n_cells = float(bins) ** X.shape[1]
    if PSEUDO_COUNT * n_cells > 0.1 * len(X):
        warn(
            f"state_space_divergence: {bins}**{X.shape[1]} cells for {len(X)} points; the pseudo-counts "
            f"outweigh the data, and the value is too small; use fewer bins or dimensions"
        )
    if reason:
        return undefined("D_stsp", reason)
    low, high = _box(X, variant)
    x_cells, y_cells = (_cells(A, low, high, bins, variant.startswith("python")) for A in (X, Y))
    if not len(y_cells):
        return undefined("D_stsp", "no point of Y lies in the box of X")
    x_counts, y_counts = _counts(x_cells, y_cells, bins)
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
    rng = as_rng(seed)

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
            return undefined("D_stsp", "every draw has a density that underflows in float32")
        return float(np.mean(np.log(p[kept].astype(np.float64)) - np.log(q[kept].astype(np.float64))))
    found = float(np.mean(log_p - log_q))
    if variant == "dend-symmetric":
        draws = draws_from(Y)
        found = (found + float(np.mean(log_density(draws, Y) - log_density(draws, X)))) / 2
    return found
