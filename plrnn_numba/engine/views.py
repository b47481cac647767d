"""Views: arrays as kernels see them, without reference counts, as lanes, or with room for whole vectors.

Views are made of arrays that an entry point was given, so that these outlive them; `at` and `put` are how a kernel
reads and writes an element of one, whether that is a number, a vector of sequences, or a vector of neighbouring units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.datamodel import DataModelManager
from numba.core.typing import Signature
from numba.core.typing.context import BaseContext as TypingContext
from numba.extending import intrinsic, models, overload, register_model
from numba.np.arrayobj import make_array, populate_array

from .memory import ALIGNMENT, LANES
from .vectors import Vector, broadcast


class View(types.Array):
    """The numba type of an array that the caller keeps alive.

    numba counts the references of every array that it slices or hands on, by atomic instructions: in a time
    loop these cost more than the arithmetic. A view has no counter. It is made of what an entry point was
    given, and does not outlive the call.

    Behind the numbers of a `roomy` view, and behind each column of a roomy matrix, there is place to fill a vector of
    ROOM numbers, which may be read and overwritten: a state of 20 units is three vectors of 8, without a remainder.
    A slice is not roomy: behind its end lie the numbers that were left out.
    """

    def __init__(self, dtype: types.Type, ndim: int, layout: str, roomy: bool = False):
        self.roomy = roomy
        name = f"{'Roomy' if roomy else ''}View({dtype}, {ndim}d, {layout})"
        super().__init__(dtype, ndim, layout, name=name, aligned=not isinstance(dtype, Vector))

    @property
    def key(self) -> Any:
        """What numba tells types apart by, and keeps the first of: all that changes the code is in it."""
        return (*super().key, self.roomy)

    def copy(
        self,
        dtype: types.Type | None = None,
        ndim: int | None = None,
        layout: str | None = None,
        readonly: bool | None = None,
    ) -> Any:
        return View(
            self.dtype if dtype is None else dtype,
            self.ndim if ndim is None else ndim,
            self.layout if layout is None else layout,
        )

    def can_convert_to(self, typing_context: TypingContext, other: types.Type) -> Any:
        return None


@register_model(View)
class _ViewModel(models.StructModel):
    """An array's fields; `meminfo` is an address like any other, so that nothing is counted."""

    def __init__(self, dmm: DataModelManager, fe_type: View):
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


def _make_view(
    context: BaseContext,
    builder: ir.IRBuilder,
    view_type: View,
    given: Any,
    axes: Iterable[int],
    itemsize: ir.Value,
) -> Any:
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


# --- elements of arrays ----------------------------------------------------------------------------


def strides_of(
    context: BaseContext, builder: ir.IRBuilder, array_type: types.Type, array: Any
) -> list[ir.Value]:
    """An array's strides in bytes; that of neighbours in memory as a constant, for LLVM to see."""
    strides = cgutils.unpack_tuple(builder, array.strides)
    if array_type.layout in "CF":
        neighbours = -1 if array_type.layout == "C" else 0
        n_bytes = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
        strides[neighbours] = context.get_constant(types.intp, n_bytes)
    return strides


def address_of(
    context: BaseContext,
    builder: ir.IRBuilder,
    array_type: types.Type,
    array: ir.Value,
    indices: Sequence[ir.Value],
    kind: types.Type,
) -> ir.Value:
    """Where an element lies, as a pointer to the numba type `kind`."""
    given = make_array(array_type)(context, builder, array)
    offset = context.get_constant(types.intp, 0)
    for index, stride in zip(indices, strides_of(context, builder, array_type, given)):
        offset = builder.add(offset, builder.mul(index, stride))
    address = cgutils.pointer_add(builder, given.data, offset)
    return builder.bitcast(address, context.get_value_type(kind).as_pointer())


