"""What a cycle is: its points, its itinerary, its multipliers; and from an itinerary to the cycle.

An *itinerary* is the sequence of patterns (which hinges are open) of a cycle's points. It fixes the cycle: with the
linear maps ``z -> J_t z + v_t`` of its patterns composed to ``z -> P z + q``, the first point solves ``(I - P) z = q``,
and the cycle is real if the true map, started there, has that very itinerary. So the unknowns are bits: `exhaustive`
tries them all, `search` guesses. Regions are closed: a point where a hinge's input is zero, to rounding, lies in those on
both sides. Where ``I - P`` is singular there is no cycle or a `Continuum` of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import numpy as np

from ..basics.records import check_shapes, record
from ..engine import factor, jit, kernel, multiply, solve
from ..models.base import Hinge
from .continuum import Continuum, eigenvalues_of, inner_point, kinks, solve_itinerary, stability_of
from .hinge import Maps, hinge_inputs, hinge_step, length_scale, linear_map

SINGULAR = 1e-13  # a pivot below this part of 1, or of the largest entry of the linear map, counts as zero
_BORDER = 1e-11  # a hinge's input below this part of the terms that it is the sum of counts as zero
_MOST_ADJOINING = 64
_LARGE = 1e8
NO_CYCLE, FOUND, DEGENERATE = 0, 1, 2


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Cycle:
    """A cycle of the map, or a fixed point, of period 1.

    Parameters
    ----------
    points : ndarray, (period, M)
        In the order of time; the first is the one whose itinerary, read from there, comes first in order.
    itinerary : ndarray of bool, (period, n_hinges)
        Which hinges are open at each point; one whose input is zero, to rounding, counts as closed, as phi'(0) = 0.
    multipliers : ndarray of complex, (M,)
        Eigenvalues of the Jacobian over one period, the largest first.
    margin : float
        The smallest ``|C z + d|`` of its points; 0 where one lies on a border between regions, to rounding.
    residual : float
        The largest difference between the first point and its image after one period.
    adjoining : ndarray of complex, (n_adjoining, M)
        Where the map has a kink at a point of the cycle: the multipliers of each of the linear maps that hold next to it,
        of up to 64; else none.
    """

    points: np.ndarray
    itinerary: np.ndarray
    multipliers: np.ndarray
    margin: float
    residual: float
    adjoining: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0), complex))

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
        """How many multipliers lie outside the unit circle (on a border: those with the hinge closed)."""
        return int((np.abs(self.multipliers) > 1 + 1e-12).sum())

    @property
    def on_border(self) -> bool:
        """Whether a point lies on a border between regions, with different linear maps on its sides."""
        return len(self.adjoining) > 0

    @property
    def stability(self) -> str:
        """'stable', 'saddle' or 'repelling'; 'non-hyperbolic' where a multiplier is within 1e-6 of the unit circle.

        'non-smooth' for a cycle on a border, whose stability no multipliers tell: see `adjoining`.
        """
        return "non-smooth" if self.on_border else stability_of(self.multipliers)

    @property
    def is_focus(self) -> bool:
        """Whether the largest multiplier is complex."""
        first = self.multipliers[0]
        return bool(abs(first.imag) > 1e-12 * abs(first))

    def index(self, repetitions: int = 1) -> int:
        """Sign of ``det(I - J)`` over so many periods: -1 to the number of real multipliers above 1; not for one on a border."""
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

    Where inputs of a period of p steps drive the map, periods are counted in those: n stands for n p steps.

    Parameters
    ----------
    found : tuple of Cycle
        By period; within it, the one with the fewest unstable directions first.
    exhausted : frozenset of int
        The periods of which every cycle is in `found`, so that none is missing but for rounding.
    certificates : dict
        For each period n that was asked for, whether all fixed points of the n-th iterate are there: 'complete' where n is
        exhausted, and its divisors; 'continuum' where the same holds, but there are infinitely many, which `continua`
        describes; 'incomplete' where the sum of their indices differs from what it must be for a map whose nonlinear part
        is bounded; else 'unknown'.
    tries : dict
        How many first guesses were followed, of each period that was searched.
    continua : tuple of Continuum
        Affine families of fixed points and of cycles, which are not in `found`.
    reasons : dict
        Of each certificate, the reason, in words.
    held : ndarray, (p, K)
        The inputs that were assumed: one row held constant, or one period of p rows; K is 0 for a map without inputs.
    map_hash : str
        What tells the map from others, for `resume`; empty where it is not known.
    """

    found: tuple[Cycle, ...]
    exhausted: frozenset[int]
    certificates: dict[int, str]
    tries: dict[int, int]
    continua: tuple[Continuum, ...] = ()
    reasons: dict[int, str] = dataclasses.field(default_factory=dict)
    held: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((1, 0)))
    map_hash: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(cycle, Cycle) for cycle in self.found):
            raise TypeError("CycleSet.found: expected a tuple of Cycle")
        if not all(isinstance(continuum, Continuum) for continuum in self.continua):
            raise TypeError("CycleSet.continua: expected a tuple of Continuum")

    def __repr__(self) -> str:
        return "\n".join([f"<CycleSet: {self.summary()}>", *table_of(self.found), *lines_of(self.continua)])

    def summary(self) -> str:
        """How many were found, and how far they are all, in one line."""
        parts = [f"{len(self.found)} found"]
        if self.continua:
            many = "1 continuum" if len(self.continua) == 1 else f"{len(self.continua)} continua"
            parts[0] += f", and {many} of infinitely many"
        if self.exhausted:
            parts.append(f"every one of period {ranges(sorted(self.exhausted))}")
        continua = sorted(n for n, answer in self.certificates.items() if answer == "continuum")
        if continua:
            parts.append(f"a continuum and every other one of period {ranges(continua)}")
        if len(parts) == 1:
            parts.append("no period exhausted")
        missing = sorted(n for n, answer in self.certificates.items() if answer == "incomplete")
        if missing:
            parts.append(f"some of period {ranges(missing)} are missing")
        if self.held.size:
            parts.append(told_inputs(self.held))
        return "; ".join(parts)

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
        """Those of a period n, which is n p steps where inputs have a period of p."""
        return tuple(c for c in self.found if c.period == n * len(self.held))


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


