"""Values that hold arrays, as one can work with them: ``==`` answers, ``hash`` works, ``repr`` fits on a screen.

Python compares the fields of a NamedTuple or of a dataclass one by one, and an array's comparison is an array, not an
answer. `record` gives such a class comparisons of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

C = TypeVar("C", bound=type)

_SHOWN = 8  # an array of more numbers is told by dtype and shape


def record(cls: C) -> C:
    """Give a NamedTuple, or a dataclass with ``eq=False, repr=False``, ``==``, ``hash`` and a short ``repr``.

    Two records are equal where they are of one class and all their fields are, arrays number by number (NaN equals
    NaN). A dataclass may bring a ``repr`` of its own.
    """
    cls.__eq__, cls.__ne__, cls.__hash__ = _equal, _unequal, _hash  # type: ignore[method-assign, assignment]
    if hasattr(cls, "_fields") or "__repr__" not in vars(cls):
        cls.__repr__ = _show  # type: ignore[method-assign, assignment]
    return cls


def fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of a NamedTuple's or a dataclass's fields."""
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value)]
    else:
        names = list(value._fields)
    return ((name, getattr(value, name)) for name in names)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        numbers = a.dtype.kind in "fc" and b.dtype.kind in "fc"
        return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=numbers))
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if hasattr(a, "_fields") and type(a) is not type(b):
            return False
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float) and isinstance(b, float) and a != a and b != b:
        return True
    return bool(a == b)


def _equal(self: Any, other: Any) -> bool:
    # Not NotImplemented: a tuple would then compare itself with a NamedTuple, array by array.
    return type(self) is type(other) and all(
        _same(a, b) for (_, a), (_, b) in zip(fields_of(self), fields_of(other))
    )


def _unequal(self: Any, other: Any) -> bool:
    return not _equal(self, other)


def _key(value: Any) -> Any:
    """What equal values have in common, cheaply: of arrays of floats, which are equal in any precision, the shape."""
    if isinstance(value, np.ndarray):
        exact = value.dtype.kind in "iub" and value.size <= 4096
        return value.shape, tuple(value.ravel().tolist()) if exact else ()
    if isinstance(value, (list, tuple)):
        return tuple(map(_key, value))
    if isinstance(value, Mapping):
        return frozenset(value)
    if isinstance(value, float) and value != value:
        return "NaN"
    return value


def _hash(self: Any) -> int:
    return hash((type(self).__qualname__, *(_key(value) for _, value in fields_of(self))))


def shown(value: Any) -> str:
    """One value, short."""
    if isinstance(value, np.ndarray) and value.size > _SHOWN:
        return f"<{value.dtype} {value.shape}>"
    if type(value) in (list, tuple):
        parts = [shown(v) for v in value[:3]] + ([f"... {len(value)} in all"] if len(value) > 3 else [])
        return ("[{}]" if isinstance(value, list) else "({})").format(", ".join(parts))
    if isinstance(value, dict):
        parts = [f"{key!r}: {shown(v)}" for key, v in list(value.items())[:12]]
        return "{" + ", ".join(parts + ([f"... {len(value)} in all"] if len(value) > 12 else [])) + "}"
    return " ".join(repr(value).split()) if isinstance(value, np.ndarray) else repr(value)


def _show(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={shown(value)}' for name, value in fields_of(self))})"


def check_shapes(self: Any, **shapes: tuple[int | str, ...]) -> None:
    """Raise ValueError unless a record's arrays have these shapes; a letter stands for one length throughout."""
    lengths: dict[str | int, int] = {}
    for name, shape in shapes.items():
        array = np.asarray(getattr(self, name))
        expected = (
            "(" + ", ".join(str(lengths.get(n, n)) for n in shape) + ("," if len(shape) == 1 else "") + ")"
        )
        fits = array.ndim == len(shape)
        for wanted, length in zip(shape, array.shape):
            fits = fits and length == (
                lengths.setdefault(wanted, length) if isinstance(wanted, str) else wanted
            )
        if not fits:
            raise ValueError(f"{type(self).__name__}.{name}: got shape {array.shape}, expected {expected}")
