"""fit: what it learns, what it repeats to the bit, how it ends; trials, windows, inputs, noise."""

import _thread
import logging
import threading
import warnings

import helpers
import numpy as np
import pytest
from families import BY_ID, ROWS
from helpers import small_config
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba.engine import to_vector
from plrnn_numba.training import Trainer
from plrnn_numba.training.windows import draw_windows, make_windows


def circle(n=1500, phase=0.0):
    """Off the origin, so that scaling matters."""
    return helpers.circle(n, phase, size=(1, 2)) + np.array([0, 5])


def small(row=BY_ID["clipped_shPLRNN"], M=2, H=10, P=1, **training):
    options = {"epochs": 4, "batches_per_epoch": 10, "sequence_length": 20, "learning_rate": [1e-2, 1e-3]}
    return row.config(M, H, P, training={**options, **training}, evaluation={"every": 2, "steps": 200})


def fit(X, config, **kwargs):
    return pl.fit(X, config, progress=False, **kwargs)


def vector(model):
    return to_vector((model.latent, model.observation))


@pytest.mark.needs_speed
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("observation", ["identity", "affine"])
def test_every_model_learns_a_circle(row, observation):
    config = {
        **small(row, M=4, H=10, P=2, epochs=60, batches_per_epoch=20),
        "observation": {"name": observation},
    }
    result = fit(circle(), config)
    assert result.status == "finished"
    first, last = result.history["loss"][[0, -1]]
    assert last < 0.02 * first
    assert result.history["epoch"].tolist() == list(range(1, 61))
    orbit = pl.predict(result.model, circle()[0], 30)
    assert np.abs(orbit[:10] - circle()[:10]).max() < 0.5
    assert result.model.latent.A.dtype == np.float32


def test_same_seed_same_bits_whatever_else_is_drawn():
    first = fit(circle(), small(noise=0.1))
    np.random.seed(3)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    second = fit(circle(), small(noise=0.1))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.testing.assert_array_equal(vector(first.model), vector(second.model))
    for name in ("loss", "D_stsp", "D_H", "PE"):
        np.testing.assert_array_equal(first.history[name], second.history[name])
    other = fit(circle(), {**small(noise=0.1), "seed": 1})
    assert (vector(first.model) != vector(other.model)).any()


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_threads_change_no_bit(noise):
    one = fit(circle(), small(batch_size=50, noise=noise))
    for n in (2, 3, 8):
        many = fit(circle(), small(batch_size=50, noise=noise, n_threads=n))
        np.testing.assert_array_equal(vector(one.model), vector(many.model))
        np.testing.assert_array_equal(one.history["loss"], many.history["loss"])


@pytest.mark.parametrize("stop_in_epoch", [1, 2, 3])
def test_a_training_that_is_stopped_and_restored_ends_with_the_same_bits(stop_in_epoch):
    config = small(noise=0.05)
    whole = Trainer(circle(), config)
    expected = whole.run(progress=False)
    stopped = Trainer(circle(), config)
    stopped.run(lambda report: report.epoch == stop_in_epoch, progress=False)
    assert stopped.epoch == stop_in_epoch
    # in the midst of an epoch, too
    rate = stopped._learning_rate(stop_in_epoch)
    stopped._state.batch += stopped._batches.run(3, rate, stop_in_epoch * 10 + 1)
    again = Trainer(circle(), config)
    again.restore(stopped.state())
    result = again.run(progress=False)
    np.testing.assert_array_equal(vector(result.model), vector(expected.model))
    np.testing.assert_array_equal(vector(result.best_model), vector(expected.best_model))
    for name in ("epoch", "loss", "learning_rate", "D_stsp", "D_H", "PE"):
        np.testing.assert_array_equal(result.history[name], expected.history[name])


