"""Fixed points and cycles of piecewise-linear maps: exhaustively where that is possible, else by search.

An *itinerary* is the sequence of patterns (which hinges are open) of a cycle's points. It fixes the cycle: with the
linear maps ``z -> J_t z + v_t`` of its patterns composed to ``z -> P z + q``, the first point solves ``(I - P) z = q``,
and the cycle is real if the true map, started there, has that very itinerary. So the unknowns are bits.

Exhaustive (`_all_by_hinges`): eliminating z leaves the hinge inputs alone, ``u = G phi(u) + g``; with n steps and K hinges
there are 2^(nK) sign patterns, each a linear system of its open hinges only. `_all_by_regions` goes over sequences of
regions instead, where these are fewer.

Search (`_search`): the true map's itinerary from the solution of a wrong guess is the next guess (SCYFI: Eisenmann,
Monfared, Goering and Durstewitz 2023, NeurIPS). Guesses that were seen before are not followed again; orbits that nearly
close give most of the first guesses.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .._jit import jit, kernel
from ..models._base import Hinge
from .boundedness import _bounded_groups
from .hinge import Maps, as_hinge, hinge_inputs, hinge_step, maps_of, orbit, patterns_of
from .linear import factor, solve
from .regions import numbered, regions

_HINGE_BITS = 20  # nK, up to which all sign patterns are tried
_REGION_WORK = 2e9  # multiplications, up to which all sequences of regions are tried
_VISITED = 2**16
_MOST_INNER = 300
_NEUTRAL = 1e-6
_CLOUD = 20_000
_SINGULAR = 1e-14


@dataclasses.dataclass(frozen=True)
class Cycle:
    """A cycle of the map, or a fixed point, of period 1.

    Parameters
    ----------
    points : ndarray, (period, M)
        In the order of time; the first is the one whose itinerary, read from there, comes first in order.
    itinerary : ndarray of bool, (period, K)
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


@dataclasses.dataclass(frozen=True)
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

    def __iter__(self):
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, i):
        return self.found[i]

    def of_period(self, n: int) -> tuple[Cycle, ...]:
        return tuple(c for c in self.found if c.period == n)


# --- kernels ---------------------------------------------------------------------------------------


@jit
def _region_map(maps, pattern, J, v):
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
def _multiply(A, B, out):
    if len(A) >= 24:
        np.dot(A, B, out)
        return
    M = len(A)
    for i in range(M):
        for j in range(M):
            out[i, j] = 0.0
        for k in range(M):
            a = A[i, k]
            for j in range(M):
                out[i, j] += a * B[k, j]


@jit
def _apply(J, x, v, out):
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
        _region_map(maps, itinerary[t - run], J, v)
        while run > 0:
            if run & 1:
                _multiply(J, P, product)
                P[:] = product
                _apply(J, q, v, vector)
                q[:] = vector
            run >>= 1
            if run > 0:
                _apply(J, v, v, vector)
                v[:] = vector
                _multiply(J, J, product)
                J[:] = product


@jit
def _follow(maps, z, u, points, itinerary):
    """Iterate the true map; fills points (n + 1, M) and the itinerary (n, K). The smallest |u|, or NaN where it left the numbers."""
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
def _cycle_of(maps, itinerary, A, rows, P, q, J, v, product, z, u, points, seen, shift):
    """Solve for the cycle of an itinerary and follow the true map from there, into `seen`; False where there is none."""
    M = len(z)
    _compose(maps, itinerary, P, q, J, v, product, shift)
    for i in range(M):
        for j in range(M):
            A[i, j] = (1.0 if i == j else 0.0) - P[i, j]
    if not factor(A, M, rows, _SINGULAR):
        return False
    solve(A, M, rows, q, z)
    if math.isnan(_follow(maps, z, u, points, seen)):
        return False
    # The error that closing shows is taken off, as long as the itinerary is the right one.
    for _ in range(2):
        if (seen != itinerary).any():
            break
        for i in range(M):
            q[i] = points[len(itinerary), i] - z[i]
        solve(A, M, rows, q, shift)
        for i in range(M):
            z[i] += shift[i]
        _follow(maps, z, u, points, seen)
    return True


