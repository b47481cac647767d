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
from ..engine import as_floats, jit, kernel
from ..models.base import Latent
from .hinge import add_input, as_hinge, drive_of, hinge_step, hinge_tangent, maps_of

_LOST = 15.0  # of a spread of e^15 between two orthonormalizations, double precision keeps enough
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
        Standard errors, from the means over `n_blocks` blocks of the orbit.
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
def _orthonormalize(Q, before, logs):
    """Modified Gram-Schmidt on rows; adds the logarithms of their lengths. `before` holds the rows' own lengths.

    A row that lies, to rounding, in the span of those before has length 0, and another one takes its place.
    """
    k, M = Q.shape
    for j in range(k):
        square = 0.0
        for i in range(M):
            square += Q[j, i] * Q[j, i]
        length = math.sqrt(square)
        if length > 4 * M * _EPSILON * before[j]:
            logs[j] += math.log(length)
            for i in range(M):
                Q[j, i] /= length
        else:
            logs[j] = -math.inf
            _replace(Q, j)
        for l in range(j + 1, k):
            dot = 0.0
            for i in range(M):
                dot += Q[j, i] * Q[l, i]
            for i in range(M):
                Q[l, i] -= dot * Q[j, i]


@jit
def _replace(Q, j):
    """Make row j the unit vector that is furthest from the rows before, orthonormalized against them."""
    M = Q.shape[1]
    best, axis = -1.0, 0
    for i in range(M):
        rest = 1.0
        for l in range(j):
            rest -= Q[l, i] * Q[l, i]
        if rest > best:
            best, axis = rest, i
    for i in range(M):
        Q[j, i] = 1.0 if i == axis else 0.0
    for _ in range(2):
        for l in range(j):
            dot = 0.0
            for i in range(M):
                dot += Q[l, i] * Q[j, i]
            for i in range(M):
                Q[j, i] -= dot * Q[l, i]
        square = 0.0
        for i in range(M):
            square += Q[j, i] * Q[j, i]
        for i in range(M):
            Q[j, i] /= math.sqrt(square)


@jit
def _note_lengths(Q, before):
    for j in range(len(Q)):
        square = 0.0
        for i in range(Q.shape[1]):
            square += Q[j, i] * Q[j, i]
        before[j] = math.sqrt(square)


@kernel
def _along_orbit(maps, inputs, first, n_steps, interval, z, Q, logs):
    """Steps of the orbit z and of the tangent vectors Q (k, M), in place; False where it diverged."""
    k, M = Q.shape
    u, out, moved, before = np.empty(len(maps.d)), np.empty(M), np.empty((k, M)), np.empty(k)
    since = 0
    for t in range(n_steps):
        hinge_step(maps, z, u, out)
        if inputs.shape[1] > 0:
            add_input(maps, inputs[first + t], out)
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
            return False
        since += 1
        if since == interval or t == n_steps - 1:
            _note_lengths(Q, before)
            _orthonormalize(Q, before, logs)
            since = 0
    return True


@kernel
def _along_jacobians(jacobians, Q, logs):
    k, M = Q.shape
    moved, before = np.empty((k, M)), np.empty(k)
    for t in range(len(jacobians)):
        for j in range(k):
            for i in range(M):
                total = 0.0
                for l in range(M):
                    total += jacobians[t, i, l] * Q[j, l]
                moved[j, i] = total
        for j in range(k):
            for i in range(M):
                Q[j, i] = moved[j, i]
        _note_lengths(Q, before)
        _orthonormalize(Q, before, logs)


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
        Steps between two orthonormalizations. Beyond ``interval (lambda_1 - lambda_k) = 15`` the smallest exponents
        drown in rounding, and a warning says so.
    inputs : array_like, (transient + n_steps, K), optional
        External inputs; none means zero.
    blocks : int, optional
        For the standard errors; an orbit is cut into so many pieces.
    seed : int or numpy.random.Generator, optional
        Of the first tangent vectors.

    Returns
    -------
    LyapunovSpectrum
        Exponents per step; divide by the sampling step for exponents per time unit. NaN where the orbit diverged.

    Raises
    ------
    ValueError
        Where a shape or a number does not fit; the message names the argument.

    Warns
    -----
    DivergenceWarning, RuntimeWarning
        Where the orbit diverged; where `interval` is too long.

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
    drive = drive_of(hinge, inputs, transient + n_steps)
    maps, Q = maps_of(hinge), _random_frame(k, M, seed)
    ends = np.linspace(0, n_steps, min(blocks, n_steps) + 1).astype(int)
    finite = _along_orbit(maps, drive, 0, transient, interval, z, Q, np.zeros(k))
    sums = np.zeros((len(ends) - 1, k))
    for block, (start, stop) in enumerate(itertools.pairwise(ends)):
        first = transient + int(start)
        finite = finite and _along_orbit(maps, drive, first, int(stop - start), interval, z, Q, sums[block])
    if not finite:
        warn("the orbit diverged; its exponents are NaN", DivergenceWarning)
        sums[:] = np.nan
    found = _spectrum(sums, np.diff(ends), z)
    spread = found.exponents[0] - found.exponents[np.isfinite(found.exponents)][-1:]
    if len(spread) and interval * spread[0] > _LOST:
        warn(
            f"interval: {interval} steps are too many for exponents that lie {spread[0]:.3g} apart: the "
            f"smallest are lost in rounding; take {max(1, int(_LOST / spread[0]))}"
        )
    return found


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
        negative, M where no sum of all is; NaN where exponents that are not given would be needed.

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
    if np.isnan(found).any():
        return math.nan
    if found[0] < 0:
        return 0.0
    sums = np.cumsum(found)
    negative = np.flatnonzero(sums < 0)
    if not len(negative):
        return float(len(found)) if M in (None, len(found)) else math.nan
    j = int(negative[0])
    return j + float(sums[j - 1] / -found[j])
