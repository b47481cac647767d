"""Measures do not depend on units: a x + b gives what x gives, as far as float64 holds it."""

import functools
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import measures


def walk(seed, T=300, N=2):
    return np.random.default_rng(seed).standard_normal((T, N)).cumsum(axis=0)


X, Y = walk(0), walk(1)
A = np.random.default_rng(2).standard_normal((2, 2)) * 0.1
LATENT = pl.ALRNN(np.array([0.9, 0.8]), A, np.zeros(2), np.zeros((2, 0)), 1)  # float64


def model_of(a, b):
    """A model whose data units are ``a z + b``."""
    return pl.Model(
        LATENT, pl.Identity(np.zeros((0, 2))), pl.Scaling(b + np.zeros(2), a * np.array([4.0, 8.0]))
    )


def binned(variant):
    return lambda x, y, a, b: pl.state_space_divergence(x, y, variant=variant, bins=9)


def mixed(variant):
    return lambda x, y, a, b: pl.state_space_divergence(
        x, y, method="gmm", variant=variant, sigma=3 * a, samples=100
    )


def distance(variant):
    return lambda x, y, a, b: pl.hellinger_distance(x, y, variant=variant)


def correlation(variant):
    return lambda x, y, a, b: measures.spectral_correlation(x, y, variant=variant)


def evaluated(name):
    def measure(x, y, a, b):
        return getattr(pl.evaluate(model_of(a, b), x, n_steps=150), name)

    return measure


# What each takes of (x, y, a, b); the power of the unit that the value has; whether b may be other than 0; and how nearly
# it is the same where rounding differs.
CASES = {
    "D_stsp": (lambda x, y, a, b: pl.state_space_divergence(x, y), 0, True, 1e-9),
    "D_stsp julia": (binned("julia"), 0, True, 1e-9),
    "D_stsp python": (binned("python"), 0, True, 1e-9),
    "D_stsp julia-legacy": (binned("julia-legacy"), 0, False, 1e-9),  # the box lies about 0
    "D_stsp python-2std": (binned("python-2std"), 0, False, 1e-9),
    "gmm": (mixed(None), 0, True, 1e-6),
    "gmm dend-symmetric": (mixed("dend-symmetric"), 0, True, 1e-6),
    "gmm mtf-reversed": (mixed("mtf-reversed"), 0, True, 1e-6),
    "D_H": (distance("default"), 0, True, 1e-6),
    "D_H julia": (distance("julia"), 0, True, 1e-6),
    "D_H mtf": (distance("mtf"), 0, True, 1e-6),
    "julia-corr": (correlation("julia-corr"), 0, True, 1e-6),
    "dend": (correlation("dend"), 0, True, 0.05),  # decibels of frequency 0, which is rounding alone
    "dend-vi": (correlation("dend-vi"), 0, False, 1e-6),  # of series that are not centred
    "spectra": (lambda x, y, a, b: measures.power_spectra(x).max(), 0, True, 1e-6),
    "sliced": (lambda x, y, a, b: measures.statistical_error(x, y, directions=20), 1, True, 1e-6),
    "dimwise": (lambda x, y, a, b: measures.statistical_error(x, y, variant="dimwise"), 0, True, 1e-6),
    "D_mmd": (lambda x, y, a, b: measures.kernel_distance(x, y), 0, True, 1e-6),
    "mase": (lambda x, y, a, b: measures.mase(x, y), 0, True, 1e-6),
    "valid time": (lambda x, y, a, b: measures.valid_prediction_time(x, y, 0.4), 0, True, 1e-9),
    "PE": (lambda x, y, a, b: pl.prediction_error(model_of(a, b), x), 2, True, 1e-6),
    "PE dynamix": (
        lambda x, y, a, b: pl.prediction_error(model_of(a, b), x, variant="dynamix-pe"), 1, True, 1e-6,
    ),
    "PE 3": (lambda x, y, a, b: measures.prediction_errors(model_of(a, b), x, n_steps=3)[2], 2, True, 1e-6),
    "evaluate D_stsp": (evaluated("D_stsp"), 0, True, 1e-6),
    "evaluate D_H": (evaluated("D_H"), 0, True, 1e-6),
    "evaluate PE": (evaluated("PE"), 2, True, 1e-6),
}  # fmt: skip
REFERENCE = {name: float(case[0](X, Y, 1.0, 0.0)) for name, case in CASES.items()}


