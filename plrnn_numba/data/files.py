"""Series from files, and trials from folders of them: what is read, under which names, and what was left out."""

from __future__ import annotations

import csv
import dataclasses
import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..basics.checks import PathLike, as_path
from ..basics.records import record
from .columns import (
    Chosen,
    ColumnKey,
    choose,
    clock_of,
    find_columns,
    looks_like_a_clock,
    named,
    printable,
    step_of,
    unequal_steps,
    values_of,
)
from .formats import ARCHIVES, ENDINGS, LOOSE, TABLES, Column, Table
from .mapped import mapping_of
from .trials import DataError

_ALLOWED = f"{', '.join(ENDINGS)} or a folder"
_WIDE = 10  # columns a row from which on rows are taken for channels


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SeriesFile:
    """What `read_series` has read.

    Parameters
    ----------
    values : ndarray, (T, N) or (trials, T, N), or list of ndarray, (T_i, N)
        In data units; NaN where a cell is missing.
    names : tuple of str, or None
        Of the N columns; None where the file gives none.
    dt : float or None
        Step between two rows in the units of the clock that was read, seconds where it has dates; None where
        nothing says it, or the steps are unequal.
    left_out : tuple of str
        What of the file is not in `values`, and what else a reader of it should know, in words.
    source : str
        The path.
    places : tuple of (str, ndarray or None)
        Of each trial its file, and the line of each of its rows, where that file is a text.
    """

    values: np.ndarray | list[np.ndarray]
    names: tuple[str, ...] | None
    dt: float | None
    left_out: tuple[str, ...]
    source: str
    places: tuple[tuple[str, np.ndarray | None], ...]

    @property
    def trials(self) -> list[np.ndarray]:
        """The values as a list of (T_i, N)."""
        values = self.values
        return list(values) if isinstance(values, list) or values.ndim == 3 else [values]

    @property
    def n_columns(self) -> int:
        """Number N of variables."""
        return int(self.trials[0].shape[-1]) if self.trials else 0

    def told(self) -> str:
        """What was read, in a line."""
        rows, trials = sum(map(len, self.trials)), len(self.trials)
        shape = f"{_number(rows, 'row')} x {_number(self.n_columns, 'channel')}"
        shape = shape if trials == 1 else f"{trials} trials, {shape}"
        names = f" ({named(self.names)})" if self.names else ""
        gaps, cells = _n_missing(self.trials)
        missing = [f"{gaps} of {cells} cells missing"] if gaps else []
        source = printable(Path(self.source).name)
        return ", ".join([f"{shape}{names} from {source}", *missing, *self.left_out])

    def check_complete(self, hint: str) -> None:
        """Raise DataError for a cell of a text that is missing, with its line and its column's name."""
        for trial, (path, lines) in zip(self.trials, self.places):
            gaps = np.isnan(trial) if lines is not None else np.zeros(0, bool)
            if lines is not None and gaps.any():
                row, i = np.argwhere(gaps)[0]
                column = f"column {self.names[i]!r}" if self.names else f"column {i} (counted from 0)"
                raise DataError(
                    f"{path}: line {lines[row]}, {column}: the cell is missing ({int(gaps.sum())} of {gaps.size} are); "
                    f"{hint}"
                )

    def check_upright(self) -> None:
        """Raise DataError where rows seem to be channels, and columns times."""
        for T, N in (trial.shape for trial in self.trials if trial.ndim == 2):
            if max(T, 1) * _WIDE <= N:
                raise DataError(
                    f"{self.source}: got {_number(T, 'row')} and {N} columns, but rows are times and columns are "
                    f"channels; --transpose turns it, --no-transpose takes it as it is"
                )


def _n_missing(trials: Sequence[np.ndarray]) -> tuple[int, int]:
    """How many cells are NaN, of how many; of what stays on disk none are counted."""
    read = [t for t in trials if t.dtype.kind == "f" and mapping_of(t) is None]
    return sum(int(np.isnan(t).sum()) for t in read), sum(t.size for t in read)


