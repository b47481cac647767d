"""Scale, offset, precision: nothing depends on the unit or the origin of data beyond what the number format forces."""

import json
import math
import warnings

import numpy as np
import pytest
from helpers import circle, small_config
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import data
from plrnn_numba.engine import to_vector
from plrnn_numba.runs.commands.main import main

EPS = float(np.finfo(np.float64).eps)


def config(*, epochs=2, **more):
    training = {"epochs": epochs, "batches_per_epoch": 3, "sequence_length": 10, "batch_size": 4}
    return small_config(step=("shPLRNN", {"hidden_dim": 4}), training=training, **more)


def fit(X, **more):
    return pl.fit(X, config(**more), progress=False)


def parameters(result):
    return to_vector(result.model[:2])


def scaled_model(X, dtype="float32", **more):
    """A model of a circle: a slow turn, which is not trained."""
    turn = np.array([[math.cos(0.1), math.sin(0.1)], [-math.sin(0.1), math.cos(0.1)]])
    latent = pl.ALRNN(np.zeros(2), turn, np.zeros(2), np.zeros((2, 0)), num_relus=0)
    model = pl.init_model({**config(), "dtype": dtype}, 2)
    latent = latent._replace(
        **{k: v.astype(dtype) for k, v in latent._asdict().items() if isinstance(v, np.ndarray)}
    )
    return pl.Model(latent, model.observation, data.find_scaling(data.as_trials("X", X)))


# --- scaling ----------------------------------------------------------------------------------------

exponents = st.integers(-500, 500)
offsets = st.floats(-1e9, 1e9) | st.just(0.0)


@given(exponents)
def test_a_power_of_two_is_a_change_of_unit_to_the_last_bit(exponent):
    a = 2.0**exponent
    X = circle(300)
    one, other = data.find_scaling([X]), data.find_scaling([a * X])
    np.testing.assert_array_equal(other.mean, a * one.mean)
    np.testing.assert_array_equal(other.scale, a * one.scale)


@given(st.integers(-150, 149), st.floats(1, 10), offsets, st.sampled_from([1, -1]))
def test_scaling_is_equivariant(decade, digits, offset, sign):
    """x -> a x + b, with b in units of a."""
    a = sign * digits * 10.0**decade
    X = circle(300)
    Y = a * (X + offset)
    one, other = data.find_scaling([X]), data.find_scaling([Y])
    rounding = 8 * EPS * (1 + abs(offset))
    np.testing.assert_allclose(other.mean / a, one.mean + offset, atol=rounding)
    np.testing.assert_allclose(other.scale / abs(a), one.scale, rtol=1e-12 + rounding)


@pytest.mark.parametrize("size", [1e-13, 1e-9, 1e5, 1e155, 1e-170, 1e-200, 1e300, 1e-305])
def test_any_unit_has_a_scale(size):
    scaling = data.find_scaling([size * circle()])
    np.testing.assert_allclose(scaling.scale / size, circle().std(axis=0), rtol=1e-10)
    np.testing.assert_allclose(scaling.mean / size, circle().mean(axis=0), atol=1e-12)


def test_numbers_at_the_lower_end_of_the_format_have_one_too():
    X = np.array([[0.0], [5e-324], [1e-323], [5e-324]])
    scaling = data.find_scaling([X])
    assert 0 < scaling.scale[0] <= 1e-323
    assert scaling.mean[0] == 5e-324


@pytest.mark.parametrize("offset", [0, 1e7, 1e9, -1e12])
@pytest.mark.parametrize("size", [1e-13, 1.0, 1e100])
def test_where_no_row_is_complete_each_column_has_its_own_origin(offset, size):
    X = circle()
    X[::2, 0] = np.nan
    X[1::2, 1] = np.nan
    moved = size * (X + np.array([offset, -offset]))
    scaling = data.find_scaling([moved[:700], moved[700:]])
    spacing = 4 * EPS * max(abs(offset), 1)  # what the offset leaves of the data
    np.testing.assert_allclose(scaling.scale / size, np.nanstd(X, axis=0), atol=spacing)


def test_a_column_that_is_first_observed_late_has_an_origin_of_its_own():
    X = circle(500) + 1e9
    X[:400, 1] = np.nan
    scaling = data.find_scaling([X[:100], X[100:]])
    expected = [X[:, 0], X[400:, 1]]
    np.testing.assert_allclose(scaling.scale, [x.std() for x in expected], rtol=1e-6)


