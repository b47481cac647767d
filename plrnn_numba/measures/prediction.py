"""PE, valid time and MASE: how far ahead, and how well, a model predicts."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_number, as_rng, one_of, renamed
from ..dynamics import generate
from ..engine import as_floats
from ..model import Model, as_model, initial_state, observe, predict
from ..observations.base import n_observed, n_reached
from .common import as_pair, exponents, in_data_units, in_units_of, undefined, why_not_finite

# Starts of a prediction error that are run at a time, and numbers of their orbits, of which fewer starts may make as many.
_STARTS, _NUMBERS = 4096, 2**27


@renamed(n="n_steps")
def prediction_error(
    model: Model,
    X: ArrayLike,
    *,
    n_steps: int = 20,
    inputs: ArrayLike | None = None,
    variant: str = "pe",
) -> float:
    """PE: error of predictions, n_steps ahead.

    Parameters
    ----------
    model : Model
        The model that predicts.
    X : array_like, (T, N)
        True orbit, in data units, T > n_steps.
    n_steps : int, optional
        Steps ahead.
    inputs : array_like, (T, K), optional
        External inputs, needed where the model has any.
    variant : {'pe', 'dynamix-pe'}, optional
        'pe': mean squared error exactly n_steps ahead, over all starts; 'dynamix-pe': mean absolute error n_steps ahead
        of the first row alone, summed over the dimensions.

    Returns
    -------
    float
        In squared data units ('dynamix-pe': data units); NaN, with a warning, where a prediction diverges.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN or inf, or the variant is unknown.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Koppe et al. (2019) [koppe2019].

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> pl.prediction_error(model, X, n_steps=5) > 0
    True
    """
    if variant == "mtf":
        raise ValueError("variant: got 'mtf', which gives an error for each step; call prediction_errors")
    one_of("variant", variant, ("pe", "dynamix-pe"))
    model = as_model(model)
    X, n, drives = _checked(model, X, n_steps, inputs)
    n_starts = 1 if variant == "dynamix-pe" else len(X) - n
    e = int(exponents(X).max())
    total = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orbits that diverge: NaN says it
        for rows in _batches(n_starts, (n + 1) * len(model.latent.A)):
            drive = None if drives is None else drives[rows]
            ahead = predict(model, X[rows], n + 1, drive)[:, n]
            error = _difference(ahead, X[rows.start + n : rows.stop + n], e)
            total += float(np.abs(error).sum() if variant == "dynamix-pe" else (error**2).sum())
    if not math.isfinite(total):
        return undefined("PE", "a prediction diverges")
    if variant == "dynamix-pe":
        return in_data_units("PE", total, e)
    return in_data_units("PE", total / (n_starts * X.shape[1]), 2 * e)


def prediction_errors(
    model: Model,
    X: ArrayLike,
    *,
    n_steps: int = 20,
    inputs: ArrayLike | None = None,
    variant: str = "mtf",
    seed: int = 0,
) -> np.ndarray:
    """Errors of predictions, for each of 1 to n_steps steps ahead.

    Parameters
    ----------
    model, X, n_steps, inputs
        As for `prediction_error`.
    variant : {'pe', 'mtf'}, optional
        Both are mean squared errors over all starts. For 'mtf', latent units that the data do not reach start from a
        normal distribution instead of where the model says.
    seed : int, optional
        Of 'mtf'.

    Returns
    -------
    ndarray, (n_steps,)
        In squared data units; NaN, with a warning, where a prediction diverges.

    Raises
    ------
    ValueError
        Where a shape does not fit, X has NaN or inf, or the variant is unknown.

    Warns
    -----
    UndefinedMeasureWarning
        Where a value is NaN.

    References
    ----------
    Koppe et al. (2019) [koppe2019].

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((50, 2))
    >>> errors = pl.measures.prediction_errors(model, X, n_steps=5, variant="pe")
    >>> bool(np.isclose(errors[-1], pl.prediction_error(model, X, n_steps=5)))
    True
    """
    one_of("variant", variant, ("pe", "mtf"))
    model = as_model(model)
    X, n, drives = _checked(model, X, n_steps, inputs)
    rng = as_rng(seed)
    reached = n_reached(model.observation)
    e = int(exponents(X).max())
    total = np.zeros(n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orbits that diverge: NaN says it
        for rows in _batches(len(X) - n, (n + 1) * len(model.latent.A)):
            drive = None if drives is None else drives[rows]
            states = initial_state(model, X[rows])
            if variant == "mtf":
                states[:, reached:] = rng.standard_normal(states[:, reached:].shape)
            ahead = observe(model, generate(model.latent, states, n + 1, drive))
            true = np.lib.stride_tricks.sliding_window_view(X[rows.start : rows.stop + n], n + 1, axis=0)
            error = _difference(ahead[:, 1:], true.transpose(0, 2, 1)[:, 1:], e)
            total += (error**2).sum(axis=(0, 2))
    errors = total / ((len(X) - n) * X.shape[1])
    bad = ~np.isfinite(errors)
    if bad.any():
        undefined("prediction_errors", f"a prediction diverges, from {int(bad.argmax()) + 1} steps ahead on")
    return np.array([math.nan if b else in_data_units("PE", v, 2 * e) for v, b in zip(errors, bad)])


def _difference(predicted: np.ndarray, true: np.ndarray, e: int) -> np.ndarray:
    """In float64, and in units of 2**e."""
    return in_units_of(e, predicted.astype(np.float64)) - in_units_of(e, true.astype(np.float64))


def _checked(
    model: Model, X: ArrayLike, n_steps: int, inputs: ArrayLike | None
) -> tuple[np.ndarray, int, np.ndarray | None]:
    """The true orbit, the number of steps, and the inputs of each start's steps."""
    X = as_floats("X", X, None, ("T", n_observed(model.observation)))
    if not np.isfinite(X).all():
        raise ValueError("X: got NaN or inf, expected a finite true series")
    n = as_integer("n_steps", n_steps, 1, len(X) - 1)
    K = model.latent.C.shape[1]
    if inputs is None and K:
        raise ValueError(f"inputs: got none, but the model has {K}; expected shape ({len(X)}, {K})")
    if inputs is None:
        return X, n, None
    inputs = as_floats("inputs", inputs, None, (len(X), K))
    return X, n, np.lib.stride_tricks.sliding_window_view(inputs, n, axis=0).transpose(0, 2, 1)