def test_every_public_measure_has_a_case_or_a_reason():
    shown = {
        "D_stsp": "state_space_divergence", "D_H": "hellinger_distance", "julia-corr": "spectral_correlation",
        "spectra": "power_spectra", "sliced": "statistical_error", "D_mmd": "kernel_distance", "mase": "mase",
        "valid time": "valid_prediction_time", "PE": "prediction_error", "PE 3": "prediction_errors",
        "evaluate PE": "evaluate",
    }  # fmt: skip
    no_measures = {"PSEUDO_COUNT", "Estimate", "Evaluation", "UndefinedMeasureWarning"}
    assert set(measures.__all__) - no_measures == set(shown.values())
    assert set(shown) <= set(CASES)
    # 'gtf' drops draws by their density, and 'dynamix-mase' adds 1e-8: both have units by what they are.


@pytest.mark.parametrize("name", CASES)
@given(k=st.integers(-490, 490))
def test_powers_of_two_change_no_bit(name, k):
    measure, power, _, _ = CASES[name]
    a = 2.0**k
    assert measure(a * X, a * Y, a, 0.0) == np.ldexp(REFERENCE[name], power * k)


@pytest.mark.parametrize("name", CASES)
@given(exponent=st.floats(-145, 145), offset=st.floats(-1e6, 1e6))
def test_units_and_offsets_are_not_seen(name, exponent, offset):
    measure, power, may_shift, tolerance = CASES[name]
    a = 10.0**exponent
    b = offset * a if may_shift else 0.0
    found = measure(a * X + b, a * Y + b, a, b)
    assert found / a ** (power / 2) / a ** (power / 2) == pytest.approx(REFERENCE[name], rel=tolerance)


@pytest.mark.parametrize("a", [1e-200, 1e-170, 1e-13, 1e155, 1e200])
def test_beyond_the_squares(a):
    assert pl.hellinger_distance(a * X, a * X) == 0
    assert pl.hellinger_distance(a * X, a * Y) == pytest.approx(REFERENCE["D_H"])
    assert pl.state_space_divergence(a * X, a * Y) == pytest.approx(REFERENCE["D_stsp"])
    assert measures.mase(a * X, a * Y) == pytest.approx(REFERENCE["mase"])
    assert measures.kernel_distance(a * X, a * Y) == pytest.approx(REFERENCE["D_mmd"])
    if not 1e-160 < a < 1e150:  # squared data units leave the floats
        with pytest.warns(
            measures.UndefinedMeasureWarning, match=r"PE is NaN: it is .* which float64 does not"
        ):
            assert math.isnan(pl.prediction_error(model_of(a, 0.0), a * X))


def test_one_orbit_may_be_far_larger_than_the_other():
    for far in (1e200, 1e300):
        for measure in (pl.state_space_divergence, measures.kernel_distance):
            with pytest.warns(measures.UndefinedMeasureWarning):
                assert math.isnan(measure(1e-150 * X, far * (1 + Y**2)))
        assert measures.statistical_error(1e-150 * X, far * Y) > 0.1 * far
        assert pl.hellinger_distance(1e-150 * X, far * Y) == pytest.approx(REFERENCE["D_H"])
        assert measures.valid_prediction_time(1e-150 * X, far * (1 + Y**2), 0.4) == 0


@given(exponent=st.floats(-145, 145), offset=st.floats(-1e15, 1e15))
def test_a_column_is_constant_where_it_moves_by_rounding_alone(exponent, offset):
    a = 10.0**exponent
    constant, noise = np.full((300, 1), offset * a), np.random.default_rng(0).standard_normal((300, 1))
    for column in (constant, constant * (1 + 1e-16 * noise)):
        with pytest.raises(ValueError, match="X: column 1 is constant"):
            pl.hellinger_distance(np.hstack([a * X[:, :1], column]), a * Y)
    assert pl.hellinger_distance(a * X, np.hstack([constant, constant])) == 1
    step = constant + 1e-9 * abs(offset * a) * (noise > 0) + a * (noise > 0)
    assert 0 <= pl.hellinger_distance(step, step) < 1e-7


