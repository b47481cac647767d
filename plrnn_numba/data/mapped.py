"""Series that are larger than memory: mapped files, read part by part, their pages given back."""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Iterator, Sequence

import numpy as np

from ..basics.checks import PathLike
from ..engine.arrays import FLOATS, as_real

_PART = 2**20  # entries that are looked at at once
_LARGE = 2**28  # bytes
_FLOAT_BYTES = 4  # what an entry takes, at least, once it is a number of a model

_OPENED: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def is_large(n_bytes: int) -> bool:
    """Whether so much is mapped, and stays on disk, where less is read."""
    return n_bytes > _LARGE


def _as_floats_bytes(array: np.ndarray) -> int:
    """What an array takes once its entries are numbers of a model."""
    return array.size * max(array.itemsize, _FLOAT_BYTES)


def open_mapped(path: PathLike) -> np.ndarray:
    """The array of a .npy file: in memory where it is small, else a map of the file that cannot be written to."""
    if is_large(_FLOAT_BYTES * os.stat(path).st_size):  # else it is small, whatever its dtype
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        mapping = mapping_of(array)
        if is_large(_as_floats_bytes(array)) and mapping is not None:
            _OPENED.add(mapping)
            return array
    return np.load(path, allow_pickle=False)


def mapping_of(array: object) -> mmap.mmap | None:
    """The memory map that an array, or a view of one, lies in."""
    while array is not None and not isinstance(array, mmap.mmap):
        if isinstance(array, memoryview):
            array = array.obj
        else:
            array = getattr(array, "_mmap", None) or getattr(array, "base", None)
    return array


def release(array: np.ndarray) -> None:
    """Give the pages of a map back, where no edit can be lost with them: they are read again when they are needed.

    That is so where nobody can write to the map. A map that is copied on write, or of no file, loses what was
    written to it, and one that is shared and writable is left alone as well: whose it is, is not known.
    """
    mapping = mapping_of(array)
    if mapping is not None and hasattr(mapping, "madvise") and memoryview(mapping).readonly:
        mapping.madvise(mmap.MADV_DONTNEED)


def read_at_random(array: np.ndarray) -> None:
    """Tell the system that windows of a map are read, and not what lies around them; of a map that was opened here."""
    mapping = mapping_of(array)
    if mapping is not None and hasattr(mapping, "madvise") and mapping in _OPENED:
        mapping.madvise(mmap.MADV_RANDOM)


def stays_on_disk(trials: Sequence[np.ndarray]) -> bool:
    """Whether there is a large mapped file among them, or several that are large together."""
    mapped = [trial for trial in trials if mapping_of(trial) is not None]
    return is_large(sum(map(_as_floats_bytes, mapped)))


def as_native(part: np.ndarray) -> np.ndarray:
    """Numbers as float32 or float64 in the machine's order, NaN where they are masked; the same where they are."""
    part = as_real(part)
    return part if part.dtype in FLOATS else part.astype(np.float64)


def parts_of(trial: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of a trial by the million entries, which need not all be in memory: (first row, part as floats)."""
    step = max(1, _PART // max(trial.shape[1], 1))
    for first in range(0, len(trial), step):
        yield first, as_native(trial[first : first + step])
        release(trial)
