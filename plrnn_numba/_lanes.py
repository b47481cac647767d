"""Lanes: a number, or sixteen numbers of sixteen sequences, under one notation.

Every kernel of this package is written for the state of *one* sequence, as the formulas are::

    for i in range(M):
        out[i] = A[i] * z[i] + h[i]

`as_lanes` views an array ``(..., 16)``, last axis the sequences of a batch, as an array ``(...)`` whose
elements are LLVM vectors of 16 numbers. Handed to the kernel above, ``z[i]`` is then one such vector,
``A[i]`` a number that multiplies all its lanes, and the machine code is that of 16 sequences at once,
in registers, without loops or remainders. LLVM splits the vectors where the CPU's are narrower.

Without numba (``NUMBA_DISABLE_JIT=1``) an element is simply the NumPy row of 16 numbers, and the same
source runs. One rule follows: never ``x += y`` on an element held in a variable (a row would change
in place); write ``x = x + y``.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.arrayobj import make_array, populate_array

LANES = 16
_ALIGNMENT = 64  # bytes: a cache line


class Vector(types.Type):
    """The numba type of `LANES` numbers, one of each sequence."""

    def __init__(self, dtype: types.Float, n: int):
        self.dtype = dtype
        self.n = n
        super().__init__(name=f"Vector({dtype} x {n})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector):
        lane = dmm[fe_type.dtype].get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(lane, fe_type.n))


class View(types.Array):
    """The numba type of an array that the caller keeps alive.

    numba counts the references of every array that it slices or hands on, by atomic instructions: in a time
    loop these cost more than the arithmetic. A view has no counter. Only entry points make views, of arrays
    that they were given, and none outlives the call.
    """

    def __init__(self, dtype: Any, ndim: int, layout: str):
        name = f"View({dtype}, {ndim}d, {layout})"
        super().__init__(dtype, ndim, layout, name=name, aligned=not isinstance(dtype, Vector))

    def copy(self, dtype: Any = None, ndim: Any = None, layout: Any = None, readonly: Any = None) -> Any:
        return View(
            self.dtype if dtype is None else dtype,
            self.ndim if ndim is None else ndim,
            self.layout if layout is None else layout,
        )

    def can_convert_to(self, typing_context: Any, other: Any) -> Any:
        return None


@register_model(View)
class _ViewModel(models.StructModel):
    """An array's fields; `meminfo` is an address like any other, so that nothing is counted."""

    def __init__(self, dmm: Any, fe_type: View):
        members = [
            ("meminfo", types.voidptr),
            ("parent", types.voidptr),
            ("nitems", types.intp),
            ("itemsize", types.intp),
            ("data", types.CPointer(fe_type.dtype)),
            ("shape", types.UniTuple(types.intp, fe_type.ndim)),
            ("strides", types.UniTuple(types.intp, fe_type.ndim)),
        ]
        super().__init__(dmm, fe_type, members)


def _make_view(context: Any, builder: Any, view_type: View, given: Any, axes: Any, itemsize: Any) -> Any:
    """A view of the axes of `given`, an array's fields; of another element type if need be."""
    view = make_array(view_type)(context, builder)
    shape, strides = (cgutils.unpack_tuple(builder, value) for value in (given.shape, given.strides))
    element = context.get_data_type(view_type.dtype)
    populate_array(
        view,
        data=builder.bitcast(given.data, element.as_pointer()),
        shape=cgutils.pack_array(builder, [shape[axis] for axis in axes]),
        strides=cgutils.pack_array(builder, [strides[axis] for axis in axes]),
        itemsize=itemsize,
        meminfo=None,
        parent=None,
    )
    return view._getvalue()


def _constant(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), value)


def _shuffle(builder: ir.IRBuilder, vector: Any, lanes: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(vector, vector, mask)


def _broadcast(builder: ir.IRBuilder, vector_type: ir.VectorType, number: Any) -> Any:
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, number, _constant(0))
    return _shuffle(builder, first, [0] * vector_type.count)