def test_rounding_is_that_of_the_numbers_that_were_given():
    noise = 1 + 1e-7 * np.random.default_rng(0).random((300, 2))
    assert pl.hellinger_distance(noise, noise) == 0
    with pytest.raises(ValueError, match="X: column 0 is constant"):
        pl.hellinger_distance(noise.astype(np.float32), noise)


# --- measures that carry no information -----------------------------------------------------------------------------


@pytest.mark.parametrize("N, bins", [(6, None), (20, None), (209, None), (306, None), (10, 30), (700, 2)])
def test_D_stsp_of_too_many_cells_is_nan_and_a_variant_keeps_its_value(N, bins):
    x = walk(0, 400, N)
    y = x.mean(axis=0) + 0.9 * (x - x.mean(axis=0))
    with pytest.warns(
        measures.UndefinedMeasureWarning, match=rf"D_stsp is NaN: \d+\*\*{N} cells for 400 points"
    ):
        assert math.isnan(pl.state_space_divergence(x, y, bins=bins))
    with pytest.warns(RuntimeWarning, match="the value is too small"):
        assert 0 <= pl.state_space_divergence(x, y, bins=bins, variant="julia") < 1


def test_the_threshold_is_a_tenth_of_the_points():
    x = walk(0, 100, 4)
    with pytest.warns(measures.UndefinedMeasureWarning):  # 8.1 of pseudo-counts
        assert math.isnan(pl.state_space_divergence(x[:80], x))
    assert pl.state_space_divergence(x[:82], x[:82]) == 0


def sines(omega, T):
    return np.sin(omega * np.arange(T))[:, None]


@pytest.mark.parametrize("T", [2, 3, 40, 141])
def test_D_H_of_a_smoothing_wider_than_the_spectrum_is_nan(T):
    one, other = walk(0, T, 1), walk(1, T, 1)
    for function in (pl.hellinger_distance, measures.spectral_correlation):
        with pytest.warns(measures.UndefinedMeasureWarning, match=f"is NaN: {T} rows have"):
            assert math.isnan(function(one, other))
    with pytest.warns(RuntimeWarning, match="so that the value says little"):
        assert pl.hellinger_distance(one, other, smoothing=20) >= 0
    with pytest.warns(RuntimeWarning, match="so that the value says little"):
        assert pl.hellinger_distance(one, other, variant="julia") >= 0


def test_D_H_of_enough_rows_tells_sines_apart():
    assert pl.hellinger_distance(sines(0.3, 142), sines(2.5, 142)) > 0.3
    assert pl.hellinger_distance(sines(0.3, 40), sines(2.5, 40), smoothing=1) > 0.9
    assert pl.hellinger_distance(walk(0, 4, 1), walk(1, 4, 1), smoothing=0) >= 0
    with pytest.warns(RuntimeWarning, match="3 rows have 1 frequencies"):  # of one frequency: no shape
        pl.hellinger_distance(walk(0, 3, 1), walk(1, 3, 1), smoothing=0)


def test_the_smoothing_of_any_variant_may_be_none():
    assert 0.01 < pl.hellinger_distance(X, Y, variant="mtf", smoothing=0) < 1
    for variant in ("julia-corr", "dend", "dend-vi"):
        assert 0.01 < measures.spectral_correlation(X, Y, variant=variant, smoothing=0) < 1


edges = st.sampled_from([1.0, 1e-310, 1e-200, 1e200, 1.5e308])


