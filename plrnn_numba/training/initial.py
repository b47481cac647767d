"""The model that a training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..basics.checks import as_integer, as_rng
from ..basics.options import ConfigError, join
from ..basics.sizes import check_memory
from ..config import Config
from ..initialize import initialize
from ..model import Model
from ..models.base import Hyperparameters


def init_model(
    config: Config | Mapping[str, Any],
    n_observed: int,
    n_inputs: int = 0,
    *,
    seed: int | np.random.Generator | None = None,
) -> Model:
    """Draw the initial parameters of a model.

    The source of the initial values stands beside each model's `initialize`.

    Parameters
    ----------
    config : Config or mapping
        The run configuration; its `latent_dim` M, `latent_step`, `observation`, `dtype` and `seed` are used.
    n_observed : int
        Number N of observed variables.
    n_inputs : int, optional
        Number K of external inputs.
    seed : int or numpy.random.Generator, optional
        In place of the configuration's seed.

    Returns
    -------
    Model
        Fresh parameters in the configuration's dtype, without scaling.

    Raises
    ------
    ConfigError
        Where the configuration does not fit N and K, or the parameters would not fit into memory; the message names
        the key.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> config = {"latent_dim": 20, "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}}}
    >>> model = pl.init_model(config, n_observed=3, seed=1)
    >>> model.latent.W.shape, model.latent.W.dtype, model.observation.L.shape
    ((20, 20), dtype('float32'), (17, 3))
    """
    config = Config.from_dict(config)
    step, observation = config.latent_step, config.observation
    sizes = (config.latent_dim, as_integer("n_observed", n_observed), as_integer("n_inputs", n_inputs, 0))
    rng = as_rng(config.seed if seed is None else seed)
    _check_sizes(step.hyperparameters, sizes)
    return initialize(
        step.name,
        step.hyperparameters,
        observation.name,
        observation.hyperparameters,
        sizes,
        rng,
        config.dtype,
    )


def _check_sizes(hyperparameters: Hyperparameters, sizes: tuple[int, int, int]) -> None:
    """Raise ConfigError where the initial values, drawn in double precision, would not fit into memory."""
    M, N, K = sizes
    matrix = 8 * M  # bytes of a column of M numbers
    parts = {
        "latent_dim": (
            M,
            4 * M * matrix,
        ),  # a random positive definite matrix, what it is made of, its eigenvalues
        "n_observed": (N, 2 * N * matrix),
        "n_inputs": (K, 2 * K * matrix),
    }
    for name, width in hyperparameters.widths().items():
        parts[join(hyperparameters.path, name)] = (width, 4 * width * matrix)
    check_memory(parts, ConfigError)
