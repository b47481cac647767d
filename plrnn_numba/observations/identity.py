"""identity: the first latent units are the observed variables."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ..basics.options import ConfigError
from ..engine import add_matvec, add_outer, implements, zero_of
from .base import (
    OBSERVATIONS,
    ObservationHyperparameters,
    ObservationModel,
    keeps_unforced,
    observation_parameter_gradient,
    observe_gradient,
    observe_kernel,
    pulled_kernel,
    signal_kernel,
    signal_parameter_gradient,
    start_kernel,
    update_inverse,
)


class Identity(NamedTuple):
    """``x_hat = z[:N]``; an orbit starts at ``z = [x; L x]``, and x forces the first N units.

    L (M-N, N), learned jointly; dimensionless.

    Source: Brenner et al. (2024) [brenner2024] ("partial forcing": the other units run free).
    """

    L: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class IdentityHyperparameters(ObservationHyperparameters):
    def check_with(self, latent_dim: int, n_observed: int) -> None:
        if n_observed > latent_dim:
            raise ConfigError(
                f"observation.name: 'identity' needs as many latent units as observed variables, got "
                f"latent_dim {latent_dim} and {n_observed} observed; raise latent_dim to {n_observed} or more "
                f"(plrnn-numba init --data FILE does), or use 'affine'"
            )


def initialize(hyper, M, N, rng):
    """L zero-mean normal by fan-in."""
    return Identity(rng.standard_normal((M - N, N)) / np.sqrt(N))


@implements(signal_kernel, Identity)
def _signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = x[i]


@implements(pulled_kernel, Identity)
def _pulled(observation, x, i):
    return x[i]


@implements(start_kernel, Identity)
def _start(observation, inverse, x, z):
    N = len(x)
    for i in range(N):
        z[i] = x[i]
    for i in range(N, len(z)):
        z[i] = zero_of(x[0])
    add_matvec(observation.L, x, z[N:])


@implements(update_inverse, Identity)
def _update_inverse(observation, inverse):
    pass


@implements(observe_kernel, Identity)
def _observe(observation, z, x):
    for i in range(len(x)):
        x[i] = z[i]


@implements(observe_gradient, Identity)
def _observe_gradient(observation, e, g):
    for i in range(len(e)):
        g[i] = g[i] + e[i]


@implements(keeps_unforced, Identity)
def _keeps_unforced(observation):
    return False


@implements(observation_parameter_gradient, Identity)
def _parameter_gradient(observation, O, E, grad):
    pass


@implements(signal_parameter_gradient, Identity)
def _signal_parameter_gradient(observation, inverse, X, G_start, G_signal, grad):
    N = X.shape[1]
    add_outer(grad.L, G_start[:, N:], X[:1])


def shapes(observation, M):
    N = observation.L.shape[-1]
    return {"L": (M - N, N)}


OBSERVATIONS.register(
    ObservationModel(
        name="identity",
        parameters=Identity,
        hyperparameters=IdentityHyperparameters,
        initialize=initialize,
        sizes=lambda observation: (observation.L.shape[1], observation.L.shape[1]),
        shapes=shapes,
    )
)
