"""MATLAB's .mat: SciPy reads the older ones, h5py (extra `formats`) those of version 7.3."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from .arrays import the_one
from .table import optional


def read_mat(path: Path, key: str | None) -> np.ndarray:
    """The one array of numbers of a file, or the one that `key` names; a row vector is a column."""
    from scipy.io import loadmat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that are there twice, of objects that are no arrays
            found = loadmat(path)
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


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise optional(path, "h5py", ".mat (version 7.3)") from None
    with h5py.File(path, "r") as file:
        # MATLAB's first index is HDF5's last.
        return {name: value[()].T for name, value in file.items() if isinstance(value, h5py.Dataset)}
