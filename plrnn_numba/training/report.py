"""What a training tells: a row an epoch, a report to callbacks, and the result."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..basics.checks import one_of
from ..basics.records import fields_of, record, shown
from ..measures import Evaluation
from ..measures.evaluation import MEASURES
from ..model import Model
from .penalties import Found

STATUSES = ("finished", "early", "diverged", "stopped", "interrupted")

# The one list of an epoch's numbers: of the history, of a checkpoint's rows, and of a run's metrics.csv. A new one stands
# last, and is NaN in rows that are older.
COLUMNS = ("epoch", "loss", *Found._fields, "alpha", "learning_rate", "seconds", *MEASURES)


def history_of(rows: Iterable[Sequence[float]]) -> dict[str, np.ndarray]:
    """Columns, by name, of the rows that a training keeps."""
    table = np.array([whole_row(row) for row in rows], dtype=np.float64).reshape(-1, len(COLUMNS))
    return {name: table[:, i].copy() for i, name in enumerate(COLUMNS)}


def whole_row(row: Sequence[float]) -> tuple[float, ...]:
    """A row with all columns: those that it is too old to have are NaN."""
    return (*row, *(math.nan for _ in COLUMNS[len(row) :]))


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EpochReport:
    """What a callback is told after each epoch.

    Parameters
    ----------
    row : mapping
        The epoch's numbers by name, as in `FitResult.history`; each is an attribute too, as ``report.loss``.
    n_epochs : int
        How many the training will have.
    evaluation : Evaluation or None
        None between two evaluations.
    model : Model
        The parameters at the epoch's end.
    """

    row: Mapping[str, float]
    n_epochs: int
    evaluation: Evaluation | None
    model: Model

    @property
    def epoch(self) -> int:
        """The epoch's number, from 1 on."""
        return int(self.row["epoch"])

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *COLUMNS]

    def __getattr__(self, name: str) -> float:
        if name in COLUMNS:
            return self.row[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


@record
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    """What `fit` returns.

    Parameters
    ----------
    model : Model
        The parameters at the end; after divergence, the last finite ones.
    history : dict of ndarray
        Columns epoch (from 1), loss, l2, mar, ar, condition, alpha, learning_rate, seconds, D_stsp, D_H, PE, D_mmd; a
        row an epoch. The penalties are those of the configuration's `regularization` and `ar_epsilon`; alpha is that of
        GTF at the epoch's end, NaN for other forcings; the measures are NaN in epochs without an evaluation, and of
        D_stsp and D_mmd one is (`Evaluation`).
    best_model : Model
        Those of the evaluation with the lowest D_stsp, or D_mmd in its place; `model` where there was none.
    status : str
        'finished', 'early' (by `early_stopping`), 'diverged', 'stopped' (by a callback or a signal) or
        'interrupted' (by Ctrl-C).
    seed : int
        The configuration's.
    compile_seconds, seconds : float
        Time to compile or load the kernels, and time to train.
    measured_on : str
        What the measures are of: 'validation', or 'training data' where `fit` was given no validation; with the trial
        that served, and what is missing or constant in it.
    """

    model: Model
    history: dict[str, np.ndarray]
    best_model: Model
    status: str
    seed: int
    compile_seconds: float
    seconds: float
    measured_on: str = "validation"

    def __post_init__(self) -> None:
        one_of("FitResult.status", self.status, STATUSES)
        for name in ("model", "best_model"):
            if not isinstance(getattr(self, name), Model):
                raise TypeError(f"FitResult.{name}: got {type(getattr(self, name)).__name__}, expected Model")
        lacking = [name for name in COLUMNS if name not in self.history]
        if lacking:
            raise ValueError(f"FitResult.history: has no column {lacking[0]!r}")

    def __repr__(self) -> str:
        n = len(self.history["epoch"])
        last = {name: values[-1] for name, values in self.history.items() if n and name != "epoch"}
        told = ", ".join(f"{name} {value:.4g}" for name, value in last.items() if value == value)
        kept = {name: value for name, value in fields_of(self) if name not in ("history", "status")}
        lines = [
            f"status={self.status!r}",
            f"history=<{n} epochs; the last: {told}>" if n else "history=<0 epochs>",
        ]
        lines += [f"{name}={shown(value)}" for name, value in kept.items()]
        return "FitResult(\n  " + ",\n  ".join(lines) + ",\n)"