def test_the_training_loss_is_that_of_loss_and_grad():
    """One batch, without noise, with the windows that the trainer drew."""
    config = {**small(epochs=1, batches_per_epoch=1, batch_size=20), "dtype": "float64"}
    trainer = Trainer(circle(), config)
    model = trainer.model
    result = trainer.run(progress=False)
    X = (circle() - model.scaling.mean) / model.scaling.scale
    batch = np.stack([X[w : w + 21] for w in trainer._batches._task.windows])
    loss, gradient = pl.loss_and_grad(model, batch, forcing=pl.GTF(0.15))
    assert result.history["loss"][0] == pytest.approx(loss, rel=1e-12)
    moved = (vector(model) - vector(result.model)) / 1e-2  # RAdam's first step: the gradient itself
    np.testing.assert_allclose(moved, vector(gradient), rtol=1e-7, atol=1e-9)


def test_divergence_ends_with_the_last_finite_model():
    config = {**small(learning_rate=[1e18, 1e18], epochs=20), "forcing": None}
    with pytest.warns(RuntimeWarning, match=r"training diverged in epoch \d+, batch \d+ \(seed 0\)"):
        result = fit(circle(), config)
    assert result.status == "diverged"
    assert np.isfinite(vector(result.model)).all()
    assert len(result.history["epoch"]) < 20


def test_a_callback_sees_each_epoch_and_may_stop():
    reports = []

    def callback(report):
        reports.append(report)
        return report.epoch == 3

    result = fit(circle(), small(epochs=10), callback=callback)
    assert result.status == "stopped"
    assert [r.epoch for r in reports] == [1, 2, 3]
    assert [r.evaluation is not None for r in reports] == [False, True, False]
    assert reports[1].evaluation.D_stsp == result.history["D_stsp"][1]
    np.testing.assert_array_equal(vector(reports[-1].model), vector(result.model))
    assert np.isnan(result.history["D_stsp"]).tolist() == [True, False, True]


@pytest.mark.needs_speed
def test_ctrl_c_returns_model_and_history_so_far():
    def interrupt(report):
        if report.epoch == 3:  # while the next epochs run
            threading.Timer(0.05, _thread.interrupt_main).start()

    result = fit(circle(), small(epochs=10**6), callback=interrupt)
    assert result.status == "interrupted"
    assert len(result.history["loss"]) >= 3
    assert np.isfinite(vector(result.model)).all()


def test_a_compiled_call_is_short_so_that_ctrl_c_gets_through(monkeypatch):
    """Against a clock of the test's own, on which a batch takes a hundredth of a second."""
    trainer = Trainer(circle(), small(batches_per_epoch=100))
    clock, calls = [0.0], []

    def run(n, learning_rate, step):
        calls.append(n)
        clock[0] += 0.01 * n
        return n

    monkeypatch.setattr("plrnn_numba.training.loop.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(trainer._batches, "run", run)
    assert trainer.run_epoch() == "epoch"
    assert sum(calls) == 100
    assert calls[0] == 1  # before anything is known
    assert max(calls) == 20  # a fifth of a second


def test_compile_time_is_told_apart():
    result = fit(circle(), small())
    assert result.compile_seconds >= 0
    assert result.seconds >= result.history["seconds"].sum() > 0


def test_progress_reports_evaluations_and_is_silent_when_asked(capsys):
    pl.fit(circle(), small())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 2/4  loss ")
    assert "D_stsp" in lines[0]
    assert "D_H" in lines[0]
    assert lines[1].endswith("00:00 left")
    fit(circle(), small())
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_zero_epochs_give_the_initial_model():
    result = fit(circle(), small(epochs=0))
    initial = pl.init_model(small(), 2)
    np.testing.assert_array_equal(vector(result.model), vector(initial))
    assert len(result.history["loss"]) == 0


# --- trials and windows ----------------------------------------------------------------------------


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 10**6))
def test_no_window_crosses_a_boundary_and_each_is_equally_likely(lengths, n_steps, seed):
    trials = [np.full((n, 1), float(i)) for i, n in enumerate(lengths)]
    inputs = [np.zeros((n, 0)) for n in lengths]
    if max(lengths) <= n_steps:
        with pytest.raises(
            pl.DataError, match=r"the longest trial has \d+ rows, but training.sequence_length"
        ):
            make_windows(trials, inputs, n_steps, None, "float64")
        return
    made = make_windows(trials, inputs, n_steps, None, "float64")
    n_windows = sum(max(n - n_steps, 0) for n in lengths)
    assert made.counts[-1] == n_windows
    windows = np.zeros(500, np.int64)
    draw_windows(np.random.default_rng(seed), made.starts, made.counts, windows)
    for w in windows[:50]:
        assert len(np.unique(made.source.X[w : w + n_steps + 1])) == 1
        assert w + n_steps < len(made.source.X)
    if n_windows <= 10:  # each is met: missing one has a chance of 10 * 0.9**500
        assert len(np.unique(windows)) == n_windows


