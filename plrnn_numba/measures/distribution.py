"""How far apart the invariant distributions of two orbits are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_rng, one_of
from .common import as_pair, undefined, why_not_finite


def statistical_error(
    X: ArrayLike,
    Y: ArrayLike,
    *,
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
    if not 0 <= delta < 0.5:
        raise ValueError(f"delta: got {delta!r}, allowed is from 0 to below 0.5")
    directions, levels = as_integer("directions", directions), as_integer("levels", levels)
    reason = why_not_finite(Y)
    if reason:
        return undefined("E_stat", reason)
    at = np.linspace(delta, 1 - delta, levels)
    if variant == "dimwise":
        gaps = np.abs(np.quantile(X, at, axis=0) - np.quantile(Y, at, axis=0)).mean(axis=0)
        return float((2 * gaps / np.ptp(X, axis=0)).mean())
    axes = as_rng(seed).standard_normal((directions, X.shape[1]))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    total = 0.0
    for axis in axes:
        total += np.abs(np.quantile(X @ axis, at) - np.quantile(Y @ axis, at)).mean()
    return float(total / len(axes))
