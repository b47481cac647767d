"""ALRNN, the almost-linear RNN: a linear map with a few ReLUs."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ..basics.options import ConfigError, at_least, between, join, option
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
    pick,
    product,
    put,
    relu,
    to_first,
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


class ALRNN(NamedTuple):
    """``z' = A*z + W f(z) + h + C s``, with f the identity on the first M-P units, phi on the last P.

    A (M,) the diagonal; W (M, M), in training with a zero diagonal where `off_diagonal_W`; h (M,) the bias;
    C (M, K) the input matrix; P = `num_relus`, 0 <= P <= M. Dimensionless.

    Source: Brenner et al. (2024) [brenner2024], equation 3.
    """

    A: np.ndarray
    W: np.ndarray
    h: np.ndarray
    C: np.ndarray
    num_relus: int
    off_diagonal_W: bool = False
    learnable_C: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ALRNNHyperparameters(Hyperparameters):
    num_relus: int = option(rule=at_least(0), help="how many of the last latent units have a ReLU")
    ar_epsilon: float | None = option(
        None, between(0, 1), help="pull A + diag(W) towards 1 - ar_epsilon; null for not at all"
    )
    off_diagonal_W: bool = option(False, help="keep the diagonal of W at zero")

    def check_with(self, latent_dim: int) -> None:
        if self.num_relus > latent_dim:
            raise ConfigError(
                f"{join(self.path, 'num_relus')}: got {self.num_relus}, "
                f"allowed is from 0 to latent_dim, which is {latent_dim}"
            )


def initialize(hyper, M, K, rng):
    """A: the diagonal of a random positive definite matrix; W: normal, standard deviation 0.01."""
    A = np.diag(random_positive_definite(M, rng)).copy()
    W = 0.01 * rng.standard_normal((M, M))
    if hyper.off_diagonal_W:
        np.fill_diagonal(W, 0)
    C = initial_C(M, K, hyper.learnable_C, rng)
    return ALRNN(A, W, np.zeros(M), C, hyper.num_relus, hyper.off_diagonal_W, hyper.learnable_C)


@jit
def _activate(context, i, like):
    f, z, linear = context
    zi = at(z, i, like)
    put(f, i, pick(i, linear, zi, relu(zi)))


@implements(step_kernel, ALRNN)
def step(latent, z, f, d, out):
    each(f, _activate, (f, z, len(z) - latent.num_relus))
    product(latent.W, f, from_linear, to_first, (out, latent.A, z, latent.h))


@jit
def _gate_unit(context, i, a):
    out, A, g, z, linear = context
    a = pick(i, linear, a, gate(at(z, i, a), a))
    put(out, i, muladd(at(A, i, a), at(g, i, a), a))


@implements(state_gradient, ALRNN)
def state_grad(latent, z, f, d, work, g, out):
    linear = len(z) - latent.num_relus
    each(f, _activate, (f, z, linear))
    product(latent.W.T, g, from_zero, _gate_unit, (out, latent.A, g, z, linear))


@implements(parameter_gradient, ALRNN)
def parameter_grad(latent, Z, F, D, work, G, grad):
    add_dot(grad.A, G, Z)
    add_sum(grad.h, G)
    add_outer(grad.W, G, F)
    if latent.off_diagonal_W:
        for i in range(len(grad.A)):
            grad.W[i, i] = 0


@implements(jacobian_kernel, ALRNN)
def jacobian(latent, z, f, d, J):
    """``diag(A) + W diag(f')``."""
    M = len(z)
    linear = M - latent.num_relus
    for i in range(M):
        for j in range(M):
            J[i, j] = latent.W[i, j] if j < linear else gate(z[j], latent.W[i, j])
        J[i, i] += latent.A[i]


@implements(hinge_form, ALRNN)
def hinge(latent):
    """The linear units' columns of W belong to L; a hinge for each of the P others."""
    M = len(latent.A)
    linear = M - latent.num_relus
    L = np.diag(latent.A)
    L[:, :linear] += latent.W[:, :linear]
    C = np.eye(M, dtype=L.dtype)[linear:]
    return Hinge(L, latent.W[:, linear:].copy(), C, np.zeros(latent.num_relus, L.dtype), latent.h, latent.C)


def shapes(latent):
    M, K = latent.C.shape
    if not 0 <= latent.num_relus <= M:
        raise ValueError(f"num_relus: got {latent.num_relus}, allowed is from 0 to M = {M}")
    return {"A": (M,), "W": (M, M), "h": (M,), "C": (M, K)}


MODELS.register(
    LatentStepModel(
        name="ALRNN",
        parameters=ALRNN,
        hyperparameters=ALRNNHyperparameters,
        initialize=initialize,
        shapes=shapes,
        tape_widths=lambda latent: TapeWidths(f=len(latent.A), d=0, work=0),
        example={"num_relus": 2},
        example_dim=20,
        unit_rows=("A", "W", "h"),
        autoregressive_diagonal=lambda latent: (
            latent.A,
            None if latent.off_diagonal_W else np.diag(latent.W),
        ),
    )
)
