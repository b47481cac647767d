"""plrnn_numba: reconstruct dynamical systems from time series, on a CPU.

Piecewise-linear RNNs (PLRNN, ALRNN, shPLRNN, clipped_shPLRNN) in NumPy arrays and numba kernels, with
hand-derived gradients. Start with `fit`, `predict` and `Config`; or, at a shell, with ``plrnn-numba --help``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import measures, models, optim, systems
from ._schema import ConfigError
from ._version import __version__
from .bptt import loss_and_grad
from .checkpoint import load_config, load_model, save_model
from .config import Config
from .data import DataError
from .dynamics import DivergenceWarning, generate, jacobian, step
from .forcing import GTF, STF
from .measures import Evaluation, evaluate, hellinger_distance, prediction_error, state_space_divergence
from .model import Model, Scaling, init_model, initial_state, observe, predict
from .models._base import Hinge
from .models.alrnn import ALRNN
from .models.clipped_shplrnn import ClippedShPLRNN
from .models.convert import to_hinge, to_shplrnn
from .models.plrnn import PLRNN
from .models.shplrnn import ShPLRNN
from .observation import Affine, Identity
from .training import EpochReport, FitResult, Trainer, fit, warmup
from .versions import show_versions

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

if TYPE_CHECKING:
    from . import analysis


def __getattr__(name: str) -> Any:
    """Import `analysis` when it is first asked for: it brings half of SciPy along."""
    if name == "analysis":
        return importlib.import_module(".analysis", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
