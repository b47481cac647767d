"""Where a run's data come from: files or a benchmark system, what is held out, and a fingerprint to know them again."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..basics.checks import nearest
from ..data import Trials, as_native, as_trials, inputs_of_trials, load_array, stays_on_disk
from ..data.systems import SYSTEMS, simulate
from .errors import RunError

_SYSTEM_STEPS = 100_000


class Series(NamedTuple):
    """What a training and its evaluations are given; None where there is nothing.

    `held_out` says which part of the data is held out, and `plain` that it is what one expects: the end of one series.
    """

    series: Trials
    inputs: Trials | None
    test: Trials | None
    test_inputs: Trials | None
    held_out: str = ""
    plain: bool = True

    def fingerprint(self) -> str:
        """A hash over the data that are trained on."""
        return _fingerprint(self.series, self.inputs)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where data come from, as the command line names it; paths, or None."""

    data: str | None = None
    system: str | None = None
    inputs: str | None = None
    test: str | None = None
    test_inputs: str | None = None
    hold_out: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.hold_out < 1:
            raise RunError(f"--hold-out: got {self.hold_out:g}, allowed is from 0 to below 1")
        if self.data is None and self.system is None:
            raise RunError("nothing to train on: give --data FILE or --system NAME")
        if self.test_inputs and not self.test:
            raise RunError("--test-inputs: they belong to a --test, and there is none")
        if self.system is not None:
            if self.inputs or self.test or self.test_inputs:
                raise RunError("--system: makes its own data; leave --inputs and --test out")
            if self.system not in SYSTEMS:
                raise RunError(
                    f"--system: got {self.system!r}, allowed are {', '.join(SYSTEMS)}"
                    f"{nearest(self.system, SYSTEMS)}"
                )

    @property
    def stem(self) -> str:
        """What a run on these data is called."""
        return self.system or Path(str(self.data)).stem

    def absolute(self) -> Origin:
        """The same from any folder."""
        names = ("data", "inputs", "test", "test_inputs")
        given = dataclasses.asdict(self)
        return Origin(**given | {name: str(Path(given[name]).resolve()) for name in names if given[name]})

    def load(self) -> Series:
        """Read or make the data, and hold a part out where no test series is named."""
        if self.system is not None:
            orbits = [simulate(self.system, _SYSTEM_STEPS, seed=seed) for seed in (0, 1)]
            return Series(orbits[0], None, orbits[1], None)
        whole = load_array(str(self.data))
        drives = load_array(self.inputs) if self.inputs else None
        if self.test:
            test_inputs = load_array(self.test_inputs) if self.test_inputs else None
            return Series(whole, drives, load_array(self.test), test_inputs)
        trials = as_trials("--data", whole)
        if self.hold_out == 0:
            told = "nothing is held out: the measures are of the training data"
            return Series(trials, drives, None, None, told, plain=False)
        where = _place(trials, self.hold_out)
        series, test = _cut(trials, where)
        told, plain = _told(trials, where), len(trials) == 1
        if drives is None:
            return Series(series, None, test, None, told, plain)
        drives = inputs_of_trials("--inputs", drives, "--data", trials)
        inputs, held_inputs = _cut(drives, where)
        return Series(series, inputs, test, held_inputs, told, plain)


def _fingerprint(series: Trials, inputs: Trials | None) -> str:
    digest = hashlib.sha256()
    for name, given in (("X", series), ("inputs", inputs)):
        trials = [] if given is None else as_trials(name, given)
        # Of files that stay on disk a thousand rows, or reading them would take longer than a training.
        rows = 1000 if stays_on_disk(trials) else None
        for trial in trials:
            digest.update(repr((name, trial.shape, trial.dtype.str)).encode())
            step = 1 if rows is None else max(1, len(trial) // rows)
            digest.update(np.ascontiguousarray(as_native(trial[::step])).data)
    return digest.hexdigest()[:32]


def _place(trials: list[np.ndarray], part: float) -> int:
    """Where what is held out begins: at a row of the one series, or at that trial which makes it nearest to `part`."""
    lengths = [len(trial) for trial in trials]
    if len(trials) == 1:
        (n_rows,) = lengths
        held = round(part * n_rows)
        if not 0 < held < n_rows:
            which = "held out" if held == 0 else "left to train on"
            raise RunError(
                f"--hold-out: got {part:g}, by which none of the {n_rows} rows is {which}; 0 measures on the "
                f"training data"
            )
        return n_rows - held
    n_held = [sum(lengths[first:]) for first in range(len(trials))]
    # Of two places that are as near, the later: more is left to train on.
    return min(range(len(trials) - 1, 0, -1), key=lambda first: abs(n_held[first] - part * n_held[0]))


def _cut(trials: list[np.ndarray], where: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Before and after a row of the one series, or a trial."""
    if len(trials) == 1:
        return [trials[0][:where]], [trials[0][where:]]
    return trials[:where], trials[where:]


def _told(trials: list[np.ndarray], where: int) -> str:
    n_rows = sum(map(len, trials))
    if len(trials) == 1:
        return f"held out are the last {n_rows - where} of {n_rows} rows"
    held = sum(map(len, trials[where:]))
    n = len(trials) - where
    last = "the last" if n == 1 else f"the last {n}"
    return f"held out {'is' if n == 1 else 'are'} {last} of {len(trials)} trials, {100 * held / n_rows:.0f} % of the rows"
