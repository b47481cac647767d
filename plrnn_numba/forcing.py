"""Teacher forcing: how far, at each step, the latent state is pulled to what the data say.

STF and GTF are what a configuration asks for; `forcing_weights` turns them into a[t]. Where GTF's alpha adapts to
the Jacobians along the data, `adaptation_of` makes what the kernels keep of it, and `adapt_alpha` is their verb.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np

from ._jit import implements, jit, verb
from ._lanes import borrowed
from ._schema import ConfigError, at_least, one_of, option, within
from .models._base import jacobian_kernel, model_of
from .observation import n_observed, start_kernel

METHODS = (
    "constant",
    "jacobian_upper_bound",
    "batch_maximum",
    "product_upper_bound",
    "arithmetic_mean",
    "explog_approx",
)
_UNITS = "how many of the first units are forced; null for all that the data reach"


@dataclasses.dataclass(frozen=True)
class STF:
    """Sparse teacher forcing: the state is replaced every `interval` steps.

    `forced_units`: how many of the first latent units are forced; None for all that the data reach, which are the
    first N for `Identity` and all for `Affine`.

    Source: Brenner et al. (2022), ICML; Mikhaeil, Monfared and Durstewitz (2022), NeurIPS.

    Examples
    --------
    >>> from plrnn_numba import STF
    >>> STF(interval=2).weights(5)
    array([0., 0., 1., 0., 1.])
    """

    interval: int = option(rule=at_least(1), help="steps between two replacements of the state")
    forced_units: int | None = option(None, at_least(1), help=_UNITS)

    def __post_init__(self) -> None:
        _check_integers(self, "interval", "forced_units")

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: 1 where t is a positive multiple of the interval, else 0."""
        t = np.arange(n_steps)
        return ((t % self.interval == 0) & (t > 0)).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class GTF:
    """Generalized teacher forcing: at every step the state is pulled by the fraction `alpha`.

    With a method other than 'constant', alpha follows ``max(0, 1 - 1/n)``, where n says how much the model stretches
    small differences along the data of a batch: it jumps up to a larger estimate at once, and decays to a smaller one
    as ``decay alpha + (1 - decay) estimate``, at every `interval`-th batch, from 1 on; `alpha` is then not used. From
    the Jacobians J[s, t] at the states that the observations of sequence s stand for, n is

    jacobian_upper_bound   ``max|A| + norm(W1) norm(W2)``, of the shallow models
    batch_maximum          the largest ``norm(J[s, t])``
    product_upper_bound    the largest, over s, geometric mean over t of ``norm(J[s, t])``
    arithmetic_mean        the largest, over s, ``norm(mean over t of J[s, t])``
    explog_approx          the largest, over s, ``norm(exp(mean over t of log J[s, t]))``

    with norms that are the largest singular values. `samples` steps of each sequence, evenly spread, stand for all of
    them, which None asks for. `forced_units` is as for `STF`.

    Source: Hess et al. (2023), "Generalized teacher forcing for learning chaotic dynamics", ICML.

    Examples
    --------
    >>> from plrnn_numba import GTF
    >>> GTF(alpha=0.25).weights(3)
    array([0.  , 0.25, 0.25])
    """

    alpha: float = option(0.15, within(0, 1), help="the fraction by which the state is pulled, if constant")
    method: str = option("constant", one_of(*METHODS), help="how alpha is found")
    interval: int = option(5, at_least(1), help="batches between two estimates of an adaptive alpha")
    decay: float = option(0.999, within(0, 1), help="how slowly an adaptive alpha follows a smaller estimate")
    samples: int | None = option(
        2, at_least(1), help="steps of each sequence that an estimate looks at; null for all"
    )
    forced_units: int | None = option(None, at_least(1), help=_UNITS)

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"forcing.alpha: got {self.alpha!r}, allowed is from 0 to 1")
        _check_integers(self, "interval", "samples", "forced_units")

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: alpha for every t > 0, and 0 at t = 0; an adaptive alpha starts at 1."""
        a = np.full(n_steps, float(self.alpha) if self.method == "constant" else 1.0)
        a[:1] = 0
        return a


def _check_integers(forcing: Any, *names: str) -> None:
    optional = {f.name for f in dataclasses.fields(forcing) if f.default is None or f.name == "samples"}
    for name in names:
        value = getattr(forcing, name)
        if value is None and name in optional:
            continue
        if isinstance(value, (bool, str)) or value is None or int(value) != value or value < 1:
            raise ConfigError(f"forcing.{name}: got {value!r}, allowed is an integer at least 1")


FORCINGS = {"STF": STF, "GTF": GTF}


def forcing_weights(forcing: Any, n_steps: int) -> np.ndarray:
    """``a (n_steps,)`` of an STF, a GTF, or None, which never forces."""
    if forcing is None:
        return np.zeros(n_steps)
    if not isinstance(forcing, (STF, GTF)):
        raise TypeError(f"forcing: got {type(forcing).__name__}, allowed are STF, GTF, None")
    return forcing.weights(n_steps)


def n_forced_units(forcing: Any, reached: int) -> int:
    """How many units a forcing pulls, of those that the data reach; raise ConfigError where it asks for more."""
    wanted = getattr(forcing, "forced_units", None)
    if wanted is None:
        return reached
    if wanted > reached:
        raise ConfigError(
            f"forcing.forced_units: got {wanted}, allowed is at most {reached}, the units that the data reach"
        )
    return int(wanted)


# --- an alpha that adapts --------------------------------------------------------------------------


def adapts(forcing: Any) -> bool:
    """Whether alpha changes in the course of a training."""
    return getattr(forcing, "method", "constant") != "constant"


@verb
def adapt_alpha(adaptation, parameters, inverse, source, windows, a, batch):
    """Renew alpha, and a[1:], where it is the turn of a batch, the first of which is number 1."""


class Constant(NamedTuple):
    """An alpha, or another forcing, that stays as it is."""

    alpha: np.ndarray  # (1,)


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


def adaptation_of(forcing: Any, model: Any) -> Any:
    """What training keeps of a forcing's alpha, of the type that has the right `adapt_alpha`."""
    latent, observation = model.latent, model.observation
    dtype, M = latent.A.dtype, len(latent.A)
    method = getattr(forcing, "method", "constant")
    if not adapts(forcing):
        return Constant(np.full(1, getattr(forcing, "alpha", math.nan)))
    alpha = np.ones(1)
    schedule = Schedule(int(forcing.interval), float(forcing.decay), int(forcing.samples or 0))
    widths = model_of(latent).tape_widths(latent)
    shapes = (n_observed(observation), M, widths.f, widths.d, *[(M, M)] * 4)
    buffers = Buffers._make(np.zeros(shape, dtype) for shape in shapes)
    if method == "jacobian_upper_bound":
        return ByParameters(alpha, schedule, buffers)
    if method in ("batch_maximum", "product_upper_bound"):
        return ByNorms(alpha, schedule, buffers, np.zeros(1), method == "batch_maximum")
    if method == "arithmetic_mean":
        return ByMean(alpha, schedule, buffers, np.zeros((M, M), dtype))
    return ByLogarithm(alpha, schedule, buffers, np.zeros((M, M), np.complex128))


