"""The cache of compiled kernels: on disk, found again only by the same sources, the same numba and the same CPU.

The name of a kernel's file is a hash over all that its machine code depends on.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import pickle
import stat
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, _Cache

PACKAGE = Path(__file__).resolve().parent.parent  # the whole package: a kernel may call any part of it

# Options of numba's own that change the code of a kernel.
_CODE_OPTIONS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT")

_sources_outside: dict[str, str] = {}


def note_source(function: Callable, parameters: type) -> None:
    """Make the source of an implementation part of every kernel's key, where it lies outside the package."""
    if PACKAGE in Path(inspect.getfile(function)).resolve().parents:
        return
    name = f"{parameters.__module__}.{parameters.__qualname__}.{function.__name__}"
    _sources_outside[name] = _source_of_module(function)


def _source_of_module(function: Callable) -> str:
    """The file of a model of the user's own. What that file imports in turn is not seen, and not in the key."""
    try:
        return inspect.getsource(sys.modules[function.__module__])
    except (KeyError, OSError, TypeError):  # typed at a prompt, or in a notebook
        code = function.__code__
        return repr((code.co_code, code.co_consts, code.co_names))


@functools.cache
def sources_fingerprint() -> str:
    """Hash of every source file of the package: any edit or upgrade changes it."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _candidate_directories() -> list[Path]:
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return [Path(given) / "plrnn_numba"]
    candidates = []
    cache_home = os.environ.get("XDG_CACHE_HOME")
    if cache_home:
        candidates.append(Path(cache_home) / "plrnn_numba")
    else:
        with contextlib.suppress(RuntimeError):  # no home at all
            candidates.append(Path.home() / ".cache" / "plrnn_numba")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    candidates.append(Path(tempfile.gettempdir()) / f"plrnn_numba-{user}")
    return candidates


def _usable(directory: Path) -> bool:
    """Whether the folder can be written to, and by nobody else: its files are code."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = directory / f".probe-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
        status = directory.stat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH


@functools.cache
def cache_directory() -> Path | None:
    """The folder of compiled kernels, or None where no folder can be written to.

    The first that is usable of: ``$NUMBA_CACHE_DIR/plrnn_numba``; else the user's cache folder, then a
    private one among the temporary files.
    """
    for candidate in _candidate_directories():
        if _usable(candidate):
            folder = candidate / f"{sources_fingerprint()}-{sys.implementation.cache_tag}"
            with contextlib.suppress(OSError):
                folder.mkdir(mode=0o700, exist_ok=True)
                return folder
    warnings.warn(
        "plrnn_numba: no folder for compiled kernels can be written to, so every new process "
        "compiles anew; set NUMBA_CACHE_DIR to a folder of yours",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


class KernelCache(_Cache):
    """One file a compiled signature, named by the hash of everything that it depends on.

    numba's own cache stamps only the file that holds the entry point, so an edit of a model, or an
    upgrade, left old machine code running; and its index lets two processes that compile different
    signatures at once write one file. Here there is no index, and a file is written whole or not
    at all.
    """

    def __init__(self, function: Callable):
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._reduce = CompileResultCacheImpl.reduce
        self._rebuild = CompileResultCacheImpl.rebuild
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(cache_directory())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        folder = cache_directory()
        if folder is not None:
            for path in folder.glob(f"{self._name}-*.bin"):
                path.unlink(missing_ok=True)

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = cache_directory() if self._enabled else None
        if folder is None:
            return None
        versions = (numba.__version__, llvmlite.__version__, np.__version__)
        options = [(name, str(getattr(numba.config, name, None))) for name in _CODE_OPTIONS]
        identity = (
            str(signature),
            codegen.magic_tuple(),
            versions,
            options,
            sorted(_sources_outside.items()),
        )
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:24]
        return folder / f"{self._name}-{digest}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        # A file that is truncated, corrupt or unreadable, in whatever way, is compiled anew.
        try:
            digest, payload = path.read_bytes().split(b"\n", 1)
            if hashlib.sha256(payload).hexdigest().encode() != digest:
                return None
            return self._rebuild(self, target_context, pickle.loads(payload))
        except Exception:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        path = self._path(sig, data.codegen)
        if path is None:
            return
        payload = numba.core.serialize.dumps(self._reduce(self, data))
        digest = hashlib.sha256(payload).hexdigest().encode()
        part = path.with_suffix(f".{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(digest + b"\n" + payload)
            part.replace(path)
        except OSError:  # a full or vanished disk costs the cache, not the work
            with contextlib.suppress(OSError):
                part.unlink()
