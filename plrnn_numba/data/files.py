"""Series from files: .npy, .npz, .csv, or a folder of trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..basics.checks import PathLike, as_path
from .mapped import open_mapped
from .trials import DataError


def load_array(path: PathLike) -> np.ndarray | list[np.ndarray]:
    """Read a series from .npy, .npz or .csv, or trials from a folder of them, in the order of names."""
    path = Path(as_path("path", path))
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in (".npy", ".npz", ".csv"))
        if not files:
            raise DataError(f"{path}: the folder has no .npy, .npz or .csv file")
        return [_load_trial(file) for file in files]
    return _load_file(path)


def _load_trial(path: Path) -> np.ndarray:
    array = _load_file(path)
    if np.ndim(array) != 2:
        raise DataError(f"{path}: got shape {np.shape(array)}, expected (T, N) in a folder of trials")
    return array


def _load_file(path: Path) -> np.ndarray:
    suffix = path.suffix.lower()
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        if suffix == ".npy":
            return open_mapped(path)
        if suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if len(archive.files) != 1:
                    raise DataError(
                        f"{path}: got {len(archive.files)} arrays ({', '.join(archive.files[:5])}), "
                        f"expected one"
                    )
                return archive[archive.files[0]]
        if suffix == ".csv":
            return _load_csv(path)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file does to the reader
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read: {message}") from None
    raise DataError(f"{path}: got the ending {suffix!r}, allowed are .npy, .npz, .csv or a folder")


def _load_csv(path: Path) -> np.ndarray:
    """Columns of numbers, with or without one line of names above."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = lines.readline()
    cells = first.strip().split(",")
    numbers = [_is_number(cell) for cell in cells]
    if any(numbers) and not all(numbers):
        column = numbers.index(False)
        raise DataError(f"{path}: row 1, column {column + 1}: got {cells[column]!r}, expected a number")
    header = 0 if all(numbers) else 1
    return np.loadtxt(path, delimiter=",", skiprows=header, ndmin=2)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
