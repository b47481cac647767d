"""Tables in text, .csv, .tsv, .txt, .dat: as spreadsheets, pandas, R, MATLAB and loggers write them.

What is not said is found from the first rows, for the whole file: the encoding, the delimiter (comma, semicolon, tab, or blanks), whether
a comma is a decimal sign, which line holds names and which one units. A row that does not fit is an error with its line.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from ...basics.checks import show
from ...basics.text import encoding_of
from ..trials import DataError
from .table import Column, Table

# Blanks last: they stand beside the others too.
_DELIMITERS = ("\t", ";", ",", " ")
_SAMPLE = 100  # rows that delimiter and names are found from
_CHUNK = 20_000  # rows that are held as text

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", ".", "<na>", "#n/a", "#na", "nat"))
_INFINITE = frozenset(("inf", "infinity", "+inf", "+infinity", "-inf", "-infinity"))
_POINT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.,]+(?:Z|[+-][\d:]+)?)?|\d{1,2}:\d\d(?::[\d.,]+)?", re.ASCII)
_COMMENT = re.compile(r"\s*[#%](?!N/?A\b|NUM!|VALUE!|DIV/0!|REF!|NAME\?|NULL!)")
_SEPARATOR = re.compile(r"\ufeff?sep=(.)\s*$", re.IGNORECASE)
# Of a clock or of a count: such a name may stand before names that are numbers.
_BEFORE_NUMBERS = re.compile(r"t|time.*|date.*|index|sample.*|frame.*|wavelength.*", re.IGNORECASE)


def _value(cell: str, decimal_comma: bool) -> float | None:
    """The number of a cell: NaN where it is missing, None where it is no number."""
    if _POINT.fullmatch(cell):
        return float(cell)
    if decimal_comma and _COMMA.fullmatch(cell):
        return float(cell.replace(",", "."))
    lower = cell.lower()
    if lower in _MISSING or lower.lstrip("+-") == "nan":
        return math.nan
    return math.inf if lower in _INFINITE else None


def _is_word(cell: str, decimal_comma: bool) -> bool:
    return _value(cell, decimal_comma) is None


def _is_number(cell: str, decimal_comma: bool) -> bool:
    value = _value(cell, decimal_comma)
    return value is not None and not math.isnan(value)


class _Lines:
    """The lines of a file without its comments; `first` is where the row that is read began."""

    def __init__(self, lines: Iterable[str], blanks: bool, before: int = 0):
        self._lines, self._blanks = iter(lines), blanks
        self.number, self.first = before, 0
        self.comment = ""  # the last one above the first row
        self._begun = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            line = next(self._lines)
            self.number += 1
            if self.number == 1 and _SEPARATOR.match(line):
                continue
            if _COMMENT.match(line):
                self.comment = self.comment if self._begun else line
                continue
            self._begun = True
            self.first = self.first or self.number
            # `csv` knows one blank, not a run of them, nor one at the end.
            return line.replace("\t", " ").strip() + "\n" if self._blanks else line


class _Row(NamedTuple):
    line: int
    cells: list[str]


def _rows(lines: _Lines, delimiter: str) -> Iterator[_Row]:
    """The rows of a table, each with its line; a blank line is a row without cells."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        lines.first = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        if len(cells) == 1 and not cells[0].strip():
            cells = []
        yield _Row(lines.first, cells)


class _Dialect(NamedTuple):
    """How the rows are to be read."""

    delimiter: str
    n_head: int  # rows before the data
    names: list[str] | None
    units: list[str] | None

    @property
    def decimal_comma(self) -> bool:
        return self.delimiter != ","