def _define_operator(function: Any, instruction: str) -> None:
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

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector_type = context.get_value_type(sig.return_type)
        values = [
            a if isinstance(t, Vector) else _broadcast(builder, vector_type, a)
            for t, a in zip(sig.args, args)
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
def as_lanes(typing_context: Any, array: Any) -> Any:
    """View ``(..., LANES)`` as ``(...)`` vectors; contiguous, writable, not copied."""
    vector = Vector(array.dtype, LANES)
    result = View(vector, array.ndim - 1, "C")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        given = make_array(array)(context, builder, args[0])
        itemsize = context.get_constant(types.intp, LANES * array.dtype.bitwidth // 8)
        return _make_view(context, builder, result, given, range(array.ndim - 1), itemsize)

    return result(array), codegen


@intrinsic
def zero_of(typing_context: Any, x: Any) -> Any:
    """Zero, of the kind of x."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(context.get_value_type(sig.return_type), None)

    return x(x), codegen


@intrinsic
def relu(typing_context: Any, x: Any) -> Any:
    """``phi(x) = max(0, x)``; NaN stays NaN."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(context.get_value_type(x), None)
        # "x < 0 ? 0 : x" lets NaN through, "x > 0 ? x : 0" would hide it.
        return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

    return x(x), codegen


@intrinsic
def gate(typing_context: Any, u: Any, g: Any) -> Any:
    """``phi'(u) g``, that is g where u > 0 and else 0; ``phi'(0) = 0``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        zero = ir.Constant(context.get_value_type(g), None)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), args[1], zero)

    return g(u, g), codegen


@intrinsic
def scaled(typing_context: Any, x: Any, factor: Any) -> Any:
    """Multiply x by a number in x's own precision."""
    dtype = x.dtype if isinstance(x, Vector) else x

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number = args[1]
        if isinstance(x, Vector):
            number = _broadcast(builder, context.get_value_type(x), number)
        return builder.fmul(args[0], number)

    return x(x, dtype), codegen


@intrinsic
def muladd(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """``x y + z``, rounded once where the CPU has fused multiply-adds; z's kind is the result's.

    Whether it is fused depends on the CPU alone, never on the code around it.
    """
    dtype = z.dtype if isinstance(z, Vector) else z
    factors = [a if isinstance(a, Vector) else dtype for a in (x, y)]

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = context.get_value_type(z)
        values = [
            _broadcast(builder, kind, a) if isinstance(z, Vector) and not isinstance(t, Vector) else a
            for t, a in zip(sig.args, args)
        ]
        lane = "f32" if dtype.bitwidth == 32 else "f64"
        name = f"llvm.fmuladd.v{z.n}{lane}" if isinstance(z, Vector) else f"llvm.fmuladd.{lane}"
        signature = ir.FunctionType(kind, [kind] * 3)
        function = cgutils.get_or_insert_function(builder.module, signature, name)
        return builder.call(function, values)

    return z(*factors, z), codegen


@intrinsic
def total(typing_context: Any, x: Any) -> Any:
    """Sum over the lanes."""
    if not isinstance(x, Vector):
        return x(x), lambda context, builder, sig, args: args[0]

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (rest,) = args
        n = x.n
        while n > 1:  # halves, in a fixed order: the same bits every time
            low = _shuffle(builder, rest, list(range(n // 2)))
            high = _shuffle(builder, rest, list(range(n // 2, n)))
            rest = builder.fadd(low, high)
            n //= 2
        return builder.extract_element(rest, _constant(0))

    return x.dtype(x), codegen


# One sequence alone has no batch to fill the lanes with: there, they hold neighbouring units.


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, indices: Any) -> Any:
    """Address of an element, by strides, as a pointer to a vector of the given type."""
    given = make_array(array_type)(context, builder, array)
    strides = cgutils.unpack_tuple(builder, given.strides)
    offset = context.get_constant(types.intp, 0)
    for index, stride in zip(indices, strides):
        offset = builder.add(offset, builder.mul(index, stride))
    return cgutils.pointer_add(builder, given.data, offset)


@intrinsic
def load_like(typing_context: Any, like: Any, array: Any, i: Any, j: Any) -> Any:
    """As many neighbours as `like` holds, from array[i, j] on (from array[i] on, where it has one dimension)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _pointer(context, builder, array, args[1], args[2:])
        address = builder.bitcast(address, context.get_value_type(like).as_pointer())
        return builder.load(address, align=array.dtype.bitwidth // 8)

    return like(like, array, types.intp, types.intp), codegen


@intrinsic
def store(typing_context: Any, array: Any, i: Any, value: Any) -> Any:
    """Put neighbours into a one-dimensional array, from array[i] on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = _pointer(context, builder, array, args[0], [args[1]])
        address = builder.bitcast(address, context.get_value_type(value).as_pointer())
        builder.store(args[2], address, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


def _zeros_of(n: int) -> Any:
    @intrinsic
    def zeros(typing_context: Any, array: Any) -> Any:
        """As many zeros as the name says, of the array's precision."""
        vector = Vector(array.dtype, n)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return ir.Constant(context.get_value_type(vector), None)

        return vector(array), codegen

    return zeros


zeros16, zeros4 = _zeros_of(16), _zeros_of(4)


def _intrinsic_on_arrays(name: str, doc: str, axes: Any, layout: Any) -> Any:
    """Make an intrinsic that views each array of an array or a (nested) tuple; others stay as they are."""

    def kind(t: Any) -> Any:
        if isinstance(t, types.Array):
            return View(t.dtype, t.ndim, layout(t))
        if isinstance(t, types.BaseTuple):
            named = getattr(t, "instance_class", None)
            return types.BaseTuple.from_types([kind(part) for part in t.types], named)
        return t

    def convert(context: Any, builder: Any, old: Any, new: Any, value: Any) -> Any:
        if isinstance(old, types.Array):
            given = make_array(old)(context, builder, value)
            return _make_view(context, builder, new, given, axes(old.ndim), given.itemsize)
        if isinstance(old, types.BaseTuple):
            parts = zip(old.types, new.types, cgutils.unpack_tuple(builder, value))
            return context.make_tuple(
                builder, new, [convert(context, builder, o, n, part) for o, n, part in parts]
            )
        return value

    def function(typing_context: Any, params: Any) -> Any:
        result = kind(params)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return convert(context, builder, params, result, args[0])

        return result(params), codegen

    function.__name__, function.__doc__ = name, doc
    return intrinsic(function)


borrowed = _intrinsic_on_arrays(
    "borrowed",
    "The same arrays, as views that are not counted; for an entry point's own arguments.",
    axes=range,
    layout=lambda t: t.layout,
)
transposed = _intrinsic_on_arrays(
    "transposed",
    "Views of the same arrays, matrices transposed; as types they are then Fortran-ordered.",
    axes=lambda ndim: range(ndim)[::-1],
    layout=lambda t: "F" if t.ndim == 2 else t.layout,
)


if numba.config.DISABLE_JIT:  # the same, where an element is a NumPy number or row

    def as_lanes(array):
        return array

    def zero_of(x):
        return np.zeros_like(x)

    def relu(x):
        return np.where(x < 0, np.zeros_like(x), x)[()]

    def gate(u, g):
        return np.where(u > 0, g, np.zeros_like(g))[()]

    def scaled(x, factor):
        return x * x.dtype.type(factor)

    def muladd(x, y, z):
        return x * y + z

    def total(x):
        return x.sum()

    def borrowed(params):
        return params

    def transposed(params):
        matrices = {k: v.T for k, v in params._asdict().items() if np.ndim(v) == 2}
        return params._replace(**matrices)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros of `shape` + (LANES,), aligned to a cache line, for `as_lanes`."""
    shape = (*shape, LANES)
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(n_bytes + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + n_bytes].view(dtype).reshape(shape)
