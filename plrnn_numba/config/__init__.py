"""The configuration of a run: its parts, its files, and the commented one to start from."""

from .changes import apply_changes, differences
from .config import Config
from .files import read_config_file
from .parts import Evaluation, LatentStep, Observation, Regularization, Training
from .starting import Facts, starting_configuration

__all__ = [
    "Config",
    "Evaluation",
    "Facts",
    "LatentStep",
    "Observation",
    "Regularization",
    "Training",
    "apply_changes",
    "differences",
    "read_config_file",
    "starting_configuration",
]
