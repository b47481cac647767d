"""What a latent step model gives to the package: the verbs, and the registry.

A model is one file in this folder: a NamedTuple of parameters, a dataclass of hyperparameters, initial
values, implementations of the verbs below, and an entry. Elements are numbers or lanes (docs/engine.md); states
are one-dimensional. `d` is what a step keeps for the way back; `f` is what multiplies a weight, and is cheap
to find again from z and d, which saves the memory that it would take for a whole sequence. `tape_widths`
names their lengths; over many steps they are F (T, n_f) and D (T, n_d).
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

from ..basics.checks import as_integer
from ..basics.options import Options, option
from ..basics.records import record
from ..basics.registry import Family, Variant
from ..engine import as_floats, check_finite, check_shape, common_dtype, verb

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
def jacobian_bound(latent, buffers):
    """An upper bound of the Jacobian's largest singular value at any state, for GTF's jacobian_upper_bound.

    Only a model that has one implements it. `buffers` holds three (M, M) matrices for `spectral_norm`.
    """


@verb
def hinge_form(latent):
    """Return the model's `Hinge`; outside kernels, on plain arrays."""


@record
class Hinge(NamedTuple):
    """``F(z) = L z + B phi(C z + d) + h + input_matrix s``: the normal form of the whole family.

    L (M, M); B (M, n_hinges), C (n_hinges, M), d (n_hinges,); h (M,); input_matrix (M, K) for K inputs.
    """

    L: np.ndarray
    B: np.ndarray
    C: np.ndarray
    d: np.ndarray
    h: np.ndarray
    input_matrix: np.ndarray


# --- the registry ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hyperparameters(Options):
    """The model-agnostic hyperparameters."""

    path: ClassVar[str] = "latent_step.hyperparameters"

    learnable_C: bool = option(
        True, help="learn the input matrix C; else the inputs go to the last latent units"
    )

    def check_with(self, latent_dim: int) -> None:
        """Raise ConfigError where the hyperparameters do not go with `latent_dim`."""

    def widths(self) -> dict[str, int]:
        """The units of layers beside the latent one, by the hyperparameter that says how many they are."""
        return {}


class TapeWidths(NamedTuple):
    """How many elements a model needs: in f and d for each step, in work for many."""

    f: int
    d: int
    work: int


def _no_diagonal(latent: tuple) -> tuple[np.ndarray, np.ndarray | None]:
    raise TypeError(f"{type(latent).__name__} has no autoregressive diagonal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentStepModel(Variant):
    """A latent step model's entry.

    `initialize(hyperparameters, M, K, rng)` gives parameters in float64. `shapes(latent)` gives the shape
    that each array must have, given M and K by C's, and H by h2's; it raises ValueError for a wrong flag or number.
    `example_dim` is a latent dimension that goes with the example.

    What a model may or may not have: `unit_rows` names the arrays whose rows belong to one unit each, which manifold
    attractor regularization pulls (A first, to 1; the others to 0); `autoregressive_diagonal(latent)` gives the two
    arrays, or an array and None, whose sum `ar_epsilon` pulls to 1 - ar_epsilon.
    """

    initialize: Callable[[Any, int, int, np.random.Generator], Any]
    shapes: Callable[[Any], dict[str, tuple[int, ...]]]
    tape_widths: Callable[[Any], TapeWidths]
    example_dim: int = 3
    unit_rows: tuple[str, ...] = ()
    autoregressive_diagonal: Callable[[Any], tuple[np.ndarray, np.ndarray | None]] = _no_diagonal


MODELS: Family[LatentStepModel] = Family(
    "latent",
    "latent_step",
    (step_kernel, state_gradient, parameter_gradient, jacobian_kernel, hinge_form),
)


# --- parameters from the outside -------------------------------------------------------------------


# The parameters of a latent step model: a NamedTuple whose type is registered.
Latent: TypeAlias = Any


def latent_of(value: Any) -> Any:
    """The latent part of a whole model; anything else as it is."""
    whole = isinstance(value, tuple) and hasattr(value, "latent") and hasattr(value, "observation")
    return value.latent if whole else value


@functools.cache
def _field_types(cls: Any) -> dict[str, type]:
    return typing.get_type_hints(cls)


def _as_flag(name: str, value: Any, kind: type) -> Any:
    """A flag, or a number that is no array, in Python's own type: np.bool_, np.int64 would each be new to numba."""
    if kind is not bool:
        return kind(as_integer(name, value, -(2**62))) if kind is int else kind(value)
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}: got {value!r}, expected true or false")
    return bool(value)


def as_latent(latent: Latent) -> Latent:
    """Check the parameters of a latent step model, or of a whole model, and make them fit for kernels."""
    latent = latent_of(latent)
    if type(latent) not in MODELS.types:
        hint = "; give its `model`" if hasattr(latent, "best_model") else ""
        known = ", ".join(t.__name__ for t in MODELS.types)
        raise TypeError(f"latent: got {type(latent).__name__}, allowed are {known} and Model{hint}")
    model = MODELS.of(latent)
    name = type(latent).__name__
    cls: Any = type(latent)
    types = _field_types(cls)
    given = {f: v for f, v in latent._asdict().items() if types[f] is np.ndarray}
    dtype = common_dtype(name, given)
    arrays = {f: as_floats(f"{name}.{f}", v, dtype) for f, v in given.items()}
    flags = {f: _as_flag(f"{name}.{f}", v, types[f]) for f, v in latent._asdict().items() if f not in given}
    for field, ndim in (("A", 1), ("C", 2), ("h2", 1)):
        if field in arrays and arrays[field].ndim != ndim:
            raise ValueError(f"{name}.{field}: got shape {arrays[field].shape}, expected {ndim} dimension(s)")
    ready = latent._replace(**arrays, **flags)
    try:
        shapes = model.shapes(ready)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from None
    for field, shape in shapes.items():
        check_shape(f"{name}.{field}", arrays[field], shape)
    for field, array in arrays.items():
        check_finite(f"latent: got NaN or inf among the parameters: {name}.{field}", array)
    return ready
