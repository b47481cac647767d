"""What a cycle is: its points, its itinerary, its multipliers; and from an itinerary to the cycle.

An *itinerary* is the sequence of patterns (which hinges are open) of a cycle's points. It fixes the cycle: with the
linear maps ``z -> J_t z + v_t`` of its patterns composed to ``z -> P z + q``, the first point solves ``(I - P) z = q``,
and the cycle is real if the true map, started there, has that very itinerary. So the unknowns are bits: `exhaustive`
tries them all, `search` guesses.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np

from ..basics.records import check_shapes, record
from ..engine import factor, jit, kernel, multiply, solve
from .hinge import Maps, hinge_step

_NEUTRAL = 1e-6  # a multiplier this near to the unit circle is neither stable nor unstable
SINGULAR = 1e-14  # a pivot below this part of the largest entry counts as zero


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Cycle:
    """A cycle of the map, or a fixed point, of period 1.

    Parameters
    ----------
    points : ndarray, (period, M)
        In the order of time; the first is the one whose itinerary, read from there, comes first in order.
    itinerary : ndarray of bool, (period, n_hinges)
        Which hinges are open at each point.
    multipliers : ndarray of complex, (M,)
        Eigenvalues of the Jacobian over one period, the largest first.
    margin : float
        The smallest ``|C z + d|`` of its points: 0 would be a border collision.
    residual : float
        The largest difference between the first point and its image after one period.
    """

    points: np.ndarray
    itinerary: np.ndarray
    multipliers: np.ndarray
    margin: float
    residual: float

    def __post_init__(self) -> None:
        check_shapes(self, points=("period", "M"), itinerary=("period", "n_hinges"), multipliers=("M",))

    def __repr__(self) -> str:
        kind = "fixed point" if self.period == 1 else f"cycle of period {self.period}"
        return f"<{self.stability} {kind}, largest multiplier {abs(self.multipliers[0]):.6g}>"

    @property
    def period(self) -> int:
        return len(self.points)

    @property
    def n_unstable(self) -> int:
        """How many multipliers lie outside the unit circle."""
        return int((np.abs(self.multipliers) > 1).sum())

    @property
    def stability(self) -> str:
        """'stable', 'saddle' or 'repelling'; 'non-hyperbolic' where a multiplier is within 1e-6 of the unit circle."""
        moduli = np.abs(self.multipliers)
        if (np.abs(moduli - 1) < _NEUTRAL).any():
            return "non-hyperbolic"
        return "stable" if (moduli < 1).all() else "repelling" if (moduli > 1).all() else "saddle"

    @property
    def is_focus(self) -> bool:
        """Whether the largest multiplier is complex."""
        first = self.multipliers[0]
        return bool(abs(first.imag) > 1e-12 * abs(first))

    def index(self, repetitions: int = 1) -> int:
        """Sign of ``det(I - J)`` over so many periods: -1 to the number of real multipliers above 1."""
        powers = self.multipliers**repetitions
        real = np.abs(powers.imag) <= 1e-9 * np.maximum(np.abs(powers), 1e-300)
        return -1 if (real & (powers.real > 1)).sum() % 2 else 1

    def key(self) -> tuple[int, bytes]:
        """What identifies it: period and itinerary."""
        return self.period, np.packbits(self.itinerary).tobytes()


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CycleSet:
    """What `fixed_points` and `cycles` return.

    Parameters
    ----------
    found : tuple of Cycle
        By period; within it, the one with the fewest unstable directions first.
    exhausted : frozenset of int
        The periods of which every cycle was looked for, so that none is missing but for rounding.
    certificates : dict
        For each period n, 'complete', 'incomplete' or 'unknown': whether all fixed points of the n-th iterate are there.
        It is 'incomplete' where the sum of their indices differs from what it must be for a map whose nonlinear part is
        bounded, 'complete' where it does not and n and its divisors are exhausted, else 'unknown'.
    tries : dict
        How many first guesses were followed, of each period that was searched.
    """

    found: tuple[Cycle, ...]
    exhausted: frozenset[int]
    certificates: dict[int, str]
    tries: dict[int, int]

    def __post_init__(self) -> None:
        if not all(isinstance(cycle, Cycle) for cycle in self.found):
            raise TypeError("CycleSet.found: expected a tuple of Cycle")

    def __repr__(self) -> str:
        complete = ranges(sorted(self.exhausted))
        known = f"every one of period {complete}" if complete else "no period exhausted"
        lines = [f"<CycleSet: {len(self.found)} found; {known}>", *table_of(self.found)]
        return "\n".join(lines)

    def __iter__(self) -> Iterator[Cycle]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @overload
    def __getitem__(self, i: int) -> Cycle: ...

    @overload
    def __getitem__(self, i: slice) -> tuple[Cycle, ...]: ...

    def __getitem__(self, i: int | slice) -> Cycle | tuple[Cycle, ...]:
        return self.found[i]

    def of_period(self, n: int) -> tuple[Cycle, ...]:
        return tuple(c for c in self.found if c.period == n)


_ROWS = 20


def table_of(cycles: Sequence[Cycle]) -> list[str]:
    """Lines for a person: a header and a row each, of the first twenty."""
    if not cycles:
        return []
    lines = ["period  stability       unstable  |largest multiplier|  margin"]
    for c in cycles[:_ROWS]:
        name = c.stability + (" focus" if c.is_focus else "")
        size = abs(c.multipliers[0])
        lines.append(f"{c.period:>6}  {name:<16}{c.n_unstable:>7}  {size:>20.6g}  {c.margin:.3g}")
    if len(cycles) > _ROWS:
        lines.append(f"and {len(cycles) - _ROWS} more")
    return lines


def ranges(numbers: list[int]) -> str:
    """1, 2, 3, 5 as '1-3, 5'."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and parts[-1][-1] == n - 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)


