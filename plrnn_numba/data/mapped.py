"""Series that are larger than memory: mapped files, read part by part, their pages given back."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

_PART = 2**20  # entries that are looked at at once
_LARGE = 2**28  # bytes


def is_large(n_bytes: int) -> bool:
    """Whether a file of this size is mapped, and stays on disk, where a smaller one is read."""
    return n_bytes > _LARGE


def mapping_of(array: object) -> mmap.mmap | None:
    """The memory map that an array, or a view of one, lies in."""
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "_mmap", None) or getattr(array, "base", None)
    return array


def release(array: np.ndarray) -> None:
    """Give the pages of a mapped file back, where one is: they are read again when they are needed."""
    mapping = mapping_of(array)
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def stays_on_disk(trials: list[np.ndarray]) -> bool:
    """Whether there is one series, in a large mapped file."""
    return len(trials) == 1 and is_large(trials[0].nbytes) and mapping_of(trials[0]) is not None


def parts_of(trial: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of a trial by the million entries, which need not all be in memory: (first row, part)."""
    step = max(1, _PART // max(trial.shape[1], 1))
    for first in range(0, len(trial), step):
        yield first, trial[first : first + step]
        release(trial)
