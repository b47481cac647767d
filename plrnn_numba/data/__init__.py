"""Data: files, trials, scaling, series larger than memory, benchmark systems."""

from . import systems
from .files import load_array
from .mapped import mapping_of, release, stays_on_disk
from .scaling import find_scaling
from .trials import DataError, Trials, as_trials, check_trials, inputs_of_trials, interpolated, without_gaps

__all__ = [
    "DataError",
    "Trials",
    "as_trials",
    "check_trials",
    "find_scaling",
    "inputs_of_trials",
    "interpolated",
    "load_array",
    "mapping_of",
    "release",
    "stays_on_disk",
    "systems",
    "without_gaps",
]
