"""What runs where: versions, cache folder, threads, CPU."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

import llvmlite.binding
import numba

from .._version import __version__
from ..engine import cache_directory


def versions() -> dict[str, str]:
    """Versions of Python, this package, and those it computes with."""
    found = {"plrnn_numba": __version__, "python": platform.python_version()}
    for name in ("numpy", "numba", "llvmlite", "scipy"):
        found[name] = metadata.version(name)
    return found


def show_versions() -> None:
    """Print what belongs into a bug report: versions, cache folder, threads, CPU.

    The CPU's name is the one that LLVM compiles for.

    Raises
    ------
    OSError
        Where standard output cannot be written to.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> pl.show_versions()  # doctest: +ELLIPSIS
    plrnn_numba    ...
    """
    rows = {
        **versions(),
        "platform": platform.platform(),
        "CPU": llvmlite.binding.get_host_cpu_name(),
        "cores": str(os.cpu_count()),
        "numba threads": str(numba.config.NUMBA_NUM_THREADS),
        "jit": "off (NUMBA_DISABLE_JIT)" if numba.config.DISABLE_JIT else "on",
        "cache folder": str(cache_directory()),
        "executable": sys.executable,
    }
    for name, value in rows.items():
        print(f"{name:<14} {value}")
