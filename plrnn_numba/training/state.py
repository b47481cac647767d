"""The state of a training: everything that its rest depends on, which is what a checkpoint holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .optimizers import init_moments
from .penalties import Found
from .report import COLUMNS


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
        self.best_D_stsp = math.inf

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "params": self.params,
            "m": self.moments.m,
            "v": self.moments.v,
            "best": self.best,
            "sums": self.sums,
            "alpha": self.alpha,
        }

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
                "best_D_stsp": self.best_D_stsp if math.isfinite(self.best_D_stsp) else None,
                "rng": self.rng.bit_generator.state,
            },
        }

    def restore(self, plain: dict[str, Any]) -> None:
        """Take over what `to_dict` of a training with the same configuration returned."""
        lacking = [name for name in (*self._arrays(), "rows", "progress") if name not in plain]
        if lacking:
            raise ValueError(f"state: has no {lacking[0]!r}; expected what `state` of a Trainer returned")
        for name, array in self._arrays().items():
            given = np.asarray(plain[name])
            if given.shape != array.shape:
                raise ValueError(f"state[{name!r}]: got shape {given.shape}, expected {array.shape}")
            array[...] = given
        self.rows = [tuple(row) for row in plain["rows"]]
        progress = plain["progress"]
        self.epoch, self.batch = progress["epoch"], progress["batch"]
        self.epoch_seconds = progress["epoch_seconds"]
        best = progress["best_D_stsp"]
        self.best_D_stsp = math.inf if best is None else best
        self.rng.bit_generator.state = progress["rng"]
