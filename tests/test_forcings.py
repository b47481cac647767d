"""Forcing: alphas that adapt against their definitions, how they are annealed, and partial forcing."""

import math

import naive
import numpy as np
import pytest
from families import Row
from helpers import circle, small_config
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba.engine import jit, kernel, spectral_norm
from plrnn_numba.forcings.base import adapt_alpha, adaptation_of, forcing_weights
from plrnn_numba.forcings.gtf import METHODS
from plrnn_numba.observations.base import signal_inverse
from plrnn_numba.source import as_source
from plrnn_numba.training import Trainer

ADAPTIVE = METHODS[1:]


@kernel
def adapt(adaptation, parameters, inverse, source, windows, a, batch):
    adapt_alpha(adaptation, parameters, inverse, source, windows, a, batch)


@jit
def compiled_norm(W, gram, power, square):
    return spectral_norm(W, gram, power, square)


def norm(W):
    n = W.shape[1]
    return compiled_norm(W, *(np.zeros((n, n)) for _ in range(3)))


def data_and_model(affine, name="clipped_shPLRNN", seed=0):
    rng = np.random.default_rng(seed)
    M, N = 3, 2
    latent = Row(name, {}).latent(M, 6, 2, 0, rng)
    observation = pl.Identity(rng.standard_normal((M - N, N)))
    if affine:
        observation = pl.Affine(rng.standard_normal((N, M)), rng.standard_normal(N))
    return rng.standard_normal((60, N)), pl.Model(latent, observation)


def jacobians_at_data(model, X, rows):
    """By the definitions: of the states that rows of X stand for, without numba."""
    inverse = signal_inverse(model.observation)
    states = [naive.start(model.observation, inverse, X[row], len(model.latent.A)) for row in rows]
    return [naive.jacobian(model.latent, z) for z in states]


def run(forcing, X, model, windows, T, batches):
    """The alphas after each of so many batches."""
    source = as_source(X, np.zeros((len(X), 0)))
    adaptation = adaptation_of(forcing, *model[:2])
    a = forcing_weights(forcing, T)
    found = []
    for batch in range(1, batches + 1):
        inverse = signal_inverse(model.observation)
        adapt(adaptation, (model.latent, model.observation), inverse, source, windows, a, batch)
        found.append(float(adaptation.alpha[0]))
        assert a[0] == 0
        assert (a[1:] == found[-1]).all()
    return found


@pytest.mark.parametrize("affine", [False, True], ids=["identity", "affine"])
@pytest.mark.parametrize("method", ADAPTIVE)
def test_an_estimate_is_that_of_its_definition(method, affine):
    T, windows = 7, np.array([0, 12, 30])
    for seed in range(5):
        X, model = data_and_model(affine, seed=seed)
        jacobians = [jacobians_at_data(model, X, range(w + 1, w + T)) for w in windows]
        n = naive.mean_stretch(method, model.latent, jacobians)
        estimate = max(0.0, 1 - 1 / n)
        # From 1, a decay of 0 takes alpha to the estimate at once.
        (alpha,) = run(pl.GTF(method=method, decay=0.0, samples=None), X, model, windows, T, 1)
        assert alpha == pytest.approx(estimate, rel=1e-4, abs=1e-6)


def test_samples_are_evenly_spread_over_what_is_forced():
    T, windows = 9, np.array([3])
    X, model = data_and_model(False)
    for samples, steps in ((1, [5]), (2, [3, 7]), (4, [2, 4, 6, 8]), (8, range(1, 9)), (50, range(1, 9))):
        jacobians = [jacobians_at_data(model, X, [3 + t for t in steps])]
        n = naive.mean_stretch("arithmetic_mean", model.latent, jacobians)
        forcing = pl.GTF(method="arithmetic_mean", decay=0.0, samples=samples)
        (alpha,) = run(forcing, X, model, windows, T, 1)
        assert alpha == pytest.approx(max(0.0, 1 - 1 / n), rel=1e-4, abs=1e-6)


