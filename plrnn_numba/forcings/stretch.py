"""How much a model stretches small differences along the data, and the alpha of GTF that follows from it.

Each method is a NamedTuple of what training keeps for it, with an implementation of `adapt_alpha`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..engine import borrowed, implements, jit, spectral_norm, verb
from ..models.base import MODELS, Latent, jacobian_bound, jacobian_kernel
from ..observations.base import Observation, n_observed, start_kernel
from .base import adapt_alpha


class Schedule(NamedTuple):
    """When and how alpha follows an estimate."""

    interval: int
    decay: float
    samples: int  # 0 for all steps


class Buffers(NamedTuple):
    """Room for one state, its observation, and its Jacobian."""

    x: np.ndarray
    z: np.ndarray
    f: np.ndarray
    d: np.ndarray
    J: np.ndarray
    gram: np.ndarray  # for `spectral_norm`, with the next two
    power: np.ndarray
    square: np.ndarray


class ByParameters(NamedTuple):
    """jacobian_upper_bound."""

    alpha: np.ndarray
    schedule: Schedule
    buffers: Buffers


class ByNorms(NamedTuple):
    """product_upper_bound or, where `largest`, batch_maximum; `total` (1,) is the logarithm of a product, or a maximum."""

    alpha: np.ndarray
    schedule: Schedule
    buffers: Buffers
    total: np.ndarray
    largest: bool


class ByMean(NamedTuple):
    """arithmetic_mean; `total` (M, M) sums the Jacobians of a sequence."""

    alpha: np.ndarray
    schedule: Schedule
    buffers: Buffers
    total: np.ndarray


class ByLogarithm(NamedTuple):
    """explog_approx; `total` (M, M), complex, sums the Jacobians' logarithms."""

    alpha: np.ndarray
    schedule: Schedule
    buffers: Buffers
    total: np.ndarray


@jit
def _norm(W, buffers):
    return spectral_norm(W, buffers.gram, buffers.power, buffers.square)


@jit
def _follow_stretch(alpha, schedule, n, a):
    """Take alpha to ``max(0, 1 - 1/n)``, at once upwards, slowly downwards."""
    if not (n > 0 and math.isfinite(n)):
        return
    estimate = max(0.0, 1.0 - 1.0 / n)
    if estimate > alpha[0]:
        alpha[0] = estimate
    else:
        alpha[0] = schedule.decay * alpha[0] + (1.0 - schedule.decay) * estimate
    for t in range(1, len(a)):
        a[t] = alpha[0]


@jit
def _is_due(schedule, batch):
    return batch >= 1 and (batch - 1) % schedule.interval == 0


@jit
def _n_samples(schedule, n_steps):
    return min(schedule.samples, n_steps - 1) if schedule.samples > 0 else n_steps - 1


@jit
def _jacobian_at_data(parameters, inverse, source, row, buffers):
    """Fill buffers.J with the Jacobian at the state that a row of the data stands for; False where it has a gap."""
    latent, observation = parameters
    x, z, f, d, J = borrowed((buffers.x, buffers.z, buffers.f, buffers.d, buffers.J))
    for i in range(len(x)):
        x[i] = source.X[row, i]
        if math.isnan(x[i]):
            return False
    start_kernel(observation, inverse, x, z)
    jacobian_kernel(latent, z, f, d, J)
    return True


@jit
def _sampled_row(first, k, samples, n_steps):
    """The k-th of so many rows, evenly spread over those of a window that are forced."""
    return first + 1 + (2 * k + 1) * (n_steps - 1) // (2 * samples)


@implements(adapt_alpha, ByParameters)
def _by_parameters(adaptation, parameters, inverse, source, windows, a, batch):
    if not _is_due(adaptation.schedule, batch):
        return
    buffers = adaptation.buffers
    n = jacobian_bound(parameters[0], (buffers.gram, buffers.power, buffers.square))
    _follow_stretch(adaptation.alpha, adaptation.schedule, n, a)


# The others look at Jacobians, one by one; what they make of them is a matter of two verbs.


@verb
def take_jacobian(adaptation):
    """Add the buffers' Jacobian to `total`."""


@verb
def stretch_of(adaptation, seen):
    """How much a sequence stretches small differences, from the `total` of so many Jacobians."""