def alignment_of(kind: types.Type) -> int:
    """What may be relied on: lanes of sequences lie on cache lines, neighbouring units anywhere."""
    if isinstance(kind, Vector) and not kind.of_units:
        return min(ALIGNMENT, kind.n * kind.dtype.bitwidth // 8)
    return (kind.dtype if isinstance(kind, Vector) else kind).bitwidth // 8


@intrinsic
def at(typing_context: TypingContext, array: types.Type, i: types.Type, like: types.Type) -> Any:
    """``array[i]``; where `like` is a vector of units and array holds numbers, neighbours from i on."""
    neighbours = isinstance(like, Vector) and like.of_units and not isinstance(array.dtype, Vector)
    result = like if neighbours else array.dtype

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        address = address_of(context, builder, array, args[0], args[1:2], result)
        return builder.load(address, align=alignment_of(result))

    return result(array, types.intp, like), codegen


@intrinsic
def put(typing_context: TypingContext, array: types.Type, i: types.Type, value: types.Type) -> Any:
    """``array[i] = value``; or all the neighbours from i on that a vector of units holds."""
    of_units = isinstance(value, Vector) and value.of_units
    kind = value if of_units else array.dtype

    def codegen(context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]) -> Any:
        address = address_of(context, builder, array, args[0], args[1:2], kind)
        number = args[2]
        if isinstance(kind, Vector) and not isinstance(value, Vector):
            number = broadcast(builder, context.get_value_type(kind), number)
        builder.store(number, address, align=alignment_of(kind))
        return context.get_dummy_value()

    accepted = value if isinstance(value, Vector) else value if isinstance(kind, Vector) else kind
    return types.void(array, types.intp, accepted), codegen


# --- views of arrays -------------------------------------------------------------------------------


def _intrinsic_on_arrays(
    name: str,
    doc: str,
    axes: Callable[[int], Sequence[int]],
    layout: Callable[[types.Type], str],
    element: Callable[[types.Type], types.Type] | None = None,
    roomy: bool = False,
) -> Any:
    """Make an intrinsic that views each array of an array or a (nested) tuple; others stay as they are."""

    def kind(t: types.Type) -> Any:
        if isinstance(t, types.Array):
            room = roomy or getattr(t, "roomy", False)
            return View(element(t) if element else t.dtype, len(axes(t.ndim)), layout(t), room)
        if isinstance(t, types.BaseTuple):
            named = getattr(t, "instance_class", None)
            return types.BaseTuple.from_types([kind(part) for part in t.types], named)
        return t

    def convert(
        context: BaseContext, builder: ir.IRBuilder, old: types.Type, new: types.Type, value: ir.Value
    ) -> ir.Value:
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

    def function(typing_context: TypingContext, params: types.Type) -> Any:
        result = kind(params)

        def codegen(
            context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]
        ) -> Any:
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
    "The same arrays as `roomy` views; for what `zeros_with_room` has made.",
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

    def copied(t: types.Type) -> bool:
        return isinstance(t, types.Array) and (t.ndim == 2 or roomy)

    def function(typing_context: TypingContext, params: types.Type, copies: types.Type) -> Any:
        if len(copies) == 0:
            return params(params, copies), lambda context, builder, sig, args: args[0]

        def kind(t: types.Type) -> Any:
            if not copied(t):
                return t
            return View(t.dtype, t.ndim, "C" if t.ndim == 1 else "A" if roomy else "F", roomy)

        kinds = [kind(t) for t in params.types]
        result = types.BaseTuple.from_types(kinds, params.instance_class)

        def codegen(
            context: BaseContext, builder: ir.IRBuilder, sig: Signature, args: Sequence[ir.Value]
        ) -> Any:
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


if numba.config.DISABLE_JIT:  # the same, where an element is a NumPy number or row

    def at(array, i, like):
        return array[i]

    def put(array, i, value):
        array[i] = value

    def as_lanes(array):
        return array

    def by_columns(params, copies):
        return params  # the copies are a matter of speed

    by_roomy_columns = by_columns

    def borrowed(params):
        return params

    with_room = borrowed
