"""Data: files, trials, scaling, series larger than memory, benchmark systems."""

from . import systems
from .files import load_array
from .mapped import as_native, mapping_of, open_mapped, parts_of, read_at_random, release, stays_on_disk
from .scaling import extent, find_scaling
from .trials import (
    DataError,
    Trials,
    as_trials,
    check_trials,
    fill_from,
    inputs_of_trials,
    interpolated,
    without_gaps,
)

__all__ = [
    "DataError",
    "Trials",
    "as_native",
    "as_trials",
    "check_trials",
    "extent",
    "fill_from",
    "find_scaling",
    "inputs_of_trials",
    "interpolated",
    "load_array",
    "mapping_of",
    "open_mapped",
    "parts_of",
    "read_at_random",
    "release",
    "stays_on_disk",
    "systems",
    "without_gaps",
]
