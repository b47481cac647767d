"""Initial values of latent step models, as in the field."""

from __future__ import annotations

import numpy as np

from ..basics.options import ConfigError


def random_positive_definite(M: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random positive definite (M, M) matrix of spectral radius 1.

    Source: Talathi and Vartak (2015) [talathi2015]; used for A and W by the PLRNN papers, e.g. Brenner et al. (2022)
    [brenner2022].
    """
    R = rng.standard_normal((M, M))
    K = R @ R.T / M + np.eye(M)
    return K / np.linalg.eigvalsh(K)[-1]


def uniform_by_fan_in(shape: tuple[int, ...], fan_in: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform in +-1/sqrt(fan_in), as in Hess et al. (2023) [hess2023]."""
    bound = 1.0 / np.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def initial_C(M: int, K: int, learnable: bool, rng: np.random.Generator) -> np.ndarray:
    """Glorot-uniform, Glorot and Bengio (2010) [glorot2010], or, fixed, ``[0; I_K]``: inputs to the last K units."""
    if learnable:
        bound = np.sqrt(6.0 / (M + K))
        return rng.uniform(-bound, bound, (M, K))
    if K and M <= K:
        raise ConfigError(
            f"latent_step.hyperparameters.learnable_C: false needs more latent units than "
            f"inputs, got latent_dim {M} and {K} inputs; allowed is latent_dim above {K}"
        )
    C = np.zeros((M, K))
    C[M - K :] = np.eye(K)
    return C
