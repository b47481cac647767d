"""`evaluate`, and what trainings and commands make of it: which measure decides, what is left out, and that it is said."""

import json
import math
import warnings

import numpy as np
import pytest
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba.measures import UndefinedMeasureWarning, evaluation, kernel_distance
from plrnn_numba.runs.commands.main import main
from plrnn_numba.runs.folder import Run
from plrnn_numba.training import Trainer, history_of
from plrnn_numba.training.report import COLUMNS

CROWDED = r"D_stsp is NaN: 30\*\*8 cells for \d+ points; .* D_mmd takes its place"


def wide(T=600, seed=0, N=8):
    """(T, N): many channels that read a point that goes round, and its square."""
    x = circle(T, phase=seed)
    return np.hstack([x, x**2, x[:, :1] * x[:, 1:]]) @ np.random.default_rng(9).standard_normal((5, N))


def untrained(N, seed=0):
    return pl.init_model({"latent_dim": N, "latent_step": {"name": "PLRNN"}, "seed": seed}, n_observed=N)


def rotation(size=(1.0, 1.0)):
    """The model whose free run is `circle`."""
    turn = np.array([[np.cos(0.1), np.sin(0.1)], [-np.sin(0.1), np.cos(0.1)]])
    W = turn - np.diag(np.diag(turn))
    latent = pl.ALRNN(np.diag(turn).copy(), W, np.zeros(2), np.zeros((2, 0)), 0)
    return pl.Model(latent, pl.Identity(np.zeros((0, 2))), pl.Scaling(np.zeros(2), np.array(size)))


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*arguments, **options)


