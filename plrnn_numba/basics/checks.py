"""Checks of arguments, and warnings: in one form, so that an error says argument, what was given and what is allowed."""

from __future__ import annotations

import difflib
import functools
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable)
PathLike: TypeAlias = str | os.PathLike[str]

PACKAGE = __name__.partition(".")[0]


def show(value: object) -> str:
    """A value in an error message: short, on one line."""
    try:
        text = " ".join(repr(value).split())
    except RecursionError:
        text = f"a {type(value).__name__} that is nested too deeply"
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        text = f"a {type(value).__name__} of too many digits"
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or nothing where no name is near."""
    by_lower = {n.lower(): n for n in names}
    found = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


_LARGEST = 2**63 - 1


# What int() or float() would take, or warn of: a flag, text, and what a masked array has where nothing is known.
_NO_NUMBERS = (bool, str, bytes, type(np.ma.masked))


def as_integer(name: str, value: Any, least: int = 1, most: int | None = None, any_size: bool = False) -> int:
    """Return an integral number as an int; raise ValueError where it is none, or out of bounds.

    True is no number here: it is a flag in the wrong place. Beyond 64 bits are only numbers of `any_size`, as seeds.
    """
    try:
        integer = None if isinstance(value, _NO_NUMBERS) else int(value)
        fits = integer is not None and bool(integer == value)
    except (TypeError, ValueError, OverflowError):
        integer, fits = None, False
    largest = _LARGEST if most is None else most
    if integer is None or not fits or integer < least or (integer > largest and not any_size):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        if integer is not None and integer > _LARGEST:
            bounds = "below 2^63"
        raise ValueError(f"{name}: got {show(value)}, expected an integer {bounds}")
    return integer


def as_number(name: str, value: Any, *, above: float | None = None, least: float | None = None) -> float:
    """Return a finite real number as a float; raise ValueError where it is none, or out of bounds."""
    try:
        number = math.nan if isinstance(value, _NO_NUMBERS) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    low = (above is not None and not number > above) or (least is not None and not number >= least)
    if low or not math.isfinite(number):
        bound = "" if above is None else f" above {above:g}"
        bound = bound if least is None else f" at least {least:g}"
        raise ValueError(f"{name}: got {show(value)}, expected a number{bound}")
    return number


def as_rng(seed: Any, name: str = "seed") -> np.random.Generator:
    """A generator from a seed, or the one that is given; raise ValueError for anything else."""
    if isinstance(seed, np.random.Generator):
        return seed
    try:
        return np.random.default_rng(as_integer(name, seed, 0, any_size=True))
    except ValueError:
        raise ValueError(
            f"{name}: got {show(seed)}, expected an integer at least 0, or a numpy.random.Generator"
        ) from None


def as_path(name: str, value: Any) -> str:
    """Return a path as a string; raise TypeError for what is none."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name}: got {show(value)}, expected a path")
    return os.fsdecode(value)


def check_callable(name: str, value: object) -> None:
    """Raise TypeError unless a value can be called, or is None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}: got {show(value)}, expected a function, or None")


def one_of(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return a name that is one of those allowed; else raise ValueError, with the nearest."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        choice = ", ".join(map(repr, names))
        raise ValueError(f"{name}: got {show(value)}, allowed is one of {choice}{nearest(value, names)}")
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
