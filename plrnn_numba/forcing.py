"""Teacher forcing: how far, at each step, the latent state is pulled to what the data say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ._schema import ConfigError, at_least, one_of, option, within


@dataclasses.dataclass(frozen=True)
class STF:
    """Sparse teacher forcing: the state is replaced every `interval` steps.

    Source: Brenner et al. (2022), ICML; Mikhaeil, Monfared and Durstewitz (2022), NeurIPS.

    Examples
    --------
    >>> from plrnn_numba import STF
    >>> STF(interval=2).weights(5)
    array([0., 0., 1., 0., 1.])
    """

    interval: int = option(rule=at_least(1), help="steps between two replacements of the state")

    def __post_init__(self) -> None:
        if isinstance(self.interval, bool) or int(self.interval) != self.interval or self.interval < 1:
            raise ConfigError(f"forcing.interval: got {self.interval!r}, allowed is an integer at least 1")

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: 1 where t is a positive multiple of the interval, else 0."""
        t = np.arange(n_steps)
        return ((t % self.interval == 0) & (t > 0)).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class GTF:
    """Generalized teacher forcing: at every step the state is pulled by the fraction `alpha`.

    Source: Hess et al. (2023), "Generalized teacher forcing for learning chaotic dynamics", ICML.

    Examples
    --------
    >>> from plrnn_numba import GTF
    >>> GTF(alpha=0.25).weights(3)
    array([0.  , 0.25, 0.25])
    """

    alpha: float = option(0.15, within(0, 1), help="the fraction by which the state is pulled")
    method: str = option("constant", one_of("constant"), help="how alpha is found")

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"forcing.alpha: got {self.alpha!r}, allowed is from 0 to 1")

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: alpha for every t > 0, and 0 at t = 0."""
        a = np.full(n_steps, float(self.alpha))
        a[:1] = 0
        return a


FORCINGS = {"STF": STF, "GTF": GTF}


def forcing_weights(forcing: Any, n_steps: int) -> np.ndarray:
    """``a (n_steps,)`` of an STF, a GTF, or None, which never forces."""
    if forcing is None:
        return np.zeros(n_steps)
    if not isinstance(forcing, (STF, GTF)):
        raise TypeError(f"forcing: got {type(forcing).__name__}, allowed are STF, GTF, None")
    return forcing.weights(n_steps)
