"""The whole model: latent step model, observation model, scaling of the data; and its prediction."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import as_floats, map_arrays
from ._jit import kernel
from .config import Config
from .dynamics import as_inputs, generate
from .models._base import MODELS, as_latent
from .observation import (
    as_observation,
    initialize_observation,
    n_observed,
    observation_dtype,
    observe_kernel,
    signal_inverse,
    start_kernel,
)


class Scaling(NamedTuple):
    """Standardization: model units are ``(data - mean) / scale``; mean and scale (N,), in data units."""

    mean: np.ndarray
    scale: np.ndarray


class Model(NamedTuple):
    """A latent step model, an observation model, and, where the data were standardized, their scaling."""

    latent: Any
    observation: Any
    scaling: Scaling | None = None


def as_model(model: Model) -> Model:
    """Check a model and make its arrays fit for kernels."""
    if not isinstance(model, Model):
        raise TypeError(f"model: got {type(model).__name__}, expected Model")
    latent = as_latent(model.latent)
    dtype, M = latent.A.dtype, len(latent.A)
    if observation_dtype(model.observation) not in (dtype, np.dtype(np.float64)):
        raise ValueError(
            f"model: got latent parameters of {dtype} and observation parameters of "
            f"{observation_dtype(model.observation)}, expected one dtype"
        )
    return model._replace(latent=latent, observation=as_observation(model.observation, M, dtype))


def init_model(config: Any, n_observed: int, n_inputs: int = 0, seed: Any = None) -> Model:
    """Draw the initial parameters of a model.

    Parameters
    ----------
    config : Config or mapping
        The run configuration; its `latent_dim` M, `latent_step`, `observation`, `dtype` and `seed` are used.
    n_observed : int
        Number N of observed variables.
    n_inputs : int, optional
        Number K of external inputs.
    seed : int or numpy.random.Generator, optional
        In place of the configuration's seed.

    Returns
    -------
    Model
        Fresh parameters in the configuration's dtype, without scaling.

    Raises
    ------
    ConfigError
        Where the configuration does not fit N and K; the message names the key.

    References
    ----------
    The source of the initial values stands beside each model's `initialize`.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> config = {"latent_dim": 20, "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}}}
    >>> model = pl.init_model(config, n_observed=3, seed=1)
    >>> model.latent.W.shape, model.latent.W.dtype, model.observation.L.shape
    ((20, 20), dtype('float32'), (17, 3))
    """
    config = Config.from_dict(config)
    rng = np.random.default_rng(config.seed if seed is None else seed)
    M = config.latent_dim
    kind = MODELS[config.latent_step.name]
    latent = kind.initialize(config.latent_step.hyperparameters, M, int(n_inputs), rng)
    observation = initialize_observation(config.observation.name, M, int(n_observed), rng)
    model = map_arrays(lambda a: a.astype(config.dtype), Model(latent, observation))
    return as_model(model)


@kernel
def _start_states(observation, inverse, x, z):
    for i in range(len(x)):
        start_kernel(observation, inverse, x[i], z[i])


@kernel
def _observe_states(observation, z, x):
    for i in range(len(z)):
        observe_kernel(observation, z[i], x[i])


def initial_state(model: Model, x0: Any) -> np.ndarray:
    """Latent states (S, M) that orbits start in at the observations x0 (S, N), in data units."""
    model = as_model(model)
    dtype, N = model.latent.A.dtype, n_observed(model.observation)
    x = as_floats("x0", x0, None, ("S", N))
    if model.scaling is not None:
        x = (x - model.scaling.mean) / model.scaling.scale
    z = np.empty((len(x), len(model.latent.A)), dtype)
    x = as_floats("x0", x, dtype)
    _start_states(model.observation, signal_inverse(model.observation), x, z)
    return z


def observe(model: Model, z: Any) -> np.ndarray:
    """Read the observations (..., N), in data units, from latent states z (..., M)."""
    model = as_model(model)
    M, N = len(model.latent.A), n_observed(model.observation)
    z = as_floats("z", z, model.latent.A.dtype)
    x = np.empty((z.size // M, N), z.dtype)
    _observe_states(model.observation, z.reshape(-1, M), x)
    if model.scaling is not None:
        with np.errstate(all="ignore"):  # of a diverging orbit, of which `generate` warns
            x = x * model.scaling.scale.astype(x.dtype) + model.scaling.mean.astype(x.dtype)
    return x.reshape(*z.shape[:-1], N)


def predict(model: Model, x0: Any, n_steps: int, inputs: Any = None) -> np.ndarray:
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
        External inputs; needed where the model has any. Row t drives the step from t to t+1.

    Returns
    -------
    ndarray, (n_steps, N) or (S, n_steps, N)
        In data units; row 0 is what the model observes at the state that x0 starts in, which is x0 itself
        for `Identity`. An orbit that leaves the finite numbers is NaN from that row on, with one warning.

    Raises
    ------
    ValueError
        Where a shape does not fit or inputs are missing; the message names the argument and both shapes.

    References
    ----------
    Brenner, Hemmer et al. (2024), NeurIPS (identity); Hess et al. (2023), ICML (affine).

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
    x0 = np.asarray(x0)
    single = x0.ndim == 1
    z0 = initial_state(model, x0[None] if single else x0)
    if inputs is None and K:
        raise ValueError(f"inputs: got none, but the model has {K}; expected shape ({n_steps}, {K})")
    if inputs is not None:
        inputs = as_inputs(inputs, len(z0), n_steps, K, model.latent.A.dtype)
    orbit = observe(model, generate(model.latent, z0, n_steps, inputs))
    return orbit[0] if single else orbit
