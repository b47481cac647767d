"""GTF, generalized teacher forcing, with an alpha that is constant or adapts (see `stretch`)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..basics.checks import as_integer
from ..basics.options import ConfigError, at_least, one_of, option, within
from ..basics.registry import Variant
from ..engine import offers
from ..models.base import Latent, jacobian_bound
from ..observations.base import Observation
from .base import FORCINGS, Constant, Forcing
from .stretch import STRETCHES, Schedule

METHODS = ("constant", *STRETCHES)


@dataclasses.dataclass(frozen=True)
class GTF(Forcing):
    """Generalized teacher forcing: at every step the state is pulled by the fraction `alpha`.

    With a method other than 'constant', alpha follows ``max(0, 1 - 1/n)``, where n says how much the model stretches
    small differences along the data of a batch: it jumps up to a larger estimate at once, and decays to a smaller one
    as ``decay alpha + (1 - decay) estimate``, at every `interval`-th batch, from 1 on; `alpha` is then not used. From
    the Jacobians J[s, t] at the states that the observations of sequence s stand for, n is

    jacobian_upper_bound   ``max|A| + norm(W1) norm(W2)``, of the shallow models
    batch_maximum          the largest ``norm(J[s, t])``
    product_upper_bound    the largest, over s, geometric mean over t of ``norm(J[s, t])``
    arithmetic_mean        the largest, over s, ``norm(mean over t of J[s, t])``
    explog_approx          the largest, over s, ``norm(exp(mean over t of log J[s, t]))``

    with norms that are the largest singular values. `samples` steps of each sequence, evenly spread, stand for all of
    them, which None asks for. `forced_units` is as for `STF`.

    Source: Hess et al. (2023) [hess2023].

    Examples
    --------
    >>> from plrnn_numba import GTF
    >>> GTF(alpha=0.25).weights(3)
    array([0.  , 0.25, 0.25])
    """

    alpha: float = option(0.15, within(0, 1), help="the fraction by which the state is pulled, if constant")
    method: str = option("constant", one_of(*METHODS), help="how alpha is found")
    interval: int = option(5, at_least(1), help="batches between two estimates of an adaptive alpha")
    decay: float = option(0.999, within(0, 1), help="how slowly an adaptive alpha follows a smaller estimate")
    samples: int | None = option(
        2, at_least(1), help="steps of each sequence that an estimate looks at; null for all"
    )

    def weights(self, n_steps: int) -> np.ndarray:
        """``a (n_steps,)``: alpha for every t > 0, and 0 at t = 0; an adaptive alpha starts at 1."""
        a = np.full(
            as_integer("n_steps", n_steps, 0), float(self.alpha) if self.method == "constant" else 1.0
        )
        a[:1] = 0
        return a

    @property
    def adapts(self) -> bool:
        return self.method != "constant"

    def adaptation(self, latent: Latent, observation: Observation) -> Any:
        if not self.adapts:
            return Constant(np.full(1, self.alpha))
        schedule = Schedule(self.interval, self.decay, self.samples or 0)
        return STRETCHES[self.method](schedule, latent, observation)

    def check_latent_step(self, name: str, parameters: type) -> None:
        if self.method == "jacobian_upper_bound" and not offers(jacobian_bound, parameters):
            others = ", ".join(repr(m) for m in METHODS if m != self.method)
            raise ConfigError(
                f"forcing.method: got {self.method!r}, but {name} has no bound of its Jacobian; "
                f"allowed for it is one of {others}"
            )


FORCINGS.register(Variant(name="GTF", parameters=GTF, hyperparameters=GTF))