@given(st.integers(0, 10**6), st.sampled_from([2, 3, 5, 13, 150]), st.sampled_from([1, 3, 250]), edges, edges)
def test_a_measure_is_a_number_or_says_why_not(seed, T, N, a, other):
    """Whatever the shape and size: no error, no warning of NumPy's, no NaN or inf without a reason, none with one."""
    rng = np.random.default_rng(seed)
    x, y = (
        size * rng.choice([z, np.sign(z), z * (rng.random((T, N)) < 0.3)])
        for size, z in ((a, rng.uniform(-1, 1, (T, N))), (other, rng.uniform(-1, 1, (T, N))))
    )
    x[0], x[1] = -a, a  # so that it moves
    calls = {
        **{v: lambda v=v: pl.state_space_divergence(x, y, variant=v) for v in (None, "julia", "python")},
        **{
            f"gmm {v}": lambda v=v: pl.state_space_divergence(
                x, y, method="gmm", variant=v, sigma=a, samples=9
            )
            for v in (None, "gtf", "dend-symmetric", "mtf-reversed")
        },
        **{
            f"D_H {v}": lambda v=v: pl.hellinger_distance(x, y, variant=v)
            for v in ("default", "julia", "mtf")
        },
        **{
            v: lambda v=v: measures.spectral_correlation(x, y, variant=v)
            for v in ("julia-corr", "dend", "dend-vi")
        },
        "sliced": lambda: measures.statistical_error(x, y, directions=5),
        "dimwise": lambda: measures.statistical_error(x, y, variant="dimwise"),
        "D_mmd": lambda: measures.kernel_distance(x, y),
        "mase": lambda: measures.mase(x, y),
        "valid time": lambda: measures.valid_prediction_time(x, y, 0.4),
    }
    for name, call in calls.items():
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            value = call()
        reasons = [w for w in told if w.category is measures.UndefinedMeasureWarning]
        assert bool(reasons) == (not math.isfinite(value)), name
        others = {str(w.message).partition(":")[0] for w in told if w not in reasons}
        assert others <= {"state_space_divergence", "hellinger_distance", "spectral_correlation"}, (
            name,
            others,
        )


# --- Monte Carlo, and options that are another's --------------------------------------------------------------------


def test_estimates_know_their_standard_error():
    for measure in (
        lambda seed: pl.state_space_divergence(X, Y, method="gmm", sigma=3.0, samples=200, seed=seed),
        lambda seed: pl.state_space_divergence(
            X, Y, method="gmm", sigma=3.0, samples=200, seed=seed, variant="dend-symmetric"
        ),
        lambda seed: measures.statistical_error(X, Y, directions=50, seed=seed),
    ):
        found = [measure(seed) for seed in range(30)]
        told = np.mean([f.standard_error for f in found])
        assert told == pytest.approx(np.std(found, ddof=1), rel=0.4)
    again = pickle.loads(pickle.dumps(found[0]))
    assert again == found[0]
    assert again.standard_error == found[0].standard_error
    assert "standard_error=" in repr(again)
    assert measures.statistical_error(X[:, :1], Y[:, :1]).standard_error == pytest.approx(0, abs=1e-12)


