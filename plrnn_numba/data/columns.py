"""Which columns of a file are variables: those that are asked for, or all but a clock and a count of rows."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from ..basics.checks import nearest, show
from .formats import Column, Table
from .trials import DataError

# A column's name, or its number: from 0, and negative from the end, as in NumPy.
ColumnKey: TypeAlias = str | int

# A column of such a name is a clock; if it does not go forward the file is no series.
_CLOCKS = [
    "time",
    "times",
    "timestamp",
    "timestamps",
    "datetime",
    "date",
    "zeit",
    "temps",
    "tiempo",
    "tempo",
    "seconds",
    "second",
    "elapsed",
]
# These may be something else: temperature, a minimum, the hour of the day.
_PERHAPS_CLOCKS = [
    "t",
    "s",
    "sec",
    "secs",
    "ms",
    "msec",
    "us",
    "min",
    "minutes",
    "h",
    "hour",
    "hours",
    "day",
    "days",
    "year",
    "years",
    "utc",
    "unix",
    "jd",
    "mjd",
]
_COUNTS = [
    "",
    "index",
    "idx",
    "#",
    "row",
    "rownames",
    "sample",
    "samples",
    "frame",
    "id",
    "n",
]
_UNITS = (
    _PERHAPS_CLOCKS
    + _CLOCKS
    + ["milliseconds", "microseconds", "nanoseconds", "ns", "stamp", "axis", "local", "gmt", "utc", "rel"]
)


class Clock(NamedTuple):
    """The times of a table's rows, and the column that they are from."""

    column: int
    times: np.ndarray


class Chosen(NamedTuple):
    """The variables of a table: their numbers in it, its clock, and what was left out, in words."""

    indices: list[int]
    clock: Clock | None
    left_out: list[str]


def find_column(where: str, names: Sequence[str], n: int, key: ColumnKey) -> int:
    """The index of a column that is given by name or number; a name goes before a number."""
    if isinstance(key, str) and key in names:
        if names.count(key) > 1:
            at = ", ".join(str(i) for i, name in enumerate(names) if name == key)
            raise DataError(f"{where}: there are several columns {key!r}; choose one by number: {at}")
        return list(names).index(key)
    number: ColumnKey = key
    if isinstance(key, str) and re.fullmatch(r"-?\d{1,9}", key.strip()):
        number = int(key)
    if isinstance(number, (int, np.integer)) and not isinstance(number, bool) and -n <= number < n:
        return int(number) % n
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    has = f"{shown}, or a number" if any(names) else f"no names; a number is allowed, from 0 to {n - 1}"
    raise DataError(f"{where}: has no column {show(key)}; it has {has}{nearest(key, filter(None, names))}")


def find_columns(where: str, names: Sequence[str], n: int, keys: Iterable[ColumnKey]) -> list[int]:
    """The indices of several; raise DataError where one is asked for twice."""
    keys = [keys] if isinstance(keys, (str, int)) else list(keys)
    found = [find_column(where, names, n, key) for key in keys]
    for i, index in enumerate(found):
        if index in found[:i]:
            raise DataError(f"{where}: column {show(keys[i])} is named twice")
    return found


def choose(
    where: str,
    table: Table,
    columns: Iterable[ColumnKey] | None,
    drop: Iterable[ColumnKey] | None,
    time: ColumnKey | None,
) -> Chosen:
    """Choose the variables of a table; see `read_series`."""
    names, n = [column.name for column in table.columns], len(table.columns)
    dropped = [] if drop is None else find_columns(where, names, n, drop)
    wanted = list(range(n)) if columns is None else find_columns(where, names, n, columns)
    no_variables: dict[int, str] = {}
    if time is not None:
        clock: Clock | None = clock_of(where, table, find_column(where, names, n, time))
    else:
        clock, no_variables = _find_clock(where, table, dropped, asked=columns is not None)
        no_variables.update(_find_counts(table, dropped, clock))
    if clock is not None and clock.column not in no_variables:
        no_variables[clock.column] = _left_out(table, clock.column)
    if columns is not None:  # what is asked for by its name is a variable
        no_variables = {i: told for i, told in no_variables.items() if i not in wanted or time is not None}
        clock = clock if clock is not None and clock.column in no_variables else None
    indices = [i for i in wanted if i not in dropped and i not in no_variables]
    left_out = [
        *no_variables.values(),
        *(f"{table.label(i)} dropped" for i in dropped if i not in no_variables),
    ]
    if not indices:
        raise DataError(f"{where}: no column is left ({', '.join(left_out)})")
    for i in indices if columns is None else ():
        row = _nearly_a_clock(table.columns[i])
        if row is not None:
            left_out.append(
                f"{table.label(i)} is a variable though it goes forward but for {table.place(row, i)} (--drop "
                f"{table.columns[i].name})"
            )
    return Chosen(indices, clock, left_out)


