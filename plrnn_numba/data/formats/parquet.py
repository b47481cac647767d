"""Parquet tables; pyarrow reads them (extra `formats`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..trials import DataError
from .table import Column, Table, optional


def read_parquet(path: Path) -> Table:
    """All columns, with their names; null is missing."""
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise optional(path, "pyarrow", ".parquet") from None
    table = parquet.read_table(path)
    columns = []
    for name, column in zip(table.column_names, table.columns):
        # The index of pandas, which has no name of its own.
        name = "" if name.startswith("__index_level_") else name
        columns.append(_column(name, column.to_numpy()))
    if not columns or not len(columns[0].values):
        raise DataError(f"{path}: has no rows")
    # pandas writes its index behind the other columns.
    columns.sort(key=lambda column: column.name != "")
    return Table(columns, named=True)


def _column(name: str, values: np.ndarray) -> Column:
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        inf = np.flatnonzero(np.isinf(numbers))
        return Column(name, numbers, [(int(i), "inf") for i in inf])
    numbers = np.full(len(values), np.nan)
    words = []
    if values.dtype.kind == "M":
        values = np.datetime_as_string(values)
    for i, value in enumerate(values):
        try:
            numbers[i] = np.nan if value is None or value == "NaT" else float(value)
        except (TypeError, ValueError):
            words.append((i, str(value)))
    return Column(name, numbers, words)
