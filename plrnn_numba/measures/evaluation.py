"""All measures at once, over many starts: what a reconstruction is worth."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..basics.checks import as_integer, as_number, renamed, warn
from ..basics.records import record
from ..data import DataError, Trials, as_trials, check_trials, interpolated
from ..engine import as_floats, check_shape
from ..model import Model, as_model, predict
from ..observations.base import n_observed
from .common import UndefinedMeasureWarning, moving
from .distribution import kernel_distance
from .prediction import prediction_error
from .spectra import USUAL_SMOOTHING, hellinger_distance
from .state_space import state_space_divergence, why_uninformative

# The last in place of the first, where histograms have too few points for their cells.
MEASURES = ("D_stsp", "D_H", "PE", "D_mmd")

_FEW = 100  # rows of a stretch, below which measures say little


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What `evaluate` returns: medians over the orbits, and each orbit's values.

    D_stsp, D_H, PE and D_mmd are medians in which a diverged orbit counts as the worst (NaN where the median itself
    is one); `each` holds the measures that were taken as arrays (orbits,). `geometry` names the one that says how near
    the orbits' shape is: 'D_stsp', or, where there are too many dimensions for its histograms, 'D_mmd'; the other is
    NaN. Of the columns in `left_out`, which do not move in what is compared, D_stsp, D_H and D_mmd know nothing.
    `notes` says what else there is to know, a line each.
    """

    D_stsp: float
    D_H: float
    PE: float
    each: dict[str, np.ndarray]
    n_diverged: int
    n_steps: int
    D_mmd: float = math.nan
    geometry: str = "D_stsp"
    left_out: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> int:
        """The former name of `n_steps`."""
        if name != "steps":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warn("Evaluation.steps is now n_steps", DeprecationWarning)
        return self.n_steps

    @property
    def distance(self) -> float:
        """The value of the measure that `geometry` names: what a best model is chosen by; the lower, the better."""
        return getattr(self, self.geometry)

    @property
    def quartiles(self) -> dict[str, tuple[float, float]]:
        """The first and third quartile of each measure over the orbits; NaN counts as the worst."""
        return {name: (_quantile(v, 0.25), _quantile(v, 0.75)) for name, v in self.each.items()}


def _quantile(values: np.ndarray, level: float) -> float:
    if not len(values):
        return math.nan
    ordered = np.sort(values)  # NaN last
    place = level * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return float(below + (above - below) * (place - math.floor(place)))


@renamed(steps="n_steps", orbits="n_orbits")
def evaluate(
    model: Model,
    X: Trials,
    inputs: Trials | None = None,
    *,
    n_steps: int = 10_000,
    n_orbits: int = 10,
    bins: int = 30,
    smoothing: float = USUAL_SMOOTHING,
    prediction_steps: int = 20,
) -> Evaluation:
    """Compare free-running orbits of a model with stretches of a series, each from its stretch's start.

    By `state_space_divergence`, `hellinger_distance` and `prediction_error`. All three depend on `n_steps`: two true
    orbits of Lorenz-63 (dt 0.01) differ by D_stsp 0.58 after 10,000 steps and 0.03 after 100,000. Where the histograms
    of `state_space_divergence` have too many cells for the data (by default from six dimensions on, for 10,000 steps),
    D_stsp is NaN, and `kernel_distance`, D_mmd, takes its place.

    Parameters
    ----------
    model : Model
        The model.
    X : array_like
        True series, held out, in data units: one (T, N), an array (trials, T, N) or a list of (T_i, N). Missing entries
        (NaN) are compared with what lies between their neighbours in time, as `fit` does.
    inputs : array_like, optional
        External inputs in the form of X, with K columns; needed where the model has any.
    n_steps, n_orbits : int, optional
        Length of a stretch, and their largest number; they do not overlap, nor cross a trial's end. Where trials are
        shorter, so are the stretches: as long as lets those that are compared cover most rows.
    bins, smoothing, prediction_steps : optional
        Of `state_space_divergence`, `hellinger_distance`, `prediction_error`.

    Returns
    -------
    Evaluation
        Medians, each orbit's values, how many orbits diverged, and what there is to know about the measures.

    Raises
    ------
    ValueError
        Where a shape does not fit, or no column moves, or the series is too short; the message names the argument.

    Warns
    -----
    UndefinedMeasureWarning
        Once for each measure that is NaN for another reason than that orbits diverge, or whose median is; where columns
        are left out; where the stretches are too short to say much.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> model = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, n_observed=2)
    >>> X = np.random.default_rng(0).standard_normal((900, 2))
    >>> found = pl.evaluate(model, X, n_steps=300)
    >>> len(found.each["D_H"]), found.n_diverged
    (3, 0)
    """
    found = take_measures(
        model,
        X,
        inputs,
        n_steps=n_steps,
        n_orbits=n_orbits,
        bins=bins,
        smoothing=smoothing,
        prediction_steps=prediction_steps,
    )
    for note in found.notes:
        warn(note, UndefinedMeasureWarning)
    n = len(found.each["PE"])
    if found.n_diverged and math.isnan(found.distance):
        warn(f"{found.geometry} is NaN: {found.n_diverged} of {n} orbits diverge", UndefinedMeasureWarning)
    return found


