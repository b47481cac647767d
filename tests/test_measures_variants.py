"""Each variant of each measure against its description in plain loops, and against values that were stored."""

import math
import warnings

import naive_measures as slow
import numpy as np
import pytest

import plrnn_numba as pl
from plrnn_numba import measures
from plrnn_numba.measures import spectra, state_space

X, Y = slow.stored_series()

# Of the slow references, on `stored_series`: what every later version must find.
STORED = {
    "binning julia": 2.480785823,
    "binning julia-legacy": 1.872238944,
    "binning python": 2.169888581,
    "binning python-2std": 1.12786025,
    "gmm default": 12.50293928,
    "gmm gtf": 8.558234773,
    "gmm dend-symmetric": 6.992294527,
    "gmm mtf-reversed": 0.8044899941,
    "D_H default": 0.1157213526,
    "D_H python": 0.1157213526,
    "D_H julia": 0.1152796486,
    "D_H mtf": 0.3700669451,
    "D_H dend": 0.9573343014,
    "D_H dend-vi": 0.9888713004,
    "D_H julia-corr": 0.9897906979,
    "mase default": 1.632028699,
    "mase dynamix-mase": 1.629380317,
    "valid time": 3,
    "sliced": 0.1854005901,
    "dimwise": 0.1198456699,
}


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*arguments, **options)


CASES = {
    **{
        f"binning {v}": (
            lambda v=v: quietly(pl.state_space_divergence, X, Y, bins=7, variant=v),
            lambda v=v: slow.binned(X, Y, 7, v),
        )
        for v in ("julia", "julia-legacy", "python", "python-2std")
    },
    **{
        f"gmm {v}": (
            lambda v=v: pl.state_space_divergence(
                X, Y, method="gmm", variant=v, sigma=0.05, samples=40, seed=3
            ),
            lambda v=v: slow.mixtures(X, Y, 0.05, 40, 3, v),
        )
        for v in ("default", "gtf", "dend-symmetric", "mtf-reversed")
    },
    **{
        f"D_H {v}": (lambda v=v: pl.hellinger_distance(X, Y, variant=v), lambda v=v: slow.spectral(X, Y, v))
        for v in ("default", "python", "julia", "mtf")
    },
    **{
        f"D_H {v}": (
            lambda v=v: measures.spectral_correlation(X, Y, variant=v),
            lambda v=v: slow.spectral(X, Y, v),
        )
        for v in ("dend", "dend-vi", "julia-corr")
    },
    **{
        f"mase {v}": (
            lambda v=v: measures.mase(X, Y, n_steps=50, variant=v),
            lambda v=v: slow.mase(X, Y, 50, v),
        )
        for v in ("default", "dynamix-mase")
    },
    "valid time": (lambda: measures.valid_prediction_time(X, Y, 0.5), lambda: slow.valid_time(X, Y, 0.5)),
    "sliced": (
        lambda: measures.statistical_error(X, Y, directions=20, levels=50, delta=0.01, seed=5),
        lambda: slow.sliced(X, Y, 20, 50, 0.01, 5),
    ),
    "dimwise": (
        lambda: measures.statistical_error(X, Y, variant="dimwise", levels=50),
        lambda: slow.dimwise(X, Y, 50, 0.0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_variant_is_its_description_and_what_was_stored(case):
    found, reference = (function() for function in CASES[case])
    assert found == pytest.approx(reference, rel=1e-6 if case == "gmm gtf" else 1e-10)
    assert found == pytest.approx(STORED[case], rel=1e-6)


def test_every_variant_has_a_case():
    names = {
        "binning": state_space._BINNINGS,
        "gmm": state_space._MIXTURES,
        "D_H": (*spectra._DISTANCES, *spectra._CORRELATIONS),
    }
    expected = {f"{kind} {v}" for kind, variants in names.items() for v in variants}
    assert expected <= set(CASES) == set(STORED)


def test_the_quirks_are_there():
    assert pl.hellinger_distance(X, X, variant="mtf") > 0.05  # equal series differ
    shifted = X + 100  # a box around zero does not see them
    assert math.isnan(quietly(pl.state_space_divergence, X, shifted, bins=7, variant="julia-legacy"))
    with pytest.warns(measures.UndefinedMeasureWarning, match="D_stsp is NaN: no point of Y lies in the box"):
        pl.state_space_divergence(X, shifted, bins=7)
    for variant in ("dend", "dend-vi", "julia-corr"):
        assert measures.spectral_correlation(X, X, variant=variant) == pytest.approx(1)
        with pytest.warns(DeprecationWarning, match="call spectral_correlation"):
            assert pl.hellinger_distance(X, X, variant=variant) == pytest.approx(1)


def test_nan_is_never_without_a_reason():
    broken = Y.copy()
    broken[17] = np.nan
    for name, measure in (
        ("D_stsp", lambda: pl.state_space_divergence(X, broken, bins=7)),
        ("D_stsp", lambda: pl.state_space_divergence(X, broken, method="gmm", sigma=1.0)),
        ("D_H", lambda: pl.hellinger_distance(X, broken)),
        ("E_stat", lambda: measures.statistical_error(X, broken)),
    ):
        with pytest.warns(
            measures.UndefinedMeasureWarning, match=f"{name} is NaN: Y has NaN or inf from row 17 on"
        ):
            assert math.isnan(measure())


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: pl.state_space_divergence(X, Y, variant="gtf"),
            "variant: got 'gtf', allowed is one of 'julia'",
        ),
        (
            lambda: pl.state_space_divergence(X, Y, method="gmm", variant="julia"),
            "variant: got 'julia', allowed is one of 'default'",
        ),
        (lambda: pl.hellinger_distance(X, Y, variant="x"), "variant: got 'x', allowed is one of 'default'"),
        (lambda: measures.mase(X, Y, n_steps=0), "n_steps: got 0, expected an integer from 1 to 400"),
        (lambda: measures.mase(X, Y, variant="x"), "variant: got 'x'"),
        (lambda: measures.valid_prediction_time(X, Y, 0), "epsilon: got 0"),
        (lambda: measures.valid_prediction_time(X, Y, 0.5, exponent=-1), "exponent: got -1"),
        (
            lambda: measures.statistical_error(X, Y, delta=0.5),
            "delta: got 0.5, allowed is from 0 to below 0.5",
        ),
        (lambda: measures.statistical_error(X, Y, levels=0), "levels: got 0"),
        (lambda: measures.statistical_error(X, Y, variant="x"), "variant: got 'x'"),
    ],
)
def test_a_mistake_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_valid_time_in_lyapunov_times():
    steps = measures.valid_prediction_time(X, Y, 0.5)
    assert measures.valid_prediction_time(X, Y, 0.5, exponent=0.9, dt=0.01) == pytest.approx(
        steps * 0.01 * 0.9
    )
    assert measures.valid_prediction_time(X, X, 0.5) == len(X)
    broken = X.copy()
    broken[30:] = np.nan
    assert measures.valid_prediction_time(X, broken, 0.5) == 30