_MOST_ITERATIONS = 50
_CLOSE = 1e-7


@jit
def _multiply(A, B, out):
    """``out = A B`` of small square matrices."""
    n = len(out)
    if n >= 24:
        np.dot(A, B, out)
        return
    for i in range(n):
        for j in range(n):
            out[i, j] = 0
        for k in range(n):
            for j in range(n):
                out[i, j] += A[i, k] * B[k, j]


@jit
def spectral_norm(W, gram, power, square):
    """Largest singular value of W (m, n), by power iteration on ``(W'W)**16``; three (n, n) matrices of room.

    What the squaring hides is found by the Rayleigh quotient of W'W itself, whose error is that of the vector squared.
    """
    m, n = W.shape
    for j in range(n):
        for l in range(n):
            gram[j, l] = 0
    for i in range(m):
        for j in range(n):
            for l in range(n):
                gram[j, l] += W[i, j] * W[i, l]
    trace = 0.0
    for j in range(n):
        trace += gram[j, j]
    if not (trace > 0 and math.isfinite(trace)):
        return trace
    for j in range(n):
        for l in range(n):
            power[j, l] = gram[j, l] / trace
    for _ in range(4):
        _multiply(power, power, square)
        scale = 0.0
        for j in range(n):
            scale += square[j, j]
        for j in range(n):
            for l in range(n):
                power[j, l] = square[j, l] / scale
    # The rows of `square` serve as vectors. The first start is in no direction that a structure of W could rule out.
    v = square[0]
    for j in range(n):
        v[j] = 1.0 + 0.5 * math.cos(1.0 + j * j)
    found = 0.0
    for _ in range(_MOST_ITERATIONS):
        if n > 1:
            w = square[1]
            length = 0.0
            for j in range(n):
                w[j] = 0
            for l in range(n):
                for j in range(n):
                    w[j] += v[l] * power[l, j]
            for j in range(n):
                length += w[j] * w[j]
            for j in range(n):
                v[j] = w[j] / math.sqrt(length)
        top, bottom = 0.0, 0.0
        for j in range(n):
            for l in range(n):
                top += v[j] * gram[j, l] * v[l]
            bottom += v[j] * v[j]
        before, found = found, math.sqrt(top / bottom)
        if not abs(found - before) > _CLOSE * found:
            break
    return found


@jit
def _norm(W, buffers):
    return spectral_norm(W, buffers.gram, buffers.power, buffers.square)


@jit
def _follow(alpha, schedule, n, a):
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
        x[i] = (source.X[row, i] - source.shift[i]) * source.scale[i]
        if math.isnan(x[i]):
            return False
    start_kernel(observation, inverse, x, z)
    jacobian_kernel(latent, z, f, d, J)
    return True


@jit
def _sampled_row(first, k, samples, n_steps):
    """The k-th of so many rows, evenly spread over those of a window that are forced."""
    return first + 1 + (2 * k + 1) * (n_steps - 1) // (2 * samples)


@implements(adapt_alpha, Constant)
def _keep(adaptation, parameters, inverse, source, windows, a, batch):
    pass


@implements(adapt_alpha, ByParameters)
def _by_parameters(adaptation, parameters, inverse, source, windows, a, batch):
    if not _is_due(adaptation.schedule, batch):
        return
    latent = parameters[0]
    largest = 0.0
    for value in latent.A:
        largest = max(largest, abs(value))
    n = largest + _norm(latent.W1.T, adaptation.buffers) * _norm(latent.W2, adaptation.buffers)
    _follow(adaptation.alpha, adaptation.schedule, n, a)


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
    _follow(adaptation.alpha, adaptation.schedule, largest, a)


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
