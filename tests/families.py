"""The one table of latent step models that every contract test runs over, and random members of each."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba.models.base import MODELS


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: a model with the hyperparameters that change its equations; sizes are drawn."""

    name: str
    flags: dict

    @property
    def id(self):
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.flags.items())])

    def hyperparameters(self, M, H, P, learnable_C=True):
        # Sizes are drawn where the example of the model's entry has them; the rest of the example stays.
        sizes = {"hidden_dim": H, "num_relus": min(P, M)}
        example = {k: sizes.get(k, v) for k, v in MODELS[self.name].example.items()}
        return {**example, **self.flags, "learnable_C": learnable_C}

    def config(self, M, H=4, P=2, learnable_C=True, **rest):
        step = {"name": self.name, "hyperparameters": self.hyperparameters(M, H, P, learnable_C)}
        return {"latent_dim": M, "latent_step": step, **rest}

    def latent(self, M, H, P, K, rng, dtype="float64", learnable_C=True):
        """Random parameters, no bias zero; constrained entries keep their values."""
        model = pl.init_model(self.config(M, H, P, learnable_C, dtype="float64"), M, K, seed=rng)
        return randomize(model.latent, rng, dtype)


def randomize(params, rng, dtype="float64"):
    """Replace all arrays of a NamedTuple, but for entries that the model keeps fixed."""
    new = {}
    for name, old in params._asdict().items():
        if not isinstance(old, np.ndarray):
            continue
        array = rng.standard_normal(old.shape) * 0.7 / np.sqrt(max(old.shape[-1], 1))
        if name == "W" and old.shape[0] and not np.diag(old).any():
            np.fill_diagonal(array, 0)
        if name == "C" and not params.learnable_C:
            array = old
        new[name] = array.astype(dtype)
    return params._replace(**new)


ROWS = [
    Row("PLRNN", {}),
    Row("PLRNN", {"mean_centering": False}),
    Row("ALRNN", {}),
    Row("ALRNN", {"off_diagonal_W": True}),
    Row("shPLRNN", {}),
    Row("clipped_shPLRNN", {}),
]

BY_ID = {row.id: row for row in ROWS}

rows = st.sampled_from(ROWS)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def latents(draw, rows=rows, max_dim=6):
    """(latent, rng) of any model and shape, down to M = 1, H = 1, P = 0 and P = M, K = 0."""
    M = draw(st.integers(1, max_dim))
    H = draw(st.integers(1, 2 * max_dim))
    P = draw(st.sampled_from([0, M // 2, M]))
    K = draw(st.integers(0, 3))
    learnable_C = M <= K or draw(st.booleans())
    rng = np.random.default_rng(draw(seeds))
    return draw(rows).latent(M, H, P, K, rng, learnable_C=learnable_C), rng


@st.composite
def problems(draw, rows=rows, max_dim=4):
    """(model, X, U, forcing): a gradient to be computed, every combination of the family."""
    latent, rng = draw(latents(rows, max_dim))
    M, K = latent.C.shape
    affine = draw(st.booleans())
    N = draw(st.integers(1, 3 if affine else M))
    S, T = draw(st.sampled_from([1, 2, 5])), draw(st.integers(1, 6))  # one by one, and as lanes
    observation = pl.Affine(np.zeros((N, M)), np.zeros(N)) if affine else pl.Identity(np.zeros((M - N, N)))
    observation = randomize(observation, rng)
    whole = [None, pl.STF(1), pl.STF(2), pl.STF(3), pl.GTF(0.2), pl.GTF(0.0), pl.GTF(1.0)]
    partial = [pl.STF(2, forced_units=1), pl.GTF(0.3, forced_units=1), pl.GTF(1.0, forced_units=1)]
    forcing = draw(st.sampled_from(whole + partial))
    X = rng.standard_normal((S, T + 1, N))
    U = rng.standard_normal((S, T + 1, K))
    return pl.Model(latent, observation), X, U, forcing
