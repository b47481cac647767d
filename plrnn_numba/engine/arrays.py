"""Arrays from the outside, made fit for kernels; parameters as one vector and back.

Kernels see C-contiguous, aligned, writable arrays of float32 or float64 and nothing else, so that a
read-only, Fortran-ordered, strided or memory-mapped array, or a list, compiles nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
P = TypeVar("P")


def as_floats(
    name: str, value: ArrayLike, dtype: DTypeLike | None = None, shape: Sequence[int | str] | None = None
) -> np.ndarray:
    """Convert to a kernel's array, checking the shape; a letter in `shape` stands for any length.

    The array is `value` itself where it fits; kernels never write to their inputs.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {type(value).__name__}, expected an array of real numbers") from None
    if array.dtype.kind not in "fiub":
        kind = f" of dtype {array.dtype}" if isinstance(value, np.ndarray) else ""
        raise TypeError(f"{name}: got {type(value).__name__}{kind}, expected an array of real numbers")
    if dtype is None:
        dtype = array.dtype if array.dtype in FLOATS else np.float64
    if shape is not None:
        check_shape(name, array, shape)
    wanted = np.dtype(dtype).newbyteorder("=")
    if type(array) is np.ndarray and array.dtype == wanted and array.flags.carray:
        return array  # most arrays, most of the time
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
