"""Vectors: a number, or sixteen numbers of sixteen sequences, under one notation.

Every kernel of this package is written for the state of *one* sequence, as the formulas are::

    for i in range(M):
        out[i] = A[i] * z[i] + h[i]

`as_lanes` (in `views`) shows an array ``(..., 16)``, last axis the sequences of a batch, as an array ``(...)`` whose
elements are LLVM vectors of 16 numbers. Handed to the kernel above, ``z[i]`` is then one such vector,
``A[i]`` a number that multiplies all its lanes, and the machine code is that of 16 sequences at once,
in registers, without loops or remainders. LLVM splits the vectors where the CPU's are narrower.

One sequence alone has no others to fill the registers with: there, the lanes are neighbouring *units*.
Code that is to serve both says ``at(A, i, like)`` and ``put(out, i, value)``: over sequences these are
``A[i]`` and ``out[i] = value``; over units, where `like` is a vector of units, they take as many
neighbours as it holds, from i on. `each` and `product` (in `products`) run such code over all units.

Without numba (``NUMBA_DISABLE_JIT=1``) an element is simply the NumPy row of 16 numbers, and the same
source runs. Two rules follow, as a row is a view. Never ``x += y`` on an element held in a variable (the row would
change in place); write ``x = x + y``. And do not use an element that was read from a place after another was put there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.datamodel import DataModelManager
from numba.core.typing import Signature
from numba.core.typing.context import BaseContext as TypingContext
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .memory import ROOM


class Vector(types.Type):
    """The numba type of n numbers: one of each sequence or, where `of_units`, of neighbouring units of one."""

    def __init__(self, dtype: types.Float, n: int, of_units: bool = False):
        self.dtype = dtype
        self.n = n
        self.of_units = of_units
        super().__init__(name=f"{'Units' if of_units else 'Vector'}({dtype} x {n})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: DataModelManager, fe_type: Vector):
        lane = dmm[fe_type.dtype].get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(lane, fe_type.n))


def _constant(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), value)


def shuffle(builder: ir.IRBuilder, first: ir.Value, second: ir.Value, lanes: list[int]) -> ir.Value:
    """Emit a vector of the named lanes of two, counted through."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(first, second, mask)


def broadcast(builder: ir.IRBuilder, vector_type: ir.VectorType, number: ir.Value) -> ir.Value:
    """Emit a vector of equal lanes."""
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, number, _constant(0))
    return shuffle(builder, first, first, [0] * vector_type.count)


def _define_operator(function: Callable, instruction: str) -> None:
    """Give vectors an operator, lane by lane; a number stands for a vector of equal lanes."""

    @infer_global(function)
    class Typing(AbstractTemplate):
        def generic(self, args: tuple, kws: dict) -> Any:
            vectors = [a for a in args if isinstance(a, Vector)]
            if not vectors or len(args) != 2:
                return None
            first = vectors[0]
            if all(a == first or isinstance(a, types.Number) for a in args):
                return signature(first, *(a if a == first else first.dtype for a in args))
            return None

    def lower(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        vector_type = context.get_value_type(sig.return_type)
        values = [
            a if isinstance(t, Vector) else broadcast(builder, vector_type, a) for t, a in zip(sig.args, args)
        ]
        return getattr(builder, instruction)(*values)

    for types_ in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, *types_)(lower)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.isub, "fsub"),
    (operator.mul, "fmul"),
):
    _define_operator(_function, _instruction)


@intrinsic
def zero_of(typing_context: TypingContext, x: types.Type) -> Any:
    """Zero, of the kind of x."""

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        return ir.Constant(context.get_value_type(sig.return_type), None)

    return x(x), codegen


@intrinsic
def relu(typing_context: TypingContext, x: types.Type) -> Any:
    """``phi(x) = max(0, x)``; NaN stays NaN."""

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        zero = ir.Constant(context.get_value_type(x), None)
        # "x < 0 ? 0 : x" lets NaN through, "x > 0 ? x : 0" would hide it.
        return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

    return x(x), codegen


@intrinsic
def gate(typing_context: TypingContext, u: types.Type, g: types.Type) -> Any:
    """``phi'(u) g``, that is g where u > 0 and else 0; ``phi'(0) = 0``."""

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        zero = ir.Constant(context.get_value_type(g), None)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], zero)

    return g(u, g), codegen


@intrinsic
def where_known(typing_context: TypingContext, x: types.Type, value: types.Type, other: types.Type) -> Any:
    """`value` where x is a number, `other` where it is NaN, that is missing."""

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        return builder.select(builder.fcmp_ordered("ord", args[0], args[0]), args[1], args[2])

    return value(x, value, value), codegen


