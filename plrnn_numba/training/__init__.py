"""Training: optimizers, penalties, windows, the state that a checkpoint holds, and the loop."""

from .initial import init_model
from .loop import Trainer, fit
from .report import EpochReport, FitResult, history_of
from .warmup import warmup

__all__ = ["EpochReport", "FitResult", "Trainer", "fit", "history_of", "init_model", "warmup"]
