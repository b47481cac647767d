"""Every cycle of a period, where there are few enough itineraries to try them all; and the certificate that none is missing.

Eliminating z leaves the hinge inputs alone, ``u = G phi(u) + g``; with n steps and n_hinges hinges there are
2^(n n_hinges) sign patterns, each a linear system of its open hinges only (`_all_by_hinges`). `_all_by_regions` goes over
sequences of regions instead, where these are fewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..engine import factor, kernel, multiply, solve
from ..models.base import Hinge
from .boundedness import bounded_groups
from .cycle import SINGULAR, Collection, Cycle, apply, region_map
from .hinge import Maps, hinge_inputs

_HINGE_BITS = 20  # n n_hinges, up to which all sign patterns are tried
_REGION_WORK = 2e9  # multiplications, up to which all sequences of regions are tried


@kernel
def _all_by_hinges(G, g, n, n_hinges, first, last, found):
    """Sign patterns, as integers, of the solutions of ``u = G phi(u) + g``; their number, of which `found` holds the first.

    Bit t n_hinges + k stands for hinge k at step t. Of the rotations of a pattern only the smallest is tried.
    """
    size = n * n_hinges
    A, b, x = np.empty((size, size)), np.empty(size), np.empty(size)
    rows = np.empty(size, np.int64)
    scale = 0.0
    for i in range(size):
        scale = max(scale, abs(g[i]))
    slack = 1e-9 * max(scale, 1e-300)
    step_bits = (1 << n_hinges) - 1
    active = np.empty(size, np.int64)
    count = 0
    for pattern in range(first, last):
        smallest = True
        rotated = pattern
        for _ in range(n - 1):
            rotated = (rotated >> n_hinges) | ((rotated & step_bits) << (size - n_hinges))
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
        if not factor(A, m, rows, SINGULAR):
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
    R, n_hinges = pool.shape
    M = len(maps.h)
    Js, vs = np.empty((R, M, M)), np.empty((R, M))
    for r in range(R):
        region_map(maps, pool[r], Js[r], vs[r])
    P, q = np.empty((n + 1, M, M)), np.empty((n + 1, M))
    P[0], q[0] = np.eye(M), 0.0
    A, z, shift, u = np.empty((M, M)), np.empty(M), np.empty(M), np.empty(n_hinges)
    rows, word = np.empty(M, np.int64), np.full(n, -1)
    depth, count = 0, 0
    while depth >= 0:
        word[depth] += 1
        if word[depth] == R:
            depth -= 1
            continue
        multiply(Js[word[depth]], P[depth], P[depth + 1])
        apply(Js[word[depth]], q[depth], vs[word[depth]], q[depth + 1])
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
        if not factor(A, M, rows, SINGULAR):
            continue
        solve(A, M, rows, q[n], z)
        real = True
        for t in range(n):
            hinge_inputs(maps, z, u)
            size = 1.0
            for i in range(M):
                size = max(size, abs(z[i]))
            for k in range(n_hinges):  # what is right but for rounding is looked at again
                if (u[k] > 0) != pool[word[t], k] and abs(u[k]) > 1e-9 * size:
                    real = False
                    break
            if not real:
                break
            apply(Js[word[t]], z, vs[word[t]], shift)
            z[:] = shift
        if real:
            if count < len(found):
                found[count] = word
            count += 1
    return count


def _reduced(hinge: Hinge, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """G (n n_hinges, n n_hinges) and g (n n_hinges,) of ``u = G phi(u) + g`` for cycles of n steps; None where I - L^n is singular."""
    M, n_hinges = len(hinge.L), len(hinge.d)
    powers = [np.eye(M)]
    for _ in range(n):
        powers.append(powers[-1] @ hinge.L)
    remainder = np.eye(M) - powers[n]
    if not np.isfinite(remainder).all() or np.linalg.cond(remainder) > 1e10:
        return None
    S = np.linalg.inv(remainder)
    # z_t = sum over lags l = 1..n of L^(l-1) S (B phi(u_(t-l)) + h), indices modulo n.
    blocks = [hinge.C @ powers[lag - 1] @ S @ hinge.B for lag in range(1, n + 1)]
    G = np.zeros((n * n_hinges, n * n_hinges))
    for t in range(n):
        for lag in range(1, n + 1):
            s = (t - lag) % n
            G[t * n_hinges : (t + 1) * n_hinges, s * n_hinges : (s + 1) * n_hinges] = blocks[lag - 1]
    rest = hinge.C @ (sum(powers[:n]) @ S @ hinge.h) + hinge.d
    return G, np.tile(rest, n)


def exhaust(hinge: Hinge, maps: Maps, n: int, pool: np.ndarray | None, collection: Collection) -> bool:
    """Find every cycle whose period divides n; False where that is too much work."""
    M, n_hinges = len(hinge.L), len(hinge.d)
    by_hinges = 2.0 ** (n * n_hinges) if n * n_hinges <= _HINGE_BITS else math.inf
    by_regions = math.inf
    if pool is not None and n * math.log(len(pool)) < 60:
        work = float(len(pool)) ** n * (M**3 + n * n_hinges * M)
        by_regions = work if work <= _REGION_WORK else math.inf
    reduced = _reduced(hinge, n) if by_hinges < math.inf and n_hinges else None
    if reduced is not None and by_hinges * (n * n_hinges) ** 2 <= by_regions:
        found = np.zeros(4096, np.int64)
        count = _all_by_hinges(*reduced, n, n_hinges, 0, 2 ** (n * n_hinges), found)
        if count > len(found):
            found = np.zeros(count, np.int64)
            _all_by_hinges(*reduced, n, n_hinges, 0, 2 ** (n * n_hinges), found)
        for pattern in found[:count]:
            bits = (int(pattern) >> np.arange(n * n_hinges)) & 1
            collection.add(bits.astype(bool).reshape(n, n_hinges))
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
    if bounded_groups(hinge) is None:
        return None
    eigenvalues = np.linalg.eigvals(hinge.L) ** n
    if (np.abs(eigenvalues - 1) < 1e-9).any():
        return None
    real = np.abs(eigenvalues.imag) <= 1e-12 * np.maximum(np.abs(eigenvalues), 1e-300)
    return -1 if (real & (eigenvalues.real > 1)).sum() % 2 else 1


def certify(hinge: Hinge, n: int, cycles: Iterable[Cycle], exhausted: Iterable[int]) -> str:
    divisors = {d for d in range(1, n + 1) if n % d == 0}
    required = _required_index(hinge, n)
    if required is None:
        return "unknown"
    total = sum(c.period * c.index(n // c.period) for c in cycles if c.period in divisors)
    if total != required:
        return "incomplete"
    return "complete" if divisors <= set(exhausted) else "unknown"
