"""Checks of arguments, and warnings: in one form, so that an error says argument, what was given and what is allowed."""

from __future__ import annotations

import difflib
import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

F = TypeVar("F", bound=Callable)
PathLike: TypeAlias = str | os.PathLike[str]

PACKAGE = __name__.partition(".")[0]


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or nothing where no name is near."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def as_integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Return an integral number as an int; raise ValueError where it is none, or out of bounds.

    True is no number here: it is a flag in the wrong place.
    """
    try:
        integer = None if isinstance(value, (bool, str, bytes)) else int(value)
        fits = integer is not None and bool(integer == value)
    except (TypeError, ValueError, OverflowError):
        integer, fits = None, False
    if integer is None or not fits or integer < least or (most is not None and integer > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: got {value!r}, expected an integer {bounds}")
    return integer


def as_number(name: str, value: Any, above: float | None = None) -> float:
    """Return a real number, which is not NaN, as a float; raise ValueError where it is none, or not above a bound."""
    try:
        number = float("nan") if isinstance(value, (bool, str, bytes)) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if number != number or (above is not None and not number > above):
        wanted = "a number" if above is None else f"a number above {above:g}"
        raise ValueError(f"{name}: got {value!r}, expected {wanted}")
    return number


def one_of(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return a name that is one of those allowed; else raise ValueError, with the nearest."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        choice = ", ".join(map(repr, names))
        raise ValueError(f"{name}: got {value!r}, allowed is one of {choice}{nearest(value, names)}")
    return value


def warn(message: str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn at the line of the caller's own code: the first frame outside this package."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def renamed(**new_by_old: str) -> Callable[[F], F]:
    """Let keyword arguments go by the names that they had before, with a DeprecationWarning."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            for old, new in new_by_old.items():
                if old in named:
                    if new in named:
                        raise TypeError(f"{function.__name__}: got both {new} and its former name {old}")
                    warn(f"{function.__name__}: {old} is now {new}", DeprecationWarning)
                    named[new] = named.pop(old)
            return function(*arguments, **named)

        return call  # type: ignore[return-value]

    return decorate