@pytest.mark.parametrize(
    "column",
    [
        np.zeros(9),
        np.full(9, -1e300),
        1e-200 * np.ones(9),
        np.full(9, 0.1) + EPS * 0.1 * (np.arange(9) % 2),  # what a sum in another order leaves
    ],
)
def test_constant_is_what_varies_by_no_more_than_its_own_rounding(column):
    with pytest.raises(pl.DataError, match=r"X: column 0 is constant \("):
        data.find_scaling([column[:, None]])


@pytest.mark.parametrize(
    "offset, size", [(0, 1e-200), (0.1, 1e-14), (1e9, 1e-5), (-1e16, 64.0), (1e-7, 1e-20)]
)
def test_what_varies_by_more_is_not_constant(offset, size):
    ramp = np.arange(9.0)
    scaling = data.find_scaling([offset + size * ramp[:, None]])
    np.testing.assert_allclose(scaling.scale / size, ramp.std(), rtol=0.05)


def test_a_range_that_no_number_holds_is_an_error():
    X = np.where(circle() > 0, 1.7e308, -1.7e308)
    with pytest.raises(
        pl.DataError, match=r"^X: column 0 goes from -1\.7e\+308 to 1\.7e\+308, and float64 cannot hold"
    ):
        fit(X)


@pytest.mark.parametrize("offset", [0, 1e9])
def test_a_first_value_far_off_spoils_no_scale(offset):
    X = circle(1000) + offset
    X[0] = -offset
    np.testing.assert_allclose(data.find_scaling([X]).scale, X.std(axis=0), rtol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
def test_layout_changes_no_bit(order):
    X = circle() + 3
    one = data.find_scaling([X])
    other = data.find_scaling([np.asarray(X, order=order)])
    np.testing.assert_array_equal(one.scale, other.scale)
    np.testing.assert_array_equal(one.mean, other.mean)


# --- training and prediction ------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [-500, -44, 3, 500])
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_a_training_in_another_unit_is_the_same_to_the_bit(exponent, missing):
    a = 2.0**exponent
    X = circle()
    if missing == "mask":
        X[50:90, 1] = np.nan
    one, other = fit(X, missing=missing), fit(a * X, missing=missing)
    np.testing.assert_array_equal(parameters(other), parameters(one))
    np.testing.assert_array_equal(other.history["loss"], one.history["loss"])
    start = np.array([0.3, -0.4])
    np.testing.assert_array_equal(
        pl.predict(other.model, a * start, 20), a * pl.predict(one.model, start, 20)
    )
    z = pl.initial_state(one.model, start)
    np.testing.assert_array_equal(pl.initial_state(other.model, a * start), z)
    np.testing.assert_array_equal(pl.observe(other.model, z), a * pl.observe(one.model, z))


@given(st.integers(-150, 149), st.floats(1, 10), st.floats(-1e6, 1e6))
def test_prediction_is_equivariant(decade, digits, offset):
    a = digits * 10.0**decade
    X = circle(300)
    one, other = scaled_model(X, "float64"), scaled_model(a * (X + offset), "float64")
    start = X[7]
    rounding = 1e-9 * (1 + abs(offset)) * 1e-3
    np.testing.assert_allclose(
        pl.predict(other, a * (start + offset), 30) / a - offset,
        pl.predict(one, start, 30),
        atol=rounding + 1e-11,
    )


@pytest.mark.parametrize(
    "a, b", [(1e-13, 0.0), (1e150, 0.0), (1.0, 101325.0), (1e-3, 2.4600005e6), (-7.0, 1e7)]
)
def test_a_training_is_equivariant_to_rounding(a, b):
    X = circle()
    one = fit(X, dtype="float64")
    other = fit(a * X + b, dtype="float64")
    rounding = 1e-9 + 1e4 * EPS * abs(b / a)
    sign = math.copysign(1, a)
    if sign > 0:
        np.testing.assert_allclose(parameters(other), parameters(one), atol=rounding)
    orbit = (pl.predict(other.model, a * X[5] + b, 15) - b) / a
    if sign > 0:
        np.testing.assert_allclose(orbit, pl.predict(one.model, X[5], 15), atol=10 * rounding)
    assert np.isfinite(orbit).all()


@pytest.mark.parametrize("offset", [101_325.0, 2_460_000.5], ids=["pressure in pascal", "a Julian day"])
def test_data_units_are_float64_though_the_model_computes_in_float32(offset):
    X = circle() + offset
    model = scaled_model(X)
    orbit = pl.predict(model, X[0], len(X))
    assert model.latent.A.dtype == np.float32
    assert orbit.dtype == np.float64
    assert len(np.unique(orbit[:, 0])) > 1400
    # The orbit of the same model without an offset, moved: what is rounded are the model's units.
    plain = pl.predict(scaled_model(circle()), circle()[0], len(X))
    np.testing.assert_allclose(orbit - offset, plain, atol=1e-3)
    assert pl.observe(model, np.zeros((3, 2))).dtype == np.float64
    assert pl.state_space_divergence(X, orbit) < 2


@pytest.mark.parametrize("asked", ["float32", np.float64, np.dtype("f4")])
@pytest.mark.parametrize("scaled", [True, False])
def test_the_dtype_that_is_asked_for_is_given(asked, scaled):
    model = scaled_model(circle())
    model = model if scaled else model._replace(scaling=None)
    assert pl.predict(model, [0, 1], 5, dtype=asked).dtype == asked
    assert pl.predict(model, [[0, 1]], 5, dtype=asked).dtype == asked
    assert pl.observe(model, [0, 1], dtype=asked).dtype == asked
    assert pl.predict(model, [0, 1], 5).dtype == ("float64" if scaled else "float32")
    for wrong in ("float16", int, "banana", ">f4"):
        with pytest.raises(ValueError, match=r"^dtype: got .*, allowed are float32 and float64$"):
            pl.predict(model, [0, 1], 5, dtype=wrong)


def test_the_best_model_of_a_series_with_an_offset_is_that_without():
    """Early stopping and the best model hang on measures in data units."""
    X = np.round(circle() * 2**20) / 2**20  # so that the offset takes no bit away
    one = fit(X, epochs=4)
    other = fit(X + 2.0**17, epochs=4)
    np.testing.assert_allclose(parameters(other), parameters(one), atol=1e-5)
    np.testing.assert_allclose(other.history["D_stsp"], one.history["D_stsp"], atol=0.05)
    np.testing.assert_allclose(other.history["PE"], one.history["PE"], rtol=1e-3)


def test_a_scaling_in_a_file_is_that_of_the_training(tmp_path):
    result = fit(circle() + 2_460_000.5)
    pl.save_model(tmp_path / "m.npz", result.model, config())
    loaded = pl.load_model(tmp_path / "m.npz")
    np.testing.assert_array_equal(loaded.scaling.mean, result.model.scaling.mean)
    assert loaded.scaling.mean.dtype == np.float64
    start = circle()[0] + 2_460_000.5
    np.testing.assert_array_equal(pl.predict(loaded, start, 50), pl.predict(result.model, start, 50))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_windows_are_shifted_before_they_are_rounded(dtype):
    X = (circle() + 2.0**20).astype(dtype)
    windows = pl.Trainer(X, config())._batches._task.data
    wide = X.astype(np.float64)
    expected = ((wide - wide.mean(axis=0)) / wide.std(axis=0)).astype(np.float32)
    assert windows.source.X.dtype == np.float32
    np.testing.assert_allclose(windows.source.X, expected, atol=3e-7)


# --- without standardization ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size, dtype",
    [(1e155, "float64"), (1e80, "float64"), (1e155, "float32"), (1e20, "float32"), (1e10, "float32")],
)
def test_data_too_large_to_train_on_as_they_are_are_refused_in_one_line(size, dtype):
    with pytest.raises(pl.DataError, match=r'^X: column 1 reaches 1e\+\d+; .*set "standardize": true$'):
        fit(size * circle(), standardize=False, dtype=dtype)
    with pytest.raises(pl.DataError, match=r"^inputs: column 0 reaches 1e\+\d+; .*rescale them$"):
        pl.fit(circle(), config(dtype=dtype), size * circle()[:, 1:], progress=False)
    assert pl.Trainer(size * circle(), config(dtype=dtype)).run_epoch() == "epoch"