_MASK = (1 << 62) - 1


@jit
def _hash(itinerary):
    h = 1469598103934665603
    for t in range(itinerary.shape[0]):
        for k in range(itinerary.shape[1]):
            bit = 2 if itinerary[t, k] else 1
            h = ((h ^ bit) * 1099511628211) & _MASK
        h = ((h ^ (h >> 29)) * 1099511628211) & _MASK
    return h


@jit
def _visit(visited, h):
    """Note a guess; False where it was there. The last entry counts; half full, the table forgets everything."""
    size = len(visited) - 1
    place = h % size
    while visited[place] != 0:
        if visited[place] == h:
            return False
        place = (place + 1) % size
    visited[place] = h
    visited[size] += 1
    if visited[size] > size // 2:
        visited[:] = 0
        visited[place] = h
    return True


@kernel
def _search(maps, guesses, visited, most_inner, found):
    """Follow each guess (R, n, K) until it is a cycle's itinerary, or was seen before, or leads nowhere."""
    R, n, K = guesses.shape
    M = len(maps.h)
    P, J, A, product = np.empty((M, M)), np.empty((M, M)), np.empty((M, M)), np.empty((M, M))
    q, v, z, shift, u = np.empty(M), np.empty(M), np.empty(M), np.empty(M), np.empty(K)
    rows, points, seen = np.empty(M, np.int64), np.empty((n + 1, M)), np.empty((n, K), np.bool_)
    for r in range(R):
        found[r] = False
        guess = guesses[r]
        for _ in range(most_inner):
            if not _visit(visited, _hash(guess)):
                break
            if not _cycle_of(maps, guess, A, rows, P, q, J, v, product, z, u, points, seen, shift):
                break
            if (seen == guess).all():
                found[r] = True
                break
            guess[:] = seen


@kernel
def _details(maps, itinerary, points, P):
    """The cycle of an itinerary: margin and residual, or NaN and NaN where it is not real."""
    n, K = itinerary.shape
    M = len(maps.h)
    J, A, product = np.empty((M, M)), np.empty((M, M)), np.empty((M, M))
    q, v, z, shift, u = np.empty(M), np.empty(M), np.empty(M), np.empty(M), np.empty(K)
    rows, seen = np.empty(M, np.int64), np.empty((n, K), np.bool_)
    if not _cycle_of(maps, itinerary, A, rows, P, q, J, v, product, z, u, points, seen, shift):
        return math.nan, math.nan
    if (seen != itinerary).any():
        return math.nan, math.nan
    margin = _follow(maps, z, u, points, seen)
    residual = 0.0
    for i in range(M):
        residual = max(residual, abs(points[n, i] - z[i]))
    return margin, residual


@kernel
def _all_by_hinges(G, g, n, K, first, last, found):
    """Sign patterns, as integers, of the solutions of ``u = G phi(u) + g``; their number, of which `found` holds the first.

    Bit t K + k stands for hinge k at step t. Of the rotations of a pattern only the smallest is tried.
    """
    size = n * K
    A, b, x = np.empty((size, size)), np.empty(size), np.empty(size)
    rows = np.empty(size, np.int64)
    scale = 0.0
    for i in range(size):
        scale = max(scale, abs(g[i]))
    slack = 1e-9 * max(scale, 1e-300)
    step_bits = (1 << K) - 1
    active = np.empty(size, np.int64)
    count = 0
    for pattern in range(first, last):
        smallest = True
        rotated = pattern
        for _ in range(n - 1):
            rotated = (rotated >> K) | ((rotated & step_bits) << (size - K))
            if rotated < pattern:
                smallest = False
                break
        if not smallest:
            continue
        m = 0
        for i in range(size):
            if pattern >> i & 1:
                active[m] = i
                m += 1
        for i in range(m):
            for j in range(m):
                A[i, j] = (1.0 if i == j else 0.0) - G[active[i], active[j]]
            b[i] = g[active[i]]
        if not factor(A, m, rows, _SINGULAR):
            continue
        solve(A, m, rows, b, x)
        real = True
        for i in range(m):
            if not x[i] > -slack:
                real = False
                break
        if not real:
            continue
        for i in range(size):
            if not pattern >> i & 1:
                u = g[i]
                for a in range(m):
                    u += G[i, active[a]] * x[a]
                if not u <= slack:
                    real = False
                    break
        if real:
            if count < len(found):
                found[count] = pattern
            count += 1
    return count


