"""How far apart the invariant distributions of two orbits are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from ..basics.checks import as_integer, as_number, as_rng, one_of, show
from ..basics.sizes import check_memory
from .common import (
    Estimate,
    as_pair,
    exponents,
    in_data_units,
    in_units_of,
    mean_of_draws,
    undefined,
    why_not_finite,
)


def statistical_error(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    variant: str = "sliced",
    directions: int | None = None,
    levels: int = 1000,
    delta: float = 0.0,
    seed: int | None = None,
) -> float:
    """How far apart the invariant distributions are: the sliced Wasserstein distance W1.

    Parameters
    ----------
    X, Y : array_like, (T, N) and (T', N)
        True and generated orbit.
    variant : {'sliced', 'dimwise'}, optional
        Along random directions, or along the axes, each relative to half the range of X.
    directions : int, optional
        How many random ones; 1000 where nothing is said. Not of 'dimwise'.
    levels : int, optional
        How many quantiles are compared.
    delta : float, optional
        They lie in [delta, 1 - delta].
    seed : int, optional
        Of the directions, 0 where nothing is said. Not of 'dimwise'.

    Returns
    -------
    float
        In data units, an `Estimate` with its ``standard_error`` over the directions ('dimwise': dimensionless, and
        exact). NaN where Y has NaN or inf, with a warning.

    Raises
    ------
    ValueError
        Where a shape or number does not fit, the variant is unknown, or has no such option.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Goering et al. (2024) [goering2024].

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> X = np.random.default_rng(0).uniform(size=(1000, 1))
    >>> round(measures.statistical_error(X, X + 0.25), 6)
    0.25
    """
    X, Y = as_pair(X, Y, same_length=False)
    one_of("variant", variant, ("sliced", "dimwise"))
    delta = as_number("delta", delta, least=0)
    if not delta < 0.5:
        raise ValueError(f"delta: got {delta!r}, allowed is from 0 to below 0.5")
    levels = as_integer("levels", levels)
    check_memory({"levels": (levels, 16 * levels * max(X.shape[1], _AT_ONCE))})
    reason = why_not_finite(Y)
    at = np.linspace(delta, 1 - delta, levels)
    if variant == "dimwise":
        for name, value in (("directions", directions), ("seed", seed)):
            if value is not None:
                raise ValueError(f"{name}: got {show(value)}, but 'dimwise' has no random directions")
        if reason:
            return undefined("E_stat", reason)
        return _along_the_axes(X, Y, at)
    directions = 1000 if directions is None else as_integer("directions", directions)
    check_memory({"directions": (directions, 16 * directions * X.shape[1])})
    rng = as_rng(0 if seed is None else seed)
    if reason:
        return undefined("E_stat", reason)
    e = int(max(exponents(X).max(), exponents(Y).max()))
    X, Y = in_units_of(e, X), in_units_of(e, Y)
    axes = rng.standard_normal((directions, X.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    gaps = [
        np.abs(_quantiles(X @ some.T, at) - _quantiles(Y @ some.T, at)).mean(axis=0)
        for some in np.split(axes, range(_AT_ONCE, directions, _AT_ONCE))
    ]
    found = mean_of_draws(np.concatenate(gaps))
    distance = in_data_units("E_stat", found, e)
    return distance if math.isnan(distance) else Estimate(distance, math.ldexp(found.standard_error, e))


def _along_the_axes(X: np.ndarray, Y: np.ndarray, at: np.ndarray) -> float:
    """The mean over columns of the mean distance of quantiles, relative to half the range of X."""
    e = exponents(X) + 1  # + 1: the range neither leaves the floats
    X, Y = in_units_of(e, X), in_units_of(e, Y)
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = np.abs(_quantiles(X, at) - _quantiles(Y, at)).mean(axis=0)
        found = float((2 * gaps / np.ptp(X, axis=0)).mean())
    return (
        found
        if math.isfinite(found)
        else undefined("E_stat", "Y is larger than X by more than float64 holds")
    )


_AT_ONCE = 50  # directions whose projections are in memory


def _quantiles(A: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Those of the columns of A (T, n), linear between order statistics: (levels, n)."""
    ordered = np.sort(A.T, axis=1).T
    place = at * (len(A) - 1)
    below = place.astype(np.int64)
    above = np.minimum(below + 1, len(A) - 1)
    return ordered[below] + (place - below)[:, None] * (ordered[above] - ordered[below])


_POINTS = 1000  # of each orbit, of which all pairs are looked at


def kernel_distance(X: ArrayLike, Y: ArrayLike, *, width: float = 0.25) -> float:
    """D_mmd: the squared distance of the smoothed densities of two orbits, relative to that of the true one from 0.

    For many dimensions, in which the histograms of `state_space_divergence` are empty. With p and q the densities of the
    true and the generated orbit, smoothed by a Gaussian, it is ``integral (p - q)^2 / integral p^2``, the squared maximum
    mean discrepancy for a Gaussian kernel k, ``mean k(x, x') + mean k(y, y') - 2 mean k(x, y)`` over pairs of different
    points, divided by its first term. Columns are in units of X's standard deviations.

    Parameters
    ----------
    X, Y : array_like, (T, N) and (T', N)
        True and generated orbit; of each, up to 1000 points that are evenly spaced in time count.
    width : float, optional
        Standard deviation of the kernel, as a part of the root mean squared distance of two points of X.

    Returns
    -------
    float
        Dimensionless: about 0 for two orbits of one system (rather below than above, where chance has it), 1 where Y is
        thinly spread and nowhere near X, and far more where it is collapsed to a point. NaN, with a warning, where Y has
        NaN or inf, or no two points of X are as near each other as the kernel is wide.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, or width is not above 0.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Gretton et al. (2012) [gretton2012].

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> X, Y = np.random.default_rng(0).standard_normal((2, 2000, 20))
    >>> measures.kernel_distance(X, Y) < 0.05 < measures.kernel_distance(X, 0.8 * Y)
    True
    """
    X, Y = as_pair(X, Y, same_length=False)
    width = as_number("width", width, above=0)
    reason = why_not_finite(Y)
    if reason:
        return undefined("D_mmd", reason)
    e = exponents(X)
    X, Y = in_units_of(e, X), in_units_of(e, Y[_evenly(len(Y))])
    middle, spread = X.mean(axis=0), X.std(axis=0)
    with np.errstate(over="ignore"):
        x, y = ((A - middle) / spread for A in (X[_evenly(len(X))], Y))
    if not np.abs(y).max() < 1e100:
        return undefined("D_mmd", "Y is larger than X by more than its squares can be")
    if len(y) < 2:
        return undefined("D_mmd", "Y has one row, and no pairs of points")
    sigma = width * math.sqrt(2 * x.shape[1])
    own, others, between = (_mean_kernel(a, b, sigma) for a, b in ((x, x), (y, y), (x, y)))
    if own == 0:
        return undefined("D_mmd", "no two points of X are as near each other as the kernel is wide")
    return float(1 + (others - 2 * between) / own)


def _evenly(n_rows: int) -> np.ndarray:
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, _POINTS)).astype(np.int64))


_FAR = 1000  # widths of the kernel


def _mean_kernel(A: np.ndarray, B: np.ndarray, sigma: float) -> float:
    """The mean of ``exp(-|a - b|^2 / (2 sigma^2))`` over pairs, but for those of a point with itself."""
    middle = A.mean(axis=0)  # near which the squares lose nothing
    a, b = A - middle, B - middle
    p, q = (a**2).sum(axis=1), (b**2).sum(axis=1)
    if math.sqrt(max(p.max(), q.max())) < _FAR * sigma:
        squares = np.maximum(p[:, None] + q - 2 * a @ b.T, 0.0)
    else:  # of points as far off as this, the difference of squares has lost what lies between them
        squares = cdist(A, B, "sqeuclidean")
    with np.errstate(over="ignore"):
        kernel = np.exp(squares / sigma / sigma / -2)
    if A is B:
        np.fill_diagonal(kernel, 0.0)
        return float(kernel.sum() / (len(A) * max(len(A) - 1, 1)))
    return float(kernel.mean())
