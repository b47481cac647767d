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
def add_condition_number(observation, weight, grad):
    """Return ``weight * cond(B)``, the largest singular value over the smallest, and add its gradient."""


@verb
def update_inverse(observation, inverse):
    """Refresh what `signal_inverse` returned, for parameters that have changed."""


# --- identity --------------------------------------------------------------------------------------


@implements(signal_kernel, Identity)
def _identity_signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = x[i]


@implements(pulled_kernel, Identity)
def _identity_pulled(observation, x, i):
    return x[i]


@implements(start_kernel, Identity)
def _identity_start(observation, inverse, x, z):
    N = len(x)
    for i in range(N):
        z[i] = x[i]
    for i in range(N, len(z)):
        z[i] = zero_of(x[0])
    add_matvec(observation.L, x, z[N:])


@implements(add_condition_number, Identity)
def _identity_condition_number(observation, weight, grad):
    return 0.0


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


@implements(keeps_unforced, Identity)
def _identity_keeps_unforced(observation):
    return False


@implements(observation_parameter_gradient, Identity)
def _identity_parameter_gradient(observation, O, E, grad):
    pass


@implements(signal_parameter_gradient, Identity)
def _identity_signal_gradient(observation, inverse, X, G_start, G_signal, grad):
    N = X.shape[1]
    add_outer(grad.L, G_start[:, N:], X[:1])


# --- affine ----------------------------------------------------------------------------------------


@implements(signal_kernel, Affine)
def _affine_signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = zero_of(x[0])
        for j in range(len(x)):
            signal[i] = signal[i] + inverse[i, j] * (x[j] - observation.b[j])


@implements(pulled_kernel, Affine)
def _affine_pulled(observation, x, i):
    pulled = x[0]
    for j in range(1, len(x)):
        pulled = pulled + x[j]
    return pulled


@implements(start_kernel, Affine)
def _affine_start(observation, inverse, x, z):
    signal_kernel(observation, inverse, x, z)


@implements(add_condition_number, Affine)
def _affine_condition_number(observation, weight, grad):
    if weight == 0:
        return 0.0
    u, s, vt = np.linalg.svd(observation.B, False)
    last = len(s) - 1
    kappa = s[0] / s[last]
    for i in range(grad.B.shape[0]):
        for j in range(grad.B.shape[1]):
            grad.B[i, j] += weight * (u[i, 0] * vt[0, j] - kappa * u[i, last] * vt[last, j]) / s[last]
    return float(weight * kappa)


@implements(update_inverse, Affine)
def _affine_update_inverse(observation, inverse):
    found = np.linalg.pinv(observation.B, _RCOND)
    for i in range(inverse.shape[0]):
        for j in range(inverse.shape[1]):
            inverse[i, j] = found[i, j]


@implements(observe_kernel, Affine)
def _affine_observe(observation, z, x):
    for i in range(len(x)):
        x[i] = zero_of(z[0]) + observation.b[i]
    add_matvec(observation.B, z, x)


@implements(observe_gradient, Affine)
def _affine_observe_gradient(observation, e, g):
    add_matvec(observation.B.T, e, g)


@implements(keeps_unforced, Affine)
def _affine_keeps_unforced(observation):
    return True


@implements(observation_parameter_gradient, Affine)
def _affine_parameter_gradient(observation, O, E, grad):
    add_outer(grad.B, E, O)
    add_sum(grad.b, E)


@implements(signal_parameter_gradient, Affine)
def _affine_signal_gradient(observation, inverse, X, G_start, G_signal, grad):
    """b is seen through ``pinv(B) (x - b)`` too."""
    for i in range(len(inverse)):
        g = total(G_start[0, i])
        if i < G_signal.shape[1]:
            g = g + total(G_signal[0, i])
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


def n_reached(observation: Any) -> int:
    """How many latent units the data reach, and can force."""
    return n_observed(observation) if isinstance(observation, Identity) else observation.B.shape[1]


def signal_inverse(observation: Any) -> np.ndarray:
    """Return what `signal_kernel` and `start_kernel` need besides the parameters, once a batch."""
    if isinstance(observation, Affine):
        return np.ascontiguousarray(np.linalg.pinv(observation.B, _RCOND))
    return np.zeros((0, 0), observation.L.dtype)


def initialize_observation(name: str, M: int, N: int, rng: np.random.Generator) -> Any:
    """Initial values in float64: L zero-mean normal by fan-in, B a random one of orthonormal rows or columns, b zero.

    All singular values of B are 1: states started and forced by pinv(B) are as large as the data, whereas those of
    a B of independent entries can be a hundred times larger, and then training diverges at once.
    """
    if name == "identity":
        if N > M:
            raise ConfigError(
                f"observation.name: 'identity' needs as many latent units as observed variables, got "
                f"latent_dim {M} and {N} observed; raise latent_dim, or use 'affine'"
            )
        return Identity(rng.standard_normal((M - N, N)) / np.sqrt(N))
    orthonormal, _ = np.linalg.qr(rng.standard_normal((max(N, M), min(N, M))))
    return Affine(orthonormal if N >= M else orthonormal.T.copy(), np.zeros(N))