@kernel
def _all_by_regions(maps, pool, n, found):
    """Sequences of n regions of the pool that are cycles' itineraries; their number, of which `found` holds the first.

    Depth first, the linear maps of beginnings kept. Of the rotations of a sequence only the smallest is tried.
    """
    R, K = pool.shape
    M = len(maps.h)
    Js, vs = np.empty((R, M, M)), np.empty((R, M))
    for r in range(R):
        _region_map(maps, pool[r], Js[r], vs[r])
    P, q = np.empty((n + 1, M, M)), np.empty((n + 1, M))
    P[0], q[0] = np.eye(M), 0.0
    A, z, shift, u = np.empty((M, M)), np.empty(M), np.empty(M), np.empty(K)
    rows, word = np.empty(M, np.int64), np.full(n, -1)
    depth, count = 0, 0
    while depth >= 0:
        word[depth] += 1
        if word[depth] == R:
            depth -= 1
            continue
        _multiply(Js[word[depth]], P[depth], P[depth + 1])
        _apply(Js[word[depth]], q[depth], vs[word[depth]], q[depth + 1])
        if depth + 1 < n:
            depth += 1
            word[depth] = word[0] - 1  # none before the first can be in the smallest rotation
            continue
        smallest = True
        for shift_by in range(1, n):
            for t in range(n):
                a, b = word[t], word[(t + shift_by) % n]
                if a != b:
                    smallest = a < b
                    break
            if not smallest:
                break
        if not smallest:
            continue
        for i in range(M):
            for j in range(M):
                A[i, j] = (1.0 if i == j else 0.0) - P[n, i, j]
        if not factor(A, M, rows, _SINGULAR):
            continue
        solve(A, M, rows, q[n], z)
        real = True
        for t in range(n):
            hinge_inputs(maps, z, u)
            size = 1.0
            for i in range(M):
                size = max(size, abs(z[i]))
            for k in range(K):  # what is right but for rounding is looked at again
                if (u[k] > 0) != pool[word[t], k] and abs(u[k]) > 1e-9 * size:
                    real = False
                    break
            if not real:
                break
            _apply(Js[word[t]], z, vs[word[t]], shift)
            z[:] = shift
        if real:
            if count < len(found):
                found[count] = word
            count += 1
    return count


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
    """Where the lexicographically smallest rotation starts, in linear time (Booth 1980)."""
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


def _make_cycle(maps: Maps, itinerary: np.ndarray) -> Cycle | None:
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


class _Collection:
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
        cycle = _make_cycle(self._maps, rotated)
        if cycle is None:
            return False
        self.cycles[key] = cycle
        return True

    def sorted(self) -> tuple[Cycle, ...]:
        return tuple(sorted(self.cycles.values(), key=lambda c: (c.period, c.n_unstable, c.key()[1])))


# --- exhaustive ------------------------------------------------------------------------------------


