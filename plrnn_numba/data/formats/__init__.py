"""Formats of data files: one file a format, found by a file's ending.

A reader takes a path and gives an array, or a `Table` where the file has columns of its own: names, a clock, cells that are missing.
That of an archive of several arrays takes the name of one of them too, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .arrays import read_npy, read_npz
from .edf import read_edf
from .matlab import read_mat
from .parquet import read_parquet
from .table import Column, Table
from .text import read_text

__all__ = ["ARCHIVES", "ENDINGS", "LOOSE", "TABLES", "Column", "Table"]

TABLES: dict[str, Callable[[Path], np.ndarray | Table]] = {
    ".npy": read_npy,
    ".csv": read_text,
    ".tsv": read_text,
    ".txt": read_text,
    ".dat": read_text,
    ".parquet": read_parquet,
    ".edf": read_edf,
    ".bdf": read_edf,
}
ARCHIVES: dict[str, Callable[[Path, str | None], np.ndarray]] = {".npz": read_npz, ".mat": read_mat}

ENDINGS = (*TABLES, *ARCHIVES)

# In a folder of trials these may as well be notes: they count where there is nothing else.
LOOSE = (".txt", ".dat")
