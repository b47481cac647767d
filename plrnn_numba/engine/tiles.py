"""The micro-kernels: sums of products that stay in registers, emitted as LLVM vectors.

`row_sums` is a tile of a matrix times a state, `outer_tile` a tile of a weight's gradient. Both hold a tile of
accumulators in registers while they go along the axis that is summed; what is loaded serves the whole tile. A fused
multiply-add has a latency of four cycles, and one or two can start in each: so there are four independent sums at
least, and eight where the tile has room for them. Sizes are those that fit into the 32 registers of AVX-512.

Each works on lanes that are sequences and on lanes that are neighbouring units (see `vectors`). Their twins in NumPy, for
``NUMBA_DISABLE_JIT=1``, stand at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing import Signature
from numba.core.typing.context import BaseContext as TypingContext
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .memory import LANES
from .vectors import Vector, broadcast, fused_multiply_add, shuffle
from .views import address_of, alignment_of, strides_of

# Independent sums for each row of a tile of so many rows; four or more in all.
_SUMS_PER_ROW = {8: 1, 4: 2, 3: 4, 2: 4, 1: 4}


class _Walk:
    """The addresses of an array's elements from given indices on, along one axis."""

    def __init__(
        self,
        context: BaseContext,
        builder: ir.IRBuilder,
        array_type: types.Type,
        array: ir.Value,
        start: Sequence[ir.Value],
        axis: int,
    ):
        self._context, self._builder = context, builder
        given = make_array(array_type)(context, builder, array)
        strides = strides_of(context, builder, array_type, given)
        self._stride = strides[axis]
        offset = context.get_constant(types.intp, 0)
        for index, stride in zip(start, strides):
            offset = builder.add(offset, builder.mul(index, stride))
        raw = ir.IntType(8).as_pointer()
        self._base = builder.gep(builder.bitcast(given.data, raw), [offset])

    def load(self, place: ir.Value, kind: types.Type) -> ir.Value:
        """A number, or a vector (of lanes, or of neighbours), so many places further."""
        builder = self._builder
        address = builder.gep(self._base, [builder.mul(place, self._stride)])
        pointer = builder.bitcast(address, self._context.get_value_type(kind).as_pointer())
        return builder.load(pointer, align=alignment_of(kind))


@intrinsic
def row_sums(
    typing_context: TypingContext, W: types.Type, x: types.Type, i: types.Type, starts: types.Type
) -> Any:
    """``starts[r] + sum over k of W[i + r, k] x[k]`` for each start, a tuple of elements of one kind.

    Over sequences, and over numbers, a fourth row of four that would lie beyond the last repeats it. Where starts are
    vectors of n units, the r-th is for rows i + n r to i + n (r + 1) - 1; these must lie side by side in memory.
    """
    element = starts.dtype
    rows = len(starts)
    parts = _SUMS_PER_ROW[rows]
    of_units = isinstance(element, Vector) and element.of_units
    width = element.n if of_units else 1
    weight_kind = element if of_units else W.dtype

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        intp = context.get_value_type(types.intp)
        kind = context.get_value_type(element)
        one, zero = ir.Constant(intp, 1), ir.Constant(intp, 0)
        n = _length(context, builder, W, args[0], 1)
        places = [builder.add(args[2], ir.Constant(intp, width * r)) for r in range(rows)]
        if rows == 4 and not of_units:
            last = builder.sub(_length(context, builder, W, args[0], 0), one)
            places[3] = _at_most(builder, places[3], last)
        weights = [_Walk(context, builder, W, args[0], [place, zero], axis=1) for place in places]
        states = _Walk(context, builder, x, args[1], [zero], axis=0)

        def spread(value: ir.Value) -> ir.Value:
            vector = isinstance(kind, ir.VectorType) and not isinstance(value.type, ir.VectorType)
            return broadcast(builder, kind, value) if vector else value

        def add(sums: list, k: ir.Value) -> list:
            state = spread(states.load(k, x.dtype))
            return [
                fused_multiply_add(builder, spread(walk.load(k, weight_kind)), state, a)
                for walk, a in zip(weights, sums)
            ]

        empty = ir.Constant(kind, None)
        sums = cgutils.unpack_tuple(builder, args[3]) + [empty] * (rows * (parts - 1))

        def add_parts(sums: list, k: ir.Value) -> list:
            for part in range(parts):
                chosen = slice(part * rows, (part + 1) * rows)
                sums[chosen] = add(sums[chosen], builder.add(k, ir.Constant(intp, part)))
            return sums

        whole = builder.and_(n, ir.Constant(intp, -parts))  # parts is a power of two
        sums = _loop(builder, zero, whole, ir.Constant(intp, parts), sums, add_parts)
        if parts > 1:
            first = _loop(builder, whole, n, one, sums[:rows], add)
            sums = first + sums[rows:]
            while len(sums) > rows:
                half = len(sums) // 2
                sums = [builder.fadd(a, b) for a, b in zip(sums[:half], sums[half:])]
        return context.make_tuple(builder, sig.return_type, sums)

    return starts(W, x, types.intp, starts), codegen


