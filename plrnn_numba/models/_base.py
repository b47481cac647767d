"""What a latent step model gives to the package: the verbs, and the registry.

A model is one file in this folder: a NamedTuple of parameters, a dataclass of hyperparameters, initial
values, and implementations of the verbs below. Elements are numbers or lanes (see `_lanes`); states
are one-dimensional. `d` is what a step keeps for the way back; `f` is what multiplies a weight, and is cheap
to find again from z and d, which saves the memory that it would take for a whole sequence. `tape_widths`
names their lengths; over many steps they are F (T, n_f) and D (T, n_d).
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._arrays import as_floats, common_dtype
from .._jit import verb
from .._schema import ConfigError, join, option

# --- the verbs -------------------------------------------------------------------------------------


@verb
def step_kernel(latent, z, f, d, out):
    """``out = F(z)``, without inputs; fills f and d."""


@verb
def state_gradient(latent, z, f, d, work, g, out):
    """``out = J(z)' g`` from z and what the step kept in d; fills f again, leaves its deltas in d.

    `work` is the model's own, to add up in what `parameter_gradient` then takes; zero before the first step.
    """


@verb
def parameter_gradient(latent, Z, F, D, work, G, grad):
    """Add to `grad`, a NamedTuple like `latent`, from the tapes of many steps, in large products.

    Z (T, M) are the states that were stepped from, G (T, M) the loss's derivatives by the steps' results.
    """


@verb
def jacobian_kernel(latent, z, f, d, J):
    """``J = dF/dz`` at one state z (M,) of numbers."""


@verb
def hinge_form(latent):
    """Return the model's `Hinge`; outside kernels, on plain arrays."""


class Hinge(NamedTuple):
    """``F(z) = L z + B phi(C z + d) + h + input_matrix s``: the normal form of the whole family.

    L (M, M); B (M, K), C (K, M), d (K,) of K hinges; h (M,); input_matrix (M, number of inputs).
    """

    L: np.ndarray
    B: np.ndarray
    C: np.ndarray
    d: np.ndarray
    h: np.ndarray
    input_matrix: np.ndarray


# --- the registry ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """The model-agnostic hyperparameters."""

    learnable_C: bool = option(
        True, help="learn the input matrix C; else the inputs go to the last latent units"
    )

    def check(self, latent_dim: int, path: str) -> None:
        """Raise ConfigError where the hyperparameters do not go with `latent_dim`."""


class TapeWidths(NamedTuple):
    """How many elements a model needs: in f and d for each step, in work for many."""

    f: int
    d: int
    work: int


@dataclasses.dataclass(frozen=True)
class LatentStepModel:
    """A registered model: its name in configurations, its types, its initial values, its shapes.

    `initialize(hyperparameters, M, K, rng)` gives parameters in float64. `shapes(latent)` gives the shape
    that each array must have, given M and K by C's, and H by h2's; it raises ValueError for a wrong flag.
    """

    name: str
    parameters: type
    hyperparameters: type[Hyperparameters]
    initialize: Callable[..., Any]
    shapes: Callable[[Any], dict[str, tuple[int, ...]]]
    tape_widths: Callable[[Any], TapeWidths]


MODELS: dict[str, LatentStepModel] = {}
_BY_TYPE: dict[type, LatentStepModel] = {}


def register_model(model: LatentStepModel) -> None:
    """Make a latent step model known to configurations, training and the command line."""
    MODELS[model.name] = model
    _BY_TYPE[model.parameters] = model


def model_of(latent: Any) -> LatentStepModel:
    """Return the registered model whose parameters `latent` are, or raise TypeError."""
    try:
        return _BY_TYPE[type(latent)]
    except KeyError:
        known = ", ".join(t.__name__ for t in _BY_TYPE)
        raise TypeError(f"latent: got {type(latent).__name__}, allowed are {known}") from None


# --- parameters from the outside -------------------------------------------------------------------


@functools.cache
def _field_types(cls: Any) -> dict[str, type]:
    return typing.get_type_hints(cls)


def as_latent(latent: Any) -> Any:
    """Check the parameters of a latent step model and make them fit for kernels."""
    model = model_of(latent)
    name = type(latent).__name__
    cls: Any = type(latent)
    types = _field_types(cls)
    given = {f: v for f, v in latent._asdict().items() if types[f] is np.ndarray}
    dtype = common_dtype(name, given)
    arrays = {f: as_floats(f"{name}.{f}", v, dtype) for f, v in given.items()}
    # np.bool_, np.int64, ...: each would be a new type for numba.
    flags = {f: types[f](v) for f, v in latent._asdict().items() if f not in given}
    for field, ndim in (("A", 1), ("C", 2), ("h2", 1)):
        if field in arrays and arrays[field].ndim != ndim:
            raise ValueError(f"{name}.{field}: got shape {arrays[field].shape}, expected {ndim} dimension(s)")
    fit = latent._replace(**arrays, **flags)
    try:
        shapes = model.shapes(fit)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from None
    for field, shape in shapes.items():
        if arrays[field].shape != shape:
            raise ValueError(f"{name}.{field}: got shape {arrays[field].shape}, expected {shape}")
    return fit


# --- initial values, as in the field ---------------------------------------------------------------


def random_positive_definite(M: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random positive definite (M, M) matrix of spectral radius 1.

    Source: Talathi and Vartak (2015), "Improving performance of recurrent neural network with relu
    nonlinearity"; used for A and W by the PLRNN papers, e.g. Brenner et al. (2022).
    """
    R = rng.standard_normal((M, M))
    K = R @ R.T / M + np.eye(M)
    return K / np.linalg.eigvalsh(K)[-1]


def uniform_by_fan_in(shape: tuple[int, ...], fan_in: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in +-1/sqrt(fan_in), as in Hess et al. (2023), "Generalized teacher forcing"."""
    bound = 1.0 / np.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def initial_C(M: int, K: int, learnable: bool, rng: np.random.Generator) -> np.ndarray:
    """Glorot-uniform (Glorot and Bengio 2010), or, fixed, ``[0; I_K]``: inputs to the last K units."""
    if learnable:
        bound = np.sqrt(6.0 / (M + K))
        return rng.uniform(-bound, bound, (M, K))
    if K and M <= K:
        raise ConfigError(
            f"{join('latent_step.hyperparameters', 'learnable_C')}: false needs more latent units than "
            f"inputs, got latent_dim {M} and {K} inputs; allowed is latent_dim above {K}"
        )
    C = np.zeros((M, K))
    C[M - K :] = np.eye(K)
    return C
