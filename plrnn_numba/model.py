"""The whole model: latent step model, observation model, scaling of the data; and its prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .basics.checks import show
from .basics.records import record
from .dynamics import as_inputs, free_run, orbit_length
from .engine import FLOATS, as_floats, check_finite, kernel
from .models.base import Latent, as_latent
from .observations.base import (
    Observation,
    as_observation,
    n_observed,
    observation_dtype,
    observe_kernel,
    signal_inverse,
    start_kernel,
)


@record
class Scaling(NamedTuple):
    """Standardization: model units are ``(data - mean) / scale``; mean and scale (N,), in data units."""

    mean: np.ndarray
    scale: np.ndarray


@record
class Model(NamedTuple):
    """A latent step model, an observation model, and, where the data were standardized, their scaling."""

    latent: Latent
    observation: Observation
    scaling: Scaling | None = None


def as_model(model: Model) -> Model:
    """Check a model and make its arrays fit for kernels."""
    if not isinstance(model, Model):
        hint = "; give its `model`" if hasattr(model, "best_model") else ""
        raise TypeError(f"model: got {type(model).__name__}, expected Model{hint}")
    latent = as_latent(model.latent)
    dtype, M = latent.A.dtype, len(latent.A)
    if observation_dtype(model.observation) not in (dtype, np.dtype(np.float64)):
        raise ValueError(
            f"model: got latent parameters of {dtype} and observation parameters of "
            f"{observation_dtype(model.observation)}, expected one dtype"
        )
    observation = as_observation(model.observation, M, dtype)
    return Model(latent, observation, _as_scaling(model.scaling, n_observed(observation)))


def _as_scaling(scaling: Scaling | None, N: int) -> Scaling | None:
    """Check a scaling against N observed variables."""
    if scaling is None:
        return None
    if not isinstance(scaling, Scaling):
        raise TypeError(f"scaling: got {type(scaling).__name__}, expected Scaling or None")
    mean, scale = (as_floats(f"Scaling.{f}", v, np.float64, (N,)) for f, v in scaling._asdict().items())
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError("Scaling: got a mean that is not finite, or a scale that is not above 0")
    return Scaling(mean, scale)


@kernel
def _start_states(observation, inverse, x, z):
    for i in range(len(x)):
        start_kernel(observation, inverse, x[i], z[i])


@kernel
def _observe_states(observation, z, x):
    for i in range(len(z)):
        observe_kernel(observation, z[i], x[i])


def initial_state(model: Model, x0: ArrayLike) -> np.ndarray:
    """Latent states (S, M) that orbits start in at the observations x0 (S, N), in data units; (N,) gives (M,).

    Data are shifted and scaled in float64; the states have the model's dtype. Raises ValueError where x0 is not finite.
    """
    model = as_model(model)
    dtype, N = model.latent.A.dtype, n_observed(model.observation)
    x = as_floats("x0", x0)
    single = x.ndim == 1
    if x.ndim not in (1, 2) or x.shape[-1] != N:
        raise ValueError(f"x0: got shape {x.shape}, expected ({N},) or (S, {N})")
    check_finite("x0", x)
    x = x.reshape(-1, N)
    if model.scaling is not None:
        x = (x - model.scaling.mean) / model.scaling.scale
    z = np.empty((len(x), len(model.latent.A)), dtype)
    x = as_floats("x0", x, dtype)
    check_finite("x0", x)
    _start_states(model.observation, signal_inverse(model.observation), x, z)
    return z[0] if single else z


def observe(model: Model, z: ArrayLike, *, dtype: DTypeLike | None = None) -> np.ndarray:
    """Read the observations (..., N), in data units, from latent states z (..., M).

    They are float64 where the model has a scaling, since float32 tells few values of sin(t) + 101325 apart, and else of
    the model's dtype, unless `dtype` says otherwise.
    """
    model = as_model(model)
    M, N = len(model.latent.A), n_observed(model.observation)
    dtype = _data_dtype(model, dtype)
    z = as_floats("z", z, model.latent.A.dtype)
    if z.ndim == 0 or z.shape[-1] != M:
        raise ValueError(f"z: got shape {z.shape}, expected (..., {M})")
    x = np.empty((z.size // M, N), z.dtype)
    _observe_states(model.observation, z.reshape(-1, M), x)
    with np.errstate(all="ignore"):  # of a diverging orbit, of which `generate` warns
        if model.scaling is not None:
            x = x * model.scaling.scale + model.scaling.mean
        return x.astype(dtype, copy=False).reshape(*z.shape[:-1], N)


def _data_dtype(model: Model, dtype: DTypeLike | None) -> np.dtype:
    """What data are given in: as asked for, else float64 where there is a scaling, else what the model is in."""
    if dtype is None:
        return model.latent.A.dtype if model.scaling is None else np.dtype(np.float64)
    try:
        asked = np.dtype(dtype)
        if asked in FLOATS:
            return asked
    except TypeError:  # the name of none
        pass
    raise ValueError(f"dtype: got {show(dtype)}, allowed are float32 and float64")


def predict(
    model: Model,
    x0: ArrayLike,
    n_steps: int,
    inputs: ArrayLike | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> np.ndarray:
    """Let the model run freely from an observation.

    Parameters
    ----------
    model : Model
        From `fit`, `load_model` or `init_model`.
    x0 : array_like, (N,) or (S, N)
        Observation to start at, or one for each of S orbits, in data units.
    n_steps : int
        Length of the orbit, the start included.
    inputs : array_like, (n_steps, K) or (S, n_steps, K), optional
        External inputs; needed where the model has any (in `generate` and `step`, none means zero). Row t drives the
        step from t to t+1.
    dtype : {'float32', 'float64'}, optional
        Of the result. Else it is float64 where the data were standardized, however the model computes, and the
        model's dtype where they were not.

    Returns
    -------
    ndarray, (n_steps, N) or (S, n_steps, N)
        In data units; row 0 is what the model observes at the state that x0 starts in, which is x0 itself
        for `Identity`. An orbit that leaves the finite numbers is NaN from that row on, with one warning.

    Raises
    ------
    ValueError
        Where a shape does not fit, inputs are missing, x0 or inputs are not finite, or the orbits would not fit into
        memory; the message names the argument, and both shapes or the place.

    References
    ----------
    Brenner et al. (2024) [brenner2024], for 'identity'; Hess et al. (2023) [hess2023], for 'affine'.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> config = {"latent_dim": 4, "latent_step": {"name": "PLRNN"}}
    >>> model = pl.init_model(config, n_observed=2)
    >>> pl.predict(model, [0.5, -0.5], n_steps=10).shape
    (10, 2)
    """
    model = as_model(model)
    K = model.latent.C.shape[1]
    z0 = initial_state(model, x0)
    starts = z0.reshape(-1, z0.shape[-1])
    n_steps = orbit_length(model.latent, len(starts), n_steps, n_observed(model.observation))
    dtype = _data_dtype(model, dtype)
    if inputs is None and K:
        raise ValueError(f"inputs: got none, but the model has {K}; expected shape ({n_steps}, {K})")
    drive = as_inputs(inputs, len(starts), n_steps, K, model.latent.A.dtype)
    orbits = observe(model, free_run(model.latent, starts, n_steps, drive), dtype=dtype)
    return orbits[0] if z0.ndim == 1 else orbits
