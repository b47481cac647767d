"""Lyapunov spectra, from the exact Jacobians of the regions that an orbit passes through."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer, as_rng, warn
from ..basics.records import check_shapes, record
from ..dynamics import DivergenceWarning
from ..engine import as_floats, check_finite, jit, kernel
from ..models.base import Latent
from .hinge import add_input, as_hinge, drive_of, hinge_step, hinge_tangent, maps_of

_KEPT = math.exp(
    -30
)  # of a row's squared length: what is left of a spread of e^15, double precision knows to 9 digits
_EPSILON = np.finfo(np.float64).eps


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LyapunovSpectrum:
    """What `lyapunov_spectrum` returns.

    Parameters
    ----------
    exponents : ndarray, (k,)
        The largest ones, in falling order, per step (natural logarithm); -inf where Jacobians are singular.
    errors : ndarray, (k,)
        Standard errors, from the means over `n_blocks` blocks of the orbit; NaN of one block, and of -inf.
    n_steps, n_blocks : int
        How many steps were averaged over, in how many blocks.
    state : ndarray, (M,)
        Where the orbit has come to, to go on from.
    """

    exponents: np.ndarray
    errors: np.ndarray
    n_steps: int
    n_blocks: int
    state: np.ndarray

    def __post_init__(self) -> None:
        check_shapes(self, exponents=("k",), errors=("k",), state=("M",))

    @property
    def dimension(self) -> float:
        """The Kaplan-Yorke dimension; NaN where more exponents would be needed."""
        return kaplan_yorke_dimension(self.exponents, M=len(self.state))


@jit
def _orthonormalize(Q, gained):
    """Modified Gram-Schmidt on rows; `gained` takes the logarithms of their lengths.

    False, and Q is spoiled, where a row kept less than e^-15 of its length, or is too long or short for its square.
    """
    k, M = Q.shape
    for j in range(k):  # the rows' own lengths, before anything is taken off
        square = 0.0
        for i in range(M):
            square += Q[j, i] * Q[j, i]
        gained[j] = square
    for j in range(k):
        square = 0.0
        for i in range(M):
            square += Q[j, i] * Q[j, i]
        if not (1e-280 < square < 1e280 and square > _KEPT * gained[j]):
            return False
        length = math.sqrt(square)
        gained[j] = math.log(length)
        for i in range(M):
            Q[j, i] /= length
        for l in range(j + 1, k):
            dot = 0.0
            for i in range(M):
                dot += Q[j, i] * Q[l, i]
            for i in range(M):
                Q[l, i] -= dot * Q[j, i]
    return True


@jit
def _orthonormalize_graded(X, units, Q, gained):
    """The same by Householder reflections, for rows and coordinates of any sizes; False where X is not finite.

    `units` are the logarithms of the coordinates' units. Both are used up: coordinate i of row j becomes
    ``X[j, i] e^(units[i] + gained[j])``, X of order 1, so that the large does not drown the small: a diagonal Jacobian of
    1e200 and 1e-200 loses nothing. A row that lies, to rounding, in the span of those before has length 0, logarithm
    -inf; its place is taken by a vector orthogonal to them.
    """
    k, M = X.shape
    order, lengths = np.arange(M), np.zeros(k)
    for i in range(M):
        largest = 0.0
        for j in range(k):
            if not math.isfinite(X[j, i]):
                return False
            largest = max(largest, abs(X[j, i]))
        units[i] = units[i] + math.log(largest) if largest > 0 else -math.inf
        for j in range(k):
            X[j, i] = X[j, i] / largest if largest > 0 else 0.0
    for i in range(1, M):  # largest units first
        n = i
        while n > 0 and units[order[n - 1]] < units[order[n]]:
            order[n - 1], order[n] = order[n], order[n - 1]
            n -= 1
    for j in range(k):
        largest = 0.0
        for i in range(M):
            largest = max(largest, abs(X[j, i]))
        gained[j] = math.log(largest) if largest > 0 else 0.0
        for i in range(M):
            X[j, i] = X[j, i] / largest if largest > 0 else 0.0
    for j in range(k):
        # In units of the largest coordinate that is left; X[j] becomes the reflection's vector.
        pivot = order[j]
        length = math.sqrt(_product(X[j], X[j], units, order, j))
        if length <= 4 * M * _EPSILON:
            gained[j] = -math.inf
            continue
        lengths[j] = length
        gained[j] += math.log(length) + units[pivot]
        X[j, pivot] += length if X[j, pivot] >= 0 else -length
        square = _product(X[j], X[j], units, order, j)
        for l in range(j + 1, k):
            along = 2 * _product(X[j], X[l], units, order, j) / square
            for n in range(j, M):
                X[l, order[n]] -= along * X[j, order[n]]
    for j in range(k):  # row j is the j-th unit vector, reflected by the last first
        for i in range(M):
            Q[j, i] = 1.0 if i == order[j] else 0.0
        for r in range(k - 1, -1, -1):
            if lengths[r] > 0:
                along = 0.0
                for n in range(r, M):
                    along += _relative(units, order[n], order[r]) * X[r, order[n]] * Q[j, order[n]]
                along *= 2 / _product(X[r], X[r], units, order, r)
                for n in range(r, M):
                    Q[j, order[n]] -= along * _relative(units, order[n], order[r]) * X[r, order[n]]
    return True


@jit
def _relative(units, i, pivot):
    """The unit of coordinate i in that of a larger one."""
    return math.exp(units[i] - units[pivot]) if units[i] > -math.inf else 0.0


@jit
def _product(x, y, units, order, first):
    """The scalar product over the coordinates from the first on, in units of that one."""
    total = 0.0
    for n in range(first, len(x)):
        total += _relative(units, order[n], order[first]) ** 2 * x[order[n]] * y[order[n]]
    return total


@jit
def _add(gained, logs):
    for j in range(len(logs)):
        logs[j] += gained[j]


@kernel
def _along_orbit(maps, inputs, first, n_steps, interval, z, Q, logs):
    """Steps of the orbit z and of the tangent vectors Q (k, M), in place.

    A stretch of `interval` steps over which the tangent vectors have become one, or left the numbers, is gone over again
    in shorter ones. Returns how many steps were finite, and the interval that was short enough.
    """
    k, M = Q.shape
    u, out, moved, gained = np.empty(len(maps.d)), np.empty(M), np.empty((k, M)), np.empty(k)
    z_before, Q_before, units = np.empty(M), np.empty((k, M)), np.empty(M)
    t = 0
    while t < n_steps:
        n = min(interval, n_steps - t)
        if n > 1:
            z_before[:] = z
            Q_before[:] = Q
        for s in range(t, t + n):
            hinge_step(maps, z, u, out)
            if inputs.shape[1] > 0:
                add_input(maps, inputs[first + s], out)
            for j in range(k):
                hinge_tangent(maps, u, Q[j], moved[j])
            for j in range(k):
                for i in range(M):
                    Q[j, i] = moved[j, i]
            size = 0.0
            for i in range(M):
                z[i] = out[i]
                size += out[i] - out[i]
            if size != 0:  # NaN, where a number was not finite
                return s, interval
        if not _orthonormalize(Q, gained):
            if n > 1:
                interval = n // 2
                z[:] = z_before
                Q[:] = Q_before
                continue
            units[:] = 0.0
            if not _orthonormalize_graded(moved, units, Q, gained):
                return t, interval
        _add(gained, logs)
        t += n
    return n_steps, interval


@kernel
def _along_jacobians(jacobians, Q, logs):
    k, M = Q.shape
    moved, gained, units = np.empty((k, M)), np.empty(k), np.empty(M)
    for t in range(len(jacobians)):
        plain = True
        for i in range(M):
            largest = 0.0
            for l in range(M):
                largest = max(largest, abs(jacobians[t, i, l]))
            # In a unit of its own where products could leave the numbers.
            unit = 1.0 if largest == 0 or 1e-100 < largest < 1e100 else largest
            plain = plain and unit == 1
            units[i] = math.log(unit)
            for j in range(k):
                moved[j, i] = 0.0
                for l in range(M):
                    moved[j, i] += jacobians[t, i, l] / unit * Q[j, l]
        for j in range(k):
            for i in range(M):
                Q[j, i] = moved[j, i]
        if not (plain and _orthonormalize(Q, gained)):
            _orthonormalize_graded(moved, units, Q, gained)
        _add(gained, logs)


def _random_frame(k: int, M: int, seed: int | np.random.Generator) -> np.ndarray:
    rng = as_rng(seed)
    return np.ascontiguousarray(np.linalg.qr(rng.standard_normal((M, k)))[0].T)


def lyapunov_spectrum(
    latent: Latent,
    z0: ArrayLike,
    n_steps: int,
    *,
    k: int | None = None,
    transient: int = 1000,
    interval: int = 1,
    inputs: ArrayLike | None = None,
    blocks: int = 20,
    seed: int | np.random.Generator = 0,
) -> LyapunovSpectrum:
    """Lyapunov exponents of a latent step model, the k largest, with standard errors.

    Tangent vectors are carried along by the exact Jacobian of each step, and orthonormalized; the exponents are the
    mean logarithms of the lengths that are taken off. For k = M their sum is the mean of ``log |det J|``.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The model; computed in float64.
    z0 : array_like, (M,)
        Where the orbit starts.
    n_steps : int
        Steps that are averaged over.
    k : int, optional
        How many exponents; all M where none is given.
    transient : int, optional
        Steps before, in which orbit and tangent vectors turn to the attractor.
    interval : int, optional
        Steps between two orthonormalizations, at most. Where the tangent vectors would have become one to rounding, or
        left the numbers, fewer are taken, and a warning says how many were right.
    inputs : array_like, (transient + n_steps, K), optional
        External inputs; none means zero.
    blocks : int, optional
        For the standard errors; an orbit is cut into so many pieces.
    seed : int or numpy.random.Generator, optional
        Of the first tangent vectors.

    Returns
    -------
    LyapunovSpectrum
        Exponents per step; divide by the sampling step for exponents per time unit. All are NaN where the orbit left
        the finite numbers, however late.

    Raises
    ------
    ValueError
        Where a shape or a number does not fit; the message names the argument.

    Warns
    -----
    DivergenceWarning, RuntimeWarning
        Where the orbit diverged, with the step; where `interval` is too long.

    References
    ----------
    Benettin et al. (1980) [benettin1980]; Geist et al. (1990) [geist1990].

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> halving = pl.ALRNN(A=[0.5, 0.25], W=np.zeros((2, 2)), h=[0, 0], C=np.zeros((2, 0)), num_relus=1)
    >>> pl.analysis.lyapunov_spectrum(halving, [1.0, 1.0], 1000).exponents.round(6)
    array([-0.693147, -1.386294])
    """
    hinge = as_hinge(latent)
    M = len(hinge.L)
    k = M if k is None else as_integer("k", k, 1, M)
    n_steps, blocks = as_integer("n_steps", n_steps), as_integer("blocks", blocks)
    transient, interval = as_integer("transient", transient, 0), as_integer("interval", interval)
    z = as_floats("z0", z0, np.float64, (M,)).copy()
    check_finite("z0", z, may_be_inf=True)
    drive = drive_of(hinge, inputs, transient + n_steps)
    maps, Q = maps_of(hinge), _random_frame(k, M, seed)
    ends = np.linspace(0, n_steps, min(blocks, n_steps) + 1).astype(int)
    sums = np.zeros((len(ends) - 1, k))
    done, taken = _along_orbit(maps, drive, 0, transient, interval, z, Q, np.zeros(k))
    for block, (start, stop) in enumerate(itertools.pairwise(ends)):
        if done == transient + start:
            n, taken = _along_orbit(maps, drive, done, int(stop - start), taken, z, Q, sums[block])
            done += n
    if done < transient + n_steps:
        warn(f"the orbit diverged at step {done}; its exponents are NaN", DivergenceWarning)
        sums[:] = np.nan
    elif taken < interval:
        warn(
            f"interval: {interval} steps are too many for exponents that lie so far apart, or so far from 0: the "
            f"vectors were orthonormalized more often; take {taken}"
        )
    return _spectrum(sums, np.diff(ends), z)


def lyapunov_of_jacobians(
    jacobians: ArrayLike, *, k: int | None = None, blocks: int = 20, seed: int | np.random.Generator = 0
) -> LyapunovSpectrum:
    """Lyapunov exponents of any sequence of Jacobians, as of a system that is not one of ours.

    Parameters
    ----------
    jacobians : array_like, (T, M, M)
        In the order of time; those of a transient at the front sharpen the result when they are cut off.
    k, blocks, seed : optional
        As for `lyapunov_spectrum`.

    Returns
    -------
    LyapunovSpectrum
        Exponents per Jacobian.

    Raises
    ------
    ValueError
        Where a shape does not fit, or a Jacobian is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import analysis
    >>> analysis.lyapunov_of_jacobians([np.diag([2.0, 0.5])] * 500, blocks=1).exponents.round(2)
    array([ 0.69, -0.69])
    """
    J = as_floats("jacobians", jacobians, np.float64, ("T", "M", "M"))
    if J.shape[1] != J.shape[2] or not len(J):
        raise ValueError(f"jacobians: got shape {J.shape}, expected (T, M, M) with T at least 1")
    if not np.isfinite(J).all():
        raise ValueError("jacobians: got NaN or inf, expected finite numbers")
    M, blocks = J.shape[1], as_integer("blocks", blocks)
    k = M if k is None else as_integer("k", k, 1, M)
    Q = _random_frame(k, M, seed)
    ends = np.linspace(0, len(J), min(blocks, len(J)) + 1).astype(int)
    sums = np.zeros((len(ends) - 1, k))
    for block, (start, stop) in enumerate(itertools.pairwise(ends)):
        _along_jacobians(J[start:stop], Q, sums[block])
    return _spectrum(sums, np.diff(ends), np.full(J.shape[1], np.nan))


def _spectrum(sums: np.ndarray, lengths: np.ndarray, state: np.ndarray) -> LyapunovSpectrum:
    n, blocks = int(lengths.sum()), len(lengths)
    exponents = sums.sum(axis=0) / n
    order = np.argsort(
        -exponents, kind="stable"
    )  # of a short orbit, or of equal ones, they need not be in order
    exponents, sums = exponents[order], sums[:, order]
    with np.errstate(invalid="ignore"):
        spread = (
            (sums / lengths[:, None]).std(axis=0, ddof=1) if blocks > 1 else np.full(len(exponents), np.nan)
        )
    return LyapunovSpectrum(exponents, spread / math.sqrt(blocks), n, blocks, state)


def kaplan_yorke_dimension(exponents: ArrayLike, *, M: int | None = None) -> float:
    """The dimension that a spectrum of Lyapunov exponents implies.

    Parameters
    ----------
    exponents : array_like, (k,)
        In any order.
    M : int, optional
        The dimension of the state space, where only the k largest of M exponents are given.

    Returns
    -------
    float
        ``j + sum of the j largest / |the next|``, j the most whose sum is not negative; 0 where the largest is
        negative, M where no sum of all is; NaN where exponents that are not given would be needed, or one is NaN or +inf.

    Raises
    ------
    ValueError
        Where there is no exponent.

    References
    ----------
    Kaplan and Yorke (1979) [kaplan1979].

    Examples
    --------
    >>> from plrnn_numba import analysis
    >>> round(analysis.kaplan_yorke_dimension([0.9056, 0, -14.5723]), 4)
    2.0621
    """
    if isinstance(exponents, LyapunovSpectrum):
        raise TypeError("exponents: got LyapunovSpectrum; it has its own `dimension`")
    found = as_floats("exponents", exponents, np.float64, ("k",))
    if not len(found):
        raise ValueError(f"exponents: got shape {found.shape}, expected (k,) with k at least 1")
    M = None if M is None else as_integer("M", M, len(found))
    found = np.sort(found)[::-1]
    if np.isnan(found).any() or found[0] == math.inf:
        return math.nan
    if found[0] < 0:
        return 0.0
    sums = np.cumsum(found)
    negative = np.flatnonzero(sums < 0)
    if not len(negative):
        return float(len(found)) if M in (None, len(found)) else math.nan
    j = int(negative[0])
    return j + float(sums[j - 1] / -found[j])