def lines_of(continua: Sequence[Continuum]) -> list[str]:
    """A line for each continuum, of the first twenty."""
    lines = [repr(c)[1:-1] for c in continua[:_ROWS]]
    return lines + ([f"and {len(continua) - _ROWS} more continua"] if len(continua) > _ROWS else [])


def told_inputs(held: np.ndarray) -> str:
    """What was assumed of the inputs (p, K), in words."""
    p, K = held.shape
    many = f"the {K} inputs" if K > 1 else "the input"
    if p > 1:
        return f"{many} repeated with a period of {p} steps, in which periods are counted"
    return f"{many} held at " + (", ".join(f"{x:g}" for x in held[0]) if held.any() else "zero")


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
    terms: np.ndarray  # (M,) the size of what a step's result is the sum of
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
    n, M, p = len(itinerary), len(q), len(maps.drive)
    for i in range(M):
        q[i] = 0.0
        for j in range(M):
            P[i, j] = 1.0 if i == j else 0.0
    t = 0
    while t < n:
        run = 1
        while p == 1 and t + run < n and (itinerary[t + run] == itinerary[t]).all():
            run += 1
        region_map(maps, itinerary[t], J, v)
        for i in range(M):
            v[i] += maps.drive[t % p, i]
        t += run
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
def step_terms(maps, z, u, drive, out):
    """The size of the terms that a step's result is the sum of, for its rounding; fills u."""
    M = len(z)
    for i in range(M):
        out[i] = abs(maps.h[i]) + abs(drive[i])
        for k in range(M):
            out[i] += abs(maps.L_T[k, i] * z[k])
    hinge_inputs(maps, z, u)
    for j in range(len(u)):
        if u[j] > 0:
            size = abs(maps.d[j])
            for i in range(M):
                size += abs(maps.C[j, i] * z[i])
            for i in range(M):
                out[i] += abs(maps.B_T[j, i]) * size