def _nearly_a_clock(column: Column) -> int | None:
    """The first row that does not go forward of a column that may be a clock by its name, and goes forward else."""
    if column.words or not _is_clock_s_name(column.name, _PERHAPS_CLOCKS) or len(column.values) < 10:
        return None
    back = np.flatnonzero(np.diff(column.values) <= 0)
    return int(back[0]) + 1 if 0 < len(back) <= len(column.values) // 10 else None


def values_of(where: str, table: Table, indices: list[int]) -> np.ndarray:
    """The chosen columns as an array (T, N); raise DataError with line and name for a cell that is no number."""
    for i in indices:
        column = table.columns[i]
        if column.words:
            row, word = column.words[0]
            text = len(column.words) > len(column.values) // 2
            what, hint = (
                ", a column of text" if text else "",
                f"; drop it (--drop {column.name or i})" if text else "",
            )
            if re.fullmatch(r"[+-]?[\d.]+(?:[eE][+-]?\d+)?", word):
                what, hint = "", "; it is too large for float64"
            elif "," in word and "." in word:
                hint = "; is one of its signs for thousands?"
            elif re.fullmatch(r"[+-]?\d*,\d+", word):
                hint = "; a decimal comma needs another delimiter"
            raise DataError(
                f"{where}: cannot be read: {table.place(row, i)}{what}: got {show(word)}, expected a finite number{hint}"
            )
    first = table.columns[indices[0]]
    for i in indices:
        column = table.columns[i]
        if len(column.values) != len(first.values) or column.dt != first.dt:
            rates = [f"{c.name!r} {1 / c.dt:g}" for c in (first, column) if c.dt]
            raise DataError(
                f"{where}: columns of different length: {' and '.join(rates)} samples a second; choose those of one "
                f"rate (--columns)"
            )
    return np.column_stack([table.columns[i].values for i in indices])


# --- clocks ----------------------------------------------------------------------------------------


