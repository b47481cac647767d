"""Lanes: a number, or sixteen numbers of sixteen sequences, under one notation.

Every kernel of this package is written for the state of *one* sequence, as the formulas are::

    for i in range(M):
        out[i] = A[i] * z[i] + h[i]

`as_lanes` views an array ``(..., 16)``, last axis the sequences of a batch, as an array ``(...)`` whose
elements are LLVM vectors of 16 numbers. Handed to the kernel above, ``z[i]`` is then one such vector,
``A[i]`` a number that multiplies all its lanes, and the machine code is that of 16 sequences at once,
in registers, without loops or remainders. LLVM splits the vectors where the CPU's are narrower.

One sequence alone has no others to fill the registers with: there, the lanes are neighbouring *units*.
Code that is to serve both says ``at(A, i, like)`` and ``put(out, i, value)``: over sequences these are
``A[i]`` and ``out[i] = value``; over units, where `like` is a vector of units, they take as many
neighbours as it holds, from i on. `each` and `product` (see `_products`) run such code over all units.

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
from numba.extending import intrinsic, lower_builtin, models, overload, register_model
from numba.np.arrayobj import make_array, populate_array

LANES = 16
ROOM = 8
_ALIGNMENT = 64  # bytes: a cache line


class Vector(types.Type):
    """The numba type of n numbers: one of each sequence or, where `of_units`, of neighbouring units of one."""

    def __init__(self, dtype: types.Float, n: int, of_units: bool = False):
        self.dtype = dtype
        self.n = n
        self.of_units = of_units
        super().__init__(name=f"{'Units' if of_units else 'Vector'}({dtype} x {n})")


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

    Behind the numbers of a `roomy` view, and behind each column of a roomy matrix, there is place to fill a vector of
    ROOM numbers, which may be read and overwritten: a state of 20 units is three vectors of 8, without a remainder.
    """

    def __init__(self, dtype: Any, ndim: int, layout: str, roomy: bool = False):
        self.roomy = roomy
        name = f"{'Roomy' if roomy else ''}View({dtype}, {ndim}d, {layout})"
        super().__init__(dtype, ndim, layout, name=name, aligned=not isinstance(dtype, Vector))

    @property
    def key(self) -> Any:
        """What numba tells types apart by, and keeps the first of: all that changes the code is in it."""
        return (*super().key, self.roomy)

    def copy(self, dtype: Any = None, ndim: Any = None, layout: Any = None, readonly: Any = None) -> Any:
        return View(
            self.dtype if dtype is None else dtype,
            self.ndim if ndim is None else ndim,
            self.layout if layout is None else layout,
            self.roomy,
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


def shuffle(builder: ir.IRBuilder, first: Any, second: Any, lanes: list[int]) -> Any:
    """Emit a vector of the named lanes of two, counted through."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(first, second, mask)


def broadcast(builder: ir.IRBuilder, vector_type: ir.VectorType, number: Any) -> Any:
    """Emit a vector of equal lanes."""
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, number, _constant(0))
    return shuffle(builder, first, first, [0] * vector_type.count)


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
def where_known(typing_context: Any, x: Any, value: Any, other: Any) -> Any:
    """`value` where x is a number, `other` where it is NaN, that is missing."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("ord", args[0], args[0]), args[1], args[2])

    return value(x, value, value), codegen


@intrinsic
def scaled(typing_context: Any, x: Any, factor: Any) -> Any:
    """Multiply x by a number in x's own precision."""
    dtype = x.dtype if isinstance(x, Vector) else x

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number = args[1]
        if isinstance(x, Vector):
            number = broadcast(builder, context.get_value_type(x), number)
        return builder.fmul(args[0], number)

    return x(x, dtype), codegen


@intrinsic
def muladd(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """``x y + z``, rounded once where the CPU has fused multiply-adds; a number stands for equal lanes.

    Whether it is fused depends on the CPU alone, never on the code around it.
    """
    vectors = [a for a in (x, y, z) if isinstance(a, Vector)]
    result = vectors[0] if vectors else z
    dtype = result.dtype if vectors else z

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = context.get_value_type(result)
        values = [
            broadcast(builder, kind, a) if vectors and not isinstance(t, Vector) else a
            for t, a in zip(sig.args, args)
        ]
        return fused_multiply_add(builder, *values)

    return result(*(a if isinstance(a, Vector) else dtype for a in (x, y, z))), codegen


def fused_multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Emit llvm.fmuladd for numbers or vectors."""
    kind = z.type
    lane = kind.element if isinstance(kind, ir.VectorType) else kind
    count = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    name = f"llvm.fmuladd.{count}{'f64' if isinstance(lane, ir.DoubleType) else 'f32'}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [x, y, z])


@intrinsic
def total(typing_context: Any, x: Any) -> Any:
    """Sum over the sequences: of the lanes, unless they are units."""
    if not isinstance(x, Vector) or x.of_units:
        return x(x), lambda context, builder, sig, args: args[0]

    return x.dtype(x), lambda context, builder, sig, args: sum_lanes(builder, args[0])


def sum_lanes(builder: Any, vector: Any) -> Any:
    """Emit the sum of a vector's lanes: halves, in a fixed order, for the same bits every time."""
    n = vector.type.count
    while n > 1:
        low = shuffle(builder, vector, vector, list(range(n // 2)))
        high = shuffle(builder, vector, vector, list(range(n // 2, n)))
        vector = builder.fadd(low, high)
        n //= 2
    return builder.extract_element(vector, _constant(0))


# --- elements of arrays ----------------------------------------------------------------------------


def strides_of(context: Any, builder: Any, array_type: Any, array: Any) -> list[Any]:
    """An array's strides in bytes; that of neighbours in memory as a constant, for LLVM to see."""
    strides = cgutils.unpack_tuple(builder, array.strides)
    if array_type.layout in "CF":
        neighbours = -1 if array_type.layout == "C" else 0
        n_bytes = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
        strides[neighbours] = context.get_constant(types.intp, n_bytes)
    return strides


def address_of(context: Any, builder: Any, array_type: Any, array: Any, indices: Any, kind: Any) -> Any:
    """Where an element lies, as a pointer to the numba type `kind`."""
    given = make_array(array_type)(context, builder, array)
    offset = context.get_constant(types.intp, 0)
    for index, stride in zip(indices, strides_of(context, builder, array_type, given)):
        offset = builder.add(offset, builder.mul(index, stride))
    address = cgutils.pointer_add(builder, given.data, offset)
    return builder.bitcast(address, context.get_value_type(kind).as_pointer())


def alignment_of(kind: Any) -> int:
    """What may be relied on: lanes of sequences lie on cache lines, neighbouring units anywhere."""
    if isinstance(kind, Vector) and not kind.of_units:
        return min(_ALIGNMENT, kind.n * kind.dtype.bitwidth // 8)
    return (kind.dtype if isinstance(kind, Vector) else kind).bitwidth // 8


@intrinsic
def at(typing_context: Any, array: Any, i: Any, like: Any) -> Any:
    """``array[i]``; where `like` is a vector of units and array holds numbers, neighbours from i on."""
    neighbours = isinstance(like, Vector) and like.of_units and not isinstance(array.dtype, Vector)
    result = like if neighbours else array.dtype

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = address_of(context, builder, array, args[0], args[1:2], result)
        return builder.load(address, align=alignment_of(result))

    return result(array, types.intp, like), codegen


@intrinsic
def put(typing_context: Any, array: Any, i: Any, value: Any) -> Any:
    """``array[i] = value``; or all the neighbours from i on that a vector of units holds."""
    of_units = isinstance(value, Vector) and value.of_units
    kind = value if of_units else array.dtype

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = address_of(context, builder, array, args[0], args[1:2], kind)
        number = args[2]
        if isinstance(kind, Vector) and not isinstance(value, Vector):
            number = broadcast(builder, context.get_value_type(kind), number)
        builder.store(number, address, align=alignment_of(kind))
        return context.get_dummy_value()

    accepted = value if isinstance(value, Vector) else value if isinstance(kind, Vector) else kind
    return types.void(array, types.intp, accepted), codegen


@intrinsic
def pick(typing_context: Any, i: Any, n: Any, below: Any, other: Any) -> Any:
    """`below` for units i < n, else `other`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
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
    def zeros(typing_context: Any, array: Any) -> Any:
        """As many zeros as the name says, of the array's precision, for neighbouring units."""
        vector = Vector(array.dtype, n, of_units=True)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return ir.Constant(context.get_value_type(vector), None)

        return vector(array), codegen

    return zeros


zeros16, zeros8, zeros4 = _zeros_of(16), _zeros_of(ROOM), _zeros_of(4)


@intrinsic
def sum_of_units(typing_context: Any, x: Any) -> Any:
    """Sum of a vector of units."""
    return x.dtype(x), lambda context, builder, sig, args: sum_lanes(builder, args[0])


# --- views of arrays -------------------------------------------------------------------------------


def _intrinsic_on_arrays(
    name: str, doc: str, axes: Any, layout: Any, element: Any = None, roomy: bool = False
) -> Any:
    """Make an intrinsic that views each array of an array or a (nested) tuple; others stay as they are."""

    def kind(t: Any) -> Any:
        if isinstance(t, types.Array):
            room = roomy or getattr(t, "roomy", False)
            return View(element(t) if element else t.dtype, len(axes(t.ndim)), layout(t), room)
        if isinstance(t, types.BaseTuple):
            named = getattr(t, "instance_class", None)
            return types.BaseTuple.from_types([kind(part) for part in t.types], named)
        return t

    def convert(context: Any, builder: Any, old: Any, new: Any, value: Any) -> Any:
        if isinstance(old, types.Array):
            given = make_array(old)(context, builder, value)
            n_bytes = context.get_abi_sizeof(context.get_data_type(new.dtype))
            itemsize = context.get_constant(types.intp, n_bytes)
            return _make_view(context, builder, new, given, axes(old.ndim), itemsize)
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


as_lanes = _intrinsic_on_arrays(
    "as_lanes",
    "View arrays ``(..., LANES)`` as ``(...)`` vectors; contiguous, writable, not copied.",
    axes=lambda ndim: range(ndim - 1),
    layout=lambda t: "C",
    element=lambda t: Vector(t.dtype, LANES),
)
borrowed = _intrinsic_on_arrays(
    "borrowed",
    "The same arrays, as views that are not counted; for an entry point's own arguments.",
    axes=range,
    layout=lambda t: t.layout,
)
with_room = _intrinsic_on_arrays(
    "with_room",
    "The same arrays as `roomy` views; for what `empty_with_room` has made.",
    axes=range,
    layout=lambda t: t.layout,
    roomy=True,
)


def elements(arrays):
    """A NamedTuple of arrays with a field `weight` (1,) or (1, LANES): as they are, or as lanes."""
    return arrays


@overload(elements)
def _choose_elements(arrays):
    if arrays[arrays.fields.index("weight")].ndim == 1:
        return lambda arrays: borrowed(arrays)
    return lambda arrays: as_lanes(arrays)


def _by_columns(name: str, doc: str, roomy: bool) -> Any:
    """Make an intrinsic that copies a NamedTuple's arrays to those of another, the matrices transposed."""

    def copied(t: Any) -> bool:
        return isinstance(t, types.Array) and (t.ndim == 2 or roomy)

    def function(typing_context: Any, params: Any, copies: Any) -> Any:
        if len(copies) == 0:
            return params(params, copies), lambda context, builder, sig, args: args[0]

        def kind(t: Any) -> Any:
            if not copied(t):
                return t
            return View(t.dtype, t.ndim, "C" if t.ndim == 1 else "A" if roomy else "F", roomy)

        kinds = [kind(t) for t in params.types]
        result = types.BaseTuple.from_types(kinds, params.instance_class)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            values = []
            old_values, new_values = (cgutils.unpack_tuple(builder, value) for value in args)
            for old, value, new, kind, copy in zip(params.types, old_values, copies.types, kinds, new_values):
                if not copied(old):
                    values.append(value)
                    continue
                given = make_array(old)(context, builder, value)
                shape = cgutils.unpack_tuple(builder, given.shape)
                with cgutils.loop_nest(builder, shape, shape[0].type) as indices:
                    source = address_of(context, builder, old, value, indices, old.dtype)
                    target = address_of(context, builder, new, copy, indices[::-1], old.dtype)
                    builder.store(builder.load(source), target)
                there = make_array(new)(context, builder, copy)
                view = make_array(kind)(context, builder)
                populate_array(
                    view,
                    data=there.data,
                    shape=given.shape,
                    strides=cgutils.pack_array(builder, strides_of(context, builder, new, there)[::-1]),
                    itemsize=context.get_constant(types.intp, old.dtype.bitwidth // 8),
                    meminfo=None,
                    parent=None,
                )
                values.append(view._getvalue())
            return context.make_tuple(builder, result, values)

        return result(params, copies), codegen

    function.__name__, function.__doc__ = name, doc
    return intrinsic(function)


by_columns = _by_columns(
    "by_columns",
    """Copy the matrices of a NamedTuple, transposed, to those of another; return it with these as its matrices.

    As types they are Fortran-ordered. Where `copies` is an empty tuple, there is nothing to do.
    """,
    roomy=False,
)
by_roomy_columns = _by_columns(
    "by_roomy_columns",
    "The same for all arrays, to those of `columns_with_room`; as types they are `roomy` views.",
    roomy=True,
)


def empty(shape: tuple[int, ...], dtype: Any, lanes: int = LANES) -> np.ndarray:
    """Zeros of `shape` + (lanes,), or of `shape` for one lane, aligned to a cache line, for `elements`."""
    shape = (*shape, lanes) if lanes > 1 else tuple(shape)
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    raw = np.zeros(n_bytes + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def empty_with_room(n: int, dtype: Any) -> np.ndarray:
    """Zeros (n,) for `with_room`."""
    return empty((-(-n // ROOM) * ROOM,), dtype, lanes=1)[:n]


def columns_with_room(array: np.ndarray) -> np.ndarray:
    """Zeros for `by_roomy_columns` to copy `array` to: a vector, or a row for each column of a matrix."""
    if array.ndim == 1:
        return empty_with_room(len(array), array.dtype)
    m, n = array.shape
    return empty((n, -(-m // ROOM) * ROOM), array.dtype, lanes=1)


if numba.config.DISABLE_JIT:  # the same, where an element is a NumPy number or row

    def as_lanes(array):
        return array

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

    def at(array, i, like):
        return array[i]

    def put(array, i, value):
        array[i] = value

    def pick(i, n, below, other):
        return below if i < n else other

    def by_columns(params, copies):
        return params  # the copies are a matter of speed

    by_roomy_columns = by_columns

    def borrowed(params):
        return params

    with_room = borrowed