@intrinsic
def scaled(typing_context: TypingContext, x: types.Type, factor: types.Type) -> Any:
    """Multiply x by a number in x's own precision."""
    dtype = x.dtype if isinstance(x, Vector) else x

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        number = args[1]
        if isinstance(x, Vector):
            number = broadcast(builder, context.get_value_type(x), number)
        return builder.fmul(args[0], number)

    return x(x, dtype), codegen


@intrinsic
def muladd(typing_context: TypingContext, x: types.Type, y: types.Type, z: types.Type) -> Any:
    """``x y + z``, rounded once where the CPU has fused multiply-adds; a number stands for equal lanes.

    Whether it is fused depends on the CPU alone, never on the code around it.
    """
    vectors = [a for a in (x, y, z) if isinstance(a, Vector)]
    result = vectors[0] if vectors else z
    dtype = result.dtype if vectors else z

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        kind = context.get_value_type(result)
        values = [
            broadcast(builder, kind, a) if vectors and not isinstance(t, Vector) else a
            for t, a in zip(sig.args, args)
        ]
        return fused_multiply_add(builder, *values)

    return result(*(a if isinstance(a, Vector) else dtype for a in (x, y, z))), codegen


def fused_multiply_add(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """Emit llvm.fmuladd for numbers or vectors."""
    kind = z.type
    lane = kind.element if isinstance(kind, ir.VectorType) else kind
    count = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    name = f"llvm.fmuladd.{count}{'f64' if isinstance(lane, ir.DoubleType) else 'f32'}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [x, y, z])


@intrinsic
def total(typing_context: TypingContext, x: types.Type) -> Any:
    """Sum over the sequences: of the lanes, unless they are units."""
    if not isinstance(x, Vector) or x.of_units:
        return x(x), lambda context, builder, sig, args: args[0]

    return x.dtype(x), lambda context, builder, sig, args: sum_lanes(builder, args[0])


def sum_lanes(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Emit the sum of a vector's lanes: halves, in a fixed order, for the same bits every time."""
    n = vector.type.count
    while n > 1:
        low = shuffle(builder, vector, vector, list(range(n // 2)))
        high = shuffle(builder, vector, vector, list(range(n // 2, n)))
        vector = builder.fadd(low, high)
        n //= 2
    return builder.extract_element(vector, _constant(0))


@intrinsic
def pick(
    typing_context: TypingContext, i: types.Type, n: types.Type, below: types.Type, other: types.Type
) -> Any:
    """`below` for units i < n, else `other`."""

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        index, bound, first, second = args
        if isinstance(below, Vector) and below.of_units:
            integers = ir.VectorType(index.type, below.n)
            index = builder.add(
                broadcast(builder, integers, index), ir.Constant(integers, list(range(below.n)))
            )
            bound = broadcast(builder, integers, bound)
        return builder.select(builder.icmp_signed("<", index, bound), first, second)

    return below(types.intp, types.intp, below, below), codegen


def _zeros_of(n: int) -> Any:
    @intrinsic
    def zeros(typing_context: TypingContext, array: types.Type) -> Any:
        """A vector of zeros for neighbouring units, in the array's precision."""
        vector = Vector(array.dtype, n, of_units=True)

        def codegen(
            context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]
        ) -> Any:
            return ir.Constant(context.get_value_type(vector), None)

        return vector(array), codegen

    return zeros


zeros16, zeros8, zeros4 = _zeros_of(16), _zeros_of(ROOM), _zeros_of(4)


@intrinsic
def sum_of_units(typing_context: TypingContext, x: types.Type) -> Any:
    """Sum of a vector of units."""
    return x.dtype(x), lambda context, builder, sig, args: sum_lanes(builder, args[0])


if numba.config.DISABLE_JIT:  # the same, where an element is a NumPy number or row

    def zero_of(x):
        return np.zeros_like(x)

    def relu(x):
        return np.where(x < 0, np.zeros_like(x), x)[()]

    def gate(u, g):
        return np.where(u > 0, g, np.zeros_like(g))[()]

    def where_known(x, value, other):
        return np.where(np.isnan(x), other, value)[()]

    def scaled(x, factor):
        return x * x.dtype.type(factor)

    def muladd(x, y, z):
        return x * y + z

    def total(x):
        return x.sum()

    def pick(i, n, below, other):
        return below if i < n else other
