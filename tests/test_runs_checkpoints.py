"""Files: a model's orbit is the same to the bit, nothing is pickled, nothing is half written."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from families import BY_ID, ROWS

import plrnn_numba as pl
from plrnn_numba.runs.checkpoints import load_state, save_state, write_atomically
from plrnn_numba.training import Trainer


def a_model(row, dtype="float32", affine=False, scaled=True):
    rng = np.random.default_rng(5)
    latent = row.latent(4, 6, 2, 2, rng, dtype)
    N = 3
    observation = (
        pl.Affine(rng.standard_normal((N, 4)), rng.standard_normal(N))
        if affine
        else pl.Identity(rng.standard_normal((1, N)))
    )
    observation = observation._replace(**{k: v.astype(dtype) for k, v in observation._asdict().items()})
    scaling = pl.Scaling(rng.standard_normal(N), rng.random(N) + 0.5) if scaled else None
    return pl.Model(latent, observation, scaling)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("affine", [False, True])
def test_a_saved_model_s_orbit_is_that_of_the_original_to_the_bit(tmp_path, row, dtype, affine):
    model = a_model(row, dtype, affine, scaled=affine)
    path = tmp_path / "model.npz"
    pl.save_model(path, model, row.config(4))
    loaded = pl.load_model(path)
    x0, u = np.array([0.1, 0.2, -0.3]), np.random.default_rng(0).standard_normal((200, 2))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(pl.predict(loaded, x0, 20, u[:20]), pl.predict(model, x0, 20, u[:20]))
    assert loaded.latent.A.dtype == dtype
    assert type(loaded.latent) is type(model.latent)
    assert [f for f in loaded.latent if not isinstance(f, np.ndarray)] == [
        f for f in model.latent if not isinstance(f, np.ndarray)
    ]
    assert (loaded.scaling is None) == (model.scaling is None)
    assert pl.load_config(path) == pl.Config.from_dict(row.config(4))


def test_nothing_is_pickled(tmp_path):
    path = tmp_path / "m.npz"
    pl.save_model(path, a_model(BY_ID["PLRNN"]))
    assert pl.load_config(path) is None
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            header = archive.read(name)[:200]
            assert header.startswith(b"\x93NUMPY")
            assert b"|O" not in header
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays.files)[:2] == ["latent.A", "latent.C"]
        meta = json.loads(arrays["meta"].tobytes())
    assert meta["versions"]["plrnn_numba"] == pl.__version__


def test_the_package_allows_no_pickle_of_data_anywhere():
    calls = [
        (path.name, line)
        for path in Path(pl.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"np\.load\(|write_array\(", line)
    ]
    assert len(calls) >= 4
    for name, line in calls:
        assert "allow_pickle=False" in line, f"{name}: {line}"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"\x93NUMPY", "whole[:-50]", "other"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "m.npz"
    pl.save_model(path, a_model(BY_ID["PLRNN"]))
    if content == "whole[:-50]":
        path.write_bytes(path.read_bytes()[:-50])
    elif content == "other":
        np.savez(path, a=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"m\.npz: not a model file: "):
        pl.load_model(path)


def test_a_newer_format_and_a_checkpoint_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    save_state(path, {"a": np.zeros(2), "b": 1}, {})
    with pytest.raises(ValueError, match="got a checkpoint of format 1, expected a model"):
        pl.load_model(path)
    with pytest.raises(FileNotFoundError, match="nowhere.npz: no such file"):
        pl.load_model(tmp_path / "nowhere.npz")


def test_a_write_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, b"old")
    import os

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_training_s_state_goes_through_a_file_unchanged(tmp_path):
    t = 0.1 * np.arange(800)
    X = np.stack([np.sin(t), np.cos(t)], axis=1)
    config = {
        **BY_ID["clipped_shPLRNN"].config(2, 8),
        "training": {"epochs": 4, "batches_per_epoch": 5, "sequence_length": 10, "noise": 0.1},
    }
    config["evaluation"] = {"every": 1, "steps": 200}
    whole = Trainer(X, config).run(progress=False)
    first = Trainer(X, config)
    first.run(lambda report: report.epoch == 2, progress=False)
    save_state(tmp_path / "s.npz", first.state(), {"config": first.config.to_dict()})
    state, meta = load_state(tmp_path / "s.npz")
    assert pl.Config.from_dict(meta["config"]) == first.config
    second = Trainer(X, config)
    second.restore(state)
    result = second.run(progress=False)
    for a, b in zip(result.model.latent, whole.model.latent):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(result.history["D_H"], whole.history["D_H"])
