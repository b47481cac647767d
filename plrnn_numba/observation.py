"""Observation models: how data are read from the latent state, and states started from data.

Each is a NamedTuple of arrays with implementations of the verbs below. `inverse` is what `signal_inverse`
returns: pinv(B) for `Affine`, nothing for `Identity`. The gradient takes it as a constant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import as_floats, common_dtype
from ._jit import implements, verb
from ._lanes import total, zero_of
from ._products import add_matvec, add_outer, add_sum
from ._schema import ConfigError


class Identity(NamedTuple):
    """``x_hat = z[:N]``; an orbit starts at ``z = [x; L x]``, and x forces the first N units.

    L (M-N, N), learned jointly; dimensionless.

    Source: Brenner, Hemmer et al. (2024), NeurIPS ("partial forcing": the other units run free).
    """

    L: np.ndarray


class Affine(NamedTuple):
    """``x_hat = B z + b``; an orbit starts at, and is forced by, ``pinv(B) (x - b)``.

    B (N, M), b (N,); dimensionless.

    Source: Hess et al. (2023), "Generalized teacher forcing", ICML, section 3.3 (inversion of the
    observation model).
    """

    B: np.ndarray
    b: np.ndarray


# Singular values of B below this part of the largest count as zero in pinv(B).
_RCOND = 1e-6

# --- the verbs -------------------------------------------------------------------------------------


@verb
def signal_kernel(observation, inverse, x, signal):
    """What forces the latent state where x is observed: fills signal (units forced,)."""


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
def observation_parameter_gradient(observation, inverse, X, O, E, G_start, G_signal, grad):
    """Add to grad, from X (T+1, N), unforced states O (T, M), errors E (T, N).

    G_start (1, M) is the loss's derivative by z[0]; G_signal (1, forced) the sum of those by the signals.
    """


@verb
def update_inverse(observation, inverse):
    """Refresh what `signal_inverse` returned, for parameters that have changed."""


# --- identity --------------------------------------------------------------------------------------


@implements(signal_kernel, Identity)
def _identity_signal(observation, inverse, x, signal):
    for i in range(len(x)):
        signal[i] = x[i]


@implements(start_kernel, Identity)
def _identity_start(observation, inverse, x, z):
    N = len(x)
    for i in range(N):
        z[i] = x[i]
    for i in range(N, len(z)):
        z[i] = zero_of(x[0])
    add_matvec(observation.L, x, z[N:])


@implements(update_inverse, Identity)
def _identity_update_inverse(observation, inverse):
    pass


@implements(observe_kernel, Identity)
def _identity_observe(observation, z, x):
    for i in range(len(x)):
        x[i] = z[i]


@implements(observe_gradient, Identity)
def _identity_observe_gradient(observation, e, g):
    for i in range(len(e)):
        g[i] = g[i] + e[i]


@implements(observation_parameter_gradient, Identity)
def _identity_parameter_gradient(observation, inverse, X, O, E, G_start, G_signal, grad):
    N = X.shape[1]
    add_outer(grad.L, G_start[:, N:], X[:1])


# --- affine ----------------------------------------------------------------------------------------


@implements(signal_kernel, Affine)
def _affine_signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = zero_of(x[0])
        for j in range(len(x)):
            signal[i] = signal[i] + inverse[i, j] * (x[j] - observation.b[j])


@implements(start_kernel, Affine)
def _affine_start(observation, inverse, x, z):
    signal_kernel(observation, inverse, x, z)


@implements(update_inverse, Affine)
def _affine_update_inverse(observation, inverse):
    inverse[:] = np.linalg.pinv(observation.B, _RCOND)


@implements(observe_kernel, Affine)
def _affine_observe(observation, z, x):
    for i in range(len(x)):
        x[i] = zero_of(z[0]) + observation.b[i]
    add_matvec(observation.B, z, x)


@implements(observe_gradient, Affine)
def _affine_observe_gradient(observation, e, g):
    add_matvec(observation.B.T, e, g)


@implements(observation_parameter_gradient, Affine)
def _affine_parameter_gradient(observation, inverse, X, O, E, G_start, G_signal, grad):
    """b is seen by the observations, and, through ``pinv(B) (x - b)``, by start and signals."""
    add_outer(grad.B, E, O)
    add_sum(grad.b, E)
    for i in range(len(inverse)):
        g = total(G_start[0, i] + G_signal[0, i])
        for j in range(len(grad.b)):
            grad.b[j] -= inverse[i, j] * g


# --- outside the kernels ---------------------------------------------------------------------------


def _wrong_type(observation: Any) -> TypeError:
    return TypeError(f"observation: got {type(observation).__name__}, allowed are Identity, Affine")


def as_observation(observation: Any, M: int, dtype: Any) -> Any:
    """Check an observation model against M latent units and make it fit for kernels."""
    if isinstance(observation, Identity):
        L = np.asarray(observation.L)
        N = L.shape[1] if L.ndim == 2 else 0
        return Identity(as_floats("Identity.L", L, dtype, (M - N, N)))
    if isinstance(observation, Affine):
        B = as_floats("Affine.B", observation.B, dtype, ("N", M))
        return Affine(B, as_floats("Affine.b", observation.b, dtype, (len(B),)))
    raise _wrong_type(observation)


def observation_dtype(observation: Any) -> np.dtype:
    """The dtype of an observation model's arrays."""
    if not isinstance(observation, (Identity, Affine)):
        raise _wrong_type(observation)
    return common_dtype(type(observation).__name__, observation._asdict())


def n_observed(observation: Any) -> int:
    """N."""
    return observation.L.shape[1] if isinstance(observation, Identity) else len(observation.b)


def signal_inverse(observation: Any) -> np.ndarray:
    """Return what `signal_kernel` and `start_kernel` need besides the parameters, once a batch."""
    if isinstance(observation, Affine):
        return np.ascontiguousarray(np.linalg.pinv(observation.B, _RCOND))
    return np.zeros((0, 0), observation.L.dtype)


def initialize_observation(name: str, M: int, N: int, rng: np.random.Generator) -> Any:
    """Initial values in float64: L zero-mean normal by fan-in, B uniform by fan-in, b zero."""
    if name == "identity":
        if N > M:
            raise ConfigError(
                f"observation.name: 'identity' needs as many latent units as observed variables, got "
                f"latent_dim {M} and {N} observed; raise latent_dim, or use 'affine'"
            )
        return Identity(rng.standard_normal((M - N, N)) / np.sqrt(N))
    bound = 1.0 / np.sqrt(M)
    return Affine(rng.uniform(-bound, bound, (N, M)), np.zeros(N))
