"""clipped_shPLRNN, the shallow piecewise-linear RNN whose hidden units are bounded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._jit import implements
from .._lanes import gate, relu, total, zero_of
from .._products import add_dot, add_matvec, add_outer, add_sum
from ._base import (
    Hinge,
    LatentStepModel,
    TapeWidths,
    hinge_form,
    jacobian_kernel,
    parameter_gradient,
    register_model,
    state_gradient,
    step_kernel,
    uniform_by_fan_in,
)
from .shplrnn import ShPLRNNHyperparameters, initialize_shallow, shapes


class ClippedShPLRNN(NamedTuple):
    """``z' = A*z + W1 [phi(W2 z + h2) - phi(W2 z)] + h1 + C s``.

    A (M,) the diagonal; W1 (M, H) and W2 (H, M) the weights of the hidden layer; h1 (M,) and h2 (H,) the
    biases; C (M, K) the input matrix. A hidden unit lies between 0 and its h2, so orbits are bounded where
    max|A| < 1 (and the inputs are bounded). Dimensionless.

    Source: Hess, Monfared, Brenner and Durstewitz (2023), "Generalized teacher forcing for learning
    chaotic dynamics", ICML; the specification's update rule.
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


@implements(step_kernel, ClippedShPLRNN)
def step(latent, z, f, d, out):
    """Keep ``W2 z`` in d: each of the two gates of a hidden unit is read from it on the way back."""
    for k in range(len(f)):
        d[k] = zero_of(z[0])
    add_matvec(latent.W2, z, d)
    for k in range(len(f)):
        f[k] = relu(d[k] + latent.h2[k]) - relu(d[k])
    for i in range(len(z)):
        out[i] = latent.A[i] * z[i] + latent.h1[i]
    add_matvec(latent.W1, f, out)


@implements(state_gradient, ClippedShPLRNN)
def state_grad(latent, f, d, work, g, out):
    """The second half of `work` adds up the gradient of h2, which sees the first gate alone."""
    H = len(f)
    r, h2_sums = work[:H], work[H:]
    for k in range(H):
        r[k] = zero_of(g[0])
    add_matvec(latent.W1.T, g, r)
    for k in range(H):
        first = gate(d[k] + latent.h2[k], r[k])
        h2_sums[k] = h2_sums[k] + first
        d[k] = first - gate(d[k], r[k])
    for i in range(len(g)):
        out[i] = latent.A[i] * g[i]
    add_matvec(latent.W2.T, d, out)


@implements(parameter_gradient, ClippedShPLRNN)
def parameter_grad(latent, Z, F, D, work, G, grad):
    add_dot(grad.A, G, Z)
    add_sum(grad.h1, G)
    add_outer(grad.W1, G, F)
    H = len(grad.h2)
    for k in range(H):
        grad.h2[k] += total(work[H + k])
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
            w = gate(d[k] + latent.h2[k], latent.W1[i, k]) - gate(d[k], latent.W1[i, k])
            for j in range(M):
                J[i, j] += w * latent.W2[k, j]
        J[i, i] += latent.A[i]


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


def tape_widths(latent):
    H = len(latent.h2)
    return TapeWidths(f=H, d=H, work=2 * H)


register_model(
    LatentStepModel(
        name="clipped_shPLRNN",
        parameters=ClippedShPLRNN,
        hyperparameters=ShPLRNNHyperparameters,
        initialize=initialize,
        shapes=shapes,
        tape_widths=tape_widths,
    )
)
