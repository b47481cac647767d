"""Every cycle of a period, where there are few enough itineraries to try them all; and the certificate that none is missing.

Eliminating z leaves the hinge inputs alone, ``u = G phi(u) + g``; with n steps and n_hinges hinges there are
2^(n n_hinges) sign patterns, each a linear system of its open hinges only (`_all_by_hinges`). `_all_by_regions` goes over
sequences of regions instead, where these are fewer. Both take regions as closed, and give candidates, which `Collection` looks at
again; and both set aside the itineraries whose system is singular, which have no cycle or a continuum of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..engine import factor, kernel, multiply, solve
from ..models.base import Hinge
from .boundedness import bounded_groups
from .continuum import MOST_EQUATIONS, Continuum, inner_point
from .cycle import (
    SINGULAR,
    Collection,
    Cycle,
    CycleMap,
    apply,
    factor_difference,
    is_on_border,
    region_map,
    size_of,
    step_terms,
)
from .hinge import hinge_inputs, length_scale, linear_map

_HINGE_BITS = 20  # n n_hinges, up to which all sign patterns are tried
_REGION_WORK = 2e9  # multiplications, up to which all sequences of regions are tried
_MOST_SINGULAR = 5_000  # itineraries with a singular system that are looked at one by one
_MOST_TRANSITIONS = 5_000  # pairs of regions, of which it is asked whether one can follow the other


@kernel
def _all_by_hinges(G, g, sizes, n, phases, n_hinges, found, singular):
    """Sign patterns, as integers, of the solutions of ``u = G phi(u) + g``; and those whose system is singular.

    Bit t n_hinges + k stands for hinge k at step t. Of the rotations of a pattern, by multiples of the phases, only the smallest is
    tried. A hinge is on its border where u is rounding beside the terms that it is the sum of, those of g of the size `sizes`. Two numbers are returned, of found and of singular ones, of which the arrays hold the first.
    """
    size = n * n_hinges
    A, b, x = np.empty((size, size)), np.empty(size), np.empty(size)
    rows = np.empty(size, np.int64)
    tolerance = SINGULAR * size_of(G)
    turn = phases * n_hinges
    step_bits = (1 << turn) - 1
    active = np.empty(size, np.int64)
    count, n_singular = 0, 0
    for pattern in range(1 << size):
        smallest = True
        rotated = pattern
        for _ in range(n // phases - 1):
            rotated = (rotated >> turn) | ((rotated & step_bits) << (size - turn))
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
        largest = 0.0
        for i in range(m):
            for j in range(m):
                A[i, j] = (1.0 if i == j else 0.0) - G[active[i], active[j]]
                largest = max(largest, abs(A[i, j]))
            b[i] = g[active[i]]
        if m > 0 and not (largest > 0 and factor(A, m, rows, tolerance / largest)):
            if n_singular < len(singular):
                singular[n_singular] = pattern
            n_singular += 1
            continue
        solve(A, m, rows, b, x)
        real = True
        for i in range(size):
            u, terms = g[i], sizes[i]
            for a in range(m):
                u += G[i, active[a]] * x[a]
                terms += abs(G[i, active[a]] * x[a])
            if abs(u) > 1e-8 * terms and (u > 0) != (pattern >> i & 1 == 1):
                real = False
                break
        if real:
            if count < len(found):
                found[count] = pattern
            count += 1
    return count, n_singular


@kernel
def _all_by_regions(maps, pool, n, found, singular):
    """Sequences of n regions of the pool that are cycles' itineraries, and those whose system is singular; as `_all_by_hinges`.

    Depth first, the linear maps of beginnings kept. Of the rotations of a sequence only the smallest is tried.
    """
    R, n_hinges = pool.shape
    M, phases = len(maps.h), len(maps.drive)
    Js, vs = np.empty((R, M, M)), np.empty((R, M))
    for r in range(R):
        region_map(maps, pool[r], Js[r], vs[r])
    P, q = np.empty((n + 1, M, M)), np.empty((n + 1, M))
    P[0], q[0] = np.eye(M), 0.0
    A, points, terms, u = np.empty((M, M)), np.empty((n + 1, M)), np.empty(M), np.empty(n_hinges)
    rows, word = np.empty(M, np.int64), np.full(n, -1)
    depth, count, n_singular = 0, 0, 0
    while depth >= 0:
        word[depth] += 1
        if word[depth] == R:
            depth -= 1
            continue
        multiply(Js[word[depth]], P[depth], P[depth + 1])
        apply(Js[word[depth]], q[depth], vs[word[depth]], q[depth + 1])
        for i in range(M):
            q[depth + 1, i] += maps.drive[depth % phases, i]
        if depth + 1 < n:
            depth += 1
            # None before the first can be in the smallest rotation, where each can be turned to the front.
            word[depth] = word[0] - 1 if depth % phases == 0 else -1
            continue
        smallest = True
        for shift_by in range(phases, n, phases):
            for t in range(n):
                a, b = word[t], word[(t + shift_by) % n]
                if a != b:
                    smallest = a < b
                    break
            if not smallest:
                break
        if not smallest:
            continue
        if not factor_difference(P[n], A, rows):
            if n_singular < len(singular):
                singular[n_singular] = word
            n_singular += 1
            continue
        solve(A, M, rows, q[n], points[0])
        for t in range(n):
            apply(Js[word[t]], points[t], vs[word[t]], points[t + 1])
            for i in range(M):
                points[t + 1, i] += maps.drive[t % phases, i]
        real = True
        for t in range(n):
            hinge_inputs(maps, points[t], u)
            for k in range(n_hinges):
                if (u[k] > 0) == pool[word[t], k]:
                    continue
                before = (t - 1) % n
                step_terms(maps, points[before], u, maps.drive[before % phases], terms)
                hinge_inputs(maps, points[t], u)
                if not is_on_border(maps, k, 0.1 * u[k], points[t], terms):
                    real = False
                    break
            if not real:
                break
        if real:
            if count < len(found):
                found[count] = word
            count += 1
    return count, n_singular


def _reduced(on: CycleMap, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """G (n n_hinges, n n_hinges) and g (n n_hinges,) of ``u = G phi(u) + g`` for cycles of n steps; None where I - L^n is singular."""
    hinge, drive = on.hinge, on.maps.drive
    M, n_hinges = len(hinge.L), len(hinge.d)
    powers = [np.eye(M)]
    for _ in range(n):
        powers.append(powers[-1] @ hinge.L)
    remainder = np.eye(M) - powers[n]
    if not np.isfinite(remainder).all() or np.linalg.cond(remainder) > 1e10:
        return None
    S = np.linalg.inv(remainder)
    # z_t = sum over lags l = 1..n of L^(l-1) S (B phi(u_(t-l)) + h + drive_(t-l)), indices modulo n.
    blocks = [hinge.C @ powers[lag - 1] @ S for lag in range(1, n + 1)]
    sizes = [np.abs(hinge.C) @ np.abs(powers[lag - 1] @ S) for lag in range(1, n + 1)]
    G, g = np.zeros((n * n_hinges, n * n_hinges)), np.tile(hinge.d, n)
    of_g = np.abs(g)
    for t in range(n):
        rows = slice(t * n_hinges, (t + 1) * n_hinges)
        for lag, block in enumerate(blocks, 1):
            s = (t - lag) % n
            G[rows, s * n_hinges : (s + 1) * n_hinges] = block @ hinge.B
            g[rows] += block @ (hinge.h + drive[s % len(drive)])
            of_g[rows] += sizes[lag - 1] @ (np.abs(hinge.h) + np.abs(drive[s % len(drive)]))
    return G, g, of_g


def _all(kernel_call, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What a kernel finds, and what is singular, with room for as many as there are."""
    found, singular = np.zeros((4096, *shape), np.int64), np.zeros((4096, *shape), np.int64)
    counts = kernel_call(found, singular)
    if max(counts) > 4096:
        found, singular = (np.zeros((max(count, 1), *shape), np.int64) for count in counts)
        kernel_call(found, singular)
    return found[: counts[0]], singular[: counts[1]]


