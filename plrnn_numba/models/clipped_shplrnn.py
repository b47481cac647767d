"""clipped_shPLRNN, the shallow piecewise-linear RNN whose hidden units are bounded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine import (
    add_dot,
    add_matvec,
    add_outer,
    add_sum,
    at,
    from_diagonal,
    from_linear,
    from_zero,
    gate,
    implements,
    jit,
    product,
    put,
    relu,
    to_first,
    total,
    zero_of,
)
from .base import (
    MODELS,
    Hinge,
    LatentStepModel,
    hinge_form,
    jacobian_bound,
    jacobian_kernel,
    parameter_gradient,
    state_gradient,
    step_kernel,
)
from .initial_values import uniform_by_fan_in
from .shplrnn import ShPLRNNHyperparameters, initialize_shallow, shallow_bound, shapes, tape_widths


class ClippedShPLRNN(NamedTuple):
    """``z' = A*z + W1 [phi(W2 z + h2) - phi(W2 z)] + h1 + C s``.

    A (M,) the diagonal; W1 (M, H) and W2 (H, M) the weights of the hidden layer; h1 (M,) and h2 (H,) the
    biases; C (M, K) the input matrix. A hidden unit lies between 0 and its h2, so orbits are bounded where
    max|A| < 1 (and the inputs are bounded). Dimensionless.

    Source: Hess et al. (2023) [hess2023].
    """

    A: np.ndarray
    W1: np.ndarray
    W2: np.ndarray
    h1: np.ndarray
    h2: np.ndarray
    C: np.ndarray
    learnable_C: bool = True


def initialize(hyper, M, K, rng):
    """As the shPLRNN's, but with h2 uniform by fan-in: where h2 is zero the model is linear."""
    arrays = initialize_shallow(hyper, M, K, rng)
    arrays["h2"] = uniform_by_fan_in((hyper.hidden_dim,), M, rng)
    return ClippedShPLRNN(**arrays)


@jit
def _activate(context, k, u):
    d, f, h2 = context
    put(d, k, u)
    put(f, k, relu(u + at(h2, k, u)) - relu(u))


@implements(step_kernel, ClippedShPLRNN)
def step(latent, z, f, d, out):
    """Keep ``W2 z`` in d: each of the two gates of a hidden unit is read from it on the way back."""
    product(latent.W2, z, from_zero, _activate, (d, f, latent.h2))
    product(latent.W1, f, from_linear, to_first, (out, latent.A, z, latent.h1))


@jit
def _gate_unit(context, k, r):
    d, f, h2, h2_sums = context
    u = at(d, k, r)
    shifted = u + at(h2, k, r)
    first = gate(shifted, r)
    put(f, k, relu(shifted) - relu(u))
    put(h2_sums, k, at(h2_sums, k, r) + first)
    put(d, k, first - gate(u, r))


@implements(state_gradient, ClippedShPLRNN)
def state_grad(latent, z, f, d, work, g, out):
    """`work` adds up the gradient of h2, which sees the first gate alone."""
    product(latent.W1.T, g, from_zero, _gate_unit, (d, f, latent.h2, work))
    product(latent.W2.T, d, from_diagonal, to_first, (out, latent.A, g))


@implements(parameter_gradient, ClippedShPLRNN)
def parameter_grad(latent, Z, F, D, work, G, grad):
    add_dot(grad.A, G, Z)
    add_sum(grad.h1, G)
    add_outer(grad.W1, G, F)
    for k in range(len(grad.h2)):
        grad.h2[k] += total(work[k])
    add_outer(grad.W2, D, Z)


@implements(jacobian_kernel, ClippedShPLRNN)
def jacobian(latent, z, f, d, J):
    """``diag(A) + W1 [diag(phi'(W2 z + h2)) - diag(phi'(W2 z))] W2``."""
    M = len(z)
    for k in range(len(f)):
        d[k] = zero_of(z[0])
    add_matvec(latent.W2, z, d)
    for i in range(M):
        for j in range(M):
            J[i, j] = zero_of(z[0])
    for k in range(len(f)):
        first, second = d[k] + latent.h2[k] > 0, d[k] > 0
        if first == second:  # most units: their two gates cancel
            continue
        for i in range(M):
            w = latent.W1[i, k] if first else -latent.W1[i, k]
            for j in range(M):
                J[i, j] += w * latent.W2[k, j]
    for i in range(M):
        J[i, i] += latent.A[i]


implements(jacobian_bound, ClippedShPLRNN)(shallow_bound)  # the difference of two gates lies between -1 and 1


@implements(hinge_form, ClippedShPLRNN)
def hinge(latent):
    """Two hinges a hidden unit: ``W1 phi(W2 z + h2)`` and ``-W1 phi(W2 z)``."""
    return Hinge(
        L=np.diag(latent.A),
        B=np.hstack([latent.W1, -latent.W1]),
        C=np.vstack([latent.W2, latent.W2]),
        d=np.concatenate([latent.h2, np.zeros_like(latent.h2)]),
        h=latent.h1,
        input_matrix=latent.C,
    )


MODELS.register(
    LatentStepModel(
        name="clipped_shPLRNN",
        parameters=ClippedShPLRNN,
        hyperparameters=ShPLRNNHyperparameters,
        initialize=initialize,
        shapes=shapes,
        tape_widths=tape_widths,
        example={"hidden_dim": 50},
    )
)
