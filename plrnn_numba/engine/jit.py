"""How functions are compiled and dispatched: the one module that owns numba's options.

`jit`
    compiles a helper, as part of whichever kernel calls it.
`kernel`
    compiles an entry point and keeps its machine code on disk.
`verb` and `implements`
    Julia-style dispatch: one Python function is both what Python calls (``functools.singledispatch``)
    and what a jitted caller inlines (``numba.extending.overload``), chosen by the NamedTuple's type.

Nothing compiles at import. `cache` says where machine code is kept, and by what it is found again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import overload

from .cache import KernelCache, note_source

# No fastmath. `nnan`, `ninf` and `fastmath=True` compile the tests for divergence away; so do `reassoc` and
# `nsz` together, because numba's isfinite(x) asks whether x - x is ordered. `contract` leaves it to the
# compiler which products it fuses with which sums, and it chooses anew wherever a function is inlined, so
# that one thread and two gave other bits. Kernels say `muladd` where a fused multiply-add is meant.
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}


def jit(function: Callable) -> Callable:
    """Compile a helper; its machine code is part of the kernels that call it."""
    return numba.njit(**OPTIONS)(function)


def inlined(function: Callable) -> Callable:
    """Make a helper part of its callers before they are compiled, so that it is not compiled on its own."""
    return numba.njit(inline="always", **OPTIONS)(function)


def kernel(function: Callable) -> Callable:
    """Compile an entry point, and keep the machine code in `cache_directory`."""
    if numba.config.DISABLE_JIT:
        return np.errstate(all="ignore")(function)  # as machine code, which overflows in silence
    dispatcher = numba.njit(**OPTIONS)(function)
    dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher


def verb(signature: Callable) -> Callable:
    """Make the head of a family of implementations, one per type of its first argument."""

    @functools.singledispatch
    @functools.wraps(signature)
    def generic(params: Any, *args: Any) -> Any:
        raise TypeError(f"{signature.__name__}: no implementation for {type(params).__name__}")

    return generic


def implements(generic: Callable, parameters: type) -> Callable[[Callable], Callable]:
    """Register the decorated function as what `generic` does for the NamedTuple `parameters`."""

    def register(function: Callable) -> Callable:
        generic.register(parameters)(function)  # type: ignore[attr-defined]

        # `strict=False`: the signature below stands for every implementation's own.
        @overload(generic, strict=False, jit_options=OPTIONS)
        def choose(params: Any, *args: Any) -> Callable | None:
            matches = getattr(params, "instance_class", None) is parameters
            return function if matches else None

        note_source(function, parameters)
        return function

    return register


def offers(generic: Callable, parameters: type) -> bool:
    """Whether there is an implementation of a verb for a type of parameters: what a variant can do, it implements."""
    implementations: Any = generic
    return parameters in implementations.registry  # of this very type, as jitted code asks for it