def exhaust(on: CycleMap, n: int, pool: np.ndarray | None, collection: Collection) -> bool:
    """Find every cycle whose period, in steps, divides n, of those that keep the phase; False where that is too much work."""
    hinge, maps = on.hinge, on.maps
    M, n_hinges = len(hinge.L), len(hinge.d)
    by_hinges = 2.0 ** (n * n_hinges) if n * n_hinges <= _HINGE_BITS else math.inf
    by_regions = math.inf
    if pool is not None and n * math.log(len(pool)) < 60:
        work = float(len(pool)) ** n * (M**3 + n * n_hinges * M)
        by_regions = work if work <= _REGION_WORK else math.inf
    reduced = _reduced(on, n) if by_hinges < math.inf and n_hinges else None
    if reduced is not None and by_hinges * (n * n_hinges) ** 2 <= by_regions:
        found, singular = _all(lambda *out: _all_by_hinges(*reduced, n, on.phases, n_hinges, *out), ())

        def itineraries(chosen: np.ndarray) -> np.ndarray:
            bits = chosen[:, None] >> np.arange(n * n_hinges) & 1
            return bits.astype(bool).reshape(-1, n, n_hinges)

    elif pool is not None and by_regions < math.inf:
        found, singular = _all(lambda *out: _all_by_regions(maps, pool, n, *out), (n,))

        def itineraries(chosen: np.ndarray) -> np.ndarray:
            return pool[chosen]

    else:
        return False
    for itinerary in itineraries(found):
        collection.add(itinerary)
    possible = _without_gaps(on, itineraries(singular))
    for itinerary in possible[:_MOST_SINGULAR]:
        collection.add(itinerary, degenerate=True)
    return len(possible) <= _MOST_SINGULAR and (n * M <= MOST_EQUATIONS or not len(possible))