# --- kernels ---------------------------------------------------------------------------------------


class Buffers(NamedTuple):
    """Room for solving for one cycle of n steps; so that a search allocates nothing."""

    A: np.ndarray  # (M, M) of the system of linear equations
    rows: np.ndarray  # (M,) its pivots
    P: np.ndarray  # (M, M), q (M,): the linear map over one period
    q: np.ndarray
    J: np.ndarray  # (M, M), v (M,): that of one region
    v: np.ndarray
    product: np.ndarray  # (M, M)
    shift: np.ndarray  # (M,)
    z: np.ndarray  # (M,) the first point
    u: np.ndarray  # (n_hinges,)
    points: np.ndarray  # (n + 1, M)
    seen: np.ndarray  # (n, n_hinges) the itinerary of the true map


@jit
def new_buffers(M, n, n_hinges):
    """Allocate them, inside a kernel."""
    return Buffers(
        np.empty((M, M)),
        np.empty(M, np.int64),
        np.empty((M, M)),
        np.empty(M),
        np.empty((M, M)),
        np.empty(M),
        np.empty((M, M)),
        np.empty(M),
        np.empty(M),
        np.empty(n_hinges),
        np.empty((n + 1, M)),
        np.empty((n, n_hinges), np.bool_),
    )


@jit
def region_map(maps, pattern, J, v):
    """The linear map z -> J z + v of a pattern's region."""
    M = len(v)
    for i in range(M):
        v[i] = maps.h[i]
        for j in range(M):
            J[i, j] = maps.L_T[j, i]
    for k in range(len(pattern)):
        if pattern[k]:
            for i in range(M):
                b = maps.B_T[k, i]
                v[i] += b * maps.d[k]
                for j in range(M):
                    J[i, j] += b * maps.C[k, j]


@jit
def apply(J, x, v, out):
    """``out = J x + v``."""
    for i in range(len(x)):
        total = v[i]
        for j in range(len(x)):
            total += J[i, j] * x[j]
        out[i] = total


@jit
def _compose(maps, itinerary, P, q, J, v, product, vector):
    """The linear map over an itinerary. A stretch in one region is a power, taken by squaring."""
    n, M = len(itinerary), len(q)
    for i in range(M):
        q[i] = 0.0
        for j in range(M):
            P[i, j] = 1.0 if i == j else 0.0
    t = 0
    while t < n:
        run = 1
        while t + run < n and (itinerary[t + run] == itinerary[t]).all():
            run += 1
        t += run
        region_map(maps, itinerary[t - run], J, v)
        while run > 0:
            if run & 1:
                multiply(J, P, product)
                P[:] = product
                apply(J, q, v, vector)
                q[:] = vector
            run >>= 1
            if run > 0:
                apply(J, v, v, vector)
                v[:] = vector
                multiply(J, J, product)
                J[:] = product


@jit
def _iterate(maps, z, u, points, itinerary):
    """Iterate the true map; fills points (n + 1, M) and the itinerary (n, n_hinges). The smallest |u|, or NaN where it left the numbers."""
    n, M = len(itinerary), len(z)
    margin = math.inf
    for i in range(M):
        points[0, i] = z[i]
    for t in range(n):
        hinge_step(maps, points[t], u, points[t + 1])
        for k in range(len(u)):
            itinerary[t, k] = u[k] > 0
            margin = min(margin, abs(u[k]))
    for i in range(M):
        if not math.isfinite(points[n, i]):
            return math.nan
    return margin