def test_an_estimate_below_its_standard_error_warns():
    options = {"method": "gmm", "sigma": 1.0}
    with pytest.warns(RuntimeWarning, match="is smaller than its standard error"):
        pl.state_space_divergence(X, X + 0.01, samples=5, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pl.state_space_divergence(X, X, **options) == 0
        pl.state_space_divergence(X, Y, **options)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pl.state_space_divergence(X, Y, sigma=1.0), "sigma: got 1.0, but the method 'binning' has no"),
        (lambda: pl.state_space_divergence(X, Y, samples=10), "samples: got 10"),
        (lambda: pl.state_space_divergence(X, Y, seed=0), "seed: got 0"),
        (
            lambda: pl.state_space_divergence(X, Y, method="gmm", sigma=1.0, bins=30),
            "bins: got 30, but the method 'gmm' has no bins",
        ),
        (
            lambda: measures.statistical_error(X, Y, variant="dimwise", directions=5),
            "directions: got 5, but 'dimwise' has no random directions",
        ),
        (lambda: pl.prediction_error(model_of(1, 0), np.where(X > 3, np.nan, X)), "X: got NaN or inf"),
        (lambda: measures.power_spectra(np.where(X > 3, np.nan, X)), "X: got NaN or inf"),
        (lambda: measures.kernel_distance(X, Y, width=0), "width: got 0"),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_a_mistake(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_predictions_that_diverge_say_so():
    model = pl.Model(LATENT._replace(A=np.array([1e60, 1e60])), pl.Identity(np.zeros((0, 2))))
    with pytest.warns(measures.UndefinedMeasureWarning, match="PE is NaN: a prediction diverges"):
        assert math.isnan(pl.prediction_error(model, X))
    with pytest.warns(
        measures.UndefinedMeasureWarning, match=r"prediction_errors is NaN: .* from \d+ steps ahead on"
    ):
        assert np.isnan(measures.prediction_errors(model, X)).any()
    with pytest.warns(measures.UndefinedMeasureWarning, match="MASE is NaN: Y has NaN or inf from row 7 on"):
        assert math.isnan(measures.mase(X, np.where(np.arange(300)[:, None] < 7, Y, np.nan)))


# --- the measure of many dimensions -----------------------------------------------------------------------------------


def test_the_kernel_distance_is_its_sum_over_pairs():
    x, y = walk(3, 60, 3), walk(4, 50, 3) + 1
    units = x.std(axis=0)
    sigma = 0.25 * math.sqrt(2 * 3)

    def mean(A, B, same):
        pairs = [
            math.exp(-(((a - b) / units) ** 2).sum() / (2 * sigma**2))
            for i, a in enumerate(A)
            for j, b in enumerate(B)
            if not (same and i == j)
        ]
        return sum(pairs) / len(pairs)

    own = mean(x, x, True)
    expected = (own + mean(y, y, True) - 2 * mean(x, y, False)) / own
    assert measures.kernel_distance(x, y) == pytest.approx(expected, rel=1e-10)


@functools.cache
def lorenz96(seed, forcing=8.0, T=8000, dt=0.05):
    """An orbit of 20 sites, by Runge and Kutta's rule."""
    x = 8 + np.random.default_rng(seed).standard_normal(20)

    def flow(x):
        return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + forcing

    orbit = []
    for _ in range(T + 200):
        a = flow(x)
        b = flow(x + dt / 2 * a)
        c = flow(x + dt / 2 * b)
        x = x + dt / 6 * (a + 2 * b + 2 * c + flow(x + dt * c))
        orbit.append(x)
    return np.array(orbit[200:])


@pytest.mark.parametrize("N", [8, 20, 306])
def test_the_kernel_distance_ranks_by_quality(N):
    readout = np.random.default_rng(99).standard_normal((20, N))
    x, *others = (lorenz96(seed) @ readout for seed in range(4))
    y, rng = others[0], np.random.default_rng(5)
    worst = max(measures.kernel_distance(x, other) for other in others)
    spread = y.std(axis=0)
    for graded in (
        [lorenz96(7, forcing) @ readout for forcing in (10, 13)],
        [y + size * spread * rng.standard_normal(y.shape) for size in (0.8, 1.6)],
        [size * y for size in (0.8, 0.6, 0.3, 0.0)],
    ):
        found = [measures.kernel_distance(x, z) for z in graded]
        assert found == sorted(found)
        assert found[0] > 1.5 * max(worst, 0.02)
    independent = np.stack([rng.permutation(c) for c in y.T], axis=1)  # each channel is right by itself
    assert measures.kernel_distance(x, independent) > 1.5 * max(worst, 0.02)


@pytest.mark.parametrize("far", [1e9, 1e11, 1e14])
def test_the_kernel_distance_of_points_far_off_is_their_sum_over_pairs(far):
    Y2 = X[::-1].copy()
    Y2[-1] = far
    middle, spread = X.mean(axis=0), X.std(axis=0)
    x, y = (X - middle) / spread, (Y2 - middle) / spread
    own, others, between = (
        np.exp(-((a[:, None] - b) ** 2).sum(axis=2) / (4 * x.shape[1])) for a, b in ((x, x), (y, y), (x, y))
    )
    n = len(x)
    own, others = ((k.sum() - n) / (n * (n - 1)) for k in (own, others))
    expected = 1 + (others - 2 * between.mean()) / own
    assert measures.kernel_distance(X, Y2, width=1.0) == pytest.approx(expected, abs=1e-9)


def test_a_driven_model_needs_its_inputs_in_each_measure_of_prediction():
    driven = pl.init_model({"latent_dim": 2, "latent_step": {"name": "PLRNN"}}, 2, 1)
    for measure in (pl.prediction_error, measures.prediction_errors):
        with pytest.raises(
            ValueError, match=r"inputs: got none, but the model has 1; expected shape \(300, 1\)"
        ):
            measure(driven, X, n_steps=3)