def _is_clock_s_name(name: str, known: list[str]) -> bool:
    """Whether a name is one of `known`, with nothing but units beside it: time, Time (s), time_ms, Date/Time."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    return bool(words) and words[0] in known and all(word in _UNITS for word in words[1:])


def _find_clock(
    where: str, table: Table, dropped: Sequence[int], asked: bool
) -> tuple[Clock | None, dict[int, str]]:
    """The column that holds times, by its name, its dates or its equal steps; and all that are clocks, in words.

    Where the columns are `asked` for, a clock that does not go forward is nobody's concern.
    """
    found: dict[int, np.ndarray] = {}
    for i, column in enumerate(table.columns):
        known = _is_clock_s_name(column.name, _CLOCKS)
        if i in dropped or not (known or column.words or _is_clock_s_name(column.name, _PERHAPS_CLOCKS)):
            continue
        times = times_of(column)
        if times is None and known and not column.words and not asked:
            gap = int(np.argmax(np.isnan(column.values)))
            raise DataError(
                f"{where}: {table.place(gap, i)}: a time is missing, and the others do not go up in equal steps; drop the "
                f"column (--drop {column.name or i})"
            )
        # Days, hours or a temperature t may be variables; what is called time, or holds dates, is none.
        if times is not None and (known or column.words or _first_backward(times) is None):
            found[i] = times
    told = {i: _left_out(table, i) for i in found}
    for i, times in found.items():
        if _first_backward(times) is None:
            return Clock(i, times), told
    of_day = [i for i in found if table.columns[i].words]
    if (
        len(of_day) == 2 and _first_backward(found[of_day[0]] + found[of_day[1]]) is None
    ):  # a date and a time of day
        return Clock(of_day[0], found[of_day[0]] + found[of_day[1]]), told
    for i, times in found.items():
        if asked:
            break
        row = _first_backward(times)
        assert row is not None
        raise DataError(
            f"{where}: {table.place(row, i)}: got {_text_of(table, row, i)} after {_text_of(table, row - 1, i)}, but the "
            f"times of one series go forward; drop it (--drop {table.columns[i].name or i}), or make a file of each trial"
        )
    return (None, told) if found or 0 in dropped else _find_ramp(where, table, asked)


def _left_out(table: Table, i: int) -> str:
    unnamed = i == 0 and table.named and not table.columns[0].name
    return f"{'the index' if unnamed else table.label(i)} left out"


def _find_ramp(where: str, table: Table, asked: bool) -> tuple[Clock | None, dict[int, str]]:
    """A first column that no name tells to be a clock, but its equal steps do."""
    first, *others = table.columns
    times = times_of(first)
    if not others or times is None or _find_counts(table, [], None):
        return None, {}
    row = _first_backward(times)
    if table.named and first.name == "":  # an index, which others have written
        if row is None:
            return Clock(0, times), {0: _left_out(table, 0)}
        if not asked and any(column.name for column in others):
            raise DataError(
                f"{where}: {table.place(row, 0)}: the first column has no name, and is no clock and no count: "
                f"got {_shown(times[row])} after {_shown(times[row - 1])}; name it, or drop it (--drop 0)"
            )
        return None, {}
    enough = len(times) >= (10 if table.named else 5)
    if not enough or row is not None or _first_unequal(times) is not None or all(map(_is_ramp, others)):
        return None, {}
    label = table.label(0) if table.named else "the first column"
    if not table.named and times[0] in (0, 1) and (np.diff(times) == 1).all():
        return None, {0: f"{label}, which counts rows, left out"}
    return Clock(0, times), {0: f"{label}, whose steps are equal as a clock's, left out"}


def _is_ramp(column: Column) -> bool:
    """Whether a column goes up or down in equal steps."""
    values = column.values
    if column.words or len(values) < 2 or np.isnan(values).any():
        return False
    values = values if values[-1] > values[0] else -values
    return _first_backward(values) is None and _first_unequal(values) is None


def _find_counts(table: Table, dropped: Sequence[int], clock: Clock | None) -> dict[int, str]:
    """The columns that only count rows, as the index that pandas or R writes, in words."""
    found = {}
    for i, column in enumerate(table.columns if len(table.columns) > 1 else ()):
        name = column.name.lower()
        unnamed = i == 0 and (
            not name or name.startswith("unnamed:")
        )  # as pandas calls its own index, read again
        if i in dropped or column.words or not (unnamed or (name and name in _COUNTS)):
            continue
        if np.isnan(column.values).any() or (column.values != np.floor(column.values)).any():
            continue
        steps = np.diff(column.values)
        if table.named and unnamed:  # pandas' index, of which rows may have been taken out
            if clock is not None or (steps > 0).all():
                found[i] = "the index left out"
        elif table.named and (steps == 1).all():
            found[i] = f"{table.label(i)}, which counts rows, left out"
    return found


def looks_like_a_clock(values: np.ndarray) -> bool:
    """Whether the first column of (T, N) goes forward in equal steps, and not every other one does too."""
    if values.ndim != 2 or values.shape[1] < 2 or len(values) < 10 or values.dtype.kind not in "fiu":
        return False
    first, *others = (Column("", column) for column in values.astype(np.float64).T)
    return bool(first.values[-1] > first.values[0]) and _is_ramp(first) and not all(map(_is_ramp, others))


def clock_of(where: str, table: Table, i: int) -> Clock:
    """The column that the user calls the time; raise DataError unless it is one, with equal steps."""
    times = times_of(table.columns[i])
    if times is None:
        column = table.columns[i]
        first = column.words[0][0] if column.words else int(np.argmax(np.isnan(column.values)))
        found = show(column.words[0][1]) if column.words else "a missing cell"
        raise DataError(f"{where}: {table.place(first, i)}: got {found}, expected a time")
    backward = _first_backward(times)
    row = _first_unequal(times) if backward is None else backward
    if row is not None:
        cells = f"from {_text_of(table, row - 1, i)} to {_text_of(table, row, i)}"
        most = f", of {np.median(np.diff(times)):.6g} as most" if backward is None else ", forward"
        raise DataError(
            f"{where}: {table.place(row, i)}: got a step of {times[row] - times[row - 1]:.6g} {cells}, expected equal "
            f"steps{most}"
        )
    return Clock(i, times)


def times_of(column: Column) -> np.ndarray | None:
    """The times of a column, as they are or in seconds from the first date; None where a cell is no time.

    Times that are missing are those between, where the others go up in equal steps.
    """
    if not column.words:
        values, rows = column.values, np.arange(len(column.values))
        known = ~np.isnan(values)
        if known.all() or known.sum() < 3:
            return values if known.all() else None
        filled = np.polynomial.Polynomial.fit(rows[known], values[known], 1)(rows)
        filled[known] = values[known]
        return filled if _first_backward(filled) is None and _first_unequal(filled) is None else None
    if len(column.words) != len(column.values):
        return None
    moments = np.array([_time(text) for _, text in column.words])
    if np.isnan(moments).any():
        return None
    # The first date goes before the fraction of a second comes: so many seconds leave a double few digits.
    times = moments[:, 0] - (moments[0, 0] if moments[0, 0] > 1e6 else 0) + moments[:, 1]
    if np.ptp(times) > 43_200 and times.max() < 86_400:  # a time of day, over midnight
        times = times + 86_400 * np.concatenate([[0], np.cumsum(np.diff(times) < -43_200)])
    return times


def _time(text: str) -> tuple[float, float]:
    """Whole seconds of an ISO date, or of a time of day, and a fraction of one; NaN for anything else."""
    text = text.strip()
    of_day = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d(?:[.,]\d+)?))?", text)
    if of_day:
        hours, minutes, seconds = of_day.groups()
        return 3600.0 * int(hours) + 60 * int(minutes), float((seconds or "0").replace(",", "."))
    # Python 3.10 knows neither Z nor fractions of other than 3 or 6 digits.
    form = re.fullmatch(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?)([.,]\d+)?(Z|[+-]\d\d:?\d\d)?", text)
    if form is None:
        return np.nan, np.nan
    moment, part, zone = form.groups()
    zone = "+00:00" if zone in (None, "Z") else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        date = datetime.datetime.fromisoformat(moment if len(moment) > 10 else f"{moment} 00:00")
        stamp = date.replace(tzinfo=datetime.datetime.fromisoformat(f"2000-01-01 00:00:00{zone}").tzinfo)
    except ValueError:
        return np.nan, np.nan
    fraction = float(f"0.{part[1:]}") if part else 0.0
    return stamp.timestamp(), fraction


def _first_backward(times: np.ndarray) -> int | None:
    """The first row that is not after the one before it."""
    steps = np.diff(times)
    return int(np.argmin(steps > 0)) + 1 if not (steps > 0).all() else None


def _first_unequal(times: np.ndarray) -> int | None:
    """The first row whose step is another than most, beyond what rounding in print explains."""
    steps = np.diff(times)
    if len(steps) == 0:
        return None
    step, resolution = float(np.median(steps)), _resolution(times)
    mean = float(times[-1] - times[0]) / len(steps)
    single = times.astype(np.float32)
    if (single == times).all():
        resolution = max(resolution, 2 * float(np.spacing(np.abs(single).max())))
    tolerance = min(resolution, 0.25 * step) + 1e-3 * step + 4 * float(np.spacing(np.abs(times).max()))
    # Of 256 samples a second in milliseconds most steps are 4, some 3, and the mean is between.
    if (np.abs(steps - mean) <= tolerance).all():
        return None
    unequal = np.abs(steps - step) > tolerance
    return int(np.argmax(unequal)) + 1 if unequal.any() else None


def _resolution(times: np.ndarray) -> float:
    """The last decimal that a column of times was printed with; 0 where there are too many."""
    for decimals in range(7):
        scaled = times * 10.0**decimals
        if (np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1, np.abs(scaled))).all():
            return 10.0**-decimals
    return 0.0


def step_of(clock: Clock) -> float | None:
    """The step of a clock; None where its steps are unequal."""
    if len(clock.times) < 2 or _first_unequal(clock.times) is not None:
        return None
    return float(clock.times[-1] - clock.times[0]) / (len(clock.times) - 1)


def unequal_steps(table: Table, clock: Clock) -> str | None:
    """In words, that the steps of a clock are unequal; None where they are not."""
    row = _first_unequal(clock.times)
    if row is None:
        return None
    steps = np.diff(clock.times)
    return (
        f"its steps are unequal, {steps.min():.6g} to {steps.max():.6g}, first at "
        f"{table.place(row, clock.column)}; rows are taken as equally far apart"
    )


def _text_of(table: Table, row: int, i: int) -> str:
    """A cell as the file has it."""
    words = table.columns[i].words
    return words[row][1] if words else _shown(table.columns[i].values[row])


def _shown(time: float) -> str:
    return f"{time:.15g}"


def named(names: Sequence[str], most: int = 6) -> str:
    """Names in a line that fits on a screen."""
    names = [printable(name) or str(i) for i, name in enumerate(names)]
    if len(names) > most:
        names = [*names[: most - 2], "...", names[-1]]
    return ", ".join(names)


def printable(text: str) -> str:
    """A text that a line may hold, whatever it was."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
