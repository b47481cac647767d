"""Arrays from the outside, made fit for kernels; parameters as one vector and back.

Kernels see C-contiguous, aligned, writable arrays of float32 or float64 and nothing else, so that a
read-only, Fortran-ordered, strided or memory-mapped array, or a list, compiles nothing new.
"""

from __future__ import annotations

import decimal
import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..basics.checks import show

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
P = TypeVar("P")


class NotRealError(TypeError):
    """What was given holds no real numbers: `of` which type, of which `dtype`, and, where one is to blame, `what`."""

    def __init__(self, of: str, dtype: Any, what: str = ""):
        self.of, self.dtype, self.what = of, dtype, what
        super().__init__(f"got {of}{what or f' of dtype {dtype}'}, expected real numbers")


def as_real(value: Any) -> np.ndarray:
    """Take whatever holds real numbers as an array of them, in which NaN stands for what its container calls missing.

    Missing are: what a masked array masks, None, pandas' NA, and in an xarray what its `_FillValue` or
    `missing_value` says. Integers become float64 only where one is missing; nothing is copied that need not be, and
    nothing that was handed over changes. Raises NotRealError for text, times, complex numbers, records.
    """
    of = type(value).__name__
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return _real_frame(value)
    if hasattr(value, "iloc") and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    elif _has_labels(value):
        value = _without_fill(value)
    elif isinstance(value, (list, tuple)) and any(not isinstance(part, (int, float)) for part in value):
        value = [_unmasked(part) for part in value]
    try:
        array = np.ma.getdata(value) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    except (TypeError, RuntimeError) as error:  # RuntimeError: of a tensor whose gradient is wanted
        why = f" that cannot be taken as an array ({error})" if isinstance(error, RuntimeError) else ""
        raise NotRealError(of, "object", why) from None
    if array.dtype.kind == "O" and array.ndim:
        array = _from_objects(array, of)
    if array.dtype.kind not in "fiub":
        raise NotRealError(of, array.dtype)
    return _filled(array, np.ma.getmask(value))


def _filled(array: np.ndarray, mask: Any) -> np.ndarray:
    """The same, NaN where the mask says so: `array` itself where that is nowhere."""
    if mask is np.ma.nomask or not np.any(mask):
        return array
    filled = array.astype(array.dtype.newbyteorder("=") if array.dtype.kind == "f" else np.float64)
    filled[mask] = np.nan
    return filled


def _unmasked(part: Any) -> Any:
    """A part of a list, with NaN for what it masks, which NumPy forgets when it joins the parts."""
    if isinstance(part, (list, tuple)):
        return [_unmasked(inner) for inner in part]
    says_missing = isinstance(part, np.ma.MaskedArray) or hasattr(part, "iloc") or _has_labels(part)
    return as_real(part) if says_missing else part


def _from_objects(array: np.ndarray, of: str) -> np.ndarray:
    """Numbers that Python objects stand for, NaN for None and pandas' NA; text is no number, not even '1.5'."""
    found = np.empty(array.shape, np.float64)
    for place, entry in np.ndenumerate(array):
        try:
            if entry is None or type(entry).__name__ in ("NAType", "MaskedConstant"):
                found[place] = np.nan
            elif not isinstance(entry, (numbers.Real, decimal.Decimal, np.bool_)):
                raise TypeError
            else:
                found[place] = float(entry)
        except (TypeError, ValueError, OverflowError):
            where = place if len(place) > 1 else place[0]
            raise NotRealError(of, "object", f" with {show(entry)} at {where}") from None
    return found


def _real_frame(frame: Any) -> np.ndarray:
    """A data frame's columns; its index is no column."""
    kinds = list(set(frame.dtypes))
    if len(kinds) == 1 and isinstance(kinds[0], np.dtype) and kinds[0].kind in "fiub":
        return frame.to_numpy()
    columns = []
    for j, label in enumerate(frame.columns):
        column = frame.iloc[:, j]
        try:
            columns.append(as_real(column))
        except NotRealError as error:
            what = f" whose column {label!r} is of dtype {column.dtype}{error.what} (leave it out)"
            raise NotRealError(type(frame).__name__, column.dtype, what) from None
    return np.stack(columns, axis=1) if columns else np.empty((len(frame), 0))


def _has_labels(value: Any) -> bool:
    """Whether this is an xarray; a dataset of h5py has dims and attributes too, and is an array."""
    return all(hasattr(value, name) for name in ("dims", "attrs", "values"))


def _without_fill(array: Any) -> Any:
    """An xarray's values, masked where they are what its metadata call missing.

    The encoding is that of a file: it says nothing of values that were unpacked when they were read.
    """
    values = np.asarray(array.values)
    encoding = dict(getattr(array, "encoding", None) or {})
    unpacked = {"scale_factor", "add_offset"} & set(encoding)
    if unpacked or np.dtype(encoding.get("dtype", values.dtype)) != values.dtype:
        encoding = {}
    fills = [
        fill
        for metadata in (array.attrs, encoding)
        for key in ("_FillValue", "missing_value")
        for fill in np.ravel(metadata.get(key, ())).tolist()
        if isinstance(fill, (int, float)) and values.dtype.kind in "fiu"
    ]
    # As the array holds it: 1e20 is another number in float32.
    known = np.array(fills, values.dtype if values.dtype.kind == "f" else None)
    missing = np.isin(values, known) if fills else np.zeros((), bool)
    return np.ma.MaskedArray(values, missing) if missing.any() else values


