"""Sums over the units of a state: the only code that does M x M work.

Each function takes lanes of sequences, or one sequence's numbers (see `vectors`), and chooses its tiles by the types
of its arguments; docs/engine.md has the table. Smaller tiles of the same form take what is left over.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from .jit import OPTIONS, jit
from .memory import ROOM
from .tiles import outer_4_units1, outer_4_units4, outer_4_units16, outer_4x2, outer_4x4, row_sums
from .vectors import Vector, muladd, sum_of_units, total, zero_of, zeros4, zeros8, zeros16
from .views import at, put

# --- over all units --------------------------------------------------------------------------------


def each(out, function, context):
    """``function(context, i, like)`` for all units i of `out`: lanes one by one, numbers as vectors of units.

    `like` is a zero of the kind that is to be read and written from i on. Where `out` is roomy, so must be what the
    function writes to.
    """
    for i in range(len(out)):
        function(context, i, zero_of(out[i]))


def _each_of_units(out, function, context):
    n = len(out)
    i = 0
    while i + 16 <= n:
        function(context, i, zeros16(out))
        i += 16
    while i + 4 <= n:
        function(context, i, zeros4(out))
        i += 4
    while i < n:
        function(context, i, zero_of(out[0]))
        i += 1


def _each_of_roomy(out, function, context):
    for i in range(0, len(out), ROOM):
        function(context, i, zeros8(out))


@overload(each, jit_options=OPTIONS)
def _choose_each(out, function, context):
    if isinstance(out.dtype, Vector):
        return each
    return _each_of_roomy if getattr(out, "roomy", False) else _each_of_units


def copy_state(source, target):
    """``target[:] = source``; between a roomy state, of whose room nothing is copied, and one that is not."""
    target[:] = source


@overload(copy_state, jit_options=OPTIONS)
def _choose_copy_state(source, target):
    def implementation(source, target):
        n = len(target)
        i = 0
        while i + ROOM <= n:
            put(target, i, at(source, i, zeros8(target)))
            i += ROOM
        if i + 4 <= n:
            put(target, i, at(source, i, zeros4(target)))
            i += 4
        while i < n:
            target[i] = source[i]
            i += 1

    return implementation


# --- a matrix times a state ------------------------------------------------------------------------


def product(W, x, start, finish, context):
    """``finish(context, i, start(context, i, like) + sum over k of W[i, k] x[k])`` for all rows i.

    `start` and `finish` are jitted functions: what is to be done with a row while it is in a register. W
    (m, n) is C-ordered or, for one sequence, Fortran-ordered: then rows are taken as vectors of units, whose
    `like` is such a vector; where W is roomy, so must be what `finish` writes to. `like` is a zero, from which a sum may
    start; `start` may be called twice for a row, `finish` is called once. Pass ``W.T`` for the transposed product.
    """
    m = len(W)
    like = zero_of(x[0])
    i = 0
    while i + 8 <= m:
        a0, a1, a2, a3, a4, a5, a6, a7 = row_sums(
            W,
            x,
            i,
            (
                start(context, i, like),
                start(context, i + 1, like),
                start(context, i + 2, like),
                start(context, i + 3, like),
                start(context, i + 4, like),
                start(context, i + 5, like),
                start(context, i + 6, like),
                start(context, i + 7, like),
            ),
        )
        finish(context, i, a0)
        finish(context, i + 1, a1)
        finish(context, i + 2, a2)
        finish(context, i + 3, a3)
        finish(context, i + 4, a4)
        finish(context, i + 5, a5)
        finish(context, i + 6, a6)
        finish(context, i + 7, a7)
        i += 8
    while m - i >= 3:  # where three are left, the last is there twice
        last = min(i + 3, m - 1)
        starts = (
            start(context, i, like),
            start(context, i + 1, like),
            start(context, i + 2, like),
            start(context, last, like),
        )
        a0, a1, a2, a3 = row_sums(W, x, i, starts)
        finish(context, i, a0)
        finish(context, i + 1, a1)
        finish(context, i + 2, a2)
        if i + 3 < m:
            finish(context, i + 3, a3)
        i += 4
    while i < m:
        (a0,) = row_sums(W, x, i, (start(context, i, like),))
        finish(context, i, a0)
        i += 1


def _product_of_units(W, x, start, finish, context):
    m = len(W)
    z = zeros16(x)
    i = 0
    while i + 64 <= m:
        starts = (
            start(context, i, z),
            start(context, i + 16, z),
            start(context, i + 32, z),
            start(context, i + 48, z),
        )
        a0, a1, a2, a3 = row_sums(W, x, i, starts)
        finish(context, i, a0)
        finish(context, i + 16, a1)
        finish(context, i + 32, a2)
        finish(context, i + 48, a3)
        i += 64
    while i + 16 <= m:
        (a0,) = row_sums(W, x, i, (start(context, i, z),))
        finish(context, i, a0)
        i += 16
    while i + 4 <= m:
        (b0,) = row_sums(W, x, i, (start(context, i, zeros4(x)),))
        finish(context, i, b0)
        i += 4
    while i < m:
        (c0,) = row_sums(W, x, i, (start(context, i, zero_of(x[0])),))
        finish(context, i, c0)
        i += 1


def _product_of_roomy(W, x, start, finish, context):
    """Whatever is computed beside it, the next step waits for the last sum: no remainders, many short sums."""
    m = len(W)
    z = zeros8(x)
    i = 0
    while m - i > 3 * ROOM:
        starts = (
            start(context, i, z),
            start(context, i + ROOM, z),
            start(context, i + 2 * ROOM, z),
            start(context, i + 3 * ROOM, z),
        )
        a0, a1, a2, a3 = row_sums(W, x, i, starts)
        finish(context, i, a0)
        finish(context, i + ROOM, a1)
        finish(context, i + 2 * ROOM, a2)
        finish(context, i + 3 * ROOM, a3)
        i += 4 * ROOM
    if m - i > 2 * ROOM:
        a0, a1, a2 = row_sums(
            W, x, i, (start(context, i, z), start(context, i + ROOM, z), start(context, i + 2 * ROOM, z))
        )
        finish(context, i, a0)
        finish(context, i + ROOM, a1)
        finish(context, i + 2 * ROOM, a2)
    elif m - i > ROOM:
        a0, a1 = row_sums(W, x, i, (start(context, i, z), start(context, i + ROOM, z)))
        finish(context, i, a0)
        finish(context, i + ROOM, a1)
    elif m - i > 0:
        (a0,) = row_sums(W, x, i, (start(context, i, z),))
        finish(context, i, a0)


@overload(product, jit_options=OPTIONS)
def _choose_product(W, x, start, finish, context):
    if getattr(W, "roomy", False):
        return _product_of_roomy
    of_units = W.layout == "F" and not isinstance(x.dtype, Vector)
    return _product_of_units if of_units else product


# The usual ends of a product; each takes what it needs from the front of the context.


@jit
def from_zero(context, i, like):
    """Start a row at zero."""
    return like


@jit
def to_first(context, i, a):
    """Put a row into the context's first array."""
    put(context[0], i, a)


