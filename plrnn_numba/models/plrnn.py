"""PLRNN, the vanilla piecewise-linear RNN."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ..basics.options import option
from ..engine import (
    add_dot,
    add_outer,
    add_sum,
    at,
    each,
    from_linear,
    from_zero,
    gate,
    implements,
    jit,
    muladd,
    product,
    put,
    relu,
    scaled,
    to_first,
    zero_of,
)
from .base import (
    MODELS,
    Hinge,
    Hyperparameters,
    LatentStepModel,
    TapeWidths,
    hinge_form,
    jacobian_kernel,
    parameter_gradient,
    state_gradient,
    step_kernel,
)
from .initial_values import initial_C, random_positive_definite


class PLRNN(NamedTuple):
    """``z' = A*z + W phi(c(z)) + h + C s``, with ``c(z) = z - mean(z)`` where `mean_centering`, else z.

    A (M,) the diagonal; W (M, M), whose diagonal is zero and stays zero in training; h (M,) the bias;
    C (M, K) the input matrix. Only the ReLU's argument is centred. Dimensionless.

    Source: Durstewitz (2017) [durstewitz2017], equation 1; Brenner et al. (2022) [brenner2022], for centring.
    """

    A: np.ndarray
    W: np.ndarray
    h: np.ndarray
    C: np.ndarray
    mean_centering: bool = True
    learnable_C: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class PLRNNHyperparameters(Hyperparameters):
    mean_centering: bool = option(True, help="centre the latent state before the ReLU; should be kept true")


def initialize(hyper, M, K, rng):
    """A and W: diagonal and off-diagonal part of one random positive definite matrix."""
    matrix = random_positive_definite(M, rng)
    A = np.diag(matrix).copy()
    C = initial_C(M, K, hyper.learnable_C, rng)
    return PLRNN(A, matrix - np.diag(A), np.zeros(M), C, hyper.mean_centering, hyper.learnable_C)


@jit
def mean_of(latent, z):
    """What the centring takes away: the mean over the units, or nothing."""
    mean = zero_of(z[0])
    if latent.mean_centering:
        for i in range(len(z)):
            mean = mean + z[i]
    return scaled(mean, 1.0 / len(z))


@jit
def _activate(context, i, like):
    f, z, mean = context
    put(f, i, relu(at(z, i, like) - mean))


@implements(step_kernel, PLRNN)
def step(latent, z, f, d, out):
    each(f, _activate, (f, z, mean_of(latent, z)))
    product(latent.W, f, from_linear, to_first, (out, latent.A, z, latent.h))


@jit
def _gate_unit(context, i, a):
    out, f = context
    put(out, i, gate(at(f, i, a), a))


@jit
def _add_diagonal(context, i, like):
    out, A, g, mean = context
    put(out, i, muladd(at(A, i, like), at(g, i, like), at(out, i, like) - mean))


@implements(state_gradient, PLRNN)
def state_grad(latent, z, f, d, work, g, out):
    each(f, _activate, (f, z, mean_of(latent, z)))
    product(latent.W.T, g, from_zero, _gate_unit, (out, f))
    mean = mean_of(latent, out)  # the transposed centring is the centring
    each(out, _add_diagonal, (out, latent.A, g, mean))


@implements(parameter_gradient, PLRNN)
def parameter_grad(latent, Z, F, D, work, G, grad):
    add_dot(grad.A, G, Z)
    add_sum(grad.h, G)
    add_outer(grad.W, G, F)
    for i in range(len(grad.A)):
        grad.W[i, i] = 0


@implements(jacobian_kernel, PLRNN)
def jacobian(latent, z, f, d, J):
    """``diag(A) + W diag(phi') (I - 11'/M)``."""
    M = len(z)
    mean = mean_of(latent, z)
    for i in range(M):
        for j in range(M):
            J[i, j] = gate(z[j] - mean, latent.W[i, j])
        row = mean_of(latent, J[i])
        for j in range(M):
            J[i, j] = J[i, j] - row
        J[i, i] += latent.A[i]


@implements(hinge_form, PLRNN)
def hinge(latent):
    M = len(latent.A)
    dtype = latent.A.dtype
    centring = np.eye(M, dtype=dtype)
    if latent.mean_centering:
        centring = centring - dtype.type(1.0 / M)
    return Hinge(np.diag(latent.A), latent.W, centring, np.zeros(M, dtype), latent.h, latent.C)


def shapes(latent):
    M, K = latent.C.shape
    return {"A": (M,), "W": (M, M), "h": (M,), "C": (M, K)}


MODELS.register(
    LatentStepModel(
        name="PLRNN",
        parameters=PLRNN,
        hyperparameters=PLRNNHyperparameters,
        initialize=initialize,
        shapes=shapes,
        tape_widths=lambda latent: TapeWidths(f=len(latent.A), d=0, work=0),
        example_dim=20,
        unit_rows=("A", "W", "h"),
    )
)
