"""Adam and RAdam, a learning-rate schedule, and clipping of the gradient's norm.

Both optimizers move a vector of parameters along its first moment, by ``rate``, divided by the root of
its second moment where ``adaptive``; they differ in these two numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer
from ..basics.records import record
from ..engine import as_floats, jit, kernel

ADAM, RADAM = 0, 1
OPTIMIZERS = {"adam": ADAM, "radam": RADAM}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@record
class Moments(NamedTuple):
    """Optimizer state: exponential means of the gradient and of its square, both (n,)."""

    m: np.ndarray
    v: np.ndarray


@jit
def _rate(optimizer, step, learning_rate, beta1, beta2):
    """Return (rate, adaptive): the step size over the biased first moment, and whether v divides."""
    rate = learning_rate / (1 - beta1**step)
    if optimizer == ADAM:
        return rate, True
    # RAdam: before the variance of the adaptive rate is tractable, plain momentum.
    rho_max = 2 / (1 - beta2) - 1
    rho = rho_max - 2 * step * beta2**step / (1 - beta2**step)
    if rho <= 4:
        return rate, False
    rectification = math.sqrt((rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho))
    return rate * rectification, True


@jit
def update_in_place(params, gradient, m, v, optimizer, step, learning_rate, beta1, beta2, epsilon):
    """One step of either optimizer, in the parameters' own precision; step counts from 1."""
    rate, adaptive = _rate(optimizer, step, learning_rate, beta1, beta2)
    constants = np.empty(7, params.dtype)
    constants[0], constants[1] = beta1, 1 - beta1
    constants[2], constants[3] = beta2, 1 - beta2
    constants[4], constants[5] = rate, 1 / math.sqrt(1 - beta2**step)
    constants[6] = epsilon
    b1, c1, b2, c2, r, bias, eps = constants
    if adaptive:
        for i in range(len(params)):
            m[i] = b1 * m[i] + c1 * gradient[i]
            v[i] = b2 * v[i] + c2 * (gradient[i] * gradient[i])
            params[i] -= r * m[i] / (np.sqrt(v[i]) * bias + eps)
    else:
        for i in range(len(params)):
            m[i] = b1 * m[i] + c1 * gradient[i]
            v[i] = b2 * v[i] + c2 * (gradient[i] * gradient[i])
            params[i] -= r * m[i]


@jit
def clip_in_place(gradient, largest_norm):
    """Scale the gradient down to `largest_norm` where its Euclidean norm is larger; return the norm."""
    square = 0.0
    for i in range(len(gradient)):
        square += float(gradient[i]) * float(gradient[i])  # inf where it is too large, un-jitted too
    norm = math.sqrt(square)
    if norm > largest_norm:
        factor = largest_norm / norm
        for i in range(len(gradient)):
            gradient[i] *= factor
    return norm


@kernel
def _update(params, gradient, m, v, optimizer, step, learning_rate, beta1, beta2, epsilon):
    update_in_place(params, gradient, m, v, optimizer, step, learning_rate, beta1, beta2, epsilon)


def init_moments(params: ArrayLike) -> Moments:
    """Zero moments for a vector of parameters.

    Examples
    --------
    >>> from plrnn_numba import optim
    >>> optim.init_moments([1.0, 2.0])
    Moments(m=array([0., 0.]), v=array([0., 0.]))
    """
    params = as_floats("params", params, None, ("n",))
    return Moments(np.zeros_like(params), np.zeros_like(params))


def _optimize(name, params, gradient, state, step, learning_rate, beta1, beta2, epsilon):
    params = as_floats("params", params, None, ("n",)).copy()
    n = len(params)
    gradient = as_floats("gradient", gradient, params.dtype, (n,))
    m = as_floats("state.m", state.m, params.dtype, (n,)).copy()
    v = as_floats("state.v", state.v, params.dtype, (n,)).copy()
    rates = (float(learning_rate), float(beta1), float(beta2), float(epsilon))
    _update(params, gradient, m, v, OPTIMIZERS[name], as_integer("step", step), *rates)
    return params, Moments(m, v)


def adam(
    params: ArrayLike,
    gradient: ArrayLike,
    state: Moments,
    step: int,
    *,
    learning_rate: float = 1e-3,
    beta1: float = BETA1,
    beta2: float = BETA2,
    epsilon: float = EPSILON,
) -> tuple[np.ndarray, Moments]:
    """One step of Adam; a pure function.

    Parameters
    ----------
    params, gradient : array_like, (n,)
        The parameters, which give the dtype, and the loss's derivatives by them.
    state : Moments
        From `init_moments`, or from the last step.
    step : int
        Counts from 1.
    learning_rate, beta1, beta2, epsilon : float
        Dimensionless, named as in the paper.

    Returns
    -------
    params : ndarray, (n,)
    state : Moments

    Raises
    ------
    ValueError
        Where shapes differ or the step is not a positive integer.

    References
    ----------
    Kingma and Ba (2015) [kingma2015], algorithm 1.

    Examples
    --------
    >>> from plrnn_numba import optim
    >>> params, state = optim.adam([1.0], [10.0], optim.init_moments([1.0]), 1, learning_rate=0.1)
    >>> params.round(6)
    array([0.9])
    """
    return _optimize("adam", params, gradient, state, step, learning_rate, beta1, beta2, epsilon)


def radam(
    params: ArrayLike,
    gradient: ArrayLike,
    state: Moments,
    step: int,
    *,
    learning_rate: float = 1e-3,
    beta1: float = BETA1,
    beta2: float = BETA2,
    epsilon: float = EPSILON,
) -> tuple[np.ndarray, Moments]:
    """One step of RAdam, Adam with a rectified rate; a pure function.

    The rate is adaptive from the first step where the paper's rho exceeds 4 (the fifth, for the default
    beta2); some libraries wait until 5. `epsilon` is added to the root of the second moment, as in Adam.

    Parameters
    ----------
    params, gradient : array_like, (n,)
        The parameters, which give the dtype, and the loss's derivatives by them.
    state : Moments
        From `init_moments`, or from the last step.
    step : int
        Counts from 1.
    learning_rate, beta1, beta2, epsilon : float
        Dimensionless, named as in the paper.

    Returns
    -------
    params : ndarray, (n,)
    state : Moments

    Raises
    ------
    ValueError
        Where shapes differ or the step is not a positive integer.

    References
    ----------
    Liu et al. (2020) [liu2020], algorithm 2.

    Examples
    --------
    >>> from plrnn_numba import optim
    >>> params, state = optim.radam([1.0], [10.0], optim.init_moments([1.0]), 1, learning_rate=0.1)
    >>> params.round(6)
    array([0.])
    """
    return _optimize("radam", params, gradient, state, step, learning_rate, beta1, beta2, epsilon)


def exponential_decay(first: float, last: float, n: int) -> Callable[[int], float]:
    """Learning rate of epoch 0, 1, ..., n - 1, from `first` to `last` in equal ratios.

    Examples
    --------
    >>> from plrnn_numba import optim
    >>> [round(optim.exponential_decay(1.0, 0.01, 3)(epoch), 6) for epoch in range(3)]
    [1.0, 0.1, 0.01]
    """
    return lambda epoch: first * (last / first) ** (epoch / max(n - 1, 1))
