"""Regularizers: penalties on the vector of parameters, each reported apart from the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import from_vector, n_parameters, to_vector
from ._jit import jit
from .observation import add_condition_number

PENALTIES = ("l2", "mar", "ar", "condition")


class Penalty(NamedTuple):
    """What is added to the loss, as weights and places in the vector of (latent, observation).

    l2       ``sum_p l2_p (p - centre_p)**2``
    mar      the same with its own weights: manifold attractor regularization
    ar       ``weight sum_i (p[first_i] + p[second_i] - target)**2``, where a second of -1 is nothing: the
             diagonals of A and W, pulled to 1 - ar_epsilon
    condition  ``condition * cond(B)``
    """

    l2: np.ndarray
    mar: np.ndarray
    centre: np.ndarray
    first: np.ndarray
    second: np.ndarray
    target: float
    weight: float
    condition: float


def penalty_of(config: Any, latent: Any, observation: Any) -> Penalty:
    """The penalty that a configuration asks for, over the vector of (latent, observation).

    L2 pulls A to 1, where a unit keeps its value for ever, and all else to 0. Manifold attractor regularization
    does so for the last units alone (their A, rows of W, h), so that they come to hold long memories:
    Schmidt, Koppe, Monfared, Beutelspacher and Durstewitz (2021), ICLR. `ar_epsilon`: Brenner, Hemmer et al.
    (2024), NeurIPS. The condition number of B: Hess et al. (2023), ICML.
    """
    parameters = (latent, observation)
    n = n_parameters(parameters)
    part = config.regularization
    l2, mar, centre = np.zeros(n), np.zeros(n), np.zeros(n)
    weights = from_vector(parameters, l2)
    for array in weights[0]:
        if isinstance(array, np.ndarray):
            array.fill(part.l2)
    if not latent.learnable_C:
        weights[0].C.fill(0)
    for array in weights[1]:
        array.fill(part.l2_observation)
    from_vector(parameters, centre)[0].A.fill(1)

    memory = from_vector(parameters, mar)[0]
    if part.mar > 0:
        for name in ("A", "W", "h"):
            getattr(memory, name)[len(latent.A) - part.mar_units :] = part.mar

    first = second = np.zeros(0, np.int64)
    target = 0.0
    epsilon = getattr(config.latent_step.hyperparameters, "ar_epsilon", None)
    if epsilon is not None:
        index = from_vector(parameters, np.arange(n))[0]
        free = not latent.off_diagonal_W
        first = index.A.copy()
        second = np.diag(index.W).copy() if free else np.full(len(first), -1)
        target = 1.0 - epsilon
    dtype = to_vector(parameters).dtype
    return Penalty(
        l2.astype(dtype),
        mar.astype(dtype),
        centre.astype(dtype),
        first,
        second,
        target,
        float(config.training.lambda_ar),
        float(part.condition_number),
    )


@jit
def add_penalty(penalty, params, observation, gradient, grad_observation, found):
    """Add the penalties' gradient to `gradient`, of which `grad_observation` is a view; fill `found` (4,)."""
    l2, mar, ar = 0.0, 0.0, 0.0
    for i in range(len(params)):
        distance = params[i] - penalty.centre[i]
        weighted, memory = penalty.l2[i] * distance, penalty.mar[i] * distance
        l2 += weighted * distance
        mar += memory * distance
        gradient[i] += 2 * (weighted + memory)
    for i in range(len(penalty.first)):
        a, b = penalty.first[i], penalty.second[i]
        distance = params[a] - penalty.target
        if b >= 0:
            distance += params[b]
        ar += penalty.weight * distance * distance
        gradient[a] += 2 * penalty.weight * distance
        if b >= 0:
            gradient[b] += 2 * penalty.weight * distance
    found[0], found[1], found[2] = l2, mar, ar
    found[3] = add_condition_number(observation, penalty.condition, grad_observation)
