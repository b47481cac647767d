"""Where a run's data come from: files or a benchmark system, what is held out, and a fingerprint to know them again."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..basics.checks import nearest
from ..data import (
    DataError,
    SeriesFile,
    Trials,
    as_keys,
    as_native,
    as_trials,
    inputs_of_trials,
    printable,
    read_series,
    split_name,
    stays_on_disk,
)
from ..data.systems import SYSTEMS, simulate
from .errors import RunError

_SYSTEM_STEPS = 100_000


class Files(NamedTuple):
    """What was read from the files of a run's data; None where there is no such file."""

    data: SeriesFile
    inputs: SeriesFile | None
    test: SeriesFile | None
    test_inputs: SeriesFile | None

    def check_complete(self, missing: str) -> None:
        """Raise DataError, with line and column, for a cell that is missing and may not be."""
        if missing == "error":
            for series in (self.data, self.test):
                if series is not None:
                    series.check_complete('"missing": "mask" takes it as not observed')

    @contextlib.contextmanager
    def naming_columns(self) -> Iterator[None]:
        """Within it a DataError about a column of a number says the column's name too."""
        try:
            yield
        except DataError as error:
            message = str(error)
            series = self.inputs if "inputs" in message.partition(":")[0] else self.data
            names = None if series is None else series.names

            def with_name(found: re.Match[str]) -> str:
                i = int(found[1])
                return (
                    found[0] if names is None or i >= len(names) else f"{found[0]} ({printable(names[i])!r})"
                )

            raise DataError(re.sub(r"\bcolumn (\d+)", with_name, message)) from None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a run's folder: the names of channels and inputs, the step of the clock, what was left out."""
        return {
            "names": self.data.names,
            "input_names": None if self.inputs is None else self.inputs.names,
            "dt": self.data.dt,
            "told": self.data.told(),
        }


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
    files: Files | None = None

    def fingerprint(self) -> str:
        """A hash over the data that are trained on."""
        return _fingerprint(self.series, self.inputs)

    def told(self) -> str:
        """What was read, and what is trained and measured on, in a line."""
        if self.files is None:
            return ""
        if self.files.test is not None:
            lengths = [len(trial) for trial in as_trials("--test", self.files.test.values)]
            n = f"{sum(lengths)} rows" if len(lengths) == 1 else f"{len(lengths)} trials"
            parts = f"all to train, {n} of {self.files.test.source} held out"
        elif self.plain:
            n_train, n_test = (
                sum(map(len, as_trials("--data", part))) for part in (self.series, self.test or [])
            )
            parts = f"{n_train} to train, {n_test} held out"
        else:
            parts = self.held_out
        told = [f"data: {self.files.data.told()}; {parts}"]
        told += [] if self.files.data.dt is None else [f"dt {self.files.data.dt:g}"]
        told += [] if self.files.inputs is None else [f"inputs: {self.files.inputs.told()}"]
        both = set(self.files.data.names or ()) & set((self.files.inputs and self.files.inputs.names) or ())
        told += [f"both data and inputs: {', '.join(sorted(map(printable, both)))}"] if both else []
        return "; ".join(told)


def check_step(flag: str, dt: float | None, of_data: float | None) -> None:
    """Raise DataError where two clocks go at different steps: rows belong together, or are compared, one by one."""
    if dt and of_data and abs(dt / of_data - 1) > 0.01:
        raise DataError(f"{flag}: its clock has dt {dt:g}, but that of the data has {of_data:g}")


@dataclasses.dataclass(frozen=True)
class Reading:
    """How files are to be read, as the command line says it; None where it does not."""

    columns: str | None = None
    drop: str | None = None
    time: str | None = None
    transpose: bool | None = None

    def read(self, path: str, like: Sequence[str] | None = None) -> SeriesFile:
        """A series or trials; of those that have names the columns of `like`, where there are any."""
        series = read_series(
            path,
            columns=None if self.columns is None else as_keys(self.columns),
            drop=None if self.drop is None else as_keys(self.drop),
            time=self.time,
            transpose=bool(self.transpose),
            like=like if self.columns is None else None,
        )
        if self.transpose is None:
            series.check_upright()
        return series


@dataclasses.dataclass(frozen=True)
class Origin(Reading):
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
            for name in ("columns", "drop", "time", "transpose"):
                if getattr(self, name) is not None:
                    raise RunError(f"--{name}: it is for files, and --system makes its own data")
            if self.system not in SYSTEMS:
                raise RunError(
                    f"--system: got {self.system!r}, allowed are {', '.join(SYSTEMS)}"
                    f"{nearest(self.system, SYSTEMS)}"
                )

    @property
    def stem(self) -> str:
        """What a run on these data is called."""
        return self.system or split_name(str(self.data))[0].stem

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
        files = self._read_files()
        drives = None if files.inputs is None else files.inputs.values
        if files.test is not None:
            test_inputs = None if files.test_inputs is None else files.test_inputs.values
            return Series(files.data.values, drives, files.test.values, test_inputs, files=files)
        trials = as_trials("--data", files.data.values)
        if self.hold_out == 0:
            told = "nothing is held out: the measures are of the training data"
            return Series(trials, drives, None, None, told, plain=False, files=files)
        where = _place(trials, self.hold_out)
        series, test = _cut(trials, where)
        told, plain = _told(trials, where), len(trials) == 1
        if drives is None:
            return Series(series, None, test, None, told, plain, files)
        drives = inputs_of_trials("--inputs", drives, "--data", trials)
        inputs, held_inputs = _cut(drives, where)
        return Series(series, inputs, test, held_inputs, told, plain, files)

    def _read_files(self) -> Files:
        """Each file; columns that have names are those of the data, and of the inputs, in the test too."""
        drives = Reading(transpose=self.transpose)  # columns of theirs stand behind a colon
        data = self.read(str(self.data))
        inputs = drives.read(self.inputs) if self.inputs else None
        columns = None if data.names else self.columns
        test = dataclasses.replace(self, columns=columns).read(self.test, data.names) if self.test else None
        names = None if inputs is None else inputs.names
        test_inputs = drives.read(self.test_inputs, names) if self.test_inputs else None
        for drive in (inputs, test_inputs):
            if drive is not None:
                drive.check_complete("external inputs have no gaps")
        for flag, other in (("--inputs", inputs), ("--test", test), ("--test-inputs", test_inputs)):
            if other is not None:
                check_step(flag, other.dt, data.dt)
        return Files(data, inputs, test, test_inputs)


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
    return f"held out {'is' if n == 1 else 'are'} {last} of {len(trials)} trials, {100 * held / max(n_rows, 1):.0f} % of the rows"