def test_one_series_an_array_of_trials_and_a_list_are_the_same_data():
    X = circle(600)
    config = small()
    one = fit(X, config)
    for form in (X[None], [X], [X.tolist()], (X,)):
        np.testing.assert_array_equal(vector(fit(form, config).model), vector(one.model))
    trials = [X[:200], X[200:215], X[215:]]  # the second is too short, and is not used
    with pytest.warns(RuntimeWarning, match=r"X: 1 of 3 trials is shorter than .* 21 rows and not used"):
        result = fit(trials, config)
    assert result.status == "finished"
    stacked = fit(X.reshape(3, 200, 2), config)
    listed = fit(list(X.reshape(3, 200, 2)), config)
    np.testing.assert_array_equal(vector(stacked.model), vector(listed.model))


@pytest.mark.needs_speed
def test_standardization_is_kept_and_undone():
    X = circle() * [100, 0.01] + [5, -7]
    result = fit(X, small(epochs=30))
    np.testing.assert_allclose(result.model.scaling.mean, X.mean(axis=0))
    np.testing.assert_allclose(result.model.scaling.scale, X.std(axis=0))
    orbit = pl.predict(result.model, X[0], 20)
    np.testing.assert_allclose(orbit[0], X[0], rtol=1e-5)
    assert (np.abs(orbit[:5] - X[:5]) < 0.5 * X.std(axis=0)).all()
    assert fit(X, {**small(epochs=0), "standardize": False}).model.scaling is None


@pytest.mark.needs_speed
def test_inputs_drive_the_step_that_follows_them():
    """x[t+1] = 0.5 x[t] + s[t]: with any other alignment in time the error stays."""
    rng = np.random.default_rng(0)
    S = rng.standard_normal((2000, 1))
    X = np.zeros((2000, 1))
    for t in range(1999):
        X[t + 1] = 0.5 * X[t] + S[t]
    config = {
        "latent_dim": 1,
        "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 0}},
        "training": {"epochs": 80, "sequence_length": 20, "learning_rate": [2e-2, 2e-3]},
        "standardize": False,
        "evaluation": {"every": 40},
    }
    result = fit(X, config, inputs=S)
    assert result.history["loss"][-1] < 1e-5
    assert result.model.latent.C[0, 0] == pytest.approx(1, abs=1e-2)
    orbit = pl.predict(result.model, X[0], 100, S[:100])
    np.testing.assert_allclose(orbit, X[:100], atol=0.05)
    with pytest.raises(ValueError, match=r"inputs: got none, but the model has 1; expected shape \(9, 1\)"):
        pl.predict(result.model, X[0], 9)


def test_a_fixed_C_and_a_zero_diagonal_stay_fixed():
    row = BY_ID["ALRNN-off_diagonal_W=True"]
    config = small(row, M=4)
    config["latent_step"]["hyperparameters"]["learnable_C"] = False
    config["regularization"] = {"l2": 0.1}
    latent = fit(circle(), config, inputs=np.ones((1500, 2))).model.latent
    np.testing.assert_array_equal(latent.C, [[0, 0], [0, 0], [1, 0], [0, 1]])
    assert not np.diag(latent.W).any()
    assert latent.W.any()