@jit
def is_on_border(maps, j, u, z, terms):
    """Whether the input u of hinge j at z, a step's result, is zero but for rounding."""
    size = abs(maps.d[j])
    for i in range(len(z)):
        size += abs(maps.C[j, i]) * max(abs(z[i]), terms[i])
    return abs(u) <= _BORDER * size


@jit
def _iterate(maps, z, u, points):
    """Iterate the true map; fills points (n + 1, M); False where it left the numbers."""
    n, M, p = len(points) - 1, len(z), len(maps.drive)
    for i in range(M):
        points[0, i] = z[i]
    for t in range(n):
        hinge_step(maps, points[t], u, points[t + 1])
        if p > 1:
            for i in range(M):
                points[t + 1, i] += maps.drive[t % p, i]
    finite = True
    for i in range(M):
        finite = finite and math.isfinite(points[n, i])
    return finite


@jit
def read_itinerary(maps, points, expected, u, terms, seen):
    """The itinerary of points (n, M) of a cycle; on a border, to rounding, it is the expected one."""
    n, p = len(expected), len(maps.drive)
    for t in range(n):
        hinge_inputs(maps, points[t], u)
        same = True
        for j in range(len(u)):
            seen[t, j] = u[j] > 0
            same = same and seen[t, j] == expected[t, j]
        if same:
            continue
        before = (t - 1) % n
        step_terms(maps, points[before], u, maps.drive[before % p], terms)
        hinge_inputs(maps, points[t], u)
        for j in range(len(u)):
            if seen[t, j] != expected[t, j] and is_on_border(maps, j, u[j], points[t], terms):
                seen[t, j] = expected[t, j]


@jit
def size_of(A):
    """The largest entry, or 1."""
    size = 1.0
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            size = max(size, abs(A[i, j]))
    return size


@jit
def factor_difference(P, A, rows):
    """LU of ``A = I - P``, in place of A; False where it is singular, by what P is rounded to."""
    M = len(P)
    size = 0.0
    for i in range(M):
        for j in range(M):
            A[i, j] = (1.0 if i == j else 0.0) - P[i, j]
            size = max(size, abs(A[i, j]))
    return size > 0 and factor(A, M, rows, SINGULAR * size_of(P) / size)


@jit
def solve_for_cycle(maps, itinerary, buffers):
    """Solve for the cycle of an itinerary and follow the true map from there: NO_CYCLE, FOUND, or DEGENERATE.

    What is found is a cycle of this itinerary where `seen` is the same; it is degenerate where ``I - P`` is singular. Where P
    is so large that its rounding hides the rest, a search goes on elsewhere.
    """
    A, rows, P, q, J, v, product, shift, z, terms, u, points, seen = buffers
    M, n = len(z), len(itinerary)
    _compose(maps, itinerary, P, q, J, v, product, shift)
    if not factor_difference(P, A, rows):
        return DEGENERATE if size_of(P) < _LARGE else NO_CYCLE
    solve(A, M, rows, q, z)
    if not _iterate(maps, z, u, points):
        return NO_CYCLE
    read_itinerary(maps, points, itinerary, u, terms, seen)
    # Iterative refinement: the error that closing shows is taken off, as long as the itinerary is the right one.
    for _ in range(2):
        if (seen != itinerary).any():
            break
        for i in range(M):
            q[i] = points[n, i] - z[i]
        solve(A, M, rows, q, shift)
        for i in range(M):
            z[i] += shift[i]
        _iterate(maps, z, u, points)
        read_itinerary(maps, points, itinerary, u, terms, seen)
    return FOUND