def _number(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def load_array(
    path: PathLike,
    *,
    columns: Iterable[ColumnKey] | None = None,
    drop: Iterable[ColumnKey] | None = None,
    time: ColumnKey | None = None,
    transpose: bool = False,
) -> np.ndarray | list[np.ndarray]:
    """Read the values of a series, or of a folder of trials; `read_series` tells beside them what was read.

    Parameters
    ----------
    path : str or path-like
        As of `read_series`, and so are the options.
    columns, drop, time, transpose : optional
        As of `read_series`.

    Returns
    -------
    ndarray, (T, N) or (trials, T, N), or list of ndarray, (T_i, N)
        In data units. A .npy file of more than 256 MB stays on disk.

    Raises
    ------
    DataError
        Where a file cannot be read as a table of numbers; one line with file, line and column.

    Examples
    --------
    >>> import os, tempfile
    >>> from plrnn_numba.data import load_array
    >>> path = os.path.join(tempfile.mkdtemp(), "X.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("time;u;v\\n0;1,5;2\\n0,1;1,7;NA\\n0,2;1,4;4\\n")
    >>> load_array(path)
    array([[1.5, 2. ],
           [1.7, nan],
           [1.4, 4. ]])
    """
    series = read_series(path, columns=columns, drop=drop, time=time, transpose=transpose)
    logging.getLogger("plrnn_numba").info("data: %s", series.told())
    return series.values


def read_series(
    path: PathLike,
    *,
    columns: Iterable[ColumnKey] | None = None,
    drop: Iterable[ColumnKey] | None = None,
    time: ColumnKey | None = None,
    transpose: bool = False,
    like: Sequence[str] | None = None,
) -> SeriesFile:
    """Read a series from a file, or trials from a folder, in the order of their names, 2 before 10.

    Of a table with columns of its own (.csv, .tsv, .txt, .dat, .parquet) a clock (by its name, by its dates, or, as a first
    column, by its equal steps) and an index that counts rows are no variables: they are left out, unless `columns` asks for
    them.

    Parameters
    ----------
    path : str or path-like
        .npy, .npz, .csv, .tsv, .txt, .dat, .mat, .parquet, .edf, .bdf, or a folder of such files. After a colon, the name of one
        array of an .npz or .mat, or columns of another file: ``"X.npz:x"``, ``"X.csv:a,b"``.
    columns : iterable of str or int, optional
        The variables, in this order, by name or by number, from 0; a negative number counts from the end.
    drop : iterable of str or int, optional
        Columns to leave out.
    time : str or int, optional
        The column of the times, which have equal steps; it is no variable.
    transpose : bool, optional
        Whether the file has a row a channel.
    like : sequence of str, optional
        Names of another series' columns. Where the file has them all they are its variables, in that order; where it has other
        names it is refused.

    Returns
    -------
    SeriesFile
        Values, names, dt, and what was left out.

    Raises
    ------
    DataError
        Where a file cannot be read as a table of numbers, or a column is unknown; one line with file, line and column.

    Examples
    --------
    >>> import os, tempfile
    >>> from plrnn_numba.data import read_series
    >>> path = os.path.join(tempfile.mkdtemp(), "X.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("time,u,v\\n0,1.5,2\\n0.1,1.7,3\\n0.2,1.4,4\\n")
    >>> series = read_series(path)
    >>> series.told(), series.dt
    ("3 rows x 2 channels (u, v) from X.csv, column 'time' left out", 0.1)
    """
    path = Path(as_path("path", path))
    options = (
        None if columns is None else as_keys(columns),
        None if drop is None else as_keys(drop),
        time,
        transpose,
    )
    if path.is_dir():
        return _read_folder(path, options, like)
    return _read_file(path, options, like)


def as_keys(given: Iterable[ColumnKey] | ColumnKey) -> list[ColumnKey]:
    """Names or numbers of columns; a string of several has commas between, and quotes about a name that has one."""
    if isinstance(given, str):
        return [name.strip() for name in next(csv.reader([given], skipinitialspace=True), [])]
    return [given] if isinstance(given, int) else list(given)


def split_name(path: PathLike) -> tuple[Path, str | None]:
    """The file, and what stands after a colon: an array of it, or columns."""
    whole = as_path("path", path)
    file, colon, name = whole.rpartition(":")
    if colon and name and not Path(whole).exists() and Path(file).suffix.lower() in ENDINGS:
        return Path(file), name
    return Path(whole), None


# What read_series is asked for: columns, drop, time, transpose.
_Options = tuple[list[ColumnKey] | None, list[ColumnKey] | None, ColumnKey | None, bool]


# --- folders -----------------------------------------------------------------------------------------


def _read_folder(path: Path, options: _Options, like: Sequence[str] | None) -> SeriesFile:
    files = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
    data = [file for file in files if file.suffix.lower() in ENDINGS]
    strict = [file for file in data if file.suffix.lower() not in LOOSE]
    data = sorted(strict or data, key=_by_numbers)
    if not data:
        raise DataError(f"{path}: the folder has no {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file")
    trials = [_read_file(file, options, like) for file in data]
    first = trials[0]
    notes = list(first.left_out)
    for file, trial in zip(data, trials):
        if np.ndim(trial.values) != 2:
            shape = np.shape(trial.values)
            raise DataError(f"{file}: got shape {shape}, expected (T, N) in a folder of trials")
    for i, trial in enumerate(trials[1:], start=1):
        trials[i] = _in_the_order_of(trial, first)
        if first.dt and trial.dt and abs(trial.dt / first.dt - 1) > 0.01:
            raise DataError(f"{trial.source}: dt is {trial.dt:g}, but that of {first.source} is {first.dt:g}")
        notes += [told for told in trials[i].left_out if told not in notes]
    if len(files) > len(data):
        notes.append(f"{_number(len(files) - len(data), 'other file')} left out")
    if sorted(data) != data:
        notes.append(f"trials in the order of their numbers ({named([file.stem for file in data], 4)})")
    places = tuple(trial.places[0] for trial in trials)
    return SeriesFile(
        [np.asarray(t.values) for t in trials], first.names, first.dt, tuple(notes), str(path), places
    )


def _by_numbers(file: Path) -> list[tuple[bool, int, str]]:
    """The order in which people count: 2 before 10."""
    parts = re.split(r"(\d+)", file.name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _in_the_order_of(trial: SeriesFile, first: SeriesFile) -> SeriesFile:
    """A trial with its columns as the first trial has them."""
    if trial.names == first.names:
        # Without names only the numbers tell a clock, and in a short trial they may not.
        lacks, has = (
            [told for told in t.left_out if told.startswith("the first column")] for t in (trial, first)
        )
        if lacks != has:
            raise DataError(
                f"{trial.source}: {_or_nothing(lacks)}, but {first.source}: {_or_nothing(has)}; say --columns, --drop or "
                f"--time"
            )
        return trial
    if trial.names is None or first.names is None:
        return trial
    if sorted(trial.names) != sorted(first.names) or len(set(first.names)) < len(first.names):
        raise DataError(
            f"{trial.source}: has the columns {named(trial.names)}, but {first.source} has {named(first.names)}"
        )
    order = [trial.names.index(name) for name in first.names]
    return dataclasses.replace(
        trial,
        values=np.asarray(trial.values)[:, order],
        names=first.names,
        left_out=(*trial.left_out, f"columns of {Path(trial.source).name} put in order by their names"),
    )


def _or_nothing(left_out: Sequence[str]) -> str:
    return ", ".join(left_out) or "nothing left out"


# --- one file ----------------------------------------------------------------------------------------


def _read_file(path: Path, options: _Options, like: Sequence[str] | None) -> SeriesFile:
    file, key = split_name(path)
    columns, drop, time, transpose = options
    suffix = file.suffix.lower()
    if not file.exists():
        raise DataError(f"{file}: no such file")
    try:
        if suffix in ARCHIVES:
            found: np.ndarray | Table = ARCHIVES[suffix](file, key)
        elif suffix in TABLES:
            found = TABLES[suffix](file)
            columns = as_keys(key) if key is not None else columns
        else:
            raise DataError(f"{file}: got the ending {suffix!r}, allowed are {_ALLOWED}")
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file does to the reader
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read: {message}") from None
    if isinstance(found, Table):
        table = _transposed(str(path), found) if transpose else found
        return _of_table(str(path), table, columns, drop, time, like)
    array = found[:, None] if found.ndim == 1 else found
    array = array.swapaxes(-1, -2) if transpose and array.ndim > 1 else array
    return _of_array(str(path), array, columns, drop, time)


def _of_table(
    where: str,
    table: Table,
    columns: list[ColumnKey] | None,
    drop: list[ColumnKey] | None,
    time: ColumnKey | None,
    like: Sequence[str] | None,
) -> SeriesFile:
    names = [column.name for column in table.columns]
    if like is not None and set(like) <= set(names) and (columns is None or set(columns) == set(like)):
        columns = list(like)
    chosen: Chosen = choose(where, table, columns, drop, time)
    notes = [*chosen.left_out, *table.notes]
    dt = table.columns[chosen.indices[0]].dt
    if chosen.clock is not None:
        dt = step_of(chosen.clock)
        uneven = unequal_steps(table, chosen.clock)
        notes += [uneven] if uneven else []
    values = values_of(where, table, chosen.indices)
    kept = tuple(names[i] or str(i) for i in chosen.indices) if table.named else None
    if like is not None and kept is not None and list(kept) != list(like):
        lacking = [name for name in like if name not in kept] or list(like)
        raise DataError(f"{where}: has the columns {named(kept)}, but {named(lacking)} expected")
    return SeriesFile(values, kept, dt, tuple(notes), where, ((where, table.lines),))


def _transposed(where: str, table: Table) -> Table:
    """A table whose rows are channels; their names, where there are any, stand first in each row."""
    first = table.columns[0]
    labelled = len(table.columns) > 1 and len(first.words) == len(first.values)
    start = 1 if labelled else 0
    rows = values_of(where, table, list(range(start, len(table.columns))))
    names = [word for _, word in first.words] if labelled else [""] * len(rows)
    notes = [*table.notes, "the line of names, now of times, left out"] if table.named else table.notes
    return Table([Column(name, row.copy()) for name, row in zip(names, rows)], labelled, None, notes)


def _of_array(
    where: str,
    array: np.ndarray,
    columns: list[ColumnKey] | None,
    drop: list[ColumnKey] | None,
    time: ColumnKey | None,
) -> SeriesFile:
    places: tuple[tuple[str, np.ndarray | None], ...]
    places = ((where, None),) * (len(array) if array.ndim == 3 else 1)
    if array.ndim not in (2, 3):
        return SeriesFile(array, None, None, (), where, places)
    n, left_out, dt = array.shape[-1], [], None
    dropped = [] if drop is None else find_columns(where, [], n, drop)
    wanted = list(range(n)) if columns is None else find_columns(where, [], n, columns)
    if time is not None:
        trials = [array] if array.ndim == 2 else list(array)
        (i,) = find_columns(where, [], n, [time])
        dt = step_of(clock_of(where, _table_of(trials[0], i), i))
        for trial in trials[1:]:
            clock_of(where, _table_of(trial, i), i)
        dropped = [*dropped, i]
    elif columns is None and 0 not in dropped and looks_like_a_clock(array[:10_000]):
        left_out.append(
            "column 0 goes forward in equal steps as a clock does (--time 0 or --drop 0 leaves it out)"
        )
    left_out += [f"column {i} (counted from 0) dropped" for i in dropped]
    indices = [i for i in wanted if i not in dropped]
    if not indices and (columns or dropped):
        raise DataError(f"{where}: no column is left ({', '.join(left_out)})")
    return SeriesFile(_take(array, indices), None, dt, tuple(left_out), where, places)


def _table_of(trial: np.ndarray, i: int) -> Table:
    """An array as a table of which one column is looked at."""
    columns = [Column("", np.zeros(0)) for _ in range(trial.shape[1])]
    columns[i] = Column("", np.asarray(trial[:, i], np.float64))
    return Table(columns, False)


def _take(array: np.ndarray, indices: list[int]) -> np.ndarray:
    """Some columns; a view where that can be, so that a series on disk stays there."""
    if indices == list(range(array.shape[-1])):
        return array
    steps = set(np.diff(indices).tolist()) or {1}
    if len(steps) == 1 and min(steps) > 0:
        return array[..., indices[0] : indices[-1] + 1 : min(steps)]
    return array[..., indices]