def _without_gaps(on: CycleMap, words: np.ndarray) -> np.ndarray:
    """Those of the itineraries (count, n, n_hinges) in which each region, closed, has a state that is taken to the next."""
    count, _, n_hinges = words.shape
    if not count or not n_hinges:
        return words
    packed = np.packbits(words, axis=2)
    pairs = np.concatenate([packed, np.roll(packed, -1, axis=1)], axis=2)
    keep = np.ones(count, bool)
    for phase in range(on.phases):
        here = pairs[:, phase :: on.phases].reshape(-1, pairs.shape[2])
        unique, at = np.unique(here, axis=0, return_inverse=True)
        if len(unique) > _MOST_TRANSITIONS:
            continue
        both = [np.unpackbits(half, axis=1, count=n_hinges).astype(bool) for half in np.hsplit(unique, 2)]
        can = np.array([_can_follow(on, phase, a, b) for a, b in zip(*both)])
        keep &= can[at].reshape(count, -1).all(axis=1)
    return words[keep]


def _can_follow(on: CycleMap, phase: int, first: np.ndarray, then: np.ndarray) -> bool:
    """Whether some state in the first closed region is taken into the second."""
    hinge, drive = on.hinge, on.maps.drive
    unit = length_scale(hinge, drive)
    J, v = linear_map(hinge, first)
    signs = np.where(np.r_[first, then], 1.0, -1.0)
    rows = signs[:, None] * np.vstack([hinge.C, hinge.C @ J])
    offsets = signs * np.r_[hinge.d, hinge.C @ (v + drive[phase]) + hinge.d] / unit
    lengths = np.linalg.norm(rows, axis=1)
    least = 1e-9 * np.maximum(
        np.abs(np.r_[hinge.d, hinge.d]) / unit, np.r_[lengths[: len(first)], lengths[: len(first)]]
    )
    flat = lengths <= least
    if (offsets[flat] < -least[flat]).any():
        return False
    return inner_point(rows[~flat] / lengths[~flat, None], offsets[~flat] / lengths[~flat]) is not None


# --- the certificate -------------------------------------------------------------------------------


def _required_index(hinge: Hinge, n: int) -> int | None:
    """The sum of the indices of all fixed points of n steps, where the nonlinear part is bounded."""
    if bounded_groups(hinge) is None:
        return None
    eigenvalues = np.linalg.eigvals(hinge.L) ** n
    with np.errstate(all="ignore"):
        remainder = np.eye(len(hinge.L)) - np.linalg.matrix_power(hinge.L, n)
    if (np.abs(eigenvalues - 1) < 1e-9).any() or not np.isfinite(remainder).all():
        return None
    # An eigenvalue 1 with fewer eigenvectors than it is counted for is computed to half the digits.
    singular = np.linalg.svd(remainder, compute_uv=False)
    if len(singular) and singular[-1] <= 1e-12 * max(singular[0], 1.0):
        return None
    real = np.abs(eigenvalues.imag) <= 1e-12 * np.maximum(np.abs(eigenvalues), 1e-300)
    return -1 if (real & (eigenvalues.real > 1)).sum() % 2 else 1


def certify(
    hinge: Hinge,
    n: int,
    cycles: Iterable[Cycle],
    exhausted: Iterable[int],
    continua: Iterable[Continuum] = (),
    phases: int = 1,
) -> tuple[str, str]:
    """The certificate of a period n, of n times the phases in steps, and its reason."""
    steps = n * phases
    divisors = {d for d in range(1, n + 1) if n % d == 0}
    tried = divisors <= set(exhausted)
    parts = [c for c in cycles if steps % c.period == 0]
    if any(steps % c.period == 0 for c in continua):
        if tried:
            return "continuum", "every itinerary was tried, and there are infinitely many: see continua"
        return "unknown", "searched, not exhausted; there are infinitely many: see continua"
    required = _required_index(hinge, steps)
    reason = ""
    if required is not None and not any(c.on_border for c in parts):
        total = sum(c.period // phases * c.index(steps // c.period) for c in parts)
        if total != required:
            return "incomplete", f"the indices of those found sum to {total}, and of all to {required}"
        reason = ", and the indices sum to what they must"
    if tried:
        return "complete", "every itinerary was tried" + reason
    return "unknown", "searched, not exhausted" + reason