@kernel
def _details(maps, itinerary, points, P):
    """The cycle of an itinerary: its points (n + 1, M) and P; whether it is FOUND, and real, NO_CYCLE, or DEGENERATE."""
    n, n_hinges = itinerary.shape
    buffers = new_buffers(len(maps.h), n, n_hinges)
    answer = solve_for_cycle(maps, itinerary, buffers)
    if answer == FOUND and (buffers.seen != itinerary).any():
        return NO_CYCLE
    P[:] = buffers.P
    points[:] = buffers.points
    return answer


@kernel
def _read(maps, points, inputs, border):
    """Fill the hinge inputs (n, n_hinges) of a cycle's points (n, M), and which are zero but for rounding."""
    n, p = len(points), len(maps.drive)
    terms, u = np.empty(points.shape[1]), np.empty(len(maps.d))
    for t in range(n):
        before = (t - 1) % n
        step_terms(maps, points[before], u, maps.drive[before % p], terms)
        hinge_inputs(maps, points[t], inputs[t])
        for j in range(len(u)):
            border[t, j] = is_on_border(maps, j, inputs[t, j], points[t], terms)


# --- from itineraries to cycles --------------------------------------------------------------------


def smallest_rotation(itinerary: np.ndarray, *, phases: int = 1) -> np.ndarray:
    """The first of its rotations in order, of its shortest period; rotated by multiples of `phases`."""
    period, start = _period_and_start(itinerary, phases)
    return np.roll(itinerary[:period], -start, axis=0)