def test_alpha_rises_at_once_and_falls_slowly():
    X, model = data_and_model(False)
    windows, T = np.array([0, 20]), 6

    def estimate(model):
        n = naive.mean_stretch("jacobian_upper_bound", model.latent, None)
        return max(0.0, 1 - 1 / n)

    forcing = pl.GTF(method="jacobian_upper_bound", interval=3, decay=0.9)
    alphas = run(forcing, X, model, windows, T, 7)
    first = 0.9 + 0.1 * estimate(model)
    second = 0.9 * first + 0.1 * estimate(model)
    expected = [first] * 3 + [second] * 3 + [0.9 * second + 0.1 * estimate(model)]
    np.testing.assert_allclose(alphas, expected, rtol=1e-5)

    wild = model._replace(latent=model.latent._replace(W1=100 * model.latent.W1))
    source, adaptation = as_source(X, np.zeros((len(X), 0))), adaptation_of(forcing, *model[:2])
    adaptation.alpha[0] = 0.1
    a = forcing_weights(forcing, T)
    inverse = signal_inverse(model.observation)
    adapt(adaptation, (wild.latent, wild.observation), inverse, source, windows, a, 1)
    assert adaptation.alpha[0] == pytest.approx(estimate(wild), rel=1e-5)


@pytest.mark.parametrize("method", ADAPTIVE[1:])
def test_what_is_missing_is_left_out(method):
    X, model = data_and_model(True)
    T, windows = 5, np.array([0, 10])
    X[[2, 11, 12, 13, 14], 0] = np.nan
    jacobians = [jacobians_at_data(model, X, [1, 3, 4])]  # nothing is left of the second sequence
    n = naive.mean_stretch(method, model.latent, jacobians)
    (alpha,) = run(pl.GTF(method=method, decay=0.0, samples=None), X, model, windows, T, 1)
    assert alpha == pytest.approx(max(0.0, 1 - 1 / n), rel=1e-4, abs=1e-6)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2]))
def test_the_spectral_norm_is_the_largest_singular_value(m, n, seed, kind):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((m, n))
    if kind == 1:
        W = np.diag(rng.standard_normal(min(m, n)))  # no direction leads to another
    elif kind == 2:
        W = np.outer(W[:, 0], W[0])
    found = norm(W)
    assert found == pytest.approx(np.linalg.norm(W, 2), rel=1e-5)
    assert found <= np.linalg.norm(W, 2) * (1 + 1e-12)


def test_the_norm_of_a_block_that_the_largest_row_does_not_see():
    W = np.zeros((3, 3))
    W[0, 0], W[1:, 1:] = 3, 2
    assert norm(W) == pytest.approx(4, rel=1e-5)
    assert norm(np.zeros((2, 3))) == 0


def small(**forcing):
    return small_config(
        M=3,
        step=("clipped_shPLRNN", {"hidden_dim": 6}),
        training={"batches_per_epoch": 7, "batch_size": 20},
        observation={"name": "affine"},
        forcing={"name": "GTF", **forcing},
    )


@pytest.mark.parametrize("method", ADAPTIVE)
def test_an_adaptive_training_is_the_same_in_threads_and_after_a_stop(method):
    config = small(method=method, interval=3)
    whole = pl.fit(circle(600), config, progress=False)
    alpha = whole.history["alpha"]
    assert (np.diff(alpha) < 0).all()
    assert 0.5 < alpha[-1] < alpha[0] < 1

    config["training"]["n_threads"] = 2
    threaded = pl.fit(circle(600), config, progress=False)
    np.testing.assert_array_equal(whole.model.latent.W1, threaded.model.latent.W1)
    config["training"]["n_threads"] = 1

    first = Trainer(circle(600), config)
    first.run(lambda report: report.epoch == 2, progress=False)
    second = Trainer(circle(600), config)
    second.restore(first.state())
    resumed = second.run(progress=False)
    np.testing.assert_array_equal(whole.model.latent.W1, resumed.model.latent.W1)
    np.testing.assert_array_equal(alpha, resumed.history["alpha"])


def test_alpha_of_other_forcings_is_told():
    assert set(pl.fit(circle(600), small(alpha=0.25), progress=False).history["alpha"]) == {0.25}
    config = small() | {"forcing": {"name": "STF", "interval": 5}}
    assert all(math.isnan(x) for x in pl.fit(circle(600), config, progress=False).history["alpha"])


def test_more_forced_units_than_the_data_reach_are_refused():
    config = small(forced_units=3)
    pl.fit(circle(600), config | {"training": {"epochs": 0, "sequence_length": 5}}, progress=False)
    config["observation"] = {"name": "identity"}
    with pytest.raises(pl.ConfigError, match=r"forcing.forced_units: got 3, allowed is at most 2, the units"):
        pl.fit(circle(600), config, progress=False)


@pytest.mark.parametrize("make", [lambda n: pl.STF(3, forced_units=n), lambda n: pl.GTF(0.1, forced_units=n)])
@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_a_number_of_units_is_an_integer(make, n):
    with pytest.raises(
        pl.ConfigError,
        match=r"forcing.forced_units: got .*, (expected an integer or null|allowed is at least 1)",
    ):
        make(n)