@pytest.mark.parametrize("size", [1e-13, 1e-30])
def test_data_too_small_to_be_seen_by_the_optimizer_are_warned_of(size):
    with pytest.warns(RuntimeWarning, match=r'^X: no entry is above 1e-\d+; .*set "standardize": true$'):
        fit(size * circle(), standardize=False)


def test_data_whose_gradients_will_be_taken_for_divergence_are_warned_of():
    """And the divergence says what helps, which is no other learning rate."""
    with pytest.warns(RuntimeWarning) as caught:
        result = fit(1e9 * circle(), standardize=False)
    said = [str(warning.message) for warning in caught]
    assert said[0].startswith(
        "X: column 1 reaches 1e+09; gradients, which are about as its square, are taken"
    )
    assert result.status == "diverged"
    assert said[-1].endswith('; so may "standardize": true')


@pytest.mark.parametrize("offset, n_values", [(101_325.0, 257), (2_460_000.5, 9)])
def test_a_series_of_few_values_in_float32_is_warned_of(offset, n_values):
    X = circle() + offset
    message = rf"^X: column 0 goes from .*, where float32 tells {n_values} values apart: "
    with pytest.warns(RuntimeWarning, match=message):
        pl.Trainer(X, config(standardize=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pl.Trainer(X, config(standardize=False, dtype="float64"))
        pl.Trainer(X, config())


def test_inputs_of_few_values_in_float32_are_warned_of():
    with pytest.warns(RuntimeWarning, match=r"^inputs: column 0 goes from .*: rescale them, or"):
        pl.Trainer(circle(), config(), circle() + 2_460_000.5)


@pytest.mark.parametrize("values", [[0, 1], [3, 3], [0, 5000], [1e-3, 2e-3]])
def test_ordinary_data_are_not_warned_of(values):
    X = circle()
    X[:, 1] = np.resize(values, len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pl.Trainer(X, config(standardize=False), X)


# --- the observation model ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e-150, 1e-13, 1.0, 1e150])
@pytest.mark.parametrize("ratio", [1.0, 1e-5, 1e-9])
def test_a_start_is_found_whatever_the_unit_of_B(size, ratio):
    """float64 tells singular values apart that are 1e-9 of the largest; a fixed part of 1e-6 took them for zero."""
    B = size * np.diag([1.0, ratio])
    latent = pl.init_model({**config(), "dtype": "float64"}, 2).latent
    model = pl.Model(latent, pl.Affine(B, np.zeros(2)))
    z = np.array([0.3, -0.7])
    np.testing.assert_allclose(pl.initial_state(model, B @ z), z, rtol=1e-6)
    np.testing.assert_allclose(pl.predict(model, B @ z, 1)[0], B @ z, rtol=1e-6)


def test_what_B_cannot_tell_apart_in_float32_is_zero_still():
    latent = pl.init_model(config(), 2).latent
    model = pl.Model(latent, pl.Affine(np.diag([1.0, 1e-8]).astype(np.float32), np.zeros(2, np.float32)))
    np.testing.assert_array_equal(pl.initial_state(model, [0.5, 0.5]), [0.5, 0.0])


# --- the command line --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["npy", "csv"])
def test_generate_writes_all_digits(tmp_path, ending):
    X = circle() + 2_460_000.5
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "c.json").write_text(json.dumps(config()))
    run = str(tmp_path / "run")
    given = [
        str(tmp_path / "c.json"),
        "--data",
        str(tmp_path / "X.npy"),
        "--out",
        run,
        "--quiet",
        "--no-plots",
    ]
    assert main(["train", *given]) == 0
    out = tmp_path / f"orbit.{ending}"
    assert main(["generate", run, "--steps", "300", "--out", str(out)]) == 0
    orbit = data.load_array(out)
    expected = pl.predict(
        pl.load_model(tmp_path / "run" / "model.npz"), np.load(tmp_path / "run" / "test.npy")[0], 300
    )
    assert orbit.dtype == np.float64
    np.testing.assert_array_equal(orbit, expected)
    assert main(["generate", run, "--steps", "300", "--out", str(out), "--dtype", "float32"]) == 0
    np.testing.assert_array_equal(data.load_array(out), expected.astype(np.float32))


def test_at_the_command_line_a_warning_is_one_line(tmp_path, capsys):
    np.save(tmp_path / "X.npy", circle() + 2_460_000.5)
    (tmp_path / "c.json").write_text(json.dumps(config(standardize=False)))
    given = [str(tmp_path / "c.json"), "--data", str(tmp_path / "X.npy"), "--out", str(tmp_path / "run")]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        main(["train", *given, "--quiet", "--no-plots"])
    lines = capsys.readouterr().err.splitlines()
    assert sum("float32 tells 9 values apart" in line for line in lines) == 1
    assert all(line.startswith("plrnn-numba: ") for line in lines)