def _by_jacobians(adaptation, parameters, inverse, source, windows, a, batch):
    if not _is_due(adaptation.schedule, batch):
        return
    samples = _n_samples(adaptation.schedule, len(a))
    largest = 0.0
    for first in windows:
        adaptation.total[:] = 0
        seen = 0
        for k in range(samples):
            row = _sampled_row(first, k, samples, len(a))
            if _jacobian_at_data(parameters, inverse, source, row, adaptation.buffers):
                take_jacobian(adaptation)
                seen += 1
        if seen > 0:
            largest = max(largest, stretch_of(adaptation, seen))
    _follow_stretch(adaptation.alpha, adaptation.schedule, largest, a)


for _kind in (ByNorms, ByMean, ByLogarithm):
    implements(adapt_alpha, _kind)(_by_jacobians)


@implements(take_jacobian, ByNorms)
def _take_norm(adaptation):
    buffers, total = adaptation.buffers, adaptation.total
    norm = _norm(buffers.J, buffers)
    if adaptation.largest:
        total[0] = max(total[0], norm)
    else:
        total[0] += math.log(max(norm, 1e-300))


@implements(stretch_of, ByNorms)
def _stretch_of_norms(adaptation, seen):
    return adaptation.total[0] if adaptation.largest else math.exp(adaptation.total[0] / seen)


@implements(take_jacobian, ByMean)
def _take_sum(adaptation):
    adaptation.total[:] += adaptation.buffers.J


@implements(stretch_of, ByMean)
def _stretch_of_mean(adaptation, seen):
    return _norm(adaptation.total, adaptation.buffers) / seen


@implements(take_jacobian, ByLogarithm)
def _take_logarithm(adaptation):
    J = adaptation.buffers.J
    if not np.isfinite(J).all():
        adaptation.total[0, 0] = np.nan
        return
    values, vectors = np.linalg.eig(J.astype(np.complex128))
    # A multiplier of zero has no logarithm: the smallest that matters takes its place.
    for i in range(len(values)):
        values[i] = np.log(values[i]) if abs(values[i]) > 1e-12 else np.log(1e-12)
    adaptation.total[:] += (vectors * values) @ np.linalg.inv(vectors)


@implements(stretch_of, ByLogarithm)
def _stretch_of_logarithms(adaptation, seen):
    mean = adaptation.total / seen
    if not np.isfinite(mean).all():
        return np.nan
    values, vectors = np.linalg.eig(mean)
    return np.linalg.svd((vectors * np.exp(values)) @ np.linalg.inv(vectors))[1][0]


# --- the methods by name -----------------------------------------------------------------------------


def _buffers(latent: Latent, observation: Observation) -> Buffers:
    M = len(latent.A)
    widths = MODELS.of(latent).tape_widths(latent)
    shapes = (n_observed(observation), M, widths.f, widths.d, *[(M, M)] * 4)
    return Buffers._make(np.zeros(shape, latent.A.dtype) for shape in shapes)


def _by_bound(schedule: Schedule, latent: Latent, observation: Observation) -> ByParameters:
    return ByParameters(np.ones(1), schedule, _buffers(latent, observation))


def _by_largest(schedule: Schedule, latent: Latent, observation: Observation) -> ByNorms:
    return ByNorms(np.ones(1), schedule, _buffers(latent, observation), np.zeros(1), True)


def _by_product(schedule: Schedule, latent: Latent, observation: Observation) -> ByNorms:
    return ByNorms(np.ones(1), schedule, _buffers(latent, observation), np.zeros(1), False)


def _by_mean(schedule: Schedule, latent: Latent, observation: Observation) -> ByMean:
    total = np.zeros((len(latent.A), len(latent.A)), latent.A.dtype)
    return ByMean(np.ones(1), schedule, _buffers(latent, observation), total)


def _by_logarithm(schedule: Schedule, latent: Latent, observation: Observation) -> ByLogarithm:
    total = np.zeros((len(latent.A), len(latent.A)), np.complex128)
    return ByLogarithm(np.ones(1), schedule, _buffers(latent, observation), total)


STRETCHES: dict[str, Callable[[Schedule, Latent, Observation], Any]] = {
    "jacobian_upper_bound": _by_bound,
    "batch_maximum": _by_largest,
    "product_upper_bound": _by_product,
    "arithmetic_mean": _by_mean,
    "explog_approx": _by_logarithm,
}
