"""STF, sparse teacher forcing."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..basics.checks import as_integer
from ..basics.options import at_least, option
from ..basics.registry import Variant
from .base import FORCINGS, Forcing


@dataclasses.dataclass(frozen=True)
class STF(Forcing):
    """Sparse teacher forcing: the state is replaced every `interval` steps.

    `forced_units`: how many of the first latent units are forced; None for all that the data reach, which are the
    first N for `Identity` and all for `Affine`.

    Source: Brenner et al. (2022) [brenner2022]; Mikhaeil et al. (2022) [mikhaeil2022].

    Examples
    --------
    >>> from plrnn_numba import STF
    >>> STF(interval=2).weights(5)
    array([0., 0., 1., 0., 1.])
    """

    interval: int = option(rule=at_least(1), help="steps between two replacements of the state")

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: 1 where t is a positive multiple of the interval, else 0."""
        t = np.arange(as_integer("n_steps", n_steps, 0))
        return ((t % self.interval == 0) & (t > 0)).astype(np.float64)


FORCINGS.register(Variant(name="STF", parameters=STF, hyperparameters=STF, example={"interval": 16}))
