"""Missing entries, series larger than memory, and trials, seen from the training."""

import numpy as np
import pytest
from families import ROWS, Row
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba import bptt, data
from plrnn_numba.engine import from_vector, to_vector
from plrnn_numba.forcings.base import forcing_weights
from plrnn_numba.observations.base import signal_inverse
from plrnn_numba.source import as_source


def masked_loss(model, X, seen, filled_start, forcing):
    """The definition: what is not `seen` enters neither loss nor forcing, whatever X holds there."""
    latent, observation, _ = model
    T, N = len(X) - 1, X.shape[1]
    a = forcing_weights(forcing, T)
    affine = isinstance(observation, pl.Affine)
    if affine:
        P = np.linalg.pinv(PINNED if PINNED is not None else observation.B)
        z = P @ (filled_start - observation.b)
    else:
        z = np.concatenate([filled_start, observation.L @ filled_start])
    total = 0.0
    for t in range(T):
        if t > 0 and affine and seen[t].all():
            z = (1 - a[t]) * z + a[t] * (P @ (X[t] - observation.b))
        elif t > 0 and not affine:
            for i in range(N):
                if seen[t, i]:
                    z[i] = (1 - a[t]) * z[i] + a[t] * X[t, i]
        z = pl.step(latent, z)
        x_hat = observation.B @ z + observation.b if affine else z[:N]
        total += (((x_hat - X[t + 1]) ** 2)[seen[t + 1]]).sum()
    return total / seen[1:].sum()


PINNED = None  # B as it was: pinv(B) counts as a constant


def gradient_of(model, X, filled, forcing):
    T = len(X) - 1
    lanes = 1
    workspace = bptt.new_workspace(model, T, lanes)
    gradient = np.zeros_like(workspace.vector)
    source = as_source(X, np.zeros((T + 1, 0)))._replace(starts=filled, masked=True)
    parameters = (model.latent, model.observation)
    a = forcing_weights(forcing, T)
    loss = bptt._batch_gradient(
        parameters,
        signal_inverse(model.observation),
        a,
        source,
        np.zeros(1, np.int64),
        np.random.default_rng(0),
        0.0,
        workspace,
        gradient,
    )
    return loss, gradient


