"""The observation models, which live in `plrnn_numba.observations`, one file each."""

from .observations.affine import Affine
from .observations.base import OBSERVATIONS, n_observed, n_reached
from .observations.identity import Identity

__all__ = ["OBSERVATIONS", "Affine", "Identity", "n_observed", "n_reached"]
