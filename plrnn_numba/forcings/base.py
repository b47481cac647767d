"""What a forcing gives to the package, and the registry.

A forcing is one file in this folder: a dataclass of options, which a configuration or a caller makes, with a method that
gives a[t], and an entry. Where a[t] changes in the course of a training, it also says by what: a NamedTuple, with an
implementation of the verb `adapt_alpha`.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..basics.options import ConfigError, Options, at_least, option
from ..basics.registry import Family, Variant
from ..engine import as_floats, implements, verb
from ..models.base import Latent
from ..observations.base import Observation


@verb
def adapt_alpha(adaptation, parameters, inverse, source, windows, a, batch):
    """Renew alpha, and a[1:], where it is the turn of a batch, the first of which is number 1."""


class Constant(NamedTuple):
    """An alpha, or another forcing, that stays as it is."""

    alpha: np.ndarray  # (1,)


@implements(adapt_alpha, Constant)
def _keep(adaptation, parameters, inverse, source, windows, a, batch):
    pass


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forcing(Options, abc.ABC):
    """What every forcing has."""

    path: ClassVar[str] = "forcing"

    forced_units: int | None = option(
        None, at_least(1), "how many of the first units are forced; null for all that the data reach"
    )

    @abc.abstractmethod
    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``, from 0 to 1: the fraction by which the state is pulled at each step; 0 at t = 0."""

    @property
    def adapts(self) -> bool:
        """Whether a[t] changes in the course of a training."""
        return False

    def adaptation(self, latent: Latent, observation: Observation) -> Any:
        """What training keeps of alpha: a NamedTuple with a field `alpha` (1,), of a type that has an `adapt_alpha`."""
        return Constant(np.full(1, np.nan))

    def check_latent_step(self, name: str, parameters: type) -> None:
        """Raise ConfigError where the forcing does not go with a latent step model."""


FORCINGS: Family[Variant] = Family("forcing", "forcing")


def as_forcing(forcing: object) -> Forcing | None:
    """A forcing of a registered kind, or None, as it is; raise TypeError for anything else."""
    if forcing is not None and type(forcing) not in FORCINGS.types:
        known = ", ".join(variant.parameters.__name__ for variant in FORCINGS.values())
        raise TypeError(f"forcing: got {type(forcing).__name__}, allowed are {known}, None")
    return forcing  # type: ignore[return-value]


def forcing_weights(forcing: Forcing | None, n_steps: int) -> np.ndarray:
    """``a (n_steps,)`` of a forcing, or of None, which never forces; raise ValueError where it is no such array."""
    if forcing is None:
        return np.zeros(n_steps)
    a = as_floats("forcing.weights", forcing.weights(n_steps), np.float64, (n_steps,))
    if not ((a >= 0) & (a <= 1)).all() or a[:1].any():
        raise ValueError("forcing.weights: expected numbers from 0 to 1, the first of them 0")
    return a


def adaptation_of(forcing: Forcing | None, latent: Latent, observation: Observation) -> Any:
    """What training keeps of a forcing's alpha, of the type that has the right `adapt_alpha`."""
    return Constant(np.full(1, np.nan)) if forcing is None else forcing.adaptation(latent, observation)


def n_forced_units(forcing: Forcing | None, reached: int) -> int:
    """How many units a forcing pulls, of those that the data reach; raise ConfigError where it asks for more."""
    wanted = None if forcing is None else forcing.forced_units
    if wanted is None:
        return reached
    if wanted > reached:
        raise ConfigError(
            f"forcing.forced_units: got {wanted}, allowed is at most {reached}, the units that the data reach"
        )
    return wanted