def _batches(n_starts: int, n_numbers: int) -> Iterator[slice]:
    """All starts, by as many as are run at a time; the orbit of each has n_numbers."""
    step = min(_STARTS, max(_NUMBERS // n_numbers, 1))
    for first in range(0, n_starts, step):
        yield slice(first, min(first + step, n_starts))


def valid_prediction_time(
    X: ArrayLike, Y: ArrayLike, epsilon: float, *, exponent: float | None = None, dt: float = 1.0
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
    Vlachas et al. (2020) [vlachas2020].

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> t = np.arange(100.0)[:, None]
    >>> measures.valid_prediction_time(np.sin(t), np.sin(1.01 * t), epsilon=0.5)
    41.0
    """
    X, Y = as_pair(X, Y, same_length=True)
    epsilon, dt = as_number("epsilon", epsilon, above=0), as_number("dt", dt, above=0)
    if exponent is not None:
        exponent = as_number("exponent", exponent, above=0)
    e = int(exponents(X).max())
    X, Y = in_units_of(e, X), in_units_of(e, Y)
    scale = math.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=1).mean())
    with np.errstate(invalid="ignore", over="ignore"):  # what is NaN or far away is off
        off = ~(np.linalg.norm(Y - X, axis=1) <= epsilon * scale)
    steps = int(off.argmax()) if off.any() else len(X)
    time = steps * dt
    return time if exponent is None else time * exponent


@renamed(n="n_steps")
def mase(X: ArrayLike, Y: ArrayLike, *, n_steps: int | None = None, variant: str = "default") -> float:
    """Mean absolute scaled error of the first n_steps steps of a prediction.

    Parameters
    ----------
    X, Y : array_like, (T, N)
        True orbit and its prediction, from the same start.
    n_steps : int, optional
        How many steps; all where none is given.
    variant : {'default', 'dynamix-mase'}, optional
        The scale is the mean step ``|x[t+1] - x[t]|`` of the true orbit, all of it; for 'dynamix-mase' that of the
        prediction, as the arguments are swapped there, and 1e-8 in data units, so that it depends on them.

    Returns
    -------
    float
        The mean over the dimensions; NaN where Y is, with a warning.

    Raises
    ------
    ValueError
        Where a shape or n_steps does not fit, or the variant is unknown.

    Warns
    -----
    UndefinedMeasureWarning
        Where the value is NaN.

    References
    ----------
    Hyndman and Koehler (2006) [hyndman2006].

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import measures
    >>> x = np.arange(10.0)[:, None]
    >>> round(measures.mase(x, x + 3), 6)
    3.0
    """
    X, Y = as_pair(X, Y, same_length=True)
    one_of("variant", variant, ("default", "dynamix-mase"))
    n = len(X) if n_steps is None else as_integer("n_steps", n_steps, 1, len(X))
    e = exponents(X)
    X, Y = in_units_of(e, X), in_units_of(e, Y)
    of, added = (Y, in_units_of(e, np.array(1e-8))) if variant == "dynamix-mase" else (X, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.abs(np.diff(of, axis=0)).mean(axis=0) + added
        found = float((np.abs(X - Y)[:n].mean(axis=0) / scale).mean())
    return found if math.isfinite(found) else undefined("MASE", why_not_finite(Y) or "Y leaves float64")
