"""What a file of columns holds, before it is chosen which of them are variables."""

from __future__ import annotations

import dataclasses

import numpy as np

from ...basics.checks import PathLike
from ..trials import DataError


class MissingReader(DataError):
    """A format whose reader is not installed; the message names the extra."""


@dataclasses.dataclass
class Column:
    """One column of a file.

    Parameters
    ----------
    name : str
        Empty where the file gives none.
    values : ndarray, (T,), float64
        NaN where a cell is missing, or is no number.
    words : list of (row, text)
        The cells that are no finite numbers and not missing either.
    unit : str
        As the file gives it.
    dt : float or None
        Step between two rows in seconds, where the format says it.
    """

    name: str
    values: np.ndarray
    words: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    unit: str = ""
    dt: float | None = None


@dataclasses.dataclass
class Table:
    """Columns in the order of the file.

    Parameters
    ----------
    columns : list of Column
        In the order of the file.
    named : bool
        Whether the file gives names.
    lines : ndarray of int, (T,), or None
        The line of each row, as an editor counts them.
    notes : list of str
        What a reader of the file should be told.
    """

    columns: list[Column]
    named: bool
    lines: np.ndarray | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def label(self, i: int) -> str:
        """A column in a message."""
        name = self.columns[i].name
        return f"column {name!r}" if name else f"column {i} (counted from 0)"

    def place(self, row: int, i: int) -> str:
        """A cell in a message."""
        where = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
        return f"{where}, {self.label(i)}"


def optional(path: PathLike, package: str, kind: str) -> MissingReader:
    """The error where the reader of a format is not installed."""
    return MissingReader(
        f'{path}: {kind} files need the package {package}: pip install "plrnn_numba[formats]"'
    )