def read_text(path: Path) -> Table:
    """The columns of a table."""
    encoding = _encoding(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            dialect = _find_dialect(path, file)
            file.seek(0)
            return _read(path, file, dialect)
    except UnicodeError:
        raise DataError(f"{path}: cannot be read: it begins as {encoding}, and does not go on so") from None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(2**16)
    encoding = encoding_of(head)
    if encoding is None:
        raise DataError(f"{path}: cannot be read: it is no text")
    if encoding == "utf-8":
        with path.open(encoding="utf-8", newline="") as text:
            try:
                while text.read(2**20):
                    pass
            except UnicodeDecodeError:
                return "latin-1"  # or another of its kind: only names can differ
    return encoding


# --- how a file is to be read ------------------------------------------------------------------------


def _find_dialect(path: Path, file: TextIO) -> _Dialect:
    sample: list[str] = []
    content: list[str] = []
    for line in file:
        sample.append(line)
        separator = len(sample) == 1 and _SEPARATOR.match(line)
        if line.strip() and not separator and not _COMMENT.match(line):
            content.append(line)
        if len(content) == _SAMPLE:
            break
    if not content:
        raise DataError(f"{path}: cannot be read: it has no rows")
    forced = _SEPARATOR.match(sample[0])
    delimiter = forced.group(1) if forced else _find_delimiter(content)
    if delimiter not in _DELIMITERS:
        raise DataError(
            f"{path}: cannot be read: got the delimiter {delimiter!r}, allowed are , ; tab and blanks"
        )
    lines = _Lines(sample, delimiter == " ")
    rows = [row for row in _until_error(_rows(lines, delimiter)) if row.cells]
    return _Dialect(delimiter, *_find_head(path, rows, delimiter, lines.comment))


def _until_error(rows: Iterator[_Row]) -> Iterator[_Row]:
    """The rows up to one that is wrong: its error comes, with its line, when the file is read."""
    try:
        yield from rows
    except csv.Error:
        return


def _tidy(cells: list[str]) -> list[str]:
    return [" ".join(cell.split()) for cell in cells]


def _find_delimiter(content: list[str]) -> str:
    """The delimiter by which the rows have one length, and most cells are numbers, or dates."""
    best, chosen = None, ","
    for delimiter in _DELIMITERS:
        signs = (" ", "\t") if delimiter == " " else (delimiter,)
        if 2 * sum(any(sign in line.strip() for sign in signs) for line in content) <= len(content):
            continue
        rows = [row.cells for row in _until_error(_rows(_Lines(content, delimiter == " "), delimiter))]
        body = [_tidy(cells) for cells in rows[2:] or rows[1:] or rows]
        cells = [cell for row in body for cell in row]
        good = sum(
            not _is_word(cell, delimiter != ",") or _DATE.fullmatch(cell) is not None for cell in cells
        )
        score = (len({len(row) for row in rows if row}) == 1, good / max(len(cells), 1))
        if best is None or score > best:
            best, chosen = score, delimiter
    return chosen


def _find_head(
    path: Path, sample: list[_Row], delimiter: str, comment: str
) -> tuple[int, list[str] | None, list[str] | None]:
    """How many rows stand before the data; the names and the units in them."""
    if not sample:
        return 0, None, None
    comma = delimiter != ","
    first, *below = (_tidy(row.cells) for row in sample)

    def numeric_below(i: int) -> bool:
        return any(i < len(row) and _is_number(row[i], comma) for row in below)

    words = [i for i, cell in enumerate(first) if _is_word(cell, comma)]
    numbers = [i for i, cell in enumerate(first) if _is_number(cell, comma)]
    if not words:
        if _counts_columns(first, below, comma):
            return 1, first, None
        return 0, _names_in_comment(comment, delimiter, len(first), comma), None
    others = [cell for i, cell in enumerate(first) if i not in words]
    if numbers:
        if below and not any(map(numeric_below, words)):
            return 0, None, None  # a column of text, or of dates
        count = _follow_each_other([first[i] for i in numbers])
        if not (count and words == [0] and _BEFORE_NUMBERS.fullmatch(first[0])):
            i = words[0]
            raise DataError(
                f"{path}: cannot be read: line {sample[0].line}, column {i} (counted from 0): got "
                f"{show(first[i])}, expected a number; a line of names has no numbers"
            )
    elif any(others) and not any(map(numeric_below, words)):
        return 0, None, None  # NA beside text, and not the empty name of an index
    if below and _are_units(below[0], below[1:], comma):
        return 2, first, below[0]
    return 1, first, None


def _follow_each_other(cells: list[str]) -> bool:
    """Whether these are whole numbers, each one more than the last: names, not a measurement."""
    return all(cell.isdigit() for cell in cells) and all(
        int(b) - int(a) == 1 for a, b in itertools.pairwise(cells)
    )


def _counts_columns(first: list[str], below: list[list[str]], comma: bool) -> bool:
    """Whether a row without words is 0, 1, 2, ...: what pandas calls the columns of an array; or so from another number on."""
    names = first[1:] if first[0] == "" else first
    if not (names and below and _follow_each_other(names)):
        return False
    if first[0] == "" and names[0] == "0":  # above an index
        return _follow_each_other([row[0] for row in below if row])
    # 0, 1 may as well be the first row of a sine and a cosine.
    parts = [re.search(r"[.,eE]", cell) for row in below for cell in row if _is_number(cell, comma)]
    return len(names) > 2 and bool(parts) and all(parts)


def _are_units(row: list[str], below: list[list[str]], comma: bool) -> bool:
    """Whether the row under the names is of words where there are numbers below."""
    if not below or any(re.match(r"[+-]?[.,]?\d", cell) and cell != "1" for cell in row):
        return False
    return any(
        _is_word(cell, comma) and any(i < len(r) and _is_number(r[i], comma) for r in below)
        for i, cell in enumerate(row)
    )


def _names_in_comment(comment: str, delimiter: str, n: int, comma: bool) -> list[str] | None:
    """The names in a line of comment right above the data, as np.savetxt writes them: as many as columns, all words."""
    text = comment.strip().lstrip("#%").strip() if delimiter == " " else comment.strip().lstrip("#%")
    if not text:
        return None
    row = next(_until_error(_rows(_Lines([text], delimiter == " "), delimiter)), None)
    cells = [] if row is None else _tidy(row.cells)
    named = [cell for i, cell in enumerate(cells) if i > 0 or cell]
    fits = len(cells) == n and all(_is_word(cell, comma) for cell in named) and len(set(cells)) == n
    return cells if fits and named else None


# --- the rows ----------------------------------------------------------------------------------------


def _read(path: Path, file: TextIO, dialect: _Dialect) -> Table:
    blanks = dialect.delimiter == " "
    lines = _Lines(file, blanks)
    body = _Body(path, dialect)
    try:
        rows = _rows(lines, dialect.delimiter)
        head = list(itertools.islice((row for row in rows if row.cells), dialect.n_head))
        while part := list(itertools.islice(file, _CHUNK)):
            if body.add_numbers(part, lines.number):
                lines.number += len(part)
                continue
            # A quoted cell may hold a line's end: from there on it is for `csv` to say where a row ends.
            quoted = any('"' in line for line in part)
            lines = _Lines(itertools.chain(part, file) if quoted else part, blanks, lines.number)
            rows = _rows(lines, dialect.delimiter)
            while chunk := list(itertools.islice(rows, _CHUNK)):
                body.add(chunk)
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read: line {lines.first or lines.number}: {error}") from None
    return body.table(head)


class _Body:
    """The rows of a table, turned into numbers as they come."""

    def __init__(self, path: Path, dialect: _Dialect):
        self._path, self._dialect = path, dialect
        self._n = 0
        self._rows = 0
        self._parts: list[np.ndarray] = []
        self._lines: list[np.ndarray] = []
        self._words: list[list[tuple[int, str]]] = []
        self._filled: list[bool] = []  # whether a column has a cell that is not blank
        self._signs: dict[str, str] = {}  # where the first decimal comma and the first point stand
        self._empty: list[_Row] = []  # rows without a cell that is filled: of the end, or gaps
        self._skipped = 0

    def _begin(self, n: int) -> None:
        if not self._n:
            self._n = n
            self._words = [[] for _ in range(n)]
            self._filled = [False] * n

    def add_numbers(self, lines: list[str], before: int) -> bool:
        """Take lines in which each cell is a number, many at once; refuse, with False, where one may be something else."""
        text = "".join(lines)
        comma = "," in text and self._dialect.decimal_comma
        if self._empty or (comma and "." in text) or any(sign in text for sign in '"#%_'):
            return False
        delimiter = self._dialect.delimiter
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # of no data
                values = np.loadtxt(
                    text.replace(",", ".").splitlines() if comma else lines,
                    delimiter=None if delimiter == " " else delimiter,
                    comments=None,
                    ndmin=2,
                )
        except (ValueError, UserWarning):
            return False
        if (
            len(values) != len(lines)
            or values.shape[1] != (self._n or values.shape[1])
            or np.isinf(values).any()
        ):
            return False
        self._begin(values.shape[1])
        self._filled = [True] * self._n
        for sign in "," * comma + "." * self._dialect.decimal_comma:
            if sign in text and sign not in self._signs:
                i = next(i for i, line in enumerate(lines) if sign in line)
                cell = next(c for c in re.split(r"[\s;]+", lines[i]) if sign in c)
                self._signs[sign] = f"line {before + i + 1} ({cell})"
        self._lines.append(np.arange(before + 1, before + len(lines) + 1))
        self._parts.append(values)
        self._rows += len(values)
        return True

    def add(self, chunk: list[_Row]) -> None:
        """Take rows as they come from the file."""
        kept: list[_Row] = []
        for row in chunk:
            if not any(map(str.strip, row.cells)):
                if self._n:
                    self._empty.append(row)
                continue
            self._begin(len(row.cells))
            for empty in self._empty:
                if empty.cells or self._n == 1:
                    kept.append(_Row(empty.line, empty.cells or [""]))
                else:
                    self._skipped += 1
            self._empty.clear()
            if len(row.cells) > self._n:
                row = _without_comment(row, self._n)
            kept.append(row)
        if not kept:
            return
        first = self._lines[0][0] if self._lines else kept[0].line
        for row in kept:
            if len(row.cells) != self._n:
                raise DataError(
                    f"{self._path}: cannot be read: line {row.line} has {len(row.cells)} cell(s), but line "
                    f"{first} has {self._n}"
                )
        self._lines.append(np.array([row.line for row in kept]))
        columns = zip(*(row.cells for row in kept))
        self._parts.append(
            np.column_stack([self._numbers(i, cells, kept) for i, cells in enumerate(columns)])
        )
        self._rows += len(kept)

    def _numbers(self, i: int, cells: Sequence[str], rows: list[_Row]) -> np.ndarray:
        """The numbers of some rows of a column."""
        if self._dialect.decimal_comma and "." not in self._signs:
            for row, cell in zip(rows, cells):
                if "." in cell and _is_number(cell.strip(), False):
                    self._signs["."] = f"line {row.line} ({cell.strip()})"
                    break
        values = np.full(len(cells), np.nan)
        for k, cell in enumerate(map(str.strip, cells)):
            self._filled[i] = self._filled[i] or cell != ""
            value = _value(cell, self._dialect.decimal_comma)
            if value is None and "#" in cell and i == self._n - 1:
                value = _value(cell.partition("#")[0].strip(), self._dialect.decimal_comma)
            if value is None or math.isinf(value):
                self._words[i].append((self._rows + k, cell))
                continue
            values[k] = value
            if "," in cell and "," not in self._signs:
                self._signs[","] = f"line {rows[k].line} ({cell})"
        return values

    def table(self, head: list[_Row]) -> Table:
        """All of it."""
        path, dialect = self._path, self._dialect
        if not self._n:
            raise DataError(f"{path}: cannot be read: it has no rows")
        if len(self._signs) == 2:
            raise DataError(
                f"{path}: cannot be read: the decimal sign is a comma in {self._signs[',']}, and a point in "
                f"{self._signs['.']}"
            )
        names, units = (_tidy(cells or []) for cells in (dialect.names, dialect.units))
        values = np.concatenate(self._parts)
        used = self._n
        no_name = used - len(names) in (0, 1, used) and not any(names[used - 1 :])
        if used > 1 and no_name and not self._filled[-1]:  # a delimiter at the end of each line
            used -= 1
            names, units = names[:used], units[:used]
        if names and len(names) == used - 1 and used > 2 and _follow(values[:, 0]):
            names, units = ["", *names], ["", *units] if units else units  # the row names of R have no name
        if names and len(names) != used:
            first, line = self._lines[0][0], head[0].line if head else 0
            commas = (
                (len(names), used) == (1, 2) and not any(self._words) and (values == np.floor(values)).all()
            )
            hint = "; a decimal comma needs another delimiter" if commas else ""
            raise DataError(
                f"{path}: cannot be read: line {first} has {used} cell(s), but line {line} has {len(names)} "
                f"name(s){hint}"
            )
        notes = []
        if units:
            notes.append(f"units ({', '.join(unit or '-' for unit in units)}) left out")
        if self._skipped:
            notes.append(f"{self._skipped} blank line(s) between rows left out")
        columns = [
            Column(
                names[i] if names else "",
                values[:, i],
                self._words[i],
                units[i] if i < len(units) else "",
            )
            for i in range(used)
        ]
        return Table(columns, bool(names), np.concatenate(self._lines), notes)


def _without_comment(row: _Row, n: int) -> _Row:
    """A row without what follows a # after its last cell."""
    cells = row.cells[:n]
    return _Row(row.line, cells) if any("#" in cell for cell in row.cells[n - 1 : n + 1]) else row


def _follow(values: np.ndarray) -> bool:
    """Whether a column counts the rows."""
    return bool((np.diff(values) == 1).all()) and float(values[0]).is_integer()
