"""The first parameters of a model, drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .engine import map_arrays
from .model import Model, as_model
from .models.base import MODELS
from .observations.base import OBSERVATIONS


def initialize(
    latent_step: str,
    hyperparameters: Any,
    observation: str,
    observation_hyperparameters: Any,
    sizes: tuple[int, int, int],
    rng: np.random.Generator,
    dtype: DTypeLike,
) -> Model:
    """Fresh parameters of a latent step model and an observation model; sizes are (M, N, K)."""
    M, N, K = sizes
    observed = OBSERVATIONS[observation]
    observation_hyperparameters.check_with(M, N)
    latent = MODELS[latent_step].initialize(hyperparameters, M, K, rng)
    model = Model(latent, observed.initialize(observation_hyperparameters, M, N, rng))
    return as_model(map_arrays(lambda array: array.astype(dtype), model))
