"""Matrix products over lanes (see `_lanes`): the only code that does M x M work.

The accumulators of a tile stay in registers: 8 rows hide the latency of a multiply-add, and each
element of the state that is loaded serves all 8. The remainders are smaller tiles of the same form.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from ._jit import OPTIONS, jit
from ._lanes import Vector, load_like, muladd, store, total, zero_of, zeros4, zeros16

# Rows of a tape that `add_outer` takes at a time, so that all its tiles find them in the cache.
_BLOCK = 32


def add_matvec(W, x, out, first=0):
    """``out += W x`` for W (m, n), x (n,), out (m,); pass ``W.T`` for the transposed product.

    Over lanes, and over numbers but for a Fortran-ordered W, rows are summed; a Fortran-ordered W times a
    state of numbers is summed column by column, sixteen rows in a register. `first` is the first row.
    """
    m, n = W.shape
    i = first
    while i + 8 <= m:
        a0, a1, a2, a3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        a4, a5, a6, a7 = out[i + 4], out[i + 5], out[i + 6], out[i + 7]
        for k in range(n):
            xk = x[k]
            a0 = muladd(W[i, k], xk, a0)
            a1 = muladd(W[i + 1, k], xk, a1)
            a2 = muladd(W[i + 2, k], xk, a2)
            a3 = muladd(W[i + 3, k], xk, a3)
            a4 = muladd(W[i + 4, k], xk, a4)
            a5 = muladd(W[i + 5, k], xk, a5)
            a6 = muladd(W[i + 6, k], xk, a6)
            a7 = muladd(W[i + 7, k], xk, a7)
        out[i], out[i + 1], out[i + 2], out[i + 3] = a0, a1, a2, a3
        out[i + 4], out[i + 5], out[i + 6], out[i + 7] = a4, a5, a6, a7
        i += 8
    while i + 4 <= m:
        a0, a1, a2, a3 = out[i], out[i + 1], out[i + 2], out[i + 3]
        b0, b1, b2, b3 = zero_of(a0), zero_of(a1), zero_of(a2), zero_of(a3)
        k = 0
        while k + 2 <= n:  # two sums a row, or four rows would wait for each other
            xk, xl = x[k], x[k + 1]
            a0 = muladd(W[i, k], xk, a0)
            a1 = muladd(W[i + 1, k], xk, a1)
            a2 = muladd(W[i + 2, k], xk, a2)
            a3 = muladd(W[i + 3, k], xk, a3)
            b0 = muladd(W[i, k + 1], xl, b0)
            b1 = muladd(W[i + 1, k + 1], xl, b1)
            b2 = muladd(W[i + 2, k + 1], xl, b2)
            b3 = muladd(W[i + 3, k + 1], xl, b3)
            k += 2
        if k < n:
            xk = x[k]
            a0 = muladd(W[i, k], xk, a0)
            a1 = muladd(W[i + 1, k], xk, a1)
            a2 = muladd(W[i + 2, k], xk, a2)
            a3 = muladd(W[i + 3, k], xk, a3)
        out[i], out[i + 1], out[i + 2], out[i + 3] = a0 + b0, a1 + b1, a2 + b2, a3 + b3
        i += 4
    while i + 3 <= m:
        a0, a1, a2 = out[i], out[i + 1], out[i + 2]
        b0, b1, b2 = zero_of(a0), zero_of(a1), zero_of(a2)
        k = 0
        while k + 2 <= n:
            xk, xl = x[k], x[k + 1]
            a0 = muladd(W[i, k], xk, a0)
            a1 = muladd(W[i + 1, k], xk, a1)
            a2 = muladd(W[i + 2, k], xk, a2)
            b0 = muladd(W[i, k + 1], xl, b0)
            b1 = muladd(W[i + 1, k + 1], xl, b1)
            b2 = muladd(W[i + 2, k + 1], xl, b2)
            k += 2
        if k < n:
            xk = x[k]
            a0 = muladd(W[i, k], xk, a0)
            a1 = muladd(W[i + 1, k], xk, a1)
            a2 = muladd(W[i + 2, k], xk, a2)
        out[i], out[i + 1], out[i + 2] = a0 + b0, a1 + b1, a2 + b2
        i += 3
    while i < m:
        a0 = out[i]
        b0 = zero_of(a0)
        c0, d0 = b0, b0
        k = 0
        while k + 4 <= n:
            a0 = muladd(W[i, k], x[k], a0)
            b0 = muladd(W[i, k + 1], x[k + 1], b0)
            c0 = muladd(W[i, k + 2], x[k + 2], c0)
            d0 = muladd(W[i, k + 3], x[k + 3], d0)
            k += 4
        while k < n:
            a0 = muladd(W[i, k], x[k], a0)
            k += 1
        out[i] = (a0 + b0) + (c0 + d0)
        i += 1


@jit
def _add_columns_tile(W, x, out, i, zeros):
    """As many rows as there are zeros, from row i on."""
    n = W.shape[1]
    a, b, c, d = zeros, zeros, zeros, zeros
    k = 0
    while k + 4 <= n:  # four sums, so that none waits for the one before
        a = muladd(load_like(zeros, W, i, k), x[k], a)
        b = muladd(load_like(zeros, W, i, k + 1), x[k + 1], b)
        c = muladd(load_like(zeros, W, i, k + 2), x[k + 2], c)
        d = muladd(load_like(zeros, W, i, k + 3), x[k + 3], d)
        k += 4
    while k < n:
        a = muladd(load_like(zeros, W, i, k), x[k], a)
        k += 1
    store(out, i, load_like(zeros, out, i, 0) + ((a + b) + (c + d)))


@jit
def _add_columns(W, x, out):
    m = len(W)
    i = 0
    while i + 16 <= m:
        _add_columns_tile(W, x, out, i, zeros16(out))
        i += 16
    while i + 4 <= m:
        _add_columns_tile(W, x, out, i, zeros4(out))
        i += 4
    _add_rows(W, x, out, i)


_add_rows = jit(add_matvec)


@overload(add_matvec, jit_options=OPTIONS)
def _choose_add_matvec(W, x, out, first=0):
    by_columns = W.layout == "F" and not isinstance(x.dtype, Vector)
    if by_columns:
        return lambda W, x, out, first=0: _add_columns(W, x, out)
    return lambda W, x, out, first=0: _add_rows(W, x, out, first)


@jit
def _add_outer_4x4(grad, G, F, start, stop, i, j):
    zero = zero_of(G[start, i])
    a00, a01, a02, a03 = zero, zero, zero, zero
    a10, a11, a12, a13 = zero, zero, zero, zero
    a20, a21, a22, a23 = zero, zero, zero, zero
    a30, a31, a32, a33 = zero, zero, zero, zero
    for t in range(start, stop):
        g0, g1, g2, g3 = G[t, i], G[t, i + 1], G[t, i + 2], G[t, i + 3]
        f = F[t, j]
        a00 = muladd(g0, f, a00)
        a10 = muladd(g1, f, a10)
        a20 = muladd(g2, f, a20)
        a30 = muladd(g3, f, a30)
        f = F[t, j + 1]
        a01 = muladd(g0, f, a01)
        a11 = muladd(g1, f, a11)
        a21 = muladd(g2, f, a21)
        a31 = muladd(g3, f, a31)
        f = F[t, j + 2]
        a02 = muladd(g0, f, a02)
        a12 = muladd(g1, f, a12)
        a22 = muladd(g2, f, a22)
        a32 = muladd(g3, f, a32)
        f = F[t, j + 3]
        a03 = muladd(g0, f, a03)
        a13 = muladd(g1, f, a13)
        a23 = muladd(g2, f, a23)
        a33 = muladd(g3, f, a33)
    grad[i, j] += total(a00)
    grad[i, j + 1] += total(a01)
    grad[i, j + 2] += total(a02)
    grad[i, j + 3] += total(a03)
    grad[i + 1, j] += total(a10)
    grad[i + 1, j + 1] += total(a11)
    grad[i + 1, j + 2] += total(a12)
    grad[i + 1, j + 3] += total(a13)
    grad[i + 2, j] += total(a20)
    grad[i + 2, j + 1] += total(a21)
    grad[i + 2, j + 2] += total(a22)
    grad[i + 2, j + 3] += total(a23)
    grad[i + 3, j] += total(a30)
    grad[i + 3, j + 1] += total(a31)
    grad[i + 3, j + 2] += total(a32)
    grad[i + 3, j + 3] += total(a33)


@jit
def _add_outer_1x4(grad, G, F, start, stop, i, j):
    zero = zero_of(G[start, i])
    a0, a1, a2, a3 = zero, zero, zero, zero
    for t in range(start, stop):
        g = G[t, i]
        a0 = muladd(g, F[t, j], a0)
        a1 = muladd(g, F[t, j + 1], a1)
        a2 = muladd(g, F[t, j + 2], a2)
        a3 = muladd(g, F[t, j + 3], a3)
    grad[i, j] += total(a0)
    grad[i, j + 1] += total(a1)
    grad[i, j + 2] += total(a2)
    grad[i, j + 3] += total(a3)


@jit
def _add_outer_1x1(grad, G, F, start, stop, i, j):
    zero = zero_of(G[start, i])
    a, b = zero, zero
    t = start
    while t + 2 <= stop:
        a = muladd(G[t, i], F[t, j], a)
        b = muladd(G[t + 1, i], F[t + 1, j], b)
        t += 2
    if t < stop:
        a = muladd(G[t, i], F[t, j], a)
    grad[i, j] += total(a + b)


@jit
def add_outer(grad, G, F):
    """``grad[i, j] += sum over t and lanes of G[t, i] F[t, j]``: a weight gradient, once a sequence.

    grad (m, n) numbers; G (T, m) and F (T, n) elements. The lanes are summed once a tile and block.
    """
    T, m = len(G), G.shape[1]
    n = F.shape[1]
    for start in range(0, T, _BLOCK):
        stop = min(T, start + _BLOCK)
        i = 0
        while i + 4 <= m:
            j = 0
            while j + 4 <= n:
                _add_outer_4x4(grad, G, F, start, stop, i, j)
                j += 4
            while j < n:
                for r in range(4):
                    _add_outer_1x1(grad, G, F, start, stop, i + r, j)
                j += 1
            i += 4
        while i < m:
            j = 0
            while j + 4 <= n:
                _add_outer_1x4(grad, G, F, start, stop, i, j)
                j += 4
            while j < n:
                _add_outer_1x1(grad, G, F, start, stop, i, j)
                j += 1
            i += 1


@jit
def add_sum(grad, G):
    """``grad[i] += sum over t and lanes of G[t, i]``: the gradient of a bias."""
    T, m = len(G), G.shape[1]
    for i in range(m):
        a = zero_of(G[0, i])
        for t in range(T):
            a = a + G[t, i]
        grad[i] += total(a)


@jit
def add_dot(grad, G, Z):
    """``grad[i] += sum over t and lanes of G[t, i] Z[t, i]``: the gradient of a diagonal."""
    T, m = len(G), G.shape[1]
    for i in range(m):
        a = zero_of(G[0, i])
        for t in range(T):
            a = muladd(G[t, i], Z[t, i], a)
        grad[i] += total(a)


def all_finite(x):
    """Whether a vector of numbers holds neither NaN nor inf."""
    return np.isfinite(x).all()


@overload(all_finite, jit_options=OPTIONS)
def _all_finite_of_numbers(x):
    def implementation(x):
        n = len(x)
        i = 0
        sums = zeros16(x)
        while i + 16 <= n:
            a = load_like(sums, x, i, 0)
            sums = sums + (a - a)  # 0, or NaN
            i += 16
        poison = total(sums)
        while i < n:
            poison += x[i] - x[i]
            i += 1
        return poison == 0

    return implementation
