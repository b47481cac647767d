"""Windows of the data: all trials behind each other, and where a training sequence may start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ..data import (
    DataError,
    as_native,
    fill_from,
    parts_of,
    read_at_random,
    release,
    stays_on_disk,
    without_gaps,
)
from ..engine import jit, kernel
from ..model import Scaling
from ..source import Source, as_source

# Rows that are looked at first where the entry before a gap is searched for; then twice as many, and so on.
_FIRST_SEARCH, _LAST_SEARCH = 256, 2**16


class Windows(NamedTuple):
    """All trials behind each other, and where windows of n_steps + 1 rows may start.

    `starts` (trials,) is the first row of each trial that is long enough, `counts` (trials,) the cumulative
    numbers of windows up to its end. Without any, the source holds the windows of one batch, already drawn.
    """

    source: Source
    starts: np.ndarray
    counts: np.ndarray


class WindowsOnDisk(NamedTuple):
    """The same for trials that stay where they are: the windows of a batch are read when it is their turn.

    What a batch then works on is, to the bit, what it would be were all in memory.
    """

    trials: list[np.ndarray]
    inputs: list[np.ndarray]
    scaling: Scaling | None  # (n_steps + 1, N), the same in each row: NumPy is slow where rows are short
    dtype: DTypeLike
    n_steps: int
    masked: bool
    firsts: np.ndarray  # (all trials,) first rows, of the trials behind each other
    starts: np.ndarray
    counts: np.ndarray

    def batch_of(self, n: int) -> Windows:
        """Room for n windows behind each other, from which nothing is drawn."""
        rows = n * (self.n_steps + 1)
        X = np.zeros((rows, self.trials[0].shape[1]), self.dtype)
        source = as_source(X, np.zeros((rows, self.inputs[0].shape[1]), self.dtype))
        if self.masked:
            source = source._replace(starts=X.copy(), masked=True)
        nothing = np.zeros(0, np.int64)
        return Windows(source, nothing, nothing)

    def read(self, rng: np.random.Generator, n: int, source: Source) -> None:
        """Draw n windows, as `draw_windows` does, and fill the source with them."""
        drawn = np.zeros(n, np.int64)
        _draw(rng, self.starts, self.counts, drawn)
        length = self.n_steps + 1
        numbers = np.searchsorted(self.firsts, drawn, side="right") - 1
        for s, (number, row) in enumerate(zip(numbers, drawn - self.firsts[numbers])):
            X, U = self.trials[number], self.inputs[number]
            there, here = slice(row, row + length), slice(s * length, (s + 1) * length)
            source.X[here] = _in_model_units(as_native(X[there]), self.scaling, self.dtype)
            source.U[here] = as_native(U[there])
            if self.masked:
                start = _in_model_units(_row_without_gaps(X, row), self.scaling, self.dtype)
                source.starts[s * length] = np.nan_to_num(np.atleast_2d(start)[0], nan=0.0)

    def release(self) -> None:
        """Give back the pages that were read."""
        for array in (*self.trials, *self.inputs):
            release(array)


def make_windows(
    trials: list[np.ndarray],
    inputs: list[np.ndarray],
    n_steps: int,
    scaling: Scaling | None,
    dtype: DTypeLike,
    masked: bool = False,
) -> Windows | WindowsOnDisk:
    """Scale and join the trials, unless they stay on disk; raise DataError where none is long enough."""
    lengths = np.array([len(trial) for trial in trials])
    if lengths.max() <= n_steps:
        turned = "; rows are times: is X transposed?" if trials[0].shape[1] > lengths.max() else ""
        raise DataError(
            f"X: the longest trial has {lengths.max()} rows, but training.sequence_length {n_steps} "
            f"needs {n_steps + 1}; lower training.sequence_length{turned}"
        )
    ends = np.cumsum(lengths)
    usable = lengths > n_steps
    starts = (ends - lengths)[usable].astype(np.int64)
    counts = np.cumsum(lengths[usable] - n_steps, dtype=np.int64)
    if stays_on_disk([*trials, *inputs]):
        for array in (*trials, *inputs):
            read_at_random(array)
        rows = None if scaling is None else Scaling(*(np.tile(a, (n_steps + 1, 1)) for a in scaling))
        return WindowsOnDisk(trials, inputs, rows, dtype, n_steps, masked, ends - lengths, starts, counts)
    X = np.empty((ends[-1], trials[0].shape[1]), dtype)
    for trial, begin in zip(trials, ends - lengths):
        for first, part in parts_of(trial):
            row = begin + first
            X[row : row + len(part)] = _in_model_units(part, scaling, dtype)
    source = as_source(X, np.ascontiguousarray(np.concatenate(inputs), dtype))
    if masked:
        filled = np.concatenate([without_gaps(part) for part in np.split(X, ends[:-1])])
        source = source._replace(starts=filled, masked=True)
    return Windows(source, starts, counts)


def _in_model_units(X: np.ndarray, scaling: Scaling | None, dtype: DTypeLike) -> np.ndarray:
    """Data in the units and the precision of the model; shifted and scaled in float64, before they are rounded."""
    if scaling is not None:
        X = (X - scaling.mean) / scaling.scale
    return X.astype(dtype, copy=False)


def _row_without_gaps(trial: np.ndarray, row: int) -> np.ndarray:
    """A row as `without_gaps` of the whole trial gives it, but NaN where the trial has nothing to fill it with."""
    x = np.array(as_native(trial[row : row + 1])[0])
    for backwards in (True, False):
        place, n = row, _FIRST_SEARCH
        while np.isnan(x).any() and (place > 0 if backwards else place < len(trial)):
            first, stop = (max(place - n, 0), place) if backwards else (place, place + n)
            fill_from(as_native(trial[first:stop]), x, last=backwards)
            place = first if backwards else stop
            n = min(2 * n, _LAST_SEARCH)
            release(trial)
    return x


@jit
def draw_windows(rng, starts, counts, windows):
    """Rows at which the batch's windows start, each window of each trial equally likely; unchanged where none is."""
    if len(counts) == 0:
        return
    for s in range(len(windows)):
        w = rng.integers(0, counts[-1])
        trial = 0
        while counts[trial] <= w:
            trial += 1
        before = counts[trial - 1] if trial > 0 else 0
        windows[s] = starts[trial] + w - before


@kernel
def _draw(rng, starts, counts, windows):
    draw_windows(rng, starts, counts, windows)
