"""Data: files, trials, scaling, series larger than memory, benchmark systems."""

from . import systems
from .archives import read_archive
from .columns import printable
from .files import SeriesFile, as_keys, load_array, read_series, split_name
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
    "SeriesFile",
    "Trials",
    "as_keys",
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
    "printable",
    "read_archive",
    "read_at_random",
    "read_series",
    "release",
    "split_name",
    "stays_on_disk",
    "systems",
    "without_gaps",
]
