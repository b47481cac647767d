"""Sizes are checked before memory is taken: an estimate in bytes against what the machine can give."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .checks import show

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

_GIGABYTE = 10**9


class SizeError(ValueError):
    """What was asked for takes more memory than there is; the message is one line that names the argument."""


def memory() -> int:
    """Bytes that a process can have: the machine's memory, or less where its address space is limited."""
    try:
        most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        most = 2**63
    if resource is not None:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            most = min(most, limit)
    return most


def check_memory(parts: Mapping[str, tuple[object, int]], error: type[ValueError] = SizeError) -> None:
    """Raise `error` where the parts together take more bytes than there are, and name the part that takes most.

    `parts` has, by the name of an argument or a key, what was given, and the bytes that are needed for it.
    """
    most, needed = memory(), sum(n_bytes for _, n_bytes in parts.values())
    if needed > most:
        name = max(parts, key=lambda part: parts[part][1])
        given = parts[name][0]
        raise error(
            f"{name}: got {given if isinstance(given, str) else show(given)}, which takes {_gigabytes(needed)} of memory, and this machine "
            f"has {_gigabytes(most)}"
        )


def _gigabytes(n_bytes: int) -> str:
    whole = n_bytes // _GIGABYTE  # of any size: a number of 400 digits is no float
    if whole >= 10**12:
        return "more than 10^12 GB"
    return f"{whole} GB" if whole >= 10 else f"{n_bytes / _GIGABYTE:.2g} GB"
