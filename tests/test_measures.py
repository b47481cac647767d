"""D_stsp, D_H and PE against slow references, and what is true of them whatever the data."""

import warnings

import naive
import numpy as np
import pytest
from families import BY_ID, ROWS, seeds
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl


def series(seed, T, N):
    return np.random.default_rng(seed).standard_normal((T, N)).cumsum(axis=0)


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


@given(seeds, st.integers(10, 80), st.integers(10, 80), st.integers(1, 3), st.integers(1, 12))
def test_D_stsp_is_the_dense_sum(seed, T, other, N, bins):
    X, Y = series(seed, T, N), series(seed + 1, other, N) * 0.5
    got = quietly(pl.state_space_divergence, X, Y, bins=bins)
    inside = (X.min(axis=0) - 0.1 * X.std(axis=0, ddof=1) <= Y).all(axis=1)
    inside &= (X.max(axis=0) + 0.1 * X.std(axis=0, ddof=1) > Y).all(axis=1)
    if inside.any():
        assert got == pytest.approx(naive.state_space_divergence(X, Y, bins), rel=1e-10, abs=1e-12)
    else:
        assert np.isnan(got)


@given(seeds, st.integers(8, 60), st.integers(1, 3), st.sampled_from([0.5, 2.0, 20.0]))
def test_D_H_is_the_formula(seed, T, N, smoothing):
    X, Y = series(seed, T, N), series(seed + 1, T, N)
    got = quietly(pl.hellinger_distance, X, Y, smoothing=smoothing)  # warns where T is small
    assert got == pytest.approx(naive.hellinger_distance(X, Y, smoothing), rel=1e-9, abs=1e-12)


@given(seeds, st.integers(2, 4))
def test_measures_are_zero_for_equals_and_do_not_see_shift_scale_or_order_of_columns(seed, N):
    X, Y = series(seed, 200, N), series(seed + 1, 200, N)
    scale, shift = np.full(N, 4.0), np.arange(N) * 8.0  # powers of two: no cell changes by rounding
    order = np.random.default_rng(seed).permutation(N)
    for measure in (pl.state_space_divergence, pl.hellinger_distance):
        assert quietly(measure, X, X) == 0
        value = quietly(measure, X, Y)
        if np.isnan(value):
            continue
        assert value >= 0
        moved = quietly(measure, X * scale + shift, Y * scale + shift)
        assert moved == pytest.approx(value, rel=0.02, abs=1e-6)
        assert quietly(measure, X[:, order], Y[:, order]) == pytest.approx(value, rel=1e-9)


@given(seeds, seeds)
def test_D_stsp_does_not_see_time_and_D_H_does_not_see_its_direction(seed, other):
    X, Y = series(seed, 300, 2), series(other, 300, 2)
    shuffled = np.random.default_rng(seed).permutation(Y)
    np.testing.assert_equal(
        quietly(pl.state_space_divergence, X, shuffled), quietly(pl.state_space_divergence, X, Y)
    )
    assert pl.hellinger_distance(X, Y[::-1]) == pytest.approx(pl.hellinger_distance(X, Y), abs=1e-9)
    assert pl.hellinger_distance(X, Y) == pytest.approx(pl.hellinger_distance(Y, X), rel=1e-12)
    assert 0 <= pl.hellinger_distance(X, Y) <= 1


def test_D_stsp_of_many_dimensions_takes_memory_with_T_only():
    X, Y = series(0, 500, 20), series(1, 500, 20)
    with pytest.warns(RuntimeWarning, match=r"30\*\*20 cells for 500 points; the pseudo-counts outweigh"):
        value = pl.state_space_divergence(X, Y, variant="julia")
    assert 0 <= value < 1


def test_measures_of_a_diverged_or_constant_orbit():
    X = series(0, 300, 2)
    broken = X.copy()
    broken[200:] = np.nan
    assert np.isnan(quietly(pl.state_space_divergence, X, broken))
    assert np.isnan(quietly(pl.hellinger_distance, X, broken))
    fixed_point = np.tile(X.mean(axis=0), (300, 1))
    assert pl.hellinger_distance(X, fixed_point) == 1
    assert np.isnan(quietly(pl.state_space_divergence, X, fixed_point + 1e6))  # no point in the box


@pytest.mark.parametrize(
    "X, Y, message",
    [
        (np.zeros((5, 2)), np.zeros((5, 3)), r"Y: got shape \(5, 3\), expected \(5, 2\)|\(T, 2\)"),
        (np.zeros(5), np.zeros(5), r"X: got shape \(5,\), expected \(T, N\)"),
        (np.full((5, 1), np.nan), np.zeros((5, 1)), "X: got NaN or inf"),
        (np.ones((5, 1)), np.zeros((5, 1)), "X: column 0 is constant"),
        (np.ones((1, 1)), np.zeros((1, 1)), "X: got 1 rows, expected at least 2"),
    ],
)
def test_errors_name_the_argument(X, Y, message):
    for measure in (pl.state_space_divergence, pl.hellinger_distance):
        with pytest.raises(ValueError, match=message):
            measure(X, Y)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("K", [0, 2])
