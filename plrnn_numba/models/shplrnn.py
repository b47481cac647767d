"""shPLRNN, the shallow piecewise-linear RNN: one hidden layer of ReLUs."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ..basics.options import at_least, option
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
    spectral_norm,
    to_first,
    total,
    zero_of,
)
from .base import (
    MODELS,
    Hinge,
    Hyperparameters,
    LatentStepModel,
    TapeWidths,
    hinge_form,
    jacobian_bound,
    jacobian_kernel,
    parameter_gradient,
    state_gradient,
    step_kernel,
)
from .initial_values import initial_C, random_positive_definite, uniform_by_fan_in


class ShPLRNN(NamedTuple):
    """``z' = A*z + W1 phi(W2 z + h2) + h1 + C s``.

    A (M,) the diagonal; W1 (M, H) and W2 (H, M) the weights of the hidden layer; h1 (M,) and h2 (H,) the
    biases; C (M, K) the input matrix. Dimensionless.

    Source: Hess et al. (2023) [hess2023], equation 2.
    """

    A: np.ndarray
    W1: np.ndarray
    W2: np.ndarray
    h1: np.ndarray
    h2: np.ndarray
    C: np.ndarray
    learnable_C: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShPLRNNHyperparameters(Hyperparameters):
    hidden_dim: int = option(rule=at_least(1), help="the dimension H of the hidden layer")

    def widths(self) -> dict[str, int]:
        return {"hidden_dim": self.hidden_dim}


def initialize_shallow(hyper, M, K, rng):
    """A: the diagonal of a random positive definite matrix; W1, W2 uniform by fan-in; biases zero."""
    H = hyper.hidden_dim
    return {
        "A": np.diag(random_positive_definite(M, rng)).copy(),
        "W1": uniform_by_fan_in((M, H), H, rng),
        "W2": uniform_by_fan_in((H, M), M, rng),
        "h1": np.zeros(M),
        "h2": np.zeros(H),
        "C": initial_C(M, K, hyper.learnable_C, rng),
        "learnable_C": hyper.learnable_C,
    }


def initialize(hyper, M, K, rng):
    return ShPLRNN(**initialize_shallow(hyper, M, K, rng))


@jit
def _activate(context, k, a):
    d, f, h2 = context
    u = a + at(h2, k, a)
    put(d, k, u)
    put(f, k, relu(u))


@implements(step_kernel, ShPLRNN)
def step(latent, z, f, d, out):
    """Keep the hidden units' argument in d."""
    product(latent.W2, z, from_zero, _activate, (d, f, latent.h2))
    product(latent.W1, f, from_linear, to_first, (out, latent.A, z, latent.h1))


@jit
def _gate_unit(context, k, a):
    d, f, h2_sums = context
    u = at(d, k, a)
    delta = gate(u, a)
    put(f, k, relu(u))
    put(d, k, delta)
    put(h2_sums, k, at(h2_sums, k, a) + delta)


@implements(state_gradient, ShPLRNN)
def state_grad(latent, z, f, d, work, g, out):
    """`work` adds up the gradient of h2."""
    product(latent.W1.T, g, from_zero, _gate_unit, (d, f, work))
    product(latent.W2.T, d, from_diagonal, to_first, (out, latent.A, g))


@implements(parameter_gradient, ShPLRNN)
def parameter_grad(latent, Z, F, D, work, G, grad):
    add_dot(grad.A, G, Z)
    add_sum(grad.h1, G)
    add_outer(grad.W1, G, F)
    for k in range(len(grad.h2)):
        grad.h2[k] += total(work[k])
    add_outer(grad.W2, D, Z)


@implements(jacobian_kernel, ShPLRNN)
def jacobian(latent, z, f, d, J):
    """``diag(A) + W1 diag(phi') W2``."""
    M = len(z)
    for k in range(len(f)):
        f[k] = latent.h2[k]
    add_matvec(latent.W2, z, f)
    for i in range(M):
        for j in range(M):
            J[i, j] = zero_of(z[0])
        for k in range(len(f)):
            w = gate(f[k], latent.W1[i, k])
            for j in range(M):
                J[i, j] += w * latent.W2[k, j]
        J[i, i] += latent.A[i]


def shallow_bound(latent, buffers):
    """``max|A| + norm(W1) norm(W2)``, since phi' lies between 0 and 1."""
    largest = 0.0
    for value in latent.A:
        largest = max(largest, abs(value))
    return largest + spectral_norm(latent.W1.T, *buffers) * spectral_norm(latent.W2, *buffers)


implements(jacobian_bound, ShPLRNN)(shallow_bound)


@implements(hinge_form, ShPLRNN)
def hinge(latent):
    return Hinge(np.diag(latent.A), latent.W1, latent.W2, latent.h2, latent.h1, latent.C)


def shapes(latent):
    M, K = latent.C.shape
    H = len(latent.h2)
    return {"A": (M,), "W1": (M, H), "W2": (H, M), "h1": (M,), "h2": (H,), "C": (M, K)}


def tape_widths(latent):
    H = len(latent.h2)
    return TapeWidths(f=H, d=H, work=H)


MODELS.register(
    LatentStepModel(
        name="shPLRNN",
        parameters=ShPLRNN,
        hyperparameters=ShPLRNNHyperparameters,
        initialize=initialize,
        shapes=shapes,
        tape_widths=tape_widths,
        example={"hidden_dim": 50},
        # Of few units, which all hidden ones then share, one start in four diverges within 200 steps.
        example_dim=10,
    )
)
