"""Windows of the data: all trials behind each other, and where a training sequence may start."""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ..data import DataError, mapping_of, stays_on_disk, without_gaps
from ..engine import jit
from ..model import Scaling
from ..source import Source, as_source


class Windows(NamedTuple):
    """All trials behind each other, and where windows of n_steps + 1 rows may start.

    `starts` (trials,) is the first row of each trial that is long enough, `counts` (trials,) the cumulative
    numbers of windows up to its end.
    """

    source: Source
    starts: np.ndarray
    counts: np.ndarray


def make_windows(
    trials: list[np.ndarray],
    inputs: list[np.ndarray],
    n_steps: int,
    scaling: Scaling | None,
    dtype: DTypeLike,
    masked: bool = False,
) -> Windows:
    """Scale and join the trials; raise DataError where none is long enough."""
    lengths = np.array([len(trial) for trial in trials])
    if lengths.max() <= n_steps:
        turned = "; rows are times: is X transposed?" if trials[0].shape[1] > lengths.max() else ""
        raise DataError(
            f"X: the longest trial has {lengths.max()} rows, but training.sequence_length {n_steps} "
            f"needs {n_steps + 1}; lower training.sequence_length{turned}"
        )
    if stays_on_disk(trials) and not masked:
        X = np.asarray(trials[0])
        mapping = mapping_of(X)
        if mapping is not None and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_RANDOM)  # a window, and not what lies around it
        shift, scale = (None, None) if scaling is None else (scaling.mean, 1.0 / scaling.scale)
        source = as_source(X, np.ascontiguousarray(np.concatenate(inputs), dtype), shift, scale)
    else:
        X = np.concatenate(trials)
        if scaling is not None:
            X = (X - scaling.mean) / scaling.scale
        X = np.ascontiguousarray(X, dtype)
        source = as_source(X, np.ascontiguousarray(np.concatenate(inputs), dtype))
        if masked:
            starts = np.concatenate([without_gaps(part) for part in np.split(X, np.cumsum(lengths)[:-1])])
            source = source._replace(starts=starts, masked=True)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    usable = lengths > n_steps
    return Windows(
        source, firsts[usable].astype(np.int64), np.cumsum(lengths[usable] - n_steps, dtype=np.int64)
    )


@jit
def draw_windows(rng, starts, counts, windows):
    """Rows at which the batch's windows start, each window of each trial equally likely."""
    for s in range(len(windows)):
        w = rng.integers(0, counts[-1])
        trial = 0
        while counts[trial] <= w:
            trial += 1
        before = counts[trial - 1] if trial > 0 else 0
        windows[s] = starts[trial] + w - before