@jit
def _from_first(context, i, like):
    return at(context[0], i, like)


@jit
def from_linear(context, i, like):
    """Start a row at ``A * z + h`` of a context (out, A, z, h)."""
    _, A, z, h = context
    return muladd(at(A, i, like), at(z, i, like), at(h, i, like))


@jit
def from_diagonal(context, i, like):
    """Start a row at ``A * g`` of a context (out, A, g)."""
    _, A, g = context
    return at(A, i, like) * at(g, i, like)


@jit
def add_matvec(W, x, out):
    """``out += W x`` for W (m, n), x (n,), out (m,)."""
    if len(x) > 0:
        product(W, x, _from_first, to_first, (out,))


# --- gradients of weights, once for many steps -----------------------------------------------------


def add_outer(grad, G, F):
    """``grad[i, j] += sum over t and lanes of G[t, i] F[t, j]``.

    grad (m, n) numbers; G (T, m) and F (T, n) elements. It is fastest for a few dozen rows, which the cache holds.
    """
    for j in range(0, F.shape[1], 4):
        for i in range(0, G.shape[1], 4):
            outer_4x4(grad, G, F, i, j)


@jit
def _add_outer_units(grad, G, F):
    """Of one sequence: F's units lie in the registers, so it should be the longer of the two."""
    m, n = G.shape[1], F.shape[1]
    j = 0
    while j + 16 <= n:
        for i in range(0, m, 4):
            outer_4_units16(grad, G, F, i, j)
        j += 16
    while j + 4 <= n:
        for i in range(0, m, 4):
            outer_4_units4(grad, G, F, i, j)
        j += 4
    while j < n:
        for i in range(0, m, 4):
            outer_4_units1(grad, G, F, i, j)
        j += 1


def _add_outer_of_units(grad, G, F):
    if F.shape[1] >= G.shape[1]:
        _add_outer_units(grad, G, F)
    else:
        _add_outer_units(grad.T, F, G)


def _add_outer_of_doubles(grad, G, F):
    for j in range(0, F.shape[1], 2):
        for i in range(0, G.shape[1], 4):
            outer_4x2(grad, G, F, i, j)


@overload(add_outer, jit_options=OPTIONS)
def _choose_add_outer(grad, G, F):
    if not isinstance(G.dtype, Vector):
        return _add_outer_of_units
    return _add_outer_of_doubles if G.dtype.dtype == types.float64 else add_outer


@jit
def _sum_unit(context, i, like):
    grad, G = context
    a = like
    for t in range(len(G)):
        a = a + at(G[t], i, like)
    put(grad, i, at(grad, i, like) + total(a))


@jit
def add_sum(grad, G):
    """``grad[i] += sum over t and lanes of G[t, i]``: the gradient of a bias."""
    each(G[0], _sum_unit, (grad, G))


@jit
def _dot_unit(context, i, like):
    grad, G, Z = context
    a = like
    for t in range(len(G)):
        a = muladd(at(G[t], i, like), at(Z[t], i, like), a)
    put(grad, i, at(grad, i, like) + total(a))


@jit
def add_dot(grad, G, Z):
    """``grad[i] += sum over t and lanes of G[t, i] Z[t, i]``: the gradient of a diagonal."""
    each(G[0], _dot_unit, (grad, G, Z))


# --- tests -----------------------------------------------------------------------------------------


def all_finite(x):
    """Whether a vector of numbers holds neither NaN nor inf."""
    return np.isfinite(x).all()


@overload(all_finite, jit_options=OPTIONS)
def _choose_all_finite(x):
    def implementation(x):
        n = len(x)
        i = 0
        sums = zeros16(x)
        while i + 16 <= n:
            a = at(x, i, sums)
            sums = sums + (a - a)  # 0, or NaN
            i += 16
        poison = sum_of_units(sums)
        while i < n:
            poison += x[i] - x[i]
            i += 1
        return poison == 0

    return implementation