def as_floats(
    name: str, value: ArrayLike, dtype: DTypeLike | None = None, shape: Sequence[int | str] | None = None
) -> np.ndarray:
    """Convert to a kernel's array, checking the shape; a letter in `shape` stands for any length.

    The array is `value` itself where it fits; kernels never write to their inputs. What is missing (`as_real`) is NaN.
    """
    try:
        array = value if type(value) is np.ndarray and value.dtype in FLOATS else as_real(value)
    except NotRealError as error:
        of = f"{error.of}{error.what}"
        if isinstance(value, np.ndarray) and not error.what:
            of += f" of dtype {error.dtype}"
        raise TypeError(f"{name}: got {of}, expected an array of real numbers") from None
    except ValueError:  # parts of unequal shapes
        raise TypeError(f"{name}: got {type(value).__name__}, expected an array of real numbers") from None
    if dtype is None:
        dtype = array.dtype if array.dtype in FLOATS else np.float64
    if shape is not None:
        check_shape(name, array, shape)
    wanted = np.dtype(dtype).newbyteorder("=")
    if type(array) is np.ndarray and array.dtype == wanted and array.flags.carray:
        return array  # most arrays, most of the time
    with np.errstate(over="ignore"):  # what float32 cannot hold is inf, refused where numbers must be finite
        return np.require(array, wanted, ["C", "A", "W", "E"])


def check_shape(name: str, array: np.ndarray, shape: Sequence[int | str]) -> None:
    """Raise ValueError unless an array has this shape; a letter stands for any length."""
    if array.shape == shape:
        return
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, array.shape)
    )
    if not fits:
        wanted = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
        raise ValueError(f"{name}: got shape {array.shape}, expected {wanted}")


def check_finite(name: str, array: np.ndarray, may_be_inf: bool = False) -> None:
    """Raise ValueError, with the place, where an array has NaN, or inf unless it may."""
    bad = np.isnan(array) if may_be_inf else ~np.isfinite(array)
    if bad.any():
        place = np.argwhere(bad)[0]
        axes = ("orbit", "row", "column")[-len(place) :]
        where = ", ".join(f"{axis} {index}" for axis, index in zip(axes, place)) if len(place) else "()"
        raise ValueError(f"{name}: got {array[tuple(place)]} at {where}, expected finite numbers")


def common_dtype(name: str, fields: dict[str, Any]) -> np.dtype:
    """The one float dtype of the arrays, float64 where none has any; raise ValueError where they differ."""
    found = {
        key: value.dtype.newbyteorder("=")
        for key, value in fields.items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }
    for key, dtype in found.items():
        if dtype not in FLOATS:
            raise ValueError(f"{name}.{key}: got dtype {dtype}, allowed are float32 and float64")
    kinds = set(found.values())
    if len(kinds) > 1:
        pairs = ", ".join(f"{key} {dtype}" for key, dtype in found.items())
        raise ValueError(f"{name}: got arrays of several dtypes ({pairs}), expected one")
    return kinds.pop() if kinds else np.dtype(np.float64)


# --- parameters as one vector ----------------------------------------------------------------------


def map_arrays(function: Callable[[np.ndarray], np.ndarray], params: P) -> P:
    """Apply `function` to every array of a (nested) NamedTuple, in the order of its fields."""
    if isinstance(params, np.ndarray):
        return function(params)  # type: ignore[return-value]
    if isinstance(params, tuple):
        parts = (map_arrays(function, part) for part in params)
        return type(params)(*parts) if hasattr(params, "_fields") else tuple(parts)  # type: ignore[return-value]
    return params


def _arrays_of(params: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []

    def take(array: np.ndarray) -> np.ndarray:
        found.append(array)
        return array

    map_arrays(take, params)
    return found


def n_parameters(params: Any) -> int:
    """Number of numbers in all arrays of a (nested) NamedTuple."""
    return sum(array.size for array in _arrays_of(params))


def from_vector(like: P, vector: np.ndarray) -> P:
    """A (nested) NamedTuple like `like` whose arrays are views of `vector`, one after the other."""
    position = 0

    def view(array: np.ndarray) -> np.ndarray:
        nonlocal position
        seen = vector[position : position + array.size].reshape(array.shape)
        position += array.size
        return seen

    return map_arrays(view, like)


def to_vector(params: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """All arrays of a (nested) NamedTuple in one new vector."""
    parts = [array.ravel() for array in _arrays_of(params)]
    return np.concatenate(parts).astype(dtype or parts[0].dtype)