def test_variants_of_the_prediction_error():
    rng = np.random.default_rng(0)
    latent = pl.ALRNN(0.5 * np.ones(3), 0.1 * rng.standard_normal((3, 3)), np.zeros(3), np.zeros((3, 0)), 1)
    model = pl.Model(latent, pl.Identity(rng.standard_normal((1, 2))))
    n, starts = 4, len(X) - 4
    found = measures.prediction_errors(model, X, n_steps=n, seed=7)
    free = np.random.default_rng(7).standard_normal((starts, 1))
    states = np.concatenate([X[:starts], free], axis=1)
    for step in range(1, n + 1):
        states = pl.step(latent, states)
        error = ((states[:, :2] - X[step : step + starts]) ** 2).mean()
        assert found[step - 1] == pytest.approx(error, rel=1e-10)
    one = pl.predict(model, X[0], n + 1)[n]
    assert pl.prediction_error(model, X, n_steps=n, variant="dynamix-pe") == pytest.approx(
        np.abs(one - X[n]).sum()
    )
    # Where the data reach every unit, the last of 'mtf' is 'pe'.
    whole = pl.Model(
        pl.ALRNN([0.5, 0.4], [[0, 0.1], [0.1, 0]], [0, 0], np.zeros((2, 0)), 1), pl.Identity(np.zeros((0, 2)))
    )
    assert measures.prediction_errors(whole, X, n_steps=n)[-1] == pytest.approx(
        pl.prediction_error(whole, X, n_steps=n)
    )
    with pytest.raises(ValueError, match="variant: got 'x', allowed is one of 'pe', 'dynamix-pe'"):
        pl.prediction_error(model, X, n_steps=n, variant="x")
    with pytest.raises(ValueError, match="call prediction_errors"):
        pl.prediction_error(model, X, n_steps=n, variant="mtf")
    with pytest.warns(DeprecationWarning, match="n is now n_steps"):
        assert isinstance(pl.prediction_error(model, X, n=n), float)
