"""What an observation model gives to the package: the verbs, and the registry.

An observation model says how data are read from the latent state, and how states are started and forced by data. It is
one file in this folder: a NamedTuple of arrays, implementations of the verbs below, and an entry. `inverse` is what the
entry's `inverse` returns, once a batch: pinv(B) for `Affine`, nothing for `Identity`. The gradient takes it as a constant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..basics.options import Options
from ..basics.registry import Family, Variant
from ..engine import as_floats, check_finite, check_shape, common_dtype, verb

# The parameters of an observation model: a NamedTuple of arrays whose type is registered.
Observation: TypeAlias = Any

# --- the verbs -------------------------------------------------------------------------------------


@verb
def signal_kernel(observation, inverse, x, signal):
    """What forces the latent state where x is observed: fills signal (forced units,); NaN where x is missing."""


@verb
def pulled_kernel(observation, x, i):
    """NaN where what is missing in x keeps unit i from being forced, else a number."""


@verb
def start_kernel(observation, inverse, x, z):
    """The initial latent state z (M,) of an orbit that starts at x (N,)."""


@verb
def observe_kernel(observation, z, x):
    """``x = x_hat(z)``."""


@verb
def observe_gradient(observation, e, g):
    """``g += (d x_hat / dz)' e``."""


@verb
def keeps_unforced(observation):
    """Whether `observation_parameter_gradient` needs the states as they were before forcing."""


@verb
def observation_parameter_gradient(observation, O, E, grad):
    """Add to grad, from many steps' unforced states O (T, M), where kept, and errors E (T, N)."""


@verb
def signal_parameter_gradient(observation, inverse, X, G_start, G_signal, grad):
    """Add to grad what comes by way of the start at X[0] and of the forcing signals.

    G_start (1, M) is the loss's derivative by z[0]; G_signal (1, forced) the sum of those by the signals.
    """


@verb
def condition_number(observation, weight, grad):
    """Return ``weight * cond(B)``, the largest singular value over the smallest, and add its gradient to `grad`.

    Only a model with a matrix that is inverted implements it.
    """


@verb
def update_inverse(observation, inverse):
    """Refresh what `signal_inverse` returned, for parameters that have changed."""


# --- the registry ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObservationHyperparameters(Options):
    """What an observation model is asked for beside its name; neither of the package's own asks for anything."""

    path: ClassVar[str] = "observation"

    def check_with(self, latent_dim: int, n_observed: int) -> None:
        """Raise ConfigError where the model cannot be between so many latent units and observed variables."""


def _no_inverse(observation: Observation) -> np.ndarray:
    return np.zeros((0, 0), observation[0].dtype)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObservationModel(Variant):
    """An observation model's entry.

    `initialize(hyperparameters, M, N, rng)` gives parameters in float64. `sizes(observation)` gives ``(N, reached)``:
    how many variables are observed, and how many latent units, the first ones, data reach and can force.
    `shapes(observation, M)` gives the shape that each array must have with M latent units.
    """

    initialize: Callable[[Any, int, int, np.random.Generator], Any]
    sizes: Callable[[Any], tuple[int, int]]
    shapes: Callable[[Any, int], dict[str, tuple[int | str, ...]]]
    inverse: Callable[[Any], np.ndarray] = _no_inverse


OBSERVATIONS: Family[ObservationModel] = Family(
    "observation",
    "observation",
    (
        signal_kernel,
        pulled_kernel,
        start_kernel,
        observe_kernel,
        observe_gradient,
        keeps_unforced,
        observation_parameter_gradient,
        signal_parameter_gradient,
        update_inverse,
    ),
)

# --- outside the kernels ---------------------------------------------------------------------------


def as_observation(observation: Observation, M: int, dtype: Any) -> Observation:
    """Check an observation model against M latent units and make it fit for kernels."""
    entry = OBSERVATIONS.of(observation)
    name = type(observation).__name__
    arrays = {f: as_floats(f"{name}.{f}", v, dtype) for f, v in observation._asdict().items()}
    for field, array in arrays.items():
        if array.ndim == 0:
            raise ValueError(f"{name}.{field}: got shape (), expected an array")
    ready = observation._replace(**arrays)
    for field, shape in entry.shapes(ready, M).items():
        check_shape(f"{name}.{field}", arrays[field], shape)
        check_finite(f"{name}.{field}", arrays[field])
    return ready


def observation_dtype(observation: Observation) -> np.dtype:
    """The dtype of an observation model's arrays."""
    OBSERVATIONS.of(observation)
    return common_dtype(type(observation).__name__, observation._asdict())


def n_observed(observation: Observation) -> int:
    """N, the number of observed variables."""
    return OBSERVATIONS.of(observation).sizes(observation)[0]


def n_reached(observation: Observation) -> int:
    """How many latent units, the first ones, the data reach, and can force."""
    return OBSERVATIONS.of(observation).sizes(observation)[1]


def signal_inverse(observation: Observation) -> np.ndarray:
    """What `signal_kernel` and `start_kernel` need besides the parameters, once a batch."""
    return OBSERVATIONS.of(observation).inverse(observation)
