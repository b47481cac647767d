"""Compile ahead what training and running models calls."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable

import numpy as np

from ..basics.checks import show
from ..bptt import loss_and_grad
from ..dynamics import generate, jacobian, step
from ..engine import LANES
from ..model import initial_state
from ..models.base import MODELS
from ..observations.base import OBSERVATIONS
from .loop import fit


def warmup(
    models: Iterable[str] | None = None,
    *,
    observations: Iterable[str] | None = None,
    dtypes: Iterable[str] = ("float32",),
) -> dict[str, float]:
    """Compile ahead, into the folder of compiled kernels, what training and running models calls.

    `show_versions` prints the folder, which ``NUMBA_CACHE_DIR`` changes.

    Parameters
    ----------
    models : iterable of str, optional
        Names of latent step models as in configurations; all of them where none are given.
    observations : iterable of str, optional
        Names of observation models; all of them where none are given.
    dtypes : iterable of {'float32', 'float64'}, optional
        Precisions of the parameters.

    Returns
    -------
    dict
        Seconds for each model; little where the kernels were there.

    Raises
    ------
    ConfigError
        For an unknown name.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> list(pl.warmup(["PLRNN"], observations=["identity"]))
    ['PLRNN']
    """
    for argument, given in (("models", models), ("observations", observations), ("dtypes", dtypes)):
        if isinstance(given, str) or not isinstance(given, (Iterable, type(None))):
            raise TypeError(f"{argument}: got {show(given)}, expected a list of names")
    names = [MODELS.named(name).name for name in (MODELS if models is None else models)]
    observed = [
        OBSERVATIONS.named(name).name for name in (OBSERVATIONS if observations is None else observations)
    ]
    X = np.random.default_rng(0).standard_normal((300, 2))
    seconds = {}
    for name in names:
        begin = time.perf_counter()
        for observation, dtype in itertools.product(observed, dtypes):
            latent_step = {"name": name, "hyperparameters": MODELS[name].example}
            config = {
                "latent_dim": MODELS[name].example_dim,
                "latent_step": latent_step,
                "observation": {"name": observation},
                "training": {"epochs": 0, "sequence_length": 5},
                "dtype": dtype,
            }
            model = fit(X, config, progress=False).model
            loss_and_grad(model, np.stack([X[:5]] * LANES))
            states = initial_state(model, X[:2])
            step(model.latent, states)
            generate(model.latent, states[0], 2)
            jacobian(model.latent, states)
        seconds[name] = time.perf_counter() - begin
    return seconds
