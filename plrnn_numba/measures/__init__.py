"""Measures of a reconstruction: geometry (D_stsp), frequencies (D_H), prediction.

The projects of the field compute them in different ways, and published numbers are comparable only within one. What is
computed where nothing is said is what docs/analysis.md argues for; the others are there as variants, by name, with
their quirks, so that numbers can be reproduced.
"""

from .common import Estimate, UndefinedMeasureWarning
from .distribution import kernel_distance, statistical_error
from .evaluation import Evaluation, evaluate
from .prediction import mase, prediction_error, prediction_errors, valid_prediction_time
from .spectra import hellinger_distance, power_spectra, spectral_correlation
from .state_space import PSEUDO_COUNT, state_space_divergence

__all__ = [
    "PSEUDO_COUNT",
    "Estimate",
    "Evaluation",
    "UndefinedMeasureWarning",
    "evaluate",
    "hellinger_distance",
    "kernel_distance",
    "mase",
    "power_spectra",
    "prediction_error",
    "prediction_errors",
    "spectral_correlation",
    "state_space_divergence",
    "statistical_error",
    "valid_prediction_time",
]
