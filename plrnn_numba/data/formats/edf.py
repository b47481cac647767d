"""EDF and BDF recordings; edfio reads them (extra `formats`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..trials import DataError
from .table import Column, Table, optional


def read_edf(path: Path) -> Table:
    """All signals, with their labels, in physical units; annotations are left out."""
    try:
        import edfio
    except ModuleNotFoundError:
        raise optional(path, "edfio", ".edf and .bdf") from None
    recording = (edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf)(path)
    if not recording.is_continuous:
        raise DataError(f"{path}: is interrupted (EDF+D); save its parts as trials")
    columns = [
        Column(
            " ".join(signal.label.split()),
            np.array(signal.data, np.float64),
            unit=signal.physical_dimension.strip(),
            dt=1 / signal.sampling_frequency,
        )
        for signal in recording.signals
    ]
    if not columns:
        raise DataError(f"{path}: has no signals")
    return Table(columns, named=True)
