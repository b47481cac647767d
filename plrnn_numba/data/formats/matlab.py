"""MATLAB's .mat: SciPy reads the older ones, h5py (extra `formats`) those of version 7.3."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

from .arrays import the_one
from .table import optional

_MATRIX, _COMPRESSED = 14, 15
_TYPES = frozenset((*range(1, 8), 9, *range(12, 19)))  # of elements, as MATLAB numbers them


def read_mat(path: Path, key: str | None) -> np.ndarray:
    """The one array of numbers of a file, or the one that `key` names; a row vector is a column."""
    from scipy.io import loadmat

    _check_tags(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that are there twice, of objects that are no arrays
            found = loadmat(path, appendmat=False)
    except NotImplementedError:  # what SciPy says of version 7.3
        found = _read_hdf5(path)
    arrays = {
        name: value
        for name, value in found.items()
        if not name.startswith("__") and isinstance(value, np.ndarray) and value.dtype.kind in "fiubc"
    }
    shapes = {name: f" {value.shape}" for name, value in arrays.items()}
    array = arrays[the_one(path, shapes, key)]
    # To MATLAB everything is a matrix: a row vector is a series of one variable.
    return array.T if array.ndim == 2 and array.shape[0] == 1 else array


def _check_tags(path: Path) -> None:
    """Raise ValueError for a file of version 5 to 7 whose elements are damaged: SciPy trusts their types, and would crash."""
    raw = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(raw[126:128]))
    if order is not None and bytes(raw[124:126]) in (b"\x00\x01", b"\x01\x00"):
        _check_elements(raw[128:], order)


def _check_elements(data: memoryview, order: str) -> None:
    """Walk over elements, each of a type, a size in bytes, and so many bytes, padded to eight."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        begin, end = at + 8, at + 8 + size
        if kind >> 16:  # a short one: its size in the upper half, its bytes in the place of the size
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if kind not in _TYPES or size > end - begin or end > len(data):
            raise ValueError("an element of it is damaged")
        if kind == _MATRIX:
            _check_elements(data[begin:end], order)
        elif kind == _COMPRESSED:
            _check_elements(memoryview(zlib.decompress(data[begin:end])), order)
        at = end if kind == _COMPRESSED else end + -end % 8


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise optional(path, "h5py", ".mat (version 7.3)") from None
    with h5py.File(path, "r") as file:
        # MATLAB's first index is HDF5's last.
        return {name: value[()].T for name, value in file.items() if isinstance(value, h5py.Dataset)}
