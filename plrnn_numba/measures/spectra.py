"""D_H: how the power spectra of two orbits differ, and their correlations."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import rfft
from scipy.integrate import trapezoid
from scipy.ndimage import correlate1d, gaussian_filter1d

from ..basics.checks import as_number, one_of, warn
from ..basics.sizes import check_memory
from ..engine import as_floats
from .common import as_pair, exponents, in_units_of, moving, undefined, why_not_finite

Mode: TypeAlias = Literal["reflect", "mirror"]

# Standard deviation of the smoothing that each variant has, in frequency bins.
USUAL_SMOOTHING = 20.0
_DISTANCES = {"default": USUAL_SMOOTHING, "python": 20.0, "julia": 20.0, "mtf": 1.0}


def power_spectra(X: ArrayLike, *, smoothing: float = 20.0, mode: Mode = "reflect") -> np.ndarray:
    """Smoothed power spectra of the columns of X (T, N) about their means, each with sum 1: (T//2 + 1, N).

    With sum 1, they are those of the standardized columns. A constant column has no spectrum: zeros. `mode` is how the
    smoothing goes on beyond the ends, in SciPy's words.
    """
    X = as_floats("X", X, None, ("T", "N"))
    smoothing = as_number("smoothing", smoothing, least=0)
    one_of("mode", mode, ("reflect", "mirror"))
    if not X.size:
        raise ValueError(f"X: got shape {X.shape}, expected at least one row and one column")
    if not np.isfinite(X).all():
        raise ValueError("X: got NaN or inf, expected finite numbers")
    check_memory({"smoothing": (smoothing, int(64 * smoothing))})  # the kernel that it is done with
    constant = ~moving(X)
    X = as_floats("X", X, np.float64)
    rows = np.ascontiguousarray(in_units_of(exponents(X), X).T)
    rows = rows - rows.mean(axis=1, keepdims=True)
    waves = rfft(rows, axis=1, overwrite_x=True)
    power = waves.real**2 + waves.imag**2
    power[constant] = 0
    if smoothing > 0:
        power = gaussian_filter1d(power, smoothing, axis=1, mode=mode, truncate=4.0)
    total = power.sum(axis=1, keepdims=True)
    power /= np.where(total > 0, total, 1.0)
    return power.T


def why_blurred(smoothing: float, n_rows: int) -> str | None:
    """Why smoothed spectra of so many rows say little, where they do: they are of one shape, whatever the series.

    A Gaussian of standard deviation s has the area of a box 2 sqrt(pi) s wide; there is less than one such box where that
    is wider than the spectrum. Without any smoothing, one frequency has no shape either.
    """
    frequencies, width = n_rows // 2, 2 * math.sqrt(math.pi) * smoothing
    if frequencies >= max(2.0, width):
        return None
    return f"{n_rows} rows have {frequencies} frequencies, fewer than {max(2.0, width):.3g}, the width of the smoothing"


def hellinger_distance(
    X: ArrayLike, Y: ArrayLike, *, smoothing: float | None = None, variant: str = "default"
) -> float:
    """D_H: Hellinger distance between the power spectra of the true and the generated orbit.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True and generated orbit.
    smoothing : float, optional
        Standard deviation, in frequency bins, of the Gaussian that smooths the spectra; 0 for none. Where none is
        given, 20, or what the variant has.
    variant : {'default', 'python', 'julia', 'mtf'}, optional
        'default': spectra as the Python projects smooth them, and the distance as ``|sqrt p - sqrt q| / sqrt 2``;
        'python': as ``sqrt(1 - sum of sqrt(p q))``, NaN where rounding makes the sum larger than 1, as for equal series;
        'julia': smoothing that reflects without the edge ('mirror');
        'mtf': smoothing 1 within 5 bins, zeros beyond the ends; even length; the first 100 bins alone, not normalized
        anew, and summed by the trapezoidal rule: equal series have a distance above 0.

    Returns
    -------
    float
        The mean over the dimensions, from 0 to 1. A dimension in which Y is constant, and so has no spectrum, counts 1.
        NaN, with a warning, where Y has NaN or inf; and, unless variant or smoothing were asked for by name, where the
        smoothing is wider than the spectrum (below 142 rows), so that all distances are near 0.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, or the variant is unknown.

    Warns
    -----
    RuntimeWarning
        Where variant or smoothing were asked for by name, and the smoothing is wider than the spectrum.
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Mikhaeil et al. (2022) [mikhaeil2022]; Brenner et al. (2024) [brenner2024], for the smoothing.

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
    if variant in _CORRELATIONS:
        message = f"hellinger_distance: variant {variant!r} is no distance; call spectral_correlation"
        warn(message, DeprecationWarning)
        return spectral_correlation(X, Y, smoothing=smoothing, variant=variant)
    X, Y = as_pair(X, Y, same_length=True)
    one_of("variant", variant, _DISTANCES)
    sigma = _DISTANCES[variant] if smoothing is None else as_number("smoothing", smoothing, least=0)
    reason = why_not_finite(Y)
    if reason:
        return undefined("D_H", reason)
    moves = moving(Y)
    if not moves.any():
        return 1.0
    reason = _if_blurred("hellinger_distance", sigma, len(X), smoothing is not None or variant != "default")
    if reason:
        return undefined("D_H", reason)
    if variant == "mtf":
        X, Y = in_units_of(exponents(X), X), in_units_of(exponents(Y), Y)
        distances = [_mtf_distance(x, y, sigma) if m else 1.0 for x, y, m in zip(X.T, Y.T, moves)]
        return float(np.mean(distances))
    mode: Mode = "mirror" if variant == "julia" else "reflect"
    p, q = (power_spectra(A, smoothing=sigma, mode=mode) for A in (X, Y))
    if variant == "python":
        with np.errstate(invalid="ignore"):
            distance = np.sqrt(1 - np.sqrt(p * q).sum(axis=0))
        if np.isnan(distance[moves]).any():
            return undefined("D_H", "rounding made an overlap larger than 1, as the variant 'python' does")
    else:
        distance = np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=0) / 2)
    return float(np.where(moves, distance, 1.0).mean())