def _loop(
    builder: ir.IRBuilder,
    start: ir.Value,
    stop: ir.Value,
    step: ir.Value,
    values: list,
    body: Callable[[list, ir.Value], list],
) -> list:
    """Emit ``for k in range(start, stop, step): values = body(values, k)``, the values in registers."""
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("head", "inside", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(start.type)
    k.add_incoming(start, before)
    carried = [builder.phi(value.type) for value in values]
    for phi, value in zip(carried, values):
        phi.add_incoming(value, before)
    builder.cbranch(builder.icmp_signed("<", k, stop), inside, after)
    builder.position_at_end(inside)
    results = body(list(carried), k)
    k.add_incoming(builder.add(k, step), builder.block)
    for phi, value in zip(carried, results):
        phi.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return list(carried)


def _totals(builder: ir.IRBuilder, vectors: list) -> Any:
    """One vector of the sums of sixteen vectors of sixteen lanes.

    Halving both the vectors and what each lane still has to gather takes a fourth of the instructions that
    sixteen sums one by one take. After a step, a vector holds groups of lanes, one for each of its sums.
    """
    group = LANES
    while group > 1:
        group //= 2
        half = len(vectors) // 2
        places = range(0, LANES, 2 * group)
        low = [p + lane + second for p in places for second in (0, LANES) for lane in range(group)]
        high = [lane + group for lane in low]
        vectors = [
            builder.fadd(shuffle(builder, a, b, low), shuffle(builder, a, b, high))
            for a, b in zip(vectors[:half], vectors[half:])
        ]
    return vectors[0]


def _at_most(builder: ir.IRBuilder, value: ir.Value, bound: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed("<", value, bound), value, bound)


def _length(
    context: BaseContext, builder: ir.IRBuilder, array_type: types.Type, array: ir.Value, axis: int
) -> ir.Value:
    given = make_array(array_type)(context, builder, array)
    return cgutils.unpack_tuple(builder, given.shape)[axis]


class _Target:
    """A gradient, from the row and column on that a tile is added to; what reaches over its edge is left out."""

    def __init__(
        self,
        context: BaseContext,
        builder: ir.IRBuilder,
        array_type: types.Type,
        array: ir.Value,
        corner: tuple[ir.Value, ir.Value],
    ):
        self._context, self._builder, self._type, self._array = context, builder, array_type, array
        self._corner = corner
        self._intp = context.get_value_type(types.intp)
        self._n_rows, self._n_columns = (
            builder.sub(_length(context, builder, array_type, array, axis), first)
            for axis, first in enumerate(corner)
        )

    def add_row(self, r: int, value: ir.Value) -> None:
        """Add a number, or a vector of neighbours, to the r-th row."""
        builder = self._builder
        with builder.if_then(builder.icmp_signed("<", ir.Constant(self._intp, r), self._n_rows)):
            if not isinstance(value.type, ir.VectorType):
                self._add(r, 0, self._type.dtype, value)
            elif self._type.layout == "C":
                whole = Vector(self._type.dtype, value.type.count, of_units=True)
                enough = ir.Constant(self._intp, whole.n)
                with builder.if_else(builder.icmp_signed(">=", self._n_columns, enough)) as (yes, no):
                    with yes:
                        self._add(r, 0, whole, value)
                    with no:
                        self._add_one_by_one(r, value)
            else:
                self._add_one_by_one(r, value)

    def _add(self, r: int, c: int, kind: types.Type, value: ir.Value) -> None:
        builder = self._builder
        place = [builder.add(first, ir.Constant(self._intp, k)) for first, k in zip(self._corner, (r, c))]
        address = address_of(self._context, builder, self._type, self._array, place, kind)
        align = alignment_of(kind)
        value = builder.fadd(builder.load(address, align=align), value)
        builder.store(value, address, align=align)

    def _add_one_by_one(self, r: int, vector: ir.Value) -> None:
        builder = self._builder
        for c in range(vector.type.count):
            inside = builder.icmp_signed("<", ir.Constant(self._intp, c), self._n_columns)
            with builder.if_then(inside):
                number = builder.extract_element(vector, ir.Constant(ir.IntType(32), c))
                self._add(r, c, self._type.dtype, number)


def _walks_along(
    context: BaseContext,
    builder: ir.IRBuilder,
    tape_type: types.Type,
    tape: ir.Value,
    first: ir.Value,
    n: int,
    step: int,
) -> list[_Walk]:
    """Walks over the steps of a tape, from n units on, each `step` further; one beyond the last repeats the last."""
    intp = context.get_value_type(types.intp)
    zero = ir.Constant(intp, 0)
    last = builder.sub(_length(context, builder, tape_type, tape, 1), ir.Constant(intp, step))
    places = [builder.add(first, ir.Constant(intp, step * k)) for k in range(n)]
    return [
        _Walk(context, builder, tape_type, tape, [zero, _at_most(builder, place, last)], axis=0)
        for place in places
    ]


def _totals_of_rows(builder: ir.IRBuilder, rows: list[list[ir.Value]]) -> list[ir.Value]:
    """Of each row of vectors, at most four by four, one vector of their totals over the lanes."""
    columns = len(rows[0])
    nothing = [ir.Constant(rows[0][0].type, None)]
    grid = [(row + nothing * 4)[:4] for row in rows] + [nothing * 4] * (4 - len(rows))
    totals = _totals(builder, [vector for row in grid for vector in row])
    return [shuffle(builder, totals, totals, list(range(4 * r, 4 * r + columns))) for r in range(len(rows))]


def _outer_tile(rows: int, columns: int, units: int = 0) -> Callable:
    """Make the tile of an outer product: over sequences, or of so many neighbouring units a column."""

    def outer_tile(
        typing_context: TypingContext,
        grad: types.Type,
        G: types.Type,
        F: types.Type,
        i: types.Type,
        j: types.Type,
    ) -> Any:
        neighbours = Vector(grad.dtype, units, of_units=True) if units > 1 else grad.dtype
        f_kind = neighbours if units else F.dtype

        def codegen(
            context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]
        ) -> Any:
            gradient, g_tape, f_tape, row, column = args
            intp, kind = context.get_value_type(types.intp), context.get_value_type(f_kind)
            n_steps = _length(context, builder, G, g_tape, 0)
            g_walks = _walks_along(context, builder, G, g_tape, row, rows, 1)
            f_walks = _walks_along(context, builder, F, f_tape, column, columns, max(units, 1))

            def add(sums: list, t: ir.Value) -> list:
                g = [walk.load(t, G.dtype) for walk in g_walks]
                if units > 1:
                    g = [broadcast(builder, kind, value) for value in g]
                f = [walk.load(t, f_kind) for walk in f_walks]
                return [
                    fused_multiply_add(builder, g[r], f[c], sums[r * columns + c])
                    for r in range(rows)
                    for c in range(columns)
                ]

            start = [ir.Constant(kind, None)] * (rows * columns)
            sums = _loop(builder, ir.Constant(intp, 0), n_steps, ir.Constant(intp, 1), start, add)
            of_rows = [sums[r * columns : (r + 1) * columns] for r in range(rows)]
            found = (
                [sums_of_row[0] for sums_of_row in of_rows] if units else _totals_of_rows(builder, of_rows)
            )
            target = _Target(context, builder, grad, gradient, (row, column))
            for r, value in enumerate(found):
                target.add_row(r, value)
            return context.get_dummy_value()

        return types.void(grad, G, F, types.intp, types.intp), codegen

    outer_tile.__name__ = f"outer_tile_{rows}x{columns}" + (f"_units{units}" if units else "")
    outer_tile.__doc__ = """``grad[i + r, j + c] += sum over t and lanes of G[t, i + r] F[t, j + c]``.

    A tile that reaches over the edge of grad repeats the last row or column, and leaves it out at the end.
    """
    return intrinsic(outer_tile)


if numba.config.DISABLE_JIT:

    def row_sums(W, x, i, starts):
        rows = np.minimum(np.arange(i, i + len(starts)), len(W) - 1)
        return tuple(start + W[row] @ x for row, start in zip(rows, starts))

    def _outer_tile(rows: int, columns: int, units: int = 0) -> Callable:
        def outer_tile(grad, G, F, i, j):
            g, f = G[:, i : i + rows], F[:, j : j + columns * max(units, 1)]
            products = np.tensordot(g, f, axes=([0, 2], [0, 2]) if g.ndim == 3 else (0, 0))
            grad[i : i + rows, j : j + columns * max(units, 1)] += products

        return outer_tile


# Tiles over sequences, by their rows and columns, and over units, by their rows and a column's neighbours.
# Sixteen doubles fill two registers, so that a tile of them is half as large.
outer_4x4, outer_4x2 = _outer_tile(4, 4), _outer_tile(4, 2)
outer_4_units16, outer_4_units4, outer_4_units1 = (_outer_tile(4, 1, units) for units in (16, 4, 1))
