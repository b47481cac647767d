"""Regularizers: penalties on the vector of parameters, each reported apart from the loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..config import Config
from ..engine import from_vector, implements, jit, n_parameters, to_vector, verb
from ..models.base import MODELS, Latent
from ..observations.base import Observation, condition_number


class Found(NamedTuple):
    """The penalties of a batch, in the order in which `add_penalty` fills them in."""

    l2: float
    mar: float
    ar: float
    condition: float


class NoCondition(NamedTuple):
    """A weight of zero: what needs a decomposition at every batch is not even compiled."""

    weight: float


class Condition(NamedTuple):
    """The weight of the condition number of the matrix that an observation model inverts."""

    weight: float


@verb
def condition_penalty(condition, observation, grad):
    """The condition number times its weight; adds the gradient to `grad`."""


@implements(condition_penalty, NoCondition)
def _no_penalty(condition, observation, grad):
    return 0.0


@implements(condition_penalty, Condition)
def _weighted(condition, observation, grad):
    return condition_number(observation, condition.weight, grad)


class Penalty(NamedTuple):
    """What is added to the loss, as weights and places in the vector of (latent, observation).

    l2       ``sum_p l2_p (p - centre_p)**2``
    mar      the same with its own weights: manifold attractor regularization
    ar       ``weight sum_i (p[first_i] + p[second_i] - target)**2``, where a second of -1 is nothing: the
             diagonals of A and W, pulled to 1 - ar_epsilon
    condition  the weight times cond(B)
    """

    l2: np.ndarray
    mar: np.ndarray
    centre: np.ndarray
    first: np.ndarray
    second: np.ndarray
    target: float
    weight: float
    condition: NoCondition | Condition


def penalty_of(config: Config, latent: Latent, observation: Observation) -> Penalty:
    """The penalty that a configuration asks for, over the vector of (latent, observation).

    L2 pulls A to 1, where a unit keeps its value for ever, and all else to 0. Manifold attractor regularization
    does so for the last units alone (their A, rows of W, h), so that they come to hold long memories:
    Schmidt et al. (2021) [schmidt2021]. `ar_epsilon` is of Brenner et al. (2024) [brenner2024], the condition number of
    B of Hess et al. (2023) [hess2023].
    """
    parameters = (latent, observation)
    n = n_parameters(parameters)
    weights_of = config.regularization
    l2, mar, centre = np.zeros(n), np.zeros(n), np.zeros(n)
    weights = from_vector(parameters, l2)
    for array in weights[0]:
        if isinstance(array, np.ndarray):
            array.fill(weights_of.l2)
    if not latent.learnable_C:
        weights[0].C.fill(0)
    for array in weights[1]:
        array.fill(weights_of.l2_observation)
    from_vector(parameters, centre)[0].A.fill(1)

    memory = from_vector(parameters, mar)[0]
    if weights_of.mar > 0:
        for name in MODELS.of(latent).unit_rows:
            getattr(memory, name)[len(latent.A) - weights_of.mar_units :] = weights_of.mar

    first = second = np.zeros(0, np.int64)
    target = 0.0
    epsilon = getattr(config.latent_step.hyperparameters, "ar_epsilon", None)
    if epsilon is not None:
        index = from_vector(parameters, np.arange(n))[0]
        first, other = MODELS.of(latent).autoregressive_diagonal(index)
        first = first.copy()
        second = np.full(len(first), -1) if other is None else other.copy()
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
        Condition(weights_of.condition_number) if weights_of.condition_number > 0 else NoCondition(0.0),
    )


@jit
def add_penalty(penalty, params, observation, gradient, grad_observation, found):
    """Add the penalties' gradient to `gradient`, of which `grad_observation` is a view; fill `found`, as `Found`."""
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
    found[3] = condition_penalty(penalty.condition, observation, grad_observation)