def spectral_correlation(
    X: ArrayLike, Y: ArrayLike, *, smoothing: float | None = None, variant: str = "julia-corr"
) -> float:
    """Correlation of the power spectra of the true and the generated orbit, which is published beside distances.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True and generated orbit.
    smoothing : float, optional
        Standard deviation of the Gaussian that smooths the spectra, in frequency bins; else what the variant has.
    variant : {'julia-corr', 'dend', 'dend-vi'}, optional
        'julia-corr': of the spectra that `hellinger_distance` compares, smoothed by 20; 'dend': absolute correlation
        of the amplitudes in decibels, smoothed by 20, of the first 20,000 bins; 'dend-vi': correlation of the smoothed
        (10) power spectra of series that are not standardized.

    Returns
    -------
    float
        The mean over the dimensions: 1 for equal series. A dimension in which Y is constant counts 0. NaN, with a
        warning, where Y has NaN or inf, a smoothed spectrum is flat, or, unless variant or smoothing were asked for by
        name, the smoothing is wider than the spectrum.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN, inf or a constant column, or the variant is unknown.

    Warns
    -----
    RuntimeWarning
        Where variant or smoothing were asked for by name, and the smoothing is wider than the spectrum.
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Brenner et al. (2022) [brenner2022], who report 'dend'.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> t = np.arange(1000)[:, None]
    >>> round(measures.spectral_correlation(np.sin(0.1 * t), np.sin(0.1 * t)), 6)
    1.0
    """
    X, Y = as_pair(X, Y, same_length=True)
    one_of("variant", variant, _CORRELATIONS)
    usual, correlation = _CORRELATIONS[variant]
    sigma = usual if smoothing is None else as_number("smoothing", smoothing, least=0)
    named = smoothing is not None or variant != "julia-corr"
    reason = why_not_finite(Y) or _if_blurred("spectral_correlation", sigma, len(X), named)
    if reason:
        return undefined("spectral_correlation", reason)
    moves = moving(Y)
    X, Y = in_units_of(exponents(X), X), in_units_of(exponents(Y), Y)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [correlation(x, y, sigma) if m else 0.0 for x, y, m in zip(X.T, Y.T, moves)]
    if np.isnan(found).any():
        return undefined("spectral_correlation", "a smoothed spectrum is flat")
    return float(np.mean(found))


def _if_blurred(function: str, sigma: float, n_rows: int, named: bool) -> str | None:
    """Why a default has no value, where spectra are too short for it; what was asked for by name has, and a warning."""
    reason = why_blurred(sigma, n_rows)
    if reason and named:
        warn(f"{function}: {reason}, so that the value says little")
        return None
    return reason


def _smoothed(spectrum: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter1d(spectrum, sigma) if sigma > 0 else spectrum


def _mtf_distance(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    offsets = np.arange(-int(5 * sigma), int(5 * sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2) if sigma > 0 else np.ones(1)
    n = len(x) // 2 * 2

    def spectrum(a: np.ndarray) -> np.ndarray:
        a = (a - a.mean()) / a.std()
        power = np.abs(rfft(a[:n], norm="ortho")) ** 2 * 2 / n
        power = correlate1d(power, weights / weights.sum(), mode="constant")
        return (power / power.sum())[:100]

    overlap = trapezoid(np.sqrt(spectrum(x) * spectrum(y)))
    return math.sqrt(max(0.0, 1.0 - float(overlap)))


def _of_smoothed_spectra(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    p, q = (power_spectra(a[:, None], smoothing=sigma)[:, 0] for a in (x, y))
    return float(np.corrcoef(p, q)[0, 1])


def _of_decibels(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    amplitudes = (np.abs(rfft((a - a.mean()) / a.std())) for a in (x, y))
    decibels = (20 * np.log10(np.maximum(a, np.finfo(float).tiny)) for a in amplitudes)
    p, q = (_smoothed(d, sigma)[:20_000] for d in decibels)
    return abs(float(np.corrcoef(p, q)[0, 1]))


def _of_raw_power(x: np.ndarray, y: np.ndarray, sigma: float) -> float:
    p, q = (_smoothed(np.abs(rfft(a)) ** 2, sigma) for a in (x, y))
    return float(np.corrcoef(p, q)[0, 1])


# The smoothing that each variant has, and what it computes.
_CORRELATIONS = {
    "julia-corr": (20.0, _of_smoothed_spectra),
    "dend": (20.0, _of_decibels),
    "dend-vi": (10.0, _of_raw_power),
}
