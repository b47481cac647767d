"""What the documents say is so: the fifth model of CONTRIBUTING.md works, the derivation names real functions."""

import importlib.util
import re
import sys
from pathlib import Path

import naive
import numpy as np
import pytest

import plrnn_numba as pl
from plrnn_numba import _products, bptt, observation
from plrnn_numba._arrays import to_vector
from plrnn_numba.models import _base

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def fifth(tmp_path_factory):
    """The model that CONTRIBUTING.md shows, imported from a file; forgotten afterwards."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S).group(1)
    path = tmp_path_factory.mktemp("fifth") / "abs_plrnn.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("abs_plrnn", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["abs_plrnn"] = module
    spec.loader.exec_module(module)
    yield module.AbsPLRNN
    del _base.MODELS["AbsPLRNN"], sys.modules["abs_plrnn"]


def loss(model, vector, X, forcing):
    parts = pl.Model(*bptt.from_vector(model[:2], vector))
    return pl.loss_and_grad(parts, X, forcing=forcing)


def test_the_fifth_model_of_the_guide_works_everywhere(fifth):
    rng = np.random.default_rng(0)
    config = {"latent_dim": 3, "latent_step": {"name": "AbsPLRNN"}, "dtype": "float64"}
    model = pl.init_model(config, 3)
    latent = model.latent._replace(W=rng.standard_normal((3, 3)) / 3, h=rng.standard_normal(3))
    model = model._replace(latent=latent)
    z = rng.standard_normal((20, 3))
    expected = latent.A * z + np.abs(z) @ latent.W.T + latent.h
    np.testing.assert_allclose(pl.step(latent, z), expected, rtol=1e-12)
    np.testing.assert_allclose(pl.step(pl.to_shplrnn(latent), z), expected, rtol=1e-12)
    J = np.diag(latent.A) + latent.W * np.sign(z[0])
    np.testing.assert_allclose(pl.jacobian(latent, z[0]), J, rtol=1e-12)
    X = rng.standard_normal((4, 6, 3))
    theta, forcing = to_vector(model[:2]), pl.GTF(0.3)
    _, gradient = loss(model, theta, X, forcing)
    shallow_loss, _ = pl.loss_and_grad(pl.Model(pl.to_shplrnn(latent), model.observation), X, forcing=forcing)
    assert loss(model, theta, X, forcing)[0] == pytest.approx(shallow_loss, rel=1e-12)
    for i, step in enumerate(1e-6 * np.eye(len(theta))):
        numeric = (loss(model, theta + step, X, forcing)[0] - loss(model, theta - step, X, forcing)[0]) / 2e-6
        assert to_vector(gradient[:2])[i] == pytest.approx(numeric, abs=1e-7)
    t = 0.1 * np.arange(600)
    training = {"epochs": 3, "batches_per_epoch": 20, "sequence_length": 20}
    result = pl.fit(np.stack([np.sin(t), np.cos(t)], 1), {**config, "training": training}, progress=False)
    assert result.history["loss"][-1] < result.history["loss"][0]


def test_the_derivation_names_functions_that_exist():
    text = (ROOT / "docs" / "bptt.md").read_text()
    names = set(re.findall(r"`(\w+_(?:kernel|gradient|outer|dot|sum|matvec|tape))\b", text))
    assert len(names) >= 9
    for name in names:
        assert any(hasattr(module, name) for module in (bptt, observation, _products, _base, naive)), name


def test_every_public_function_is_documented_with_an_example():
    for name in pl.__all__:
        public = getattr(pl, name)
        if not callable(public) or isinstance(public, type):
            assert name.startswith("__") or public.__doc__, name
            continue
        for section in ("Examples", "References", "Raises"):
            if name in ("initial_state", "observe", "load_config"):
                continue  # one line each says all
            assert f"{section}\n" in public.__doc__, (name, section)


def test_nothing_newer_than_python_3_10_is_used():
    text = (ROOT / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.10"' in text
    assert 'target-version = "py310"' in text


@pytest.mark.needs_speed
def test_the_analysis_that_the_readme_shows_runs():
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    hyper = {"hidden_dim": 4}
    config = {"latent_dim": 2, "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": hyper}}
    latent = pl.init_model(config, 2, seed=0).latent
    z0 = np.zeros(2)
    known = {"latent": latent, "z0": z0, "orbit": pl.generate(latent, z0, 100), "models": [latent, latent]}
    code = code.replace("300, z0", "3, z0").replace("1_000_000, k=5", "1000, k=2")
    exec(compile(code, "README.md", "exec"), known)
    assert known["fixed"].certificates == {1: "complete"}
    assert known["spectrum"].exponents.shape == (2,)