def heard(function, *arguments, **options):
    """What a call returns, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        return function(*arguments, **options), [str(w.message) for w in told]


# --- many channels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [8, 20, 306])
def test_an_untrained_model_of_many_channels_gets_no_good_number(N):
    X = wide(600, N=N)
    found, told = heard(pl.evaluate, untrained(N), X, n_steps=200)
    assert math.isnan(found.D_stsp)
    assert found.geometry == "D_mmd"
    assert found.distance == found.D_mmd
    true = [kernel_distance(X[i : i + 200], X[j : j + 200]) for i, j in ((0, 200), (0, 400), (200, 400))]
    assert found.D_mmd > 5 * max(0.05, *true)
    assert np.isnan(found.each["D_stsp"]).all()
    assert len(found.each["D_mmd"]) == 3
    assert [m for m in told if "D_stsp is NaN" in m] == list(found.notes)
    assert len(told) == 1  # once, not per orbit


def test_few_channels_are_measured_as_before():
    found, told = heard(pl.evaluate, rotation(), circle(900, size=(1, 1)), n_steps=300)
    assert not told
    assert found.geometry == "D_stsp"
    assert found.notes == found.left_out == ()
    assert sorted(found.each) == ["D_H", "D_stsp", "PE"]
    assert math.isnan(found.D_mmd)


def test_fewer_bins_are_enough_for_eight_channels():
    assert pl.evaluate(untrained(8), wide(), n_steps=600, bins=3).geometry == "D_stsp"


def config8(**more):
    return small_config(M=8, **more)


def test_a_training_chooses_and_stops_by_what_carries_information():
    config = config8(
        training={"epochs": 6, "early_stopping": 50, "learning_rate": [1e-2, 1e-2]}, evaluation={"every": 1}
    )
    with pytest.warns(UndefinedMeasureWarning, match=CROWDED) as told:
        result = pl.fit(wide(), config, progress=False)
    assert len([w for w in told if "D_mmd takes its place" in str(w.message)]) == 1
    D_mmd = result.history["D_mmd"]
    assert np.isfinite(D_mmd).all()
    assert np.isnan(result.history["D_stsp"]).all()
    best = quietly(pl.evaluate, result.best_model, wide(), n_steps=200)
    assert best.D_mmd == pytest.approx(D_mmd.min(), rel=1e-6)
    assert int(D_mmd.argmin()) > 0  # or it would not show that anything was chosen


def scripted(monkeypatch, distances, geometry="D_mmd"):
    """Let the evaluations of a training find these distances, one after the other."""
    values = iter(distances)

    def found(model, X, inputs, **options):
        value = next(values)
        each = {name: np.array([value]) for name in ("D_stsp", "D_H", "PE")}
        other = {"D_mmd": value} if geometry == "D_mmd" else {}
        D_stsp = math.nan if geometry == "D_mmd" else value
        return evaluation.Evaluation(D_stsp, 0.5, 0.5, each, 0, 200, **other, geometry=geometry)

    monkeypatch.setattr("plrnn_numba.training.loop.evaluate_or_nan", found)


@pytest.mark.parametrize("geometry", ["D_stsp", "D_mmd"])
def test_nan_decides_nothing(monkeypatch, geometry):
    nan = math.nan
    trainer = Trainer(
        circle(), small_config(training={"epochs": 9, "early_stopping": 2}, evaluation={"every": 1})
    )
    scripted(monkeypatch, [nan, nan, 0.9, nan, -0.1, nan, 0.3, 0.4], geometry)
    states = []
    monkeypatch.setattr(trainer, "warm_up", lambda: 0.0)
    result = trainer.run(lambda report: states.append(report.model) and None, progress=False)
    assert result.status == "early"
    assert result.best_model == states[4]
    np.testing.assert_equal(result.history[geometry], [nan, nan, 0.9, nan, -0.1, nan, 0.3, 0.4])


def test_early_stopping_counts_the_evaluations_of_the_measure_that_decides(monkeypatch):
    trainer = Trainer(
        circle(), small_config(training={"epochs": 9, "early_stopping": 2}, evaluation={"every": 1})
    )
    scripted(monkeypatch, [3, 2, 1, 4, 5, 6, 7, 8, 9])
    monkeypatch.setattr(trainer, "warm_up", lambda: 0.0)
    result = trainer.run(progress=False)
    assert (result.status, len(result.history["loss"])) == ("early", 5)


def test_a_checkpoint_from_before_D_mmd_goes_on(monkeypatch):
    config = small_config(training={"epochs": 4}, evaluation={"every": 1})
    trainer = Trainer(circle(), config)
    scripted(monkeypatch, [2.0, 0.7], "D_stsp")
    for _ in range(2):
        trainer.run_epoch()
        trainer._end_epoch()
    old = trainer.state()
    old["rows"] = old["rows"][:, :-1]  # a column that there was not
    progress = old["progress"]
    assert progress.pop("best_by") == "D_stsp"
    progress["best_D_stsp"] = progress.pop("best_distance")
    again = Trainer(circle(), config)
    again.restore(old)
    assert again.best_model == trainer.best_model
    assert again.history["D_stsp"].tolist() == [2.0, 0.7]
    assert np.isnan(again.history["D_mmd"]).all()
    scripted(monkeypatch, [0.9], "D_stsp")  # not better
    again.run_epoch()
    again._end_epoch()
    assert again.best_model == trainer.best_model
    scripted(monkeypatch, [9.0], "D_mmd")  # another measure: what was the best by the first says nothing
    again.run_epoch()
    again._end_epoch()
    assert again.best_model == again.model
    assert history_of(again.state()["rows"])["D_mmd"].tolist()[3] == 9.0


def test_old_rows_are_read_with_the_columns_that_they_have():
    old = history_of(np.arange(2.0 * (len(COLUMNS) - 1)).reshape(2, -1))
    assert list(old) == list(COLUMNS)
    assert old["PE"].tolist() == [len(COLUMNS) - 2, 2 * len(COLUMNS) - 3]
    assert np.isnan(old["D_mmd"]).all()
    assert history_of([])["D_mmd"].shape == (0,)


def write(folder, name, content):
    path = folder / name
    path.write_text(json.dumps(content)) if name.endswith(".json") else np.save(path, content)
    return str(path)


def test_the_command_line_says_which_measure_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = write(tmp_path, "c.json", config8(evaluation={"steps": 120, "every": 2}))
    data = write(tmp_path, "X.npy", wide(900))
    assert main(["train", config, "--data", data, "--out", "r", "--no-plots", "--quiet"]) == 0
    header, *rows = (tmp_path / "r" / "metrics.csv").read_text().splitlines()
    assert header == "epoch,loss,l2,mar,ar,condition,alpha,learning_rate,D_stsp,D_H,PE,seconds,D_mmd"
    assert rows[0].split(",")[8] == "nan"
    assert float(rows[0].split(",")[-1]) > -1
    capsys.readouterr()
    assert main(["evaluate", "r"]) == 0
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()[:4]] == ["measure", "D_H", "PE", "D_mmd"]
    assert "note: D_stsp is NaN: 30**8 cells" in shown.out
    assert main(["evaluate", "r", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["geometry"] == "D_mmd"
    assert plain["D_stsp"]["median"] is None
    assert plain["D_mmd"]["median"] > 0
    assert "D_mmd takes its place" in plain["notes"][0]
    run = Run.open("r")
    assert np.isfinite(run.history()["D_mmd"][-1])


# --- columns that do not move -----------------------------------------------------------------------------------------


def with_columns(X, *columns):
    return np.column_stack([X, *columns])


def model3(N=3):
    return untrained(N)


def test_constant_columns_are_left_out_and_named():
    X = with_columns(circle(900), np.full(900, 7.0), 1e9 + 1e-9 * np.arange(900))
    found, told = heard(pl.evaluate, untrained(4), X, n_steps=300)
    assert found.left_out == (2, 3)
    message = "X: left out of all measures but PE, since constant in what is compared: 2 columns 2, 3"
    assert told == [message]
    assert found.notes == (message,)
    model = untrained(4)
    orbit = pl.predict(model, X[::300], 300)[0]
    assert found.each["D_stsp"][0] == pl.state_space_divergence(X[:300, :2], orbit[:, :2])
    assert found.each["D_H"][0] == pl.hellinger_distance(X[:300, :2], orbit[:, :2])
    assert found.each["PE"][0] == pl.prediction_error(model, X[:300])


def test_a_channel_that_moves_in_most_stretches_is_kept_and_one_that_moves_in_few_is_not():
    X = circle(2000)
    dose = np.where(np.arange(2000) < 30, 1.0, 0.0)  # in one of ten stretches
    found = quietly(pl.evaluate, model3(), with_columns(X, dose), n_steps=200)
    assert found.left_out == (2,)
    assert len(found.each["PE"]) == 10
    paused = np.where(np.arange(2000) < 1400, np.sin(np.arange(2000)), 0.0)  # in seven
    found = quietly(pl.evaluate, model3(), with_columns(X, paused), n_steps=200)
    assert found.left_out == ()
    assert len(found.each["PE"]) == 7
    steps = [np.where(np.arange(2000) < at, 0.0, 1.0) for at in (530, 1270)]  # never in the same stretch
    found = quietly(pl.evaluate, untrained(4), with_columns(X, *steps), n_steps=200)
    assert found.left_out == (2, 3)
    found = quietly(pl.evaluate, model3(2), with_columns(*steps), n_steps=200)
    assert len(found.each["D_H"]) == 1
    assert len(found.left_out) == 1
    spikes = np.zeros((2000, 3))
    spikes[np.random.default_rng(0).random((2000, 3)) < 0.01] = 1
    assert np.isfinite(quietly(pl.evaluate, model3(), spikes, n_steps=200).D_H)


@pytest.mark.parametrize("what", ["one column", "all"])
def test_no_training_ends_for_a_measure(what):
    X = with_columns(circle(900), np.sin(np.arange(900.0)))
    held_out = X[:300].copy()
    held_out[:, 2 if what == "one column" else slice(None)] = 3.0
    result, told = heard(
        pl.fit,
        X,
        small_config(M=3, training={"epochs": 2}, evaluation={"every": 1}),
        validation=held_out,
        progress=False,
    )
    assert result.status == "finished"
    expected = {
        "one column": "since constant in what is compared: column 2",
        "all": "nothing is measured: X: every column is constant in every stretch of 200 rows",
    }[what]
    assert len([m for m in told if expected in m]) == 1
    assert np.isnan(result.history["D_stsp"]).all() == (what != "one column")


def test_whatever_a_measure_raises_becomes_nan_with_its_reason(monkeypatch):
    def broken(*arguments, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(evaluation, "prediction_error", broken)
    result, told = heard(pl.fit, circle(), small_config(training={"epochs": 4}), progress=False)
    assert result.status == "finished"
    assert np.isnan(result.history["PE"]).all()
    assert told == ["nothing is measured: no room"]
    assert result.best_model == result.model


def test_a_run_whose_held_out_part_rests_ends_well(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X = circle(900)
    X[700:] = 0.5
    config = write(tmp_path, "c.json", small_config())
    arguments = ["train", config, "--data", write(tmp_path, "X.npy", X), "--out", "r", "--no-plots"]
    assert main(arguments) == 0
    assert "note: nothing is measured: X: every column is constant" in capsys.readouterr().out
    assert main(["evaluate", "r"]) == 2
    assert "every column is constant in every stretch of 180 rows" in capsys.readouterr().err


# --- gaps, trials, short series ---------------------------------------------------------------------------------------


def gappy(T=600):
    X = circle(T)
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    X[100:110] = np.nan
    return X


def test_evaluate_takes_gaps_as_fit_does():
    config = small_config(training={"epochs": 2}, missing="mask")
    result = pl.fit(circle(), config, validation=gappy(), progress=False)
    found, told = heard(pl.evaluate, result.model, gappy(), n_steps=200)
    assert found.D_stsp == result.history["D_stsp"][-1]
    assert result.history["PE"][-1] == found.PE
    n = int(np.isnan(gappy()).sum())
    assert told == [f"{n} of 1200 entries of X are missing, and interpolated in time"]
    again = quietly(pl.evaluate, result.model, np.ma.masked_invalid(gappy()).filled(np.nan), n_steps=200)
    assert again.D_stsp == found.D_stsp


def test_what_cannot_be_filled_is_refused_or_taken_from_other_trials():
    X = gappy()
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match="X: column 1 has no observed entry"):
        pl.evaluate(rotation(), X)
    with pytest.raises(ValueError, match="X: got inf at trial 0, row 3, column 0"):
        pl.evaluate(rotation(), np.where(np.arange(600)[:, None] == 3, np.inf, circle(600)))
    found = quietly(pl.evaluate, rotation(), [circle(600), X], n_steps=600)
    assert found.n_diverged == 0
    assert np.isfinite(found.D_H)


def test_stretches_cross_no_trial():
    trials = [circle(500), circle(420, phase=1.0), circle(450, phase=2.0)]
    found = pl.evaluate(rotation(), trials, n_steps=200)
    parts = [
        trials[0][:200],
        trials[1][:200],
        trials[2][:200],
        trials[0][200:400],
        trials[1][200:400],
        trials[2][200:400],
    ]
    assert found.n_steps == 200
    for i, part in enumerate(parts):
        alone = pl.evaluate(rotation(), part)
        for name, values in alone.each.items():
            assert found.each[name][i] == values[0]
    array = np.stack([trial[:400] for trial in trials])
    assert pl.evaluate(rotation(), array, n_steps=200) == pl.evaluate(rotation(), list(array), n_steps=200)


def test_the_length_of_stretches_covers_most_rows():
    length = evaluation._length_of_stretches
    assert length([25_000], 10_000, 10) == 10_000
    assert length([700], 10_000, 10) == 700
    assert length([1000] + [400] * 50, 10_000, 10) == 400  # not one orbit of 1000
    assert length([100_000] + [400] * 50, 10_000, 10) == 10_000
    assert length([500, 1, 480], 10_000, 10) == 480
    with pytest.raises(ValueError, match="X: got 1 rows, expected at least 2"):
        length([1, 1], 100, 10)


def test_trials_bring_their_inputs():
    latent = rotation().latent._replace(C=np.array([[0.1], [0.0]]))
    model = rotation()._replace(latent=latent)
    drives = [np.sin(np.arange(n))[:, None] for n in (300, 260)]
    trials = [circle(300), circle(260)]
    found = pl.evaluate(model, trials, drives, n_steps=250)
    alone = pl.evaluate(model, trials[1][:250], drives[1][:250])
    assert found.each["PE"][1] == alone.each["PE"][0]
    with pytest.raises(ValueError, match="inputs: got 1 trials, but X has 2"):
        pl.evaluate(model, trials, drives[0])
    with pytest.raises(ValueError, match=r"inputs\[1\]: got shape \(300, 1\), expected \(260, 1\)"):
        pl.evaluate(model, trials, [drives[0], drives[0]])
    with pytest.raises(ValueError, match=r"X\[0\]: got shape \(300, 3\), expected \(T, 2\)"):
        pl.evaluate(model, [np.ones((300, 3)), np.ones((300, 3))], drives)


def test_short_series_say_what_they_cannot():
    found, told = heard(pl.evaluate, rotation(), circle(5))
    assert "stretches of 5 rows are compared; measures of fewer than 100 say little" in told
    assert "PE looks 4 steps ahead: stretches of 5 rows have no more" in told
    assert any(m.startswith("D_H is NaN: 5 rows have 2 frequencies") for m in told)
    assert math.isnan(found.D_H)
    assert told == list(found.notes)


def test_orbits_that_diverge_are_said_once_where_the_median_is_lost():
    model = rotation()._replace(latent=rotation().latent._replace(A=np.array([1e60, 1e60])))
    found, told = heard(pl.evaluate, model, circle(900), n_steps=300)
    assert found.n_diverged == 3
    assert told.count("D_stsp is NaN: 3 of 3 orbits diverge") == 1
    assert all("from row" not in m for m in told)


def test_evaluate_takes_all_trials_of_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trials").mkdir()
    for i in range(3):
        np.save(tmp_path / "trials" / f"{i}.npy", circle(300, phase=float(i)))
    config = write(tmp_path, "c.json", small_config())
    assert main(["train", config, "--data", "trials", "--out", "r", "--no-plots", "--quiet"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "r", "--data", "trials", "--steps", "150", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["orbits"]["n"] == 6