@pytest.mark.needs_speed
def test_regularizers_are_reported_apart():
    config = small(BY_ID["ALRNN"], M=3)
    config["latent_step"]["hyperparameters"]["ar_epsilon"] = 0.05
    config["regularization"] = {"l2": 0.01}
    config["training"].update(epochs=30, lambda_ar=10.0)
    result = fit(circle(), config)
    latent = result.model.latent
    assert np.abs(latent.A + np.diag(latent.W) - 0.95).max() < 0.2
    assert (result.history["ar"] > 0).all()
    assert (result.history["l2"] > 0).all()
    plain = fit(circle(), small(BY_ID["ALRNN"], M=3))
    assert not plain.history["ar"].any()
    assert not plain.history["l2"].any()


NAN = circle()
NAN[17, 1] = np.nan


@pytest.mark.parametrize(
    "X, inputs, message",
    [
        (
            NAN,
            None,
            r"X: got nan at trial 0, row 17, column 1, expected finite numbers \(1 of 3000 are not\)",
        ),
        ([circle(), NAN], None, r"X\[1\]: got nan at trial 1, row 17, column 1"),
        (circle()[:, 0], None, r"X: got shape \(1500,\), expected \(T, N\), \(trials, T, N\) or a list"),
        ([circle(), circle()[:, :1]], None, r"X\[1\]: got 1 columns, but X\[0\] has 2"),
        (circle(20), None, r"X: the longest trial has 20 rows, but training.sequence_length 20 needs 21"),
        (circle() * [1, 0], None, r"X: column 1 is constant \(0\) and cannot be standardized"),
        (circle(), np.zeros((1400, 1)), r"inputs: got trials of \[1400\] rows, but X has \[1500\]"),
        (circle(), np.full((1500, 1), np.inf), r"inputs: got inf at trial 0, row 0, column 0"),
        (np.array([["a"]]), None, r"X: got dtype <U1, expected real numbers"),
        ([[1, 2], [3]], None, r"X: not an array"),
    ],
)
def test_a_mistake_in_the_data_is_named(X, inputs, message):
    with pytest.raises(pl.DataError, match=message):
        fit(X, small(), inputs=inputs)


def test_validation_data_must_fit():
    with pytest.raises(pl.DataError, match="validation: got 1 columns, but X has 2"):
        fit(circle(), small(), validation=circle()[:, :1])


def test_warnings_of_a_diverging_evaluation_stay_out_of_the_way():
    config = {
        **small(BY_ID["PLRNN"], epochs=2, learning_rate=[0.3, 0.3]),
        "forcing": {"name": "STF", "interval": 1},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(circle(), config)


def test_early_stopping_ends_where_nothing_gets_better():
    given = small(epochs=200, early_stopping=2, learning_rate=[1e-12, 1e-12])
    result = fit(circle(), {**given, "evaluation": {"every": 5, "steps": 200}})
    D_stsp = result.history["D_stsp"]
    found = D_stsp[~np.isnan(D_stsp)]
    assert result.status == "early"
    assert len(found) - 1 - found.argmin() == 2
    assert len(D_stsp) < 200


def test_the_logger_gets_the_lines_or_silences_them(capsys):
    logger = logging.getLogger("plrnn_numba")
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    before = logger.level
    try:
        logger.setLevel(logging.INFO)
        pl.fit(circle(), small(epochs=2))
        assert lines[-1].startswith("epoch 2/2")
        assert capsys.readouterr().err == ""
        logger.setLevel(logging.WARNING)
        lines.clear()
        pl.fit(circle(), small(epochs=2))
        assert not lines
        assert capsys.readouterr().err == ""
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def test_a_step_that_leaves_the_finite_numbers_is_undone_and_told():
    given = small_config(training={"epochs": 1, "batches_per_epoch": 1, "learning_rate": [1e300, 1e-300]})
    with pytest.warns(RuntimeWarning, match="training diverged in epoch 1"):
        result = pl.fit(circle(), given, progress=False)
    assert result.status == "diverged"
    assert np.isfinite(result.model.latent.A).all()
