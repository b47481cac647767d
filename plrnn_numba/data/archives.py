"""Archives of arrays, .npz, read with care: sizes are checked before memory is taken, and nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from ..basics.sizes import check_memory


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a .npz file, by name; raise an error for one that is damaged, or larger than memory.

    An archive of a few kilobytes can say that it holds terabytes: zeros compress well, and a header may say anything.
    """
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
        needed = sum(member.file_size for member in members)
        check_memory({f"{len(members)} arrays": (path.name, needed)}, ValueError)
        arrays = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as file:
                _check_header(name, file, member.file_size)
            with archive.open(member) as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


def _check_header(name: str, file: IO[bytes], size: int) -> None:
    """Raise ValueError where an array's header promises other than what the archive holds."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array {name!r} is of the format {version}, which is not read")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if math.prod(shape) * dtype.itemsize != size - file.tell():
        raise ValueError(
            f"array {name!r} says that it has shape {shape} of {dtype}, and holds {size - file.tell()} bytes"
        )
