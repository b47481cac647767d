"""affine: the observed variables are affine functions of all latent units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine import add_matvec, add_outer, add_sum, implements, total, zero_of
from .base import (
    OBSERVATIONS,
    ObservationHyperparameters,
    ObservationModel,
    condition_number,
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

# Singular values of B below this part of the largest, some times what B's own precision tells apart, count as zero in
# pinv(B): float32, float64.
_SMALLEST = (1e-6, 1e-14)


class Affine(NamedTuple):
    """``x_hat = B z + b``; an orbit starts at, and is forced by, ``pinv(B) (x - b)``.

    B (N, M), b (N,); dimensionless.

    Source: Hess et al. (2023) [hess2023], section 3.3 (inversion of the observation model).
    """

    B: np.ndarray
    b: np.ndarray


def initialize(hyper, M, N, rng):
    """B a random matrix of orthonormal rows or columns, b zero.

    All singular values of B are 1: states started and forced by pinv(B) are as large as the data, whereas those of
    a B of independent entries can be a hundred times larger, and then training diverges at once.
    """
    orthonormal, _ = np.linalg.qr(rng.standard_normal((max(N, M), min(N, M))))
    return Affine(orthonormal if N >= M else orthonormal.T.copy(), np.zeros(N))


@implements(signal_kernel, Affine)
def _signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = zero_of(x[0])
        for j in range(len(x)):
            signal[i] = signal[i] + inverse[i, j] * (x[j] - observation.b[j])


@implements(pulled_kernel, Affine)
def _pulled(observation, x, i):
    pulled = x[0]
    for j in range(1, len(x)):
        pulled = pulled + x[j]
    return pulled


@implements(start_kernel, Affine)
def _start(observation, inverse, x, z):
    signal_kernel(observation, inverse, x, z)


@implements(condition_number, Affine)
def _condition_number(observation, weight, grad):
    u, s, vt = np.linalg.svd(observation.B, False)
    last = len(s) - 1
    kappa = s[0] / s[last]
    for i in range(grad.B.shape[0]):
        for j in range(grad.B.shape[1]):
            grad.B[i, j] += weight * (u[i, 0] * vt[0, j] - kappa * u[i, last] * vt[last, j]) / s[last]
    return float(weight * kappa)


@implements(update_inverse, Affine)
def _update_inverse(observation, inverse):
    found = np.linalg.pinv(observation.B, _SMALLEST[observation.B.itemsize // 8])
    for i in range(inverse.shape[0]):
        for j in range(inverse.shape[1]):
            inverse[i, j] = found[i, j]


@implements(observe_kernel, Affine)
def _observe(observation, z, x):
    for i in range(len(x)):
        x[i] = zero_of(z[0]) + observation.b[i]
    add_matvec(observation.B, z, x)


@implements(observe_gradient, Affine)
def _observe_gradient(observation, e, g):
    add_matvec(observation.B.T, e, g)


@implements(keeps_unforced, Affine)
def _keeps_unforced(observation):
    return True


@implements(observation_parameter_gradient, Affine)
def _parameter_gradient(observation, O, E, grad):
    add_outer(grad.B, E, O)
    add_sum(grad.b, E)


@implements(signal_parameter_gradient, Affine)
def _signal_parameter_gradient(observation, inverse, X, G_start, G_signal, grad):
    """b is seen through ``pinv(B) (x - b)`` too."""
    for i in range(len(inverse)):
        g = total(G_start[0, i])
        if i < G_signal.shape[1]:
            g = g + total(G_signal[0, i])
        for j in range(len(grad.b)):
            grad.b[j] -= inverse[i, j] * g


def _inverse(observation):
    return np.ascontiguousarray(np.linalg.pinv(observation.B, _SMALLEST[observation.B.itemsize // 8]))


OBSERVATIONS.register(
    ObservationModel(
        name="affine",
        parameters=Affine,
        hyperparameters=ObservationHyperparameters,
        initialize=initialize,
        sizes=lambda observation: observation.B.shape,
        shapes=lambda observation, M: {"B": ("N", M), "b": (len(observation.B),)},
        inverse=_inverse,
    )
)
