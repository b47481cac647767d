"""D_stsp: how the densities of two orbits in state space differ."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ..basics.checks import as_integer, as_number, as_rng, one_of, show, warn
from ..basics.sizes import check_memory
from .common import (
    Estimate,
    as_pair,
    exponents,
    in_units_of,
    mean_of_draws,
    undefined,
    why_not_finite,
)

# Added to the count of every cell, as the public implementations of the field do.
PSEUDO_COUNT = 1e-5

_BINNINGS = ("julia", "julia-legacy", "python", "python-2std")
_MIXTURES = ("default", "gtf", "dend-symmetric", "mtf-reversed")


def n_cells(bins: int, N: int) -> float:
    """``bins**N``, or inf."""
    return float(bins) ** N if N * math.log(bins) < 700 else math.inf


def why_uninformative(bins: int, N: int, n_points: int) -> str | None:
    """Why histograms of so many cells say nothing of so many points, where they do not."""
    if PSEUDO_COUNT * n_cells(bins, N) <= 0.1 * n_points:
        return None
    return f"{bins}**{N} cells for {n_points} points; the pseudo-counts outweigh the data"


def state_space_divergence(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    bins: int | None = None,
    method: Literal["binning", "gmm"] = "binning",
    variant: str | None = None,
    sigma: float | None = None,
    samples: int | None = None,
    seed: int | None = None,
) -> float:
    """D_stsp: Kullback-Leibler divergence between the densities of the true and the generated orbit.

    By `binning`, densities are histograms over ``bins**N`` cells of a box that the true orbit sets; points outside it
    are dropped. The sum over all cells is exact, and takes memory with T only. By `gmm`, for more dimensions than a
    histogram has use for, densities are mixtures of Gaussians around the first 10,000 points of each orbit, and the
    divergence is estimated by Monte Carlo. `statistical_error` is another measure for many dimensions.

    Parameters
    ----------
    X : array_like, (T, N)
        True orbit.
    Y : array_like, (T', N)
        Generated orbit, in the same units.
    bins : int, optional
        Of 'binning': cells in each dimension of the histograms, 30 where none is given.
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
        Of 'gmm', which needs it, since it decides the value: standard deviation of the Gaussians, in the data's units.
    samples, seed : int, optional
        Of 'gmm': draws from the mixture, 1000 where nothing is said, and their seed, 0.

    Returns
    -------
    float
        In nats; 0 for equal histograms. By 'gmm' it is an `Estimate`, with its ``standard_error``. NaN, with a warning
        that says why, where Y has NaN or inf, or no point in the box; and, unless a variant was asked for by name,
        where the pseudo-counts of the cells outweigh a tenth of the data, so that the value would say nothing.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, the method is unknown, sigma is missing, or an
        option of the other method is given.

    Warns
    -----
    RuntimeWarning
        Where a variant was asked for by name and its pseudo-counts outweigh a tenth of the data, so that the value is
        too small; where an estimate is smaller than its standard error.
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
    of_the_other = (
        {"sigma": sigma, "samples": samples, "seed": seed} if method == "binning" else {"bins": bins}
    )
    for name, value in of_the_other.items():
        if value is not None:
            raise ValueError(f"{name}: got {show(value)}, but the method {method!r} has no {name}")
    if variant is not None:
        one_of("variant", variant, _BINNINGS if method == "binning" else _MIXTURES)
    reason = why_not_finite(Y)
    if method == "gmm":
        sigma = as_number("sigma", sigma, above=0)
        samples = 1000 if samples is None else as_integer("samples", samples)
        if reason:
            return undefined("D_stsp", reason)
        return _mixture_divergence(X, Y, sigma, samples, 0 if seed is None else seed, variant or "default")
    bins = 30 if bins is None else as_integer("bins", bins)
    crowded = why_uninformative(bins, X.shape[1], len(X))
    if crowded and variant is not None:
        warn(f"state_space_divergence: {crowded}, and the value is too small; use fewer bins or dimensions")
    elif crowded:
        reason = f"{crowded}; use fewer bins or dimensions, method 'gmm', or statistical_error"
    if reason:
        return undefined("D_stsp", reason)
    return _binned_divergence(X, Y, bins, variant or "julia")


def _binned_divergence(X: np.ndarray, Y: np.ndarray, bins: int, variant: str) -> float:
    """``sum p ln(p / q)`` with ``p = (n + alpha) / Z``: over the visited cells, and ln(Z_Y / Z_X), which all have."""
    e = exponents(X)
    X, Y = in_units_of(e, X), in_units_of(e, Y)
    low, high = _box(X, variant)
    x_cells, y_cells = (_cells(A, low, high, bins, variant.startswith("python")) for A in (X, Y))
    if not len(y_cells):
        return undefined("D_stsp", "no point of Y lies in the box of X")
    x_counts, y_counts = (counts + PSEUDO_COUNT for counts in _counts(x_cells, y_cells, bins))
    x_sum = len(x_cells) + PSEUDO_COUNT * n_cells(bins, X.shape[1])
    visited = np.sum(x_counts * np.log(x_counts / y_counts)) / x_sum
    return max(0.0, float(visited + math.log1p((len(y_cells) - len(x_cells)) / x_sum)))


def _box(X: np.ndarray, variant: str) -> tuple[np.ndarray, np.ndarray]:
    spread = np.array([x.std(ddof=1) for x in X.T])
    if variant in ("julia-legacy", "python-2std"):
        return -2 * spread, 2 * spread
    margin = 0.1 * spread if variant == "julia" else 0.0
    return np.array([x.min() for x in X.T]) - margin, np.array([x.max() for x in X.T]) + margin


def _cells(A: np.ndarray, low: np.ndarray, high: np.ndarray, bins: int, drop_first: bool) -> np.ndarray:
    """The cell of each point in the box: integers (n, N); by the Python projects' rule none is 0."""
    with np.errstate(over="ignore"):  # far outside
        place = [(a - l) / (h - l) * bins for a, l, h in zip(A.T, low, high)]
    inside = np.ones(len(A), bool)
    for p in place:
        inside &= (p >= (1 if drop_first else 0)) & (p < bins)
    return np.stack([p[inside].astype(np.int64) for p in place], axis=1)


_DENSE = 5_000_000  # cells, up to which it is quicker to count them all


def _counts(x_cells: np.ndarray, y_cells: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each cell is visited by either, of those that are by one of them (or of all, where they are few)."""
    cells = np.concatenate([x_cells, y_cells])
    if n_cells(bins, cells.shape[1]) <= _DENSE:
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
        if int(number.max()) > 2**62 // bins:  # a column more might not fit
            number = np.unique(number, return_inverse=True)[1]
        number = number * bins + column
    return np.unique(number, return_inverse=True)[1]


_AT_ONCE = 2**24  # distances between draws and points that are in memory
_COMPONENTS = 10_000  # of a mixture, at most


@np.errstate(over="ignore", under="ignore", invalid="ignore")  # what leaves the floats is found at the end
def _mixture_divergence(
    X: np.ndarray, Y: np.ndarray, sigma: float, samples: int, seed: int, variant: str
) -> float:
    """KL(X || Y) of mixtures of equal isotropic Gaussians, as a mean over draws from X's."""
    X, Y = X[:_COMPONENTS], Y[:_COMPONENTS]
    N, log_sigma = X.shape[1], math.log(sigma)
    sigma, e = math.frexp(sigma)
    X, Y = (in_units_of(e, A) for A in (X, Y))
    X, Y = X - X[0], Y - X[0]
    if variant == "mtf-reversed":
        X, Y = Y, X
    rng = as_rng(seed)
    check_memory({"samples": (samples, 32 * samples * N)})

    def draws_from(A: np.ndarray) -> np.ndarray:
        return A[rng.integers(0, len(A), samples)] + sigma * rng.standard_normal((samples, N))

    def log_density(draws: np.ndarray, points: np.ndarray) -> np.ndarray:
        found = []
        for some in np.array_split(draws, -(-len(draws) * len(points) // _AT_ONCE)):
            squares = cdist(some, points, "sqeuclidean")
            found.append(logsumexp(squares / (-2 * sigma**2), axis=1))
        return np.concatenate(found) - np.log(len(points))

    draws = draws_from(X)
    log_p, log_q = log_density(draws, X), log_density(draws, Y)
    if variant == "gtf":
        normalization = N * (math.log(2 * math.pi) / 2 + log_sigma)
        p, q = (np.exp(l - normalization).astype(np.float32) for l in (log_p, log_q))
        kept = (p > 0) & (q > 0)
        if not kept.any():
            return undefined("D_stsp", "every draw has a density that underflows in float32")
        log_p, log_q = (np.log(d[kept].astype(np.float64)) for d in (p, q))
    found = mean_of_draws(log_p - log_q)
    if variant == "dend-symmetric":
        draws = draws_from(Y)
        back = mean_of_draws(log_density(draws, Y) - log_density(draws, X))
        found = Estimate((found + back) / 2, math.hypot(found.standard_error, back.standard_error) / 2)
    if not math.isfinite(found):
        return undefined(
            "D_stsp", "a density leaves the range of its floats; give a sigma of the data's size"
        )
    if found.standard_error > abs(found):
        warn(
            f"state_space_divergence: the estimate, {found:.3g}, is smaller than its standard error, "
            f"{found.standard_error:.3g}; take more samples"
        )
    return found
