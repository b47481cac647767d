"""NumPy's own files, .npy and .npz; and one array out of a file of several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..archives import read_archive
from ..mapped import open_mapped
from ..trials import DataError


def read_npy(path: Path) -> np.ndarray:
    """The array; one that is large stays on disk."""
    return open_mapped(path)


def read_npz(path: Path, key: str | None) -> np.ndarray:
    """The one array of an archive, or the one that `key` names."""
    arrays = read_archive(path)
    return arrays[the_one(path, dict.fromkeys(arrays, ""), key)]


def the_one(path: Path, told: Mapping[str, Any], key: str | None) -> str:
    """Which array of a file is meant: the one there is, or that of the name `key`."""
    names = ", ".join(f"{name}{told[name]}" for name in list(told)[:20])
    if key is not None:
        if key not in told:
            raise DataError(f"{path}: has no array {key!r}; it has {names or 'none'}")
        return key
    if len(told) != 1:
        choose = f"; choose with {path}:{next(iter(told))}" if told else ""
        raise DataError(f"{path}: got {len(told)} arrays ({names}), expected one{choose}")
    return next(iter(told))
