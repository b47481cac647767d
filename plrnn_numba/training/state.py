"""The state of a training: everything that its rest depends on, which is what a checkpoint holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..basics.checks import as_integer, as_number
from ..engine import as_floats, check_finite, check_shape
from .optimizers import init_moments
from .penalties import Found
from .report import COLUMNS, whole_row


class State:
    """Parameters, optimizer, random numbers, what the running epoch has summed up, and the epochs before.

    The arrays are changed in place, by kernels: they are made once.

    Parameters
    ----------
    params : ndarray, (n,)
        All parameters in one vector.
    alpha : ndarray, (1,)
        That of the forcing, which its adaptation changes.
    seed : int
        The configuration's.
    """

    def __init__(self, params: np.ndarray, alpha: np.ndarray, seed: int):
        self.params = params
        self.moments = init_moments(params)
        self.alpha = alpha
        # A stream of its own: the initial values do not depend on how training draws, nor the reverse.
        self.rng = np.random.default_rng([seed, 1])
        self.epoch = 0  # epochs that are done
        self.batch = 0  # batches of the running epoch that are done
        self.sums = np.zeros(1 + len(Found._fields))  # of the running epoch: the loss, and each penalty
        self.epoch_seconds = 0.0
        self.rows: list[tuple[float, ...]] = []
        self.best = params.copy()
        self.best_by = ""  # the measure that the best evaluation was the best by; none yet
        self.best_distance = math.inf

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "params": self.params,
            "m": self.moments.m,
            "v": self.moments.v,
            "best": self.best,
            "sums": self.sums,
            "alpha": self.alpha,
        }

    def keep_if_best(self, measure: str, distance: float) -> None:
        """Keep the parameters where an evaluation is better than those before; NaN decides nothing."""
        if distance < self.best_distance or (measure != self.best_by and math.isfinite(distance)):
            self.best_by, self.best_distance = measure, distance
            self.best[...] = self.params

    def end_epoch(self, row: dict[str, float]) -> None:
        """Keep the row of the epoch that has ended, and begin the next."""
        self.rows.append(tuple(float(row[name]) for name in COLUMNS))
        self.next_epoch()

    def next_epoch(self) -> None:
        """Begin the next epoch."""
        self.epoch += 1
        self.batch = 0
        self.sums[:] = 0
        self.epoch_seconds = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain arrays, numbers and dicts."""
        return {
            **{name: array.copy() for name, array in self._arrays().items()},
            "rows": np.array(self.rows, dtype=np.float64).reshape(-1, len(COLUMNS)),
            "progress": {
                "epoch": self.epoch,
                "batch": self.batch,
                "epoch_seconds": self.epoch_seconds,
                "best_by": self.best_by,
                "best_distance": self.best_distance if self.best_by else None,
                "rng": self.rng.bit_generator.state,
            },
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Take over what `to_dict` of a training with the same configuration returned."""
        lacking = [name for name in (*self._arrays(), "rows", "progress") if name not in plain]
        if lacking:
            raise ValueError(f"state: has no {lacking[0]!r}; expected what `state` of a Trainer returned")
        arrays = self._arrays()
        for name, array in arrays.items():
            check_shape(f"state[{name!r}]", np.asarray(plain[name]), array.shape)
        for name in ("params", "best", "m", "v", "sums"):
            check_finite(f"state[{name!r}]", as_floats(f"state[{name!r}]", plain[name]))
        rows, progress = np.asarray(plain["rows"]), plain["progress"]
        check_shape("state['rows']", rows, ("epochs", "columns"))
        try:
            epoch, batch = (as_integer(f"state: {name}", progress[name], 0) for name in ("epoch", "batch"))
            seconds = as_number("state: epoch_seconds", progress["epoch_seconds"], least=0)
            # The latter, until there was D_mmd.
            best = progress.get("best_distance", progress.get("best_D_stsp"))
            best_by = progress.get("best_by", "D_stsp")
            self.rng.bit_generator.state = progress["rng"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state['progress']: is incomplete: {error}") from None
        self.epoch, self.batch, self.epoch_seconds = epoch, batch, seconds
        for name, array in arrays.items():
            array[...] = plain[name]
        self.rows = [whole_row(row) for row in rows]
        self.best_by = "" if best is None else best_by
        self.best_distance = math.inf if best is None else best
