"""plrnn_numba: reconstruct dynamical systems from time series, on a CPU.

Piecewise-linear RNNs (PLRNN, ALRNN, shPLRNN, clipped_shPLRNN) in NumPy arrays and numba kernels, with
hand-derived gradients. Start with `fit`, `predict` and `Config`; or, at a shell, with ``plrnn-numba --help``.
"""

from __future__ import annotations

import importlib as _importlib
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING as _TYPE_CHECKING

from . import data, measures, models, observation, systems
from ._version import __version__
from .basics.options import ConfigError
from .bptt import loss_and_grad
from .config import Config
from .data import DataError
from .dynamics import DivergenceWarning, generate, jacobian, step
from .forcings.gtf import GTF
from .forcings.stf import STF
from .measures import Evaluation, evaluate, hellinger_distance, prediction_error, state_space_divergence
from .model import Model, Scaling, initial_state, observe, predict
from .models.alrnn import ALRNN
from .models.base import Hinge
from .models.clipped_shplrnn import ClippedShPLRNN
from .models.convert import to_hinge, to_shplrnn
from .models.plrnn import PLRNN
from .models.shplrnn import ShPLRNN
from .observation import Affine, Identity
from .runs.checkpoints import load_config, load_model, save_model
from .runs.versions import show_versions
from .training import EpochReport, FitResult, Trainer, fit, init_model, warmup
from .training import optimizers as optim

if _TYPE_CHECKING:
    from . import analysis

__all__ = [
    "ALRNN",
    "GTF",
    "PLRNN",
    "STF",
    "Affine",
    "ClippedShPLRNN",
    "Config",
    "ConfigError",
    "DataError",
    "DivergenceWarning",
    "EpochReport",
    "Evaluation",
    "FitResult",
    "Hinge",
    "Identity",
    "Model",
    "Scaling",
    "ShPLRNN",
    "Trainer",
    "__version__",
    "analysis",
    "data",
    "evaluate",
    "fit",
    "generate",
    "hellinger_distance",
    "init_model",
    "initial_state",
    "jacobian",
    "load_config",
    "load_model",
    "loss_and_grad",
    "measures",
    "models",
    "observation",
    "observe",
    "optim",
    "predict",
    "prediction_error",
    "save_model",
    "show_versions",
    "state_space_divergence",
    "step",
    "systems",
    "to_hinge",
    "to_shplrnn",
    "warmup",
]


def __getattr__(name: str) -> _ModuleType:
    """Import `analysis` when it is first asked for: it brings half of SciPy along."""
    if name == "analysis":
        return _importlib.import_module(".analysis", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is public, `analysis` included, and no more."""
    return __all__