@jit
def solve_for_cycle(maps, itinerary, buffers):
    """Solve for the cycle of an itinerary and follow the true map from there; False where there is none."""
    A, rows, P, q, J, v, product, shift, z, u, points, seen = buffers
    M = len(z)
    _compose(maps, itinerary, P, q, J, v, product, shift)
    for i in range(M):
        for j in range(M):
            A[i, j] = (1.0 if i == j else 0.0) - P[i, j]
    if not factor(A, M, rows, SINGULAR):
        return False
    solve(A, M, rows, q, z)
    if math.isnan(_iterate(maps, z, u, points, seen)):
        return False
    # Iterative refinement: the error that closing shows is taken off, as long as the itinerary is the right one.
    for _ in range(2):
        if (seen != itinerary).any():
            break
        for i in range(M):
            q[i] = points[len(itinerary), i] - z[i]
        solve(A, M, rows, q, shift)
        for i in range(M):
            z[i] += shift[i]
        _iterate(maps, z, u, points, seen)
    return True


@kernel
def _details(maps, itinerary, points, P):
    """The cycle of an itinerary: margin and residual, or NaN and NaN where it is not real."""
    n, n_hinges = itinerary.shape
    M = len(maps.h)
    buffers = new_buffers(M, n, n_hinges)
    if not solve_for_cycle(maps, itinerary, buffers):
        return math.nan, math.nan
    if (buffers.seen != itinerary).any():
        return math.nan, math.nan
    P[:] = buffers.P
    margin = _iterate(maps, buffers.z, buffers.u, points, buffers.seen)
    residual = 0.0
    for i in range(M):
        residual = max(residual, abs(points[n, i] - buffers.z[i]))
    return margin, residual


# --- from itineraries to cycles --------------------------------------------------------------------


def smallest_rotation(itinerary: np.ndarray) -> np.ndarray:
    """The first of its rotations in order, of its shortest period."""
    n = len(itinerary)
    packed = [row.tobytes() for row in np.packbits(itinerary, axis=1)] if itinerary.shape[1] else [b""] * n
    word = _ranked(packed)
    period = next(p for p in range(1, n + 1) if n % p == 0 and word == word[:p] * (n // p))
    word = word[:period]
    start = _booth(word)
    return np.roll(itinerary[:period], -start, axis=0)


def _ranked(packed: list[bytes]) -> list[int]:
    number = {row: i for i, row in enumerate(sorted(set(packed)))}
    return [number[row] for row in packed]


def _booth(word: list[int]) -> int:
    """Where the lexicographically smallest rotation starts, in linear time: Booth (1980) [booth1980]."""
    n, i, j, k = len(word), 0, 1, 0
    while i < n and j < n and k < n:
        a, b = word[(i + k) % n], word[(j + k) % n]
        if a == b:
            k += 1
            continue
        if a > b:
            i += k + 1
        else:
            j += k + 1
        if i == j:
            j += 1
        k = 0
    return min(i, j)


def make_cycle(maps: Maps, itinerary: np.ndarray) -> Cycle | None:
    """The cycle of an itinerary, or None where rounding decides that it is none."""
    itinerary = np.ascontiguousarray(smallest_rotation(itinerary))
    n, M = len(itinerary), len(maps.h)
    points, P = np.empty((n + 1, M)), np.empty((M, M))
    margin, residual = _details(maps, itinerary, points, P)
    if math.isnan(margin):
        return None
    multipliers = np.linalg.eigvals(P).astype(complex)
    multipliers = multipliers[np.argsort(-np.abs(multipliers), kind="stable")]
    return Cycle(points[:n].copy(), itinerary, multipliers, margin, residual)


def is_cycle_of(maps: Maps, cycle: Cycle) -> bool:
    """Whether a cycle that was found elsewhere is one of this map: its itinerary leads to the same points."""
    same = make_cycle(maps, cycle.itinerary)
    return (
        same is not None
        and same.points.shape == cycle.points.shape
        and np.allclose(same.points, cycle.points)
    )


class Collection:
    """Cycles by key, each once."""

    def __init__(self, maps: Maps, known: Iterable[Cycle] = ()):
        self._maps = maps
        self.cycles = {cycle.key(): cycle for cycle in known}

    def add(self, itinerary: np.ndarray) -> bool:
        """Whether it was a cycle that was not there."""
        rotated = smallest_rotation(itinerary)
        key = len(rotated), np.packbits(rotated).tobytes()
        if key in self.cycles:
            return False
        cycle = make_cycle(self._maps, rotated)
        if cycle is None:
            return False
        self.cycles[key] = cycle
        return True

    def sorted(self) -> tuple[Cycle, ...]:
        return tuple(sorted(self.cycles.values(), key=lambda c: (c.period, c.n_unstable, c.key()[1])))