def test_prediction_error_is_the_mean_over_all_starts(row, K):
    rng = np.random.default_rng(0)
    model = pl.Model(row.latent(4, 5, 2, K, rng), pl.Identity(rng.standard_normal((2, 2))))
    model = model._replace(scaling=pl.Scaling(np.array([1.0, -2.0]), np.array([3.0, 0.5])))
    X, U = rng.standard_normal((30, 2)), rng.standard_normal((30, K))
    inputs = U if K else None
    errors = []
    for t in range(30 - 4):
        drive = None if inputs is None else U[t : t + 5]
        errors.append((pl.predict(model, X[t], 5, drive)[4] - X[t + 4]) ** 2)
    got = pl.prediction_error(model, X, n_steps=4, inputs=inputs)
    assert got == pytest.approx(np.mean(errors), rel=1e-9)
    with pytest.raises(ValueError, match="n_steps: got 30, expected an integer from 1 to 29"):
        pl.prediction_error(model, X, n_steps=30, inputs=inputs)


def test_evaluate_takes_stretches_each_from_its_own_start():
    rng = np.random.default_rng(0)
    model = pl.Model(BY_ID["PLRNN"].latent(2, 1, 1, 0, rng), pl.Identity(np.zeros((0, 2))))
    X = rng.standard_normal((1000, 2))
    found = quietly(pl.evaluate, model, X, n_steps=300, n_orbits=2, bins=5, smoothing=3, prediction_steps=7)
    for i, start in enumerate((0, 300)):
        true = X[start : start + 300]
        orbit = pl.predict(model, true[0], 300)
        np.testing.assert_allclose(
            found.each["D_stsp"][i], pl.state_space_divergence(true, orbit, bins=5), rtol=1e-6
        )
        np.testing.assert_allclose(
            found.each["D_H"][i], pl.hellinger_distance(true, orbit, smoothing=3), rtol=1e-6
        )
        np.testing.assert_allclose(
            found.each["PE"][i], pl.prediction_error(model, true, n_steps=7), rtol=1e-6
        )
    assert pytest.approx(found.each["D_H"].mean()) == found.D_H


def test_a_diverged_orbit_counts_as_the_worst():
    latent = pl.ALRNN([1.5], [[0.0]], [0.0], np.zeros((1, 0)), 0)
    X = np.random.default_rng(0).standard_normal((30, 1))
    X[[0, 10, 20]] = [[0], [1], [0]]  # two orbits stay at 0, the one from 1 leaves
    model = pl.Model(latent._replace(A=np.array([1e40])), pl.Identity(np.zeros((0, 1))))
    found = quietly(pl.evaluate, model, X, n_steps=10, prediction_steps=9)
    assert found.n_diverged == 1
    assert np.isnan(found.each["D_H"]).tolist() == [False, True, False]
    assert found.D_H == 1


def test_a_stretch_without_movement_is_passed_over():
    X = np.random.default_rng(0).standard_normal((30, 1))
    X[10:20] = 3
    model = pl.Model(pl.ALRNN([0.5], [[0.0]], [0.0], np.zeros((1, 0)), 0), pl.Identity(np.zeros((0, 1))))
    assert len(quietly(pl.evaluate, model, X, n_steps=10).each["D_H"]) == 2
    with pytest.raises(ValueError, match="X: a column is constant in every stretch of 10 rows"):
        pl.evaluate(model, X[10:20])


def test_the_divergence_of_mixtures():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((300, 5)), rng.standard_normal((400, 5)) + 0.5
    sigma = 0.7
    found = pl.state_space_divergence(X, Y, method="gmm", sigma=sigma, samples=50, seed=3)
    draws = np.random.default_rng(3)
    total = 0.0
    points = X[draws.integers(0, 300, 50)] + sigma * draws.standard_normal((50, 5))
    for point in points:
        p, q = (np.mean([np.exp(-((point - c) ** 2).sum() / (2 * sigma**2)) for c in Z]) for Z in (X, Y))
        total += np.log(p / q)
    assert found == pytest.approx(total / 50, rel=1e-12)
    assert pl.state_space_divergence(X, X, method="gmm", sigma=1.0) == 0
    assert np.isnan(quietly(pl.state_space_divergence, X, Y * np.nan, method="gmm", sigma=1.0))
    with pytest.raises(ValueError, match="sigma: got None"):
        pl.state_space_divergence(X, Y, method="gmm")
    with pytest.raises(ValueError, match="method: got 'kde'"):
        pl.state_space_divergence(X, Y, method="kde")
