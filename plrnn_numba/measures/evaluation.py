"""All measures at once, over many starts: what a reconstruction is worth."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_number, renamed, warn
from ..basics.records import record
from ..engine import as_floats
from ..model import Model, as_model, predict
from ..observations.base import n_observed
from .prediction import prediction_error
from .spectra import hellinger_distance
from .state_space import state_space_divergence


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
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
    n_steps: int

    def __getattr__(self, name: str) -> int:
        """The former name of `n_steps`."""
        if name != "steps":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warn("Evaluation.steps is now n_steps", DeprecationWarning)
        return self.n_steps

    @property
    def quartiles(self) -> dict[str, tuple[float, float]]:
        """The first and third quartile of each measure over the orbits; NaN counts as the worst."""
        return {name: (_quantile(v, 0.25), _quantile(v, 0.75)) for name, v in self.each.items()}


def _quantile(values: np.ndarray, level: float) -> float:
    ordered = np.sort(values)  # NaN last
    place = level * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return float(below + (above - below) * (place - math.floor(place)))


@renamed(steps="n_steps", orbits="n_orbits")
def evaluate(
    model: Model,
    X: ArrayLike,
    inputs: ArrayLike | None = None,
    *,
    n_steps: int = 10_000,
    n_orbits: int = 10,
    bins: int = 30,
    smoothing: float = 20.0,
    prediction_steps: int = 20,
) -> Evaluation:
    """Compare free-running orbits of a model with stretches of a series, each from its stretch's start.

    By `state_space_divergence`, `hellinger_distance` and `prediction_error`. All three depend on `n_steps`: two true
    orbits of Lorenz-63 (dt 0.01) differ by D_stsp 0.58 after 10,000 steps and 0.03 after 100,000.

    Parameters
    ----------
    model : Model
        The model.
    X : array_like, (T, N)
        True series, held out, in data units.
    inputs : array_like, (T, K), optional
        External inputs, needed where the model has any.
    n_steps, n_orbits : int, optional
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

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((900, 2))
    >>> found = pl.evaluate(model, X, n_steps=300)
    >>> len(found.each["D_H"]), found.n_diverged
    (3, 0)
    """
    model = as_model(model)
    N, K = n_observed(model.observation), model.latent.C.shape[1]
    X = as_floats("X", X, None, ("T", N))
    bins, smoothing = as_integer("bins", bins), as_number("smoothing", smoothing, least=0)
    steps = min(as_integer("n_steps", n_steps, 2), len(X))
    n_orbits = as_integer("n_orbits", n_orbits)
    starts = np.arange(0, len(X) - steps + 1, steps)
    # Where nothing moves for a whole stretch, as in a recording with pauses, there is nothing to compare.
    moving = [np.ptp(X[s : s + steps], axis=0).all() for s in starts]
    starts = starts[moving][:n_orbits]
    if not len(starts):
        raise ValueError(
            f"X: a column is constant in every stretch of {steps} rows, so no measure is defined"
        )
    drives = None
    if inputs is not None:
        inputs = as_floats("inputs", inputs, None, (len(X), K))
        drives = np.stack([inputs[s : s + steps] for s in starts])
    n = min(as_integer("prediction_steps", prediction_steps), steps - 1)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN, and n_diverged, say it
        generated = predict(model, X[starts], steps, drives)
        for i, start in enumerate(starts):
            true = X[start : start + steps]
            drive = None if drives is None else drives[i]
            rows.append(
                (
                    state_space_divergence(true, generated[i], bins=bins),
                    hellinger_distance(true, generated[i], smoothing=smoothing),
                    prediction_error(model, true, n_steps=n, inputs=drive),
                )
            )
    each = {name: np.array(v) for name, v in zip(("D_stsp", "D_H", "PE"), zip(*rows))}
    n_diverged = int((~np.isfinite(generated).all(axis=(1, 2))).sum())
    medians = {name: _quantile(values, 0.5) for name, values in each.items()}
    return Evaluation(**medians, each=each, n_diverged=n_diverged, n_steps=steps)
