"""Adam and RAdam against the published formulas; schedule, clipping and penalties against theirs."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import optim
from plrnn_numba.engine import from_vector, to_vector
from plrnn_numba.training.optimizers import clip_in_place
from plrnn_numba.training.penalties import Found, add_penalty, penalty_of


@pytest.mark.parametrize("name", ["adam", "radam"])
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-4)])
def test_a_thousand_steps_are_those_of_the_paper(name, dtype, tolerance):
    rng = np.random.default_rng(0)
    n, n_steps = 7, 1000
    start = rng.standard_normal(n)
    gradients = rng.standard_normal((n_steps, n)) * 10.0 ** rng.uniform(-3, 3, n) + 0.1
    params, state = start.astype(dtype), optim.init_moments(start.astype(dtype))
    for t, g in enumerate(gradients, start=1):
        params, state = getattr(optim, name)(params, g.astype(dtype), state, t, learning_rate=1e-2)
    expected = getattr(naive, name)(start, gradients, 1e-2)
    assert params.dtype == state.m.dtype == state.v.dtype == dtype
    assert np.abs(params - expected).max() <= tolerance * np.abs(expected).max()


@given(st.integers(1, 30), st.integers(1, 10), st.sampled_from(["adam", "radam"]))
def test_an_optimizer_is_a_pure_function(n, step, name):
    rng = np.random.default_rng(n)
    given_arrays = [rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal(n), rng.random(n)]
    copies = [a.copy() for a in given_arrays]
    params, gradient, m, v = given_arrays
    first = getattr(optim, name)(params, gradient, optim.Moments(m, v), step)
    second = getattr(optim, name)(params, gradient, optim.Moments(m, v), step)
    np.testing.assert_array_equal(first[0], second[0])
    for a, b in zip(given_arrays, copies):
        np.testing.assert_array_equal(a, b)


def test_radam_starts_without_dividing_by_the_second_moment():
    """rho exceeds 4 in the fifth step for beta2 = 0.999: until then, a step is the mean gradient's size."""
    params, state = np.zeros(1), optim.init_moments(np.zeros(1))
    steps = []
    for t in range(1, 7):
        new, state = optim.radam(params, np.full(1, 100.0), state, t, learning_rate=1.0)
        steps.append(float((params - new)[0]))
        params = new
    np.testing.assert_allclose(steps[:4], 100)
    assert max(steps[4:]) < 1


def test_errors_name_the_argument():
    state = optim.init_moments(np.zeros(2))
    with pytest.raises(ValueError, match=r"gradient: got shape \(3,\), expected \(2,\)"):
        optim.adam(np.zeros(2), np.zeros(3), state, 1)
    with pytest.raises(ValueError, match="step: got 0, expected an integer at least 1"):
        optim.radam(np.zeros(2), np.zeros(2), state, 0)


@given(st.floats(1e-6, 1), st.floats(1e-6, 1), st.integers(2, 50))
def test_the_learning_rate_goes_from_the_first_to_the_last_in_equal_ratios(first, last, n):
    rates = [optim.exponential_decay(first, last, n)(epoch) for epoch in range(n)]
    np.testing.assert_allclose([rates[0], rates[-1]], [first, last])
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(last / first) / (n - 1), atol=1e-9)


@given(st.integers(1, 40), st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_bounds_the_norm(n, bound):
    gradient = np.random.default_rng(n).standard_normal(n) * 10
    clipped = gradient.copy()
    norm = clip_in_place(clipped, bound)
    assert norm == pytest.approx(np.linalg.norm(gradient))
    assert np.linalg.norm(clipped) <= bound * (1 + 1e-12) or norm <= bound
    np.testing.assert_allclose(clipped, gradient * min(1, bound / norm), rtol=1e-12)


@pytest.mark.parametrize("observation", ["identity", "affine"])
@pytest.mark.parametrize("off_diagonal", [False, True])
@pytest.mark.parametrize("learnable_C", [False, True])
def test_penalties_and_their_gradient(off_diagonal, learnable_C, observation):
    hyper = {"num_relus": 2, "ar_epsilon": 0.1, "off_diagonal_W": off_diagonal, "learnable_C": learnable_C}
    affine = observation == "affine"
    rules = {"l2": 0.3, "l2_observation": 0.2, "mar": 0.5, "mar_units": 2}
    config = pl.Config.from_dict(
        {
            "latent_dim": 5,
            "latent_step": {"name": "ALRNN", "hyperparameters": hyper},
            "observation": {"name": observation},
            "training": {"lambda_ar": 0.7},
            "regularization": rules | ({"condition_number": 0.01} if affine else {}),
            "dtype": "float64",
        }
    )
    model = pl.init_model(config, 3, 2)
    if affine:  # off the initial B of condition number 1, where singular values coincide: a kink
        model.observation.B[:] *= np.array([1, 2, 3.5])[:, None]
    parts = (model.latent, model.observation)
    penalty = penalty_of(config, *parts)
    theta = to_vector(parts) + 0.0

    def penalties(point, gradient):
        found = np.zeros(len(Found._fields))
        seen = from_vector(parts, point)[1]
        add_penalty(penalty, point, seen, gradient, from_vector(parts, gradient)[1], found)
        return found

    gradient = np.ones_like(theta)
    l2, mar, ar, condition = penalties(theta, gradient)
    latent, seen = parts
    learned = [latent.A - 1, latent.W, latent.h, *([latent.C] if learnable_C else [])]
    squares = 0.3 * sum((a**2).sum() for a in learned) + 0.2 * sum((a**2).sum() for a in seen)
    assert l2 == pytest.approx(squares)
    memory = [latent.A[3:] - 1, latent.W[3:], latent.h[3:]]
    assert mar == pytest.approx(0.5 * sum((a**2).sum() for a in memory))
    assert ar == pytest.approx(0.7 * ((latent.A + np.diag(latent.W) - 0.9) ** 2).sum())
    assert condition == pytest.approx(0.01 * np.linalg.cond(seen.B) if affine else 0)

    def total(point):
        return penalties(point, np.zeros_like(point)).sum()

    numeric = np.zeros_like(theta)
    for i in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[i] = 1e-5
        numeric[i] = (total(theta + shift) - total(theta - shift)) / 2e-5
    np.testing.assert_allclose(gradient - 1, numeric, atol=1e-7)
    changed, _ = from_vector(parts, gradient - 1)
    if off_diagonal:
        assert not np.diag(changed.W).any()
    if not learnable_C:
        assert not changed.C.any()