def _reduced(hinge: Hinge, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """G (nK, nK) and g (nK,) of ``u = G phi(u) + g`` for cycles of n steps; None where I - L^n is singular."""
    M, K = len(hinge.L), len(hinge.d)
    powers = [np.eye(M)]
    for _ in range(n):
        powers.append(powers[-1] @ hinge.L)
    remainder = np.eye(M) - powers[n]
    if not np.isfinite(remainder).all() or np.linalg.cond(remainder) > 1e10:
        return None
    S = np.linalg.inv(remainder)
    # z_t = sum over lags l = 1..n of L^(l-1) S (B phi(u_(t-l)) + h), indices modulo n.
    blocks = [hinge.C @ powers[lag - 1] @ S @ hinge.B for lag in range(1, n + 1)]
    G = np.zeros((n * K, n * K))
    for t in range(n):
        for lag in range(1, n + 1):
            s = (t - lag) % n
            G[t * K : (t + 1) * K, s * K : (s + 1) * K] = blocks[lag - 1]
    rest = hinge.C @ (sum(powers[:n]) @ S @ hinge.h) + hinge.d
    return G, np.tile(rest, n)


def _exhaust(hinge: Hinge, maps: Maps, n: int, pool: np.ndarray | None, collection: _Collection) -> bool:
    """Find every cycle whose period divides n; False where that is too much work."""
    M, K = len(hinge.L), len(hinge.d)
    by_hinges = 2.0 ** (n * K) if n * K <= _HINGE_BITS else math.inf
    by_regions = math.inf
    if pool is not None and n * math.log(len(pool)) < 60:
        work = float(len(pool)) ** n * (M**3 + n * K * M)
        by_regions = work if work <= _REGION_WORK else math.inf
    reduced = _reduced(hinge, n) if by_hinges < math.inf and K else None
    if reduced is not None and by_hinges * (n * K) ** 2 <= by_regions:
        found = np.zeros(4096, np.int64)
        count = _all_by_hinges(*reduced, n, K, 0, 2 ** (n * K), found)
        if count > len(found):
            found = np.zeros(count, np.int64)
            _all_by_hinges(*reduced, n, K, 0, 2 ** (n * K), found)
        for pattern in found[:count]:
            bits = (int(pattern) >> np.arange(n * K)) & 1
            collection.add(bits.astype(bool).reshape(n, K))
        return True
    if pool is not None and by_regions < math.inf:
        words = np.zeros((4096, n), np.int64)
        count = _all_by_regions(maps, pool, n, words)
        if count > len(words):
            words = np.zeros((count, n), np.int64)
            _all_by_regions(maps, pool, n, words)
        for word in words[:count]:
            collection.add(pool[word])
        return True
    return False


# --- the certificate -------------------------------------------------------------------------------


def _required_index(hinge: Hinge, n: int) -> int | None:
    """The sum of the indices of all fixed points of the n-th iterate, where the nonlinear part is bounded."""
    if _bounded_groups(hinge) is None:
        return None
    eigenvalues = np.linalg.eigvals(hinge.L) ** n
    if (np.abs(eigenvalues - 1) < 1e-9).any():
        return None
    real = np.abs(eigenvalues.imag) <= 1e-12 * np.maximum(np.abs(eigenvalues), 1e-300)
    return -1 if (real & (eigenvalues.real > 1)).sum() % 2 else 1


def _certify(hinge: Hinge, n: int, cycles: Iterable[Cycle], exhausted: Iterable[int]) -> str:
    divisors = {d for d in range(1, n + 1) if n % d == 0}
    required = _required_index(hinge, n)
    if required is None:
        return "unknown"
    total = sum(c.period * c.index(n // c.period) for c in cycles if c.period in divisors)
    if total != required:
        return "incomplete"
    return "complete" if divisors <= set(exhausted) else "unknown"


# --- search ----------------------------------------------------------------------------------------


class _Guesses:
    """First guesses: stretches of an orbit that nearly close, other stretches, and words of regions that were seen."""

    def __init__(self, hinge: Hinge, z0: Any, n_steps: int, seed: int):
        rng = np.random.default_rng([seed, 0])
        M = len(hinge.L)
        starts = [np.asarray(z0, np.float64)] if z0 is not None else []
        starts += [rng.standard_normal(M) * scale for scale in (0.1, 1.0, 3.0)]
        runs = []
        for start in starts:
            with np.errstate(all="ignore"):
                run = orbit(hinge, start, n_steps)
            ok = np.isfinite(run).all(axis=1) & (np.abs(run).max(axis=1) < 1e6)
            run = run[: int(np.argmin(ok)) if not ok.all() else len(run)]
            if len(run) > 1:
                runs.append(run)
        # Repelling points lie where no orbit goes, and some in small regions: states of every size.
        size = np.abs(np.concatenate(runs)).max() if runs else 3.0
        cloud = size * rng.standard_normal((_CLOUD, M)) * 10.0 ** rng.uniform(-2, 0.5, (_CLOUD, 1))
        self._states = max(runs, key=len) if runs else cloud
        self._symbols = patterns_of(hinge, self._states)
        everything = np.concatenate([*(patterns_of(hinge, run) for run in runs), patterns_of(hinge, cloud)])
        self._pool, _ = numbered(everything)

    def draw(self, rng: np.random.Generator, n: int, count: int, first: int) -> np.ndarray:
        """Guesses (count, n, K) number first to first + count of period n."""
        T, K = len(self._states), self._symbols.shape[1]
        out = np.zeros((count, n, K), bool)
        closing = self._nearly_closed(n)
        for i in range(count):
            number = first + i
            if 2 * n < T and number % 2 == 0 and number // 2 < len(closing):
                start = closing[number // 2]
                out[i] = self._symbols[start : start + n]
            elif n < T and rng.random() < 0.5:
                start = rng.integers(0, T - n)
                out[i] = self._symbols[start : start + n]
            else:
                out[i] = self._pool[rng.integers(0, len(self._pool), n)]
        return out

    def _nearly_closed(self, n: int, most: int = 2000) -> np.ndarray:
        """Times t, the nearest returns after n steps first, no two within a few steps of each other."""
        if len(self._states) <= n + 2:
            return np.zeros(0, np.int64)
        distance = np.linalg.norm(self._states[n:] - self._states[:-n], axis=1)
        inner = (distance[1:-1] <= distance[:-2]) & (distance[1:-1] <= distance[2:])
        times = np.flatnonzero(inner) + 1
        return times[np.argsort(distance[times], kind="stable")][:most]


def fixed_points(latent: Any, seed: int = 0) -> CycleSet:
    """All fixed points of the map, without inputs: exhaustively where the regions can be listed, else by search.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map; computed in float64.
    seed : int, optional
        Of a search.

    Returns
    -------
    CycleSet
        Cycles of period 1; `exhausted` has 1 where none is missing.

    Raises
    ------
    TypeError
        Where `latent` is no model.

    References
    ----------
    Eisenmann, Monfared, Goering and Durstewitz (2023), NeurIPS (SCYFI), for the search; docs/analysis.md for the rest.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> tent = pl.ALRNN(A=[2.0], W=[[-4.0]], h=[1.0], C=np.zeros((1, 0)), num_relus=1)  # 1 - 2 |z|
    >>> found = pl.analysis.fixed_points(tent)
    >>> [(round(float(c.points[0, 0]), 6), c.stability) for c in found]
    [(-1.0, 'repelling'), (0.333333, 'repelling')]
    """
    return cycles(latent, 1, seed=seed)


def cycles(
    latent: Any,
    max_period: int,
    z0: Any = None,
    periods: Iterable[int] | None = None,
    tries: int = 1000,
    patience: int = 200,
    seconds: float | None = None,
    exhaustive: bool = True,
    orbit_steps: int | None = None,
    seed: int = 0,
    n_threads: int = 1,
    resume: CycleSet | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> CycleSet:
    """Find cycles of the map, without inputs, and say how far they are known to be all.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        The map; computed in float64.
    max_period : int
        The longest period.
    z0 : array_like, (M,), optional
        A state near the attractor, from which an orbit gives first guesses.
    periods : iterable of int, optional
        Which periods, in place of all up to `max_period`.
    tries, patience : int, optional
        For each period, how many first guesses are followed, and after how many without a discovery it ends.
    seconds : float, optional
        End the search after so many; the periods take turns. What is found then depends on the machine's speed.
    exhaustive : bool, optional
        Go over all itineraries of those periods where that is possible.
    orbit_steps : int, optional
        Length of the orbits that give first guesses; where none is given, 200 times `max_period`, from 2000 to 20,000.
    seed : int, optional
        The same seed gives the same cycles, for any number of threads.
    n_threads : int, optional
        Periods that are searched side by side.
    resume : CycleSet, optional
        What an earlier call returned: its cycles are kept, and the search goes on with other guesses.
    progress : callable, optional
        Called with (guesses followed, cycles found) between rounds; a true answer ends the search.

    Returns
    -------
    CycleSet

    Raises
    ------
    ValueError
        Where a number does not fit; the message names the argument.

    References
    ----------
    Eisenmann, Monfared, Goering and Durstewitz (2023), NeurIPS (SCYFI); docs/analysis.md.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> tent = pl.ALRNN(A=[2.0], W=[[-4.0]], h=[1.0], C=np.zeros((1, 0)), num_relus=1)
    >>> found = pl.analysis.cycles(tent, 5)
    >>> [len(found.of_period(n)) for n in range(1, 6)]  # 2^n fixed points of the n-th iterate
    [2, 1, 2, 3, 6]
    """
    hinge = as_hinge(latent)
    for name, value in (
        ("max_period", max_period),
        ("tries", tries),
        ("patience", patience),
        ("n_threads", n_threads),
    ):
        if isinstance(value, bool) or value != int(value) or value < (0 if name == "tries" else 1):
            raise ValueError(f"{name}: got {value!r}, expected a positive integer")
    if resume is not None and any(c.itinerary.shape[1] != len(hinge.d) for c in resume):
        raise ValueError("resume: got cycles of a map with another number of hinges")
    wanted = sorted(set(range(1, int(max_period) + 1) if periods is None else map(int, periods)))
    if not wanted or wanted[0] < 1:
        raise ValueError(f"periods: got {wanted[:5]}, expected integers at least 1")
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    maps = maps_of(hinge)
    collection = _Collection(maps, resume or ())
    exhausted = set(resume.exhausted) if resume else set()
    if exhaustive:
        pool = regions(hinge)
        for n in wanted:
            if (
                n not in exhausted
                and time.monotonic() < deadline
                and _exhaust(hinge, maps, n, pool, collection)
            ):
                exhausted.add(n)
    followed = dict(resume.tries) if resume else {}
    left = [n for n in wanted if n not in exhausted]
    if left and tries:
        searches = [_PeriodSearch(maps, n, seed, followed.get(n, 0)) for n in left]
        steps = min(max(200 * wanted[-1], 2000), 20_000) if orbit_steps is None else orbit_steps
        guesses = _Guesses(hinge, z0, max(steps, 4 * left[-1]), seed)
        _search_in_turns(searches, guesses, collection, tries, patience, deadline, n_threads, progress)
        followed |= {s.n: s.followed for s in searches}
    found = collection.sorted()
    certificates = {n: _certify(hinge, n, found, exhausted) for n in wanted}
    return CycleSet(found, frozenset(exhausted), certificates, followed)


class _PeriodSearch:
    """The search for cycles of one period: its random numbers, what it has visited, and its patience."""

    def __init__(self, maps: Maps, n: int, seed: int, followed: int):
        self.n, self.followed, self.since = n, followed, 0
        self._maps = maps
        self._seed = seed
        self._visited = np.zeros(_VISITED + 1, np.int64)
        self._begun = followed

    def round(self, guesses: _Guesses, count: int) -> list[np.ndarray]:
        """Follow so many more guesses; the itineraries that are cycles'."""
        rng = np.random.default_rng([self._seed, self.n, self.followed])
        drawn = guesses.draw(rng, self.n, count, self.followed)
        found = np.zeros(count, bool)
        _search(self._maps, drawn, self._visited, _MOST_INNER, found)
        self.followed += count
        return list(drawn[found])

    @property
    def tried(self) -> int:
        return self.followed - self._begun


_ROUND = 25


def _search_in_turns(searches, guesses, collection, tries, patience, deadline, n_threads, progress) -> None:
    """Rounds over all periods that are not done; cycles are added in the order of periods."""
    waiting = list(searches)
    with ThreadPoolExecutor(n_threads) as executor:
        while waiting and time.monotonic() < deadline:
            for batch in _batched(waiting, 8 * n_threads):
                counts = [min(_ROUND, tries - s.tried) for s in batch]
                for search, count, found in zip(
                    batch, counts, executor.map(lambda s, c: s.round(guesses, c), batch, counts)
                ):
                    new = sum([collection.add(itinerary) for itinerary in found])
                    search.since = 0 if new else search.since + count
                if time.monotonic() >= deadline:
                    break
            waiting = [s for s in waiting if s.tried < tries and s.since < patience]
            if progress is not None and progress(sum(s.tried for s in searches), len(collection.cycles)):
                break


def _batched(items: list, n: int) -> Iterable[list]:
    for i in range(0, len(items), n):
        yield items[i : i + n]