def _period_and_start(itinerary: np.ndarray, phases: int) -> tuple[int, int]:
    """The shortest period of an itinerary, and where its smallest rotation starts; both multiples of `phases`."""
    rows = itinerary.reshape(len(itinerary) // phases, -1)
    n = len(rows)
    packed = [row.tobytes() for row in np.packbits(rows, axis=1)] if rows.shape[1] else [b""] * n
    word = _ranked(packed)
    period = next(p for p in range(1, n + 1) if n % p == 0 and word == word[:p] * (n // p))
    return period * phases, _booth(word[:period]) * phases


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


class CycleMap:
    """A map, as its cycles are made from it: in the form of kernels and in that of formulas."""

    def __init__(self, maps: Maps):
        self.maps, self.phases = maps, len(maps.drive)
        none = np.zeros((len(maps.h), 0))
        self.hinge = Hinge(maps.L_T.T, maps.B_T.T, maps.C, maps.d, maps.h, none)
        self._adjoined: dict[tuple[bytes, bytes], np.ndarray] = {}

    @property
    def hash(self) -> str:
        """What tells the map from others."""
        arrays = (*self.hinge[:5], self.maps.drive)
        parts = (str(a.shape).encode() + np.ascontiguousarray(a + 0.0).tobytes() for a in arrays)
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def cycle(self, itinerary: np.ndarray) -> Cycle | Continuum | None:
        """The cycle of an itinerary, a continuum where there are infinitely many, or None where there is none."""
        itinerary = np.ascontiguousarray(itinerary)
        n, M = len(itinerary), len(self.hinge.h)
        points, P = np.empty((n + 1, M)), np.empty((M, M))
        answer = _details(self.maps, itinerary, points, P)
        if answer == NO_CYCLE:
            return None
        if answer == FOUND:
            found = self._cycle_at(points[:n], itinerary, P)
            if found is None or np.abs(found.multipliers - 1).min() > 1e-8:
                return found
        return self.degenerate(itinerary)

    def degenerate(self, itinerary: np.ndarray, turned: bool = False) -> Cycle | Continuum | None:
        """The same where the linear map over one period is singular, or hides what its product rounds away."""
        solution = solve_itinerary(self.hinge, self.maps.drive, itinerary)
        if solution is None:
            return None
        if solution.period < len(itinerary):
            return self.cycle(itinerary[: solution.period])
        if solution.continuum is None:
            return self._cycle_at(solution.points, itinerary)
        _, start = _period_and_start(solution.continuum.itinerary, self.phases)
        if start and not turned:
            return self.degenerate(np.roll(itinerary, -start, axis=0), turned=True)
        return solution.continuum

    def _cycle_at(
        self, points: np.ndarray, itinerary: np.ndarray, P: np.ndarray | None = None
    ) -> Cycle | None:
        """The cycle of these points (n, M), where they have this itinerary, borders belonging to both sides."""
        n, M = points.shape
        inputs, border = np.empty(itinerary.shape), np.empty(itinerary.shape, bool)
        _read(self.maps, np.ascontiguousarray(points), inputs, border)
        if (((inputs > 0) != itinerary) & ~border).any():
            return None
        closed = itinerary & ~border
        period, start = _period_and_start(closed, self.phases)
        if np.abs(points - np.roll(points, -period, axis=0)).max() > 1e-8 * self._size(points):
            period = n  # a corner of a continuum, whose members have this itinerary, and not its period
        points, closed, border = (np.roll(a[:period], -start, axis=0) for a in (points, closed, border))
        if P is None or border.any() or start or period < n:
            P = np.eye(M)
            for pattern in closed:
                P = linear_map(self.hinge, pattern)[0] @ P
        margin = 0.0 if border.any() else float(np.abs(inputs).min(initial=math.inf))
        return Cycle(
            points.copy(),
            closed,
            eigenvalues_of(P),
            margin,
            self._residual(points),
            self._adjoining_once(closed, border),
        )

    def _size(self, points: np.ndarray) -> float:
        """What distances between points are judged by."""
        return max(float(np.abs(points).max()), length_scale(self.hinge, self.maps.drive))

    def _residual(self, points: np.ndarray) -> float:
        after = np.empty((len(points) + 1, points.shape[1]))
        _follow(self.maps, np.ascontiguousarray(points[0]), after)
        return float(np.abs(after[-1] - points[0]).max())

    def _adjoining_once(self, closed: np.ndarray, border: np.ndarray) -> np.ndarray:
        """The same, kept: where many borders meet, each region about the corner leads to one cycle."""
        key = closed.tobytes(), border.tobytes()
        if key not in self._adjoined:
            self._adjoined[key] = self._adjoining(closed, border)
        return self._adjoined[key]

    def _adjoining(self, itinerary: np.ndarray, border: np.ndarray) -> np.ndarray:
        """The multipliers next to a cycle on a border, or none where they are all the same linear map."""
        felt = border & kinks(self.hinge)
        M = len(self.hinge.h)
        maps: list[np.ndarray] = []
        # Along a direction that is carried along, each border is passed on one side: all choices that some direction makes.
        waiting = [(0, np.eye(M), np.zeros((0, M)))] if felt.any() else []
        while waiting and len(maps) < _MOST_ADJOINING:
            t, P, sides = waiting.pop()
            if t == len(itinerary):
                maps.append(P)
                continue
            choices = [(itinerary[t].copy(), sides)]
            for j in np.flatnonzero(felt[t]):
                row = self.hinge.C[j] @ P
                length = float(np.linalg.norm(row))
                if length <= 1e-12 * np.linalg.norm(self.hinge.C[j]) * np.linalg.norm(P):
                    continue  # every direction has come to lie along this border
                choices = [
                    (
                        np.where(np.arange(len(pattern)) == j, side, pattern),
                        np.vstack([rows, sign * row / length]),
                    )
                    for pattern, rows in choices
                    for side, sign in ((True, 1.0), (False, -1.0))
                ]
                choices = [c for c in choices if _has_inside(c[1])]
            waiting += [(t + 1, linear_map(self.hinge, pattern)[0] @ P, rows) for pattern, rows in choices]
        size = max((float(np.abs(P).max()) for P in maps), default=0.0)
        if all(np.abs(P - maps[0]).max() <= 1e-12 * size for P in maps):
            return np.zeros((0, M), complex)
        return np.array([eigenvalues_of(P) for P in maps])

    def is_cycle(self, cycle: Cycle) -> bool:
        """Whether a cycle that was found elsewhere is one of this map: each of its points leads to the next."""
        points, itinerary = np.ascontiguousarray(cycle.points), cycle.itinerary
        if points.shape[1] != len(self.hinge.h) or itinerary.shape[1] != len(self.hinge.d):
            return False
        if len(points) % self.phases:
            return False
        after = np.empty((2, points.shape[1]))
        size = self._size(points)
        for t, z in enumerate(points):
            _follow(self.maps._replace(drive=np.roll(self.maps.drive, -t, axis=0)), z, after)
            if np.abs(after[1] - points[(t + 1) % len(points)]).max() > 1e-6 * size:
                return False
        same = self._cycle_at(points, itinerary)
        return same is not None and np.allclose(same.multipliers, cycle.multipliers, rtol=1e-6, atol=1e-9)


def _has_inside(rows: np.ndarray) -> bool:
    """Whether some direction has a positive product with each of these rows of length 1."""
    found = inner_point(rows, np.zeros(len(rows)))
    return found is not None and found[1] > 1e-7


@kernel
def _follow(maps, z, points):
    _iterate(maps, z, np.empty(len(maps.d)), points)


def make_cycle(maps: Maps, itinerary: np.ndarray) -> Cycle | None:
    """The cycle of an itinerary, or None where there is none, or a continuum."""
    found = CycleMap(maps).cycle(smallest_rotation(itinerary, phases=len(maps.drive)))
    return found if isinstance(found, Cycle) else None


class Collection:
    """Cycles and continua by key, each once."""

    def __init__(self, on: CycleMap, known: CycleSet | None = None):
        self._on = on
        self.cycles = {c.key(): c for c in (known.found if known is not None else ())}
        self.continua = {c.key(): c for c in (known.continua if known is not None else ())}
        self._refused: set[tuple[int, bytes]] = set()

    def __len__(self) -> int:
        return len(self.cycles) + len(self.continua)

    def add(self, itinerary: np.ndarray, degenerate: bool = False) -> bool:
        """Whether it was a cycle, or a continuum, that was not there.

        A degenerate itinerary is taken as it is: of its cycles, which are many, most can have a longer period than its own.
        """
        phases = self._on.phases
        rotated = np.roll(itinerary, -_period_and_start(itinerary, phases)[1], axis=0)
        if not degenerate:
            rotated = smallest_rotation(itinerary, phases=phases)
        key = len(rotated), np.packbits(rotated).tobytes()
        if key in self._refused or key in (self.continua if degenerate else self.cycles):
            return False
        found = self._on.degenerate(rotated) if degenerate else self._on.cycle(rotated)
        kept: dict = self.continua if isinstance(found, Continuum) else self.cycles
        if found is None or found.key() in kept:
            self._refused.add(key)
            return False
        kept[found.key()] = found
        return True

    def sorted(self) -> tuple[tuple[Cycle, ...], tuple[Continuum, ...]]:
        """By period; without what lies on a border and is an end, or a face, of a continuum."""
        continua = sorted(self.continua.values(), key=lambda c: (c.period, -c.dimension, c.key()[1]))
        kept = [
            c
            for c in continua
            if not any(c.dimension < other.dimension and self._is_in(c, other) for other in continua)
        ]
        cycles = [
            c
            for c in self.cycles.values()
            if c.margin > 0 or not any(self._is_in(c, continuum) for continuum in kept)
        ]
        return tuple(sorted(cycles, key=lambda c: (c.period, c.n_unstable, c.key()[1]))), tuple(kept)

    def _is_in(self, part: Cycle | Continuum, whole: Continuum) -> bool:
        """Whether a cycle, or a continuum's member, is one of the members of a continuum."""
        starts = part.points[:: self._on.phases]
        return part.period % whole.period == 0 and any(whole.contains(z) for z in starts)