def evaluate_or_nan(model: Model, X: Trials, inputs: Trials | None, **options: Any) -> Evaluation:
    """`take_measures`, in the midst of something that no measure may end: NaN, with a note, where it fails."""
    try:
        return take_measures(model, X, inputs, **options)
    except Exception as error:  # whatever it is
        each = {name: np.zeros(0) for name in MEASURES[:3]}
        reason = f"nothing is measured: {' '.join(str(error).split()) or type(error).__name__}"
        return Evaluation(math.nan, math.nan, math.nan, each, 0, options["n_steps"], notes=(reason,))


def take_measures(
    model: Model,
    X: Trials,
    inputs: Trials | None,
    *,
    n_steps: int,
    n_orbits: int,
    bins: int,
    smoothing: float,
    prediction_steps: int,
) -> Evaluation:
    """What `evaluate` returns, without its warnings: `notes` has them."""
    model = as_model(model)
    bins, smoothing = as_integer("bins", bins), as_number("smoothing", smoothing, least=0)
    n_steps, n_orbits = as_integer("n_steps", n_steps, 2), as_integer("n_orbits", n_orbits)
    n_ahead = as_integer("prediction_steps", prediction_steps)
    trials, notes = _true_series(X, n_observed(model.observation))
    steps = _length_of_stretches([len(trial) for trial in trials], n_steps, n_orbits)
    trials_of, starts, channels = _stretches(trials, steps, n_orbits)
    true = [as_floats("X", trials[i][s : s + steps]) for i, s in zip(trials_of, starts)]
    drives = None
    if inputs is not None:
        series = _inputs_of(inputs, trials, model.latent.C.shape[1])
        drives = np.stack([series[i][s : s + steps] for i, s in zip(trials_of, starts)])

    left_out = np.flatnonzero(~channels)
    if len(left_out):
        those = ", ".join(map(str, left_out[:20])) + (", ..." if len(left_out) > 20 else "")
        columns = "column" if len(left_out) == 1 else f"{len(left_out)} columns"
        notes.append(
            f"X: left out of all measures but PE, since constant in what is compared: {columns} {those}"
        )
    if steps < _FEW:
        notes.append(f"stretches of {steps} rows are compared; measures of fewer than {_FEW} say little")
    if n_ahead > steps - 1:
        n_ahead = steps - 1
        notes.append(f"PE looks {n_ahead} steps ahead: stretches of {steps} rows have no more")
    crowded = why_uninformative(bins, int(channels.sum()), steps)
    if crowded:
        notes.append(f"D_stsp is NaN: {crowded}; D_mmd takes its place")

    told: list[tuple[bool, str]] = []

    def value(finite: bool, measure: Callable[..., float], *arguments: Any, **options: Any) -> float:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            found = measure(*arguments, **options)
        told.extend((finite, str(w.message)) for w in heard if issubclass(w.category, RuntimeWarning))
        return float(found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of orbits that diverge: n_diverged says it
        generated = predict(model, np.stack([x[0] for x in true]), steps, drives)
    usual = {} if smoothing == USUAL_SMOOTHING else {"smoothing": smoothing}
    each: dict[str, list[float]] = {name: [] for name in (MEASURES if crowded else MEASURES[:3])}
    for i, (x, y) in enumerate(zip(true, generated)):
        finite = bool(np.isfinite(y).all())
        pair = x[:, channels], y[:, channels]
        drive = None if drives is None else drives[i]
        if crowded:
            each["D_stsp"].append(math.nan)
            each["D_mmd"].append(value(finite, kernel_distance, *pair))
        else:
            each["D_stsp"].append(value(finite, state_space_divergence, *pair, bins=bins))
        each["D_H"].append(value(finite, hellinger_distance, *pair, **usual))
        each["PE"].append(value(finite, prediction_error, model, x, n_steps=n_ahead, inputs=drive))
    notes += dict.fromkeys(message for finite, message in told if finite)
    arrays = {name: np.array(values) for name, values in each.items()}
    return Evaluation(
        **{name: _quantile(values, 0.5) for name, values in arrays.items()},
        each=arrays,
        n_diverged=int((~np.isfinite(generated).all(axis=(1, 2))).sum()),
        n_steps=steps,
        geometry="D_mmd" if crowded else "D_stsp",
        left_out=tuple(map(int, left_out)),
        notes=tuple(notes),
    )


def _true_series(X: Trials, N: int) -> tuple[list[np.ndarray], list[str]]:
    """Trials without a gap, and what there is to say about them."""
    trials = as_trials("X", X)
    for i, trial in enumerate(trials):
        check_shape("X" if len(trials) == 1 else f"X[{i}]", trial, ("T", N))
    if not check_trials("X", trials, missing=True):
        return trials, []
    trials = [as_floats("X", trial) for trial in trials]
    gaps = sum(int(np.isnan(trial).sum()) for trial in trials)
    whole = sum(trial.size for trial in trials)
    total = np.sum([np.nansum(trial, axis=0, dtype=np.float64) for trial in trials], axis=0)
    mean = total / np.sum([np.isfinite(trial).sum(axis=0) for trial in trials], axis=0)
    filled = [interpolated(trial) for trial in trials]
    filled = [
        np.where(np.isnan(trial), mean, trial) for trial in filled
    ]  # a column that a trial does not have
    return filled, [f"{gaps} of {whole} entries of X are missing, and interpolated in time"]


def _inputs_of(inputs: Trials, trials: list[np.ndarray], K: int) -> list[np.ndarray]:
    drives = as_trials("inputs", inputs)
    if len(drives) != len(trials):
        raise DataError(f"inputs: got {len(drives)} trials, but X has {len(trials)}")
    for i, (drive, trial) in enumerate(zip(drives, trials)):
        check_shape("inputs" if len(trials) == 1 else f"inputs[{i}]", drive, (len(trial), K))
    return drives


def _length_of_stretches(lengths: Sequence[int], n_steps: int, n_orbits: int) -> int:
    """That of which up to n_orbits stretches, none across a trial's end, cover most rows; the longest of those."""
    longest = max(lengths, default=0)
    if longest < 2:
        raise ValueError(f"X: got {longest} rows, expected at least 2")

    def covered(steps: int) -> tuple[int, int]:
        return steps * min(n_orbits, sum(length // steps for length in lengths)), steps

    return max({min(n_steps, length) for length in lengths if length > 1}, key=covered)


class _Chosen(NamedTuple):
    """Which trial each stretch lies in, where it begins, and the channels (N,) that move in all of them."""

    trials: list[int]
    starts: list[int]
    channels: np.ndarray


def _stretches(trials: list[np.ndarray], steps: int, n_orbits: int) -> _Chosen:
    """The first stretches of all trials, then the second ones, but for those in which a channel rests that moves in others.

    A channel that moves in few of them only, as a dose does, is left out instead: what is kept has most channels, squared,
    times stretches.
    """
    places = sorted((s, i) for i, trial in enumerate(trials) for s in range(0, len(trial) - steps + 1, steps))
    moves = np.array([moving(as_floats("X", trials[i][s : s + steps])) for s, i in places])

    def kept(channels: np.ndarray) -> int:
        return int(channels.sum()) ** 2 * min(n_orbits, int(moves[:, channels].all(axis=1).sum()))

    channels = max(np.unique(moves, axis=0), key=kept)
    if not channels.any():
        which = "a" if moves.shape[1] == 1 else "every"
        raise ValueError(
            f"X: {which} column is constant in every stretch of {steps} rows, so no measure is defined"
        )
    found = [place for place, m in zip(places, moves) if m[channels].all()][:n_orbits]
    return _Chosen([i for _, i in found], [s for s, _ in found], channels)
