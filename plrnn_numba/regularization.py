"""Regularizers: penalties on the vector of parameters, reported apart from the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import from_vector, n_parameters, to_vector
from ._jit import jit


class Penalty(NamedTuple):
    """``sum_p l2_p p**2 + weight sum_i (p[first_i] + p[second_i] - target)**2``.

    l2 (n,) holds a weight for each parameter; first and second (n_pairs,) index parameters, and a second of
    -1 is nothing. The pairs are those of `ar_epsilon`: the diagonals of A and W, pulled to 1 - epsilon.
    """

    l2: np.ndarray
    first: np.ndarray
    second: np.ndarray
    target: float
    weight: float


def penalty_of(config: Any, latent: Any, observation: Any) -> Penalty:
    """The penalty that a configuration asks for, over the vector of (latent, observation).

    Source of `ar_epsilon`: Brenner, Hemmer et al. (2024), "Almost-linear RNNs", NeurIPS.
    """
    n = n_parameters((latent, observation))
    l2 = np.zeros(n)
    weights = from_vector((latent, observation), l2)
    for array in weights[0]:
        if isinstance(array, np.ndarray):
            array.fill(config.regularization.l2)
    if not latent.learnable_C:
        weights[0].C.fill(0)
    for array in weights[1]:
        array.fill(config.regularization.l2_observation)
    first = second = np.zeros(0, np.int64)
    target = 0.0
    epsilon = getattr(config.latent_step.hyperparameters, "ar_epsilon", None)
    if epsilon is not None:
        index = from_vector((latent, observation), np.arange(n))[0]
        free = not latent.off_diagonal_W
        first = index.A.copy()
        second = np.diag(index.W).copy() if free else np.full(len(first), -1)
        target = 1.0 - epsilon
    dtype = to_vector((latent, observation)).dtype
    return Penalty(l2.astype(dtype), first, second, target, float(config.training.lambda_ar))


@jit
def add_penalty(penalty, params, gradient):
    """Add the penalties' gradient; return (L2 penalty, ar penalty)."""
    l2, ar = 0.0, 0.0
    for i in range(len(params)):
        weighted = penalty.l2[i] * params[i]
        l2 += weighted * params[i]
        gradient[i] += weighted + weighted
    for i in range(len(penalty.first)):
        a, b = penalty.first[i], penalty.second[i]
        distance = params[a] - penalty.target
        if b >= 0:
            distance += params[b]
        ar += penalty.weight * distance * distance
        gradient[a] += 2 * penalty.weight * distance
        if b >= 0:
            gradient[b] += 2 * penalty.weight * distance
    return l2, ar