@pytest.mark.parametrize("forcing", [pl.STF(3), pl.GTF(0.3)], ids=["STF", "GTF"])
@pytest.mark.parametrize("affine", [False, True], ids=["identity", "affine"])
def test_missing_entries_enter_neither_loss_nor_forcing_nor_gradient(affine, forcing, monkeypatch):
    rng = np.random.default_rng(5)
    M, N, T = 4, 2, 12
    latent = Row("clipped_shPLRNN", {}).latent(M, 5, 2, 0, rng)
    observation = pl.Identity(rng.standard_normal((M - N, N)))
    if affine:
        observation = pl.Affine(rng.standard_normal((N, M)), rng.standard_normal(N))
    model = pl.Model(latent, observation)
    X = rng.standard_normal((T + 1, N))
    seen = rng.random(X.shape) < 0.6
    seen[4] = True
    Y = np.where(seen, X, np.nan)
    filled = data.without_gaps(Y)
    loss, gradient = gradient_of(model, Y, filled, forcing)
    for value in (0.0, 1e3, -7.0):
        replaced = np.where(seen, X, value)
        np.testing.assert_allclose(loss, masked_loss(model, replaced, seen, filled[0], forcing), rtol=1e-12)
    if affine:
        monkeypatch.setattr("test_data.PINNED", observation.B)
    vector = to_vector(model[:2])
    step = 1e-6
    for index in rng.choice(len(vector), 12, replace=False):
        moved = [vector.copy(), vector.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        up, down = (
            masked_loss(pl.Model(*from_vector(model[:2], v)), X, seen, filled[0], forcing) for v in moved
        )
        np.testing.assert_allclose(gradient[index], (up - down) / (2 * step), rtol=1e-5, atol=1e-7)


def config(**training):
    options = {"epochs": 5, "batches_per_epoch": 10, **training}
    return small_config(step=("shPLRNN", {"hidden_dim": 8}), training=options)


def test_without_a_missing_entry_the_mask_changes_nothing():
    plain = pl.fit(circle(), config(), progress=False)
    masked = pl.fit(circle(), {**config(), "missing": "mask"}, progress=False)
    np.testing.assert_array_equal(to_vector(plain.model[:2]), to_vector(masked.model[:2]))


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("observation", ["identity", "affine"])
def test_a_training_with_gaps_learns(observation, n_threads):
    X = circle()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    training = {"epochs": 60, "batch_size": 20, "n_threads": n_threads, "learning_rate": [1e-2, 1e-3]}
    given = {**config(**training), "missing": "mask"}
    result = pl.fit(X, {**given, "observation": {"name": observation}}, progress=False)
    loss = result.history["loss"]
    assert result.status == "finished"
    assert loss[-1] < 0.5 * loss[0]
    assert np.isfinite(result.history["D_stsp"][-1])


def test_scaling_is_that_of_the_observed_entries():
    rng = np.random.default_rng(0)
    X = 1e4 + rng.standard_normal((500, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    scaling = data.find_scaling([X[:100], X[100:]])
    np.testing.assert_allclose(scaling.mean, np.nanmean(X, axis=0), rtol=1e-13)
    np.testing.assert_allclose(scaling.scale, np.nanstd(X, axis=0), rtol=1e-10)


@pytest.mark.parametrize(
    "place, value, missing, message",
    [
        ((3, 1), np.nan, "error", r'trial 0, row 3, column 1, .*"missing": "mask" takes NaN'),
        ((3, 1), np.inf, "mask", r"got inf at trial 0, row 3, column 1"),
        ((slice(None), 1), np.nan, "mask", r"column 1 has no observed entry"),
    ],
)
def test_what_cannot_be_used_is_named(place, value, missing, message):
    X = circle(100)
    X[place] = value
    with pytest.raises(data.DataError, match=message):
        pl.fit(X, {**config(), "missing": missing}, progress=False)


def test_gaps_at_the_start_are_filled_from_what_is_known():
    X = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [4, 5]], float)
    np.testing.assert_array_equal(data.without_gaps(X), [[2, 1], [2, 1], [2, 1], [4, 5]])
    np.testing.assert_allclose(data.interpolated(X), [[2, 1], [2, 7 / 3], [3, 11 / 3], [4, 5]], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_series_on_disk_trains_as_one_in_memory(tmp_path, monkeypatch, dtype):
    X = circle(4000).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    monkeypatch.setattr("plrnn_numba.data.mapped._LARGE", 1000)
    monkeypatch.setattr("plrnn_numba.data.mapped._PART", 300)
    on_disk = data.load_array(tmp_path / "X.npy")
    assert data.mapping_of(on_disk) is not None
    assert data.stays_on_disk([on_disk[:3000]])
    before = (tmp_path / "X.npy").read_bytes()
    result = pl.fit(on_disk, config(), progress=False)
    assert np.shares_memory(on_disk, pl.Trainer(on_disk, config())._batches._on_disk.trials[0])
    monkeypatch.setattr("plrnn_numba.data.mapped._LARGE", 10**9)
    expected = pl.fit(X, config(), progress=False)
    np.testing.assert_array_equal(result.history["loss"], expected.history["loss"])
    assert (tmp_path / "X.npy").read_bytes() == before


@pytest.mark.filterwarnings("ignore:X. 2 of 3 trials are shorter than:RuntimeWarning")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_trials_of_unequal_length_train_like_one_series_of_their_windows(row):
    """The same windows, whether they are cut from one file or from many: the same bits."""
    X = circle(60)
    given = {**row.config(2, 4, 1), "training": config()["training"] | {"epochs": 1}, "standardize": False}
    alone = pl.fit([X], given, progress=False)
    with_short_ones = pl.fit([X, X[:5], X[3:20]], given, progress=False)
    np.testing.assert_array_equal(to_vector(alone.model[:2]), to_vector(with_short_ones.model[:2]))


def test_a_first_row_with_a_typo_is_no_header(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text("1.0,2.0,3x\n4,5,6\n7,8,9\n")
    with pytest.raises(data.DataError, match=r"line 1, column 2 \(counted from 0\): got '3x'"):
        data.load_array(path)
    path.write_text("1.0,,3.0\n4,5,6\n7,8,9\n")
    np.testing.assert_array_equal(data.load_array(path), [[1, np.nan, 3], [4, 5, 6], [7, 8, 9]])
    path.write_text("a,b,c\n4,5,6\n7,8,9\n")
    np.testing.assert_array_equal(data.load_array(path), [[4, 5, 6], [7, 8, 9]])
