"""What is held out, and what a training is measured on: said, or refused, in one line before it begins."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba.runs.commands.common import DONE, MISTAKE
from plrnn_numba.runs.commands.main import main
from plrnn_numba.runs.errors import RunError
from plrnn_numba.runs.source import Origin
from plrnn_numba.training import Trainer

X = circle(1000, size=(1, 3))
CONFIG = small_config(training={"epochs": 2})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.json").write_text(json.dumps(CONFIG))
    return tmp_path


def write_trials(name, lengths):
    """A folder of trials, one after the other from a circle."""
    Path(name).mkdir()
    ends = np.cumsum(lengths)
    for i, (length, end) in enumerate(zip(lengths, ends)):
        np.save(f"{name}/{i:03d}.npy", X[np.arange(end - length, end) % len(X)])
    return name


def held_out(lengths, part, inputs=False):
    """What a command line that names trials of these lengths gives to a training."""
    data = write_trials("d", lengths)
    drives = write_trials("u", lengths) if inputs else None
    return Origin(data=data, inputs=drives, hold_out=part).load()


def train(*options, code=DONE):
    assert main(["train", "c.json", "--out", "r", "--no-plots", *options]) == code


# --- how much --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lengths, part, n_trials, told",
    [
        ([100] * 5, 0.2, 1, "held out is the last of 5 trials, 20 % of the rows"),
        ([100] * 10, 0.31, 3, "held out are the last 3 of 10 trials, 30 % of the rows"),
        ([100] * 10, 0.001, 1, "held out is the last of 10 trials, 10 % of the rows"),
        ([100] * 4, 0.99, 3, "held out are the last 3 of 4 trials, 75 % of the rows"),
        ([100, 100, 100, 150], 0.2, 1, "held out is the last of 4 trials, 33 % of the rows"),
        ([100] * 6 + [10] * 20, 0.2, 16, "held out are the last 16 of 26 trials, 20 % of the rows"),
        ([100, 100, 20, 20], 0.2, 2, "held out are the last 2 of 4 trials, 17 % of the rows"),
        ([50, 200], 0.2, 1, "held out is the last of 2 trials, 80 % of the rows"),
        ([900] + [1] * 100, 0.2, 100, "held out are the last 100 of 101 trials, 10 % of the rows"),
    ],
)
@pytest.mark.parametrize("inputs", [False, True])
def test_trials_are_held_out_by_their_rows(lengths, part, n_trials, told, inputs):
    loaded = held_out(lengths, part, inputs)
    assert [len(t) for t in loaded.test] == lengths[-n_trials:]
    assert [len(t) for t in loaded.series] == lengths[:-n_trials]
    assert loaded.held_out == told
    assert not loaded.plain
    if inputs:
        np.testing.assert_array_equal(loaded.test_inputs[0], loaded.test[0])
        np.testing.assert_array_equal(loaded.inputs[-1], loaded.series[-1])


@pytest.mark.parametrize("part, n_rows", [(0.2, 200), (0.002, 2), (0.9, 900), (0.0006, 1)])
def test_one_series_is_cut(part, n_rows):
    loaded = held_out([1000], part, inputs=True)  # a single trial in a folder is one series
    np.testing.assert_array_equal(np.concatenate([*loaded.series, *loaded.test]), X)
    assert len(loaded.test[0]) == len(loaded.test_inputs[0]) == n_rows
    assert loaded.held_out == f"held out are the last {n_rows} of 1000 rows"
    assert loaded.plain


@pytest.mark.parametrize(
    "part, which", [(0.0001, "held out"), (1e-300, "held out"), (0.9999, "left to train on")]
)
def test_a_part_that_leaves_nothing_is_refused(part, which, capsys):
    with pytest.raises(RunError, match=rf"^--hold-out: got .*, by which none of the 1000 rows is {which}"):
        held_out([1000], part)
    train("--data", "d", "--hold-out", str(part), code=MISTAKE)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"none of the 1000 rows is {which}; 0 measures on the training data" in error


@pytest.mark.parametrize("source", [["--test", "X.npy"], ["--test", "d"], ["--system", "lorenz63"]])
def test_a_part_that_would_be_ignored_is_refused(source, capsys):
    np.save("X.npy", X)
    write_trials("d", [500, 500])
    data = [] if source[0] == "--system" else ["--data", "X.npy"]
    train(*data, *source, "--hold-out", "0.3", code=MISTAKE)
    assert "the held-out series; leave --hold-out out" in capsys.readouterr().err


def test_inputs_of_other_lengths_are_told_in_whole_lengths(capsys):
    np.save("X.npy", X)
    np.save("U.npy", X[:900])
    train("--data", "X.npy", "--inputs", "U.npy", code=MISTAKE)
    assert "--inputs: got trials of [900] rows, but --data has [1000]" in capsys.readouterr().err


# --- what is said at a shell -----------------------------------------------------------------------


def lines(capsys):
    """What stands before the progress."""
    found = [line.removeprefix("plrnn-numba: ") for line in capsys.readouterr().err.splitlines()]
    return [line for line in found if not line.startswith(("run ", "epoch ", "data"))]


def test_what_one_expects_needs_no_word(capsys):
    np.save("X.npy", X)
    train("--data", "X.npy")
    assert lines(capsys) == []
    assert json.loads(Path("r/run.json").read_text())["source"]["measured_on"] == "validation"


def test_nothing_held_out_is_said_and_kept_when_resumed(capsys):
    np.save("X.npy", X)
    train("--data", "X.npy", "--hold-out", "0")
    said = capsys.readouterr().err
    assert "nothing is held out: the measures are of the training data" in said
    assert "on training data" in said.splitlines()[-1]
    assert json.loads(Path("r/run.json").read_text())["source"]["measured_on"] == "training data"
    np.testing.assert_array_equal(np.load("r/test.npy"), X)
    first = Path("r/metrics.csv").read_text()
    assert main(["train", "--resume", "--out", "r", "--no-plots"]) == DONE
    assert Path("r/metrics.csv").read_text() == first
    inside = pl.fit(X, CONFIG, progress=False)
    for a, b in zip(pl.load_model("r/model.npz").latent, inside.model.latent):
        np.testing.assert_array_equal(a, b)


def test_trials_and_which_is_measured_on_are_said(capsys):
    train("--data", write_trials("d", [300, 200, 60, 110]), "--hold-out", "0.3")
    err = capsys.readouterr().err
    assert re.search(
        r"^data: 4 trials, .*; held out are the last 2 of 4 trials, 25 % of the rows$", err, re.M
    )
    assert "plrnn-numba: measured on validation, the longest of 2 trials (110 rows)\n" in err
    assert len(np.load("r/test.npy")) == 110


def test_quiet_says_nothing_of_it_but_what_is_lost(capsys):
    train("--data", write_trials("d", [300] + [15] * 3 + [200]), "--quiet")
    assert lines(capsys) == [
        "X: 3 of 4 trials are shorter than training.sequence_length + 1 = 21 rows and not used (45 of 345 rows)"
    ]


def test_what_is_not_begun_is_told_in_one_line(capsys):
    Path("r").mkdir()
    train("--data", write_trials("d", [300] + [15] * 3 + [200]), code=MISTAKE)
    assert capsys.readouterr().err.splitlines() == [
        "plrnn-numba: error: r: exists already; choose another --out, or go on with it by --resume"
    ]


def test_trials_that_are_all_too_short_name_what_is_held_out(capsys):
    train("--data", write_trials("d", [15] * 4 + [200]), code=MISTAKE)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "X: the longest trial has 15 rows, but training.sequence_length 20 needs 21" in error
    assert "held out is the last of 5 trials, 77 % of the rows" in error


@pytest.mark.parametrize(
    "lengths, code, said",
    [
        (
            [400] + [1] * 5,
            MISTAKE,
            "validation: the longest trial has 1 row, but the measures need at least 2; held out are",
        ),
        ([400, 2], DONE, "validation: PE looks 1 steps ahead, not evaluation.prediction_steps = 20"),
        ([400, 15], DONE, "validation: PE looks 14 steps ahead, not evaluation.prediction_steps = 20"),
        ([400, 21], DONE, ""),
    ],
)
def test_held_out_trials_that_are_short(lengths, code, said, capsys):
    train("--data", write_trials("d", lengths), code=code)
    error = capsys.readouterr().err
    assert said in error
    assert ("PE looks" in error) == ("PE looks" in said)


def test_gaps_in_what_is_held_out(capsys):
    gappy = X.copy()
    gappy[950:960, 0] = np.nan
    np.save("X.npy", gappy)
    train("--data", "X.npy", code=MISTAKE)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "validation: got nan at trial 0, row 150, column 0" in error
    assert error.endswith("; held out are the last 200 of 1000 rows\n")
    train("--data", "X.npy", "--set", "missing=mask")
    assert "measured on validation, 10 missing entries interpolated" in lines(capsys)
    assert np.isfinite(np.load("r/test.npy")).all()


# --- in Python -------------------------------------------------------------------------------------


def measured_on(**given):
    return pl.fit(config=CONFIG, progress=False, **{"X": X, **given}).measured_on


def test_the_result_says_what_its_measures_are_of():
    gappy = X[:300].copy()
    gappy[[5, 7], 0] = np.nan
    resting = np.c_[X[:300, 0], np.ones(300)]
    assert measured_on() == "training data"
    assert measured_on(X=[X[:300], X[300:]]) == "training data, the longest of 2 trials (700 rows)"
    assert measured_on(validation=X[:300]) == "validation"
    assert measured_on(validation=[X[:50], X[:300], X]) == "validation, the longest of 3 trials (1000 rows)"
    masked = {**CONFIG, "missing": "mask"}
    assert Trainer(X, masked, validation=gappy).measured_on == "validation, 2 missing entries interpolated"
    assert Trainer(X, masked, validation=resting).measured_on == "validation, constant column 1"
    assert pl.FitResult.__doc__ is not None
    assert "measured_on" in pl.FitResult.__doc__


def test_progress_says_it_where_the_training_data_are_measured_on(capsys):
    pl.fit(X, CONFIG)
    (line,) = capsys.readouterr().err.splitlines()
    assert "  D_H " in line
    assert " on training data  00:00 left" in line
    pl.fit(X, CONFIG, validation=X)
    assert "on training data" not in capsys.readouterr().err


@pytest.mark.parametrize("rows", [2, 5, 20])
def test_a_short_validation_says_how_far_PE_looks(rows):
    with pytest.warns(RuntimeWarning, match=rf"^validation: PE looks {rows - 1} steps ahead, not evaluation"):
        Trainer(X, CONFIG, validation=X[:rows])
    with pytest.warns(RuntimeWarning, match=r"^validation: PE looks 199 steps ahead, not .* = 500"):
        Trainer(X, small_config(evaluation={"prediction_steps": 500}), validation=X)


def test_a_validation_of_one_row_is_refused_before_the_training():
    with pytest.raises(
        pl.DataError, match=r"^validation: the longest trial has 1 row, but the measures need"
    ):
        Trainer(X, CONFIG, validation=[X[:1], X[:1]])


def test_the_trial_that_is_measured_on_has_every_column_observed():
    masked = {**CONFIG, "missing": "mask"}
    half, other = X.copy(), X[:500].copy()
    half[:, 0], other[:, 1] = np.nan, np.nan
    trainer = Trainer(X, masked, validation=[half, X[:300], other])
    assert trainer.measured_on == "validation, the longest of 3 trials (300 rows)"
    np.testing.assert_array_equal(trainer.validation[0], X[:300])
    with pytest.raises(pl.DataError, match=r"^validation: no trial has every column observed"):
        Trainer(X, masked, validation=[half, other])
    with pytest.raises(pl.DataError, match=r"^validation: column 0 has no observed entry"):
        Trainer(X, masked, validation=half)


@pytest.mark.parametrize(
    "lengths, said",
    [
        (
            [500] + [15] * 50,
            r"50 of 51 trials are shorter than .* = 21 rows and not used \(750 of 1250 rows\)",
        ),
        ([500, 20], r"1 of 2 trials is shorter than .* = 21 rows and not used \(20 of 520 rows\)"),
        ([21, 20, 0], r"2 of 3 trials are shorter than .* = 21 rows and not used \(20 of 41 rows\)"),
    ],
)
def test_trials_that_are_not_used_are_counted(lengths, said):
    with pytest.warns(RuntimeWarning, match="^X: " + said):
        Trainer([X[:n] for n in lengths], CONFIG)


def test_trials_that_are_used_are_not():
    Trainer([X[:21], X[:500]], CONFIG)
