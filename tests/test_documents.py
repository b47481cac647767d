"""What the documents say is so: the fifth model of CONTRIBUTING.md works, the derivation names real functions."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import naive
import numpy as np
import pytest
from helpers import circle

import plrnn_numba as pl
from plrnn_numba import bptt, engine
from plrnn_numba.engine import from_vector, to_vector
from plrnn_numba.models import base
from plrnn_numba.observations import base as observations
from plrnn_numba.runs.commands.main import main

ROOT = Path(__file__).parent.parent


def guide_s_model():
    return re.search(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S).group(1)


@pytest.fixture(scope="module")
def fifth(tmp_path_factory):
    """The model that CONTRIBUTING.md shows, imported from a file; forgotten afterwards."""
    path = tmp_path_factory.mktemp("fifth") / "abs_plrnn.py"
    path.write_text(guide_s_model())
    spec = importlib.util.spec_from_file_location("abs_plrnn", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["abs_plrnn"] = module
    spec.loader.exec_module(module)
    yield module.AbsPLRNN
    base.MODELS.forget("AbsPLRNN")
    del sys.modules["abs_plrnn"]


def loss(model, vector, X, forcing):
    parts = pl.Model(*from_vector(model[:2], vector))
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
    training = {"epochs": 3, "batches_per_epoch": 20, "sequence_length": 20}
    result = pl.fit(circle(600), {**config, "training": training}, progress=False)
    assert result.history["loss"][-1] < result.history["loss"][0]


@pytest.mark.needs_speed
def test_the_guide_s_own_text_and_one_row_pass_the_contract_tests(tmp_path):
    """A copy of the repository, in which nothing else is changed: one new file, one row."""
    for name in ("plrnn_numba", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "plrnn_numba" / "models" / "abs_plrnn.py").write_text(guide_s_model())
    table = tmp_path / "tests" / "families.py"
    # The row, and only it: the others have their turn elsewhere.
    others = re.search(r"ROWS = \[\n.*?\n\]", table.read_text(), re.S).group(0)
    table.write_text(table.read_text().replace(others, 'ROWS = [\n    Row("AbsPLRNN", {}),\n]'))
    chosen = (
        "step_is or generate or jacobian_is or hinge_form_and or forward_mode or central or kink or unequal"
    )
    files = ["tests/test_models.py", "tests/test_bptt.py", "tests/test_data.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", chosen, *files]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 10


def test_a_model_of_one_s_own_works_on_the_command_line(tmp_path):
    """In a process of its own, as at a shell: nothing has registered the model before."""
    (tmp_path / "abs_plrnn.py").write_text(guide_s_model())
    np.save(tmp_path / "X.npy", circle(600))
    small = ["--set", "training.epochs=1", "--set", "training.sequence_length=10", "--quiet", "--no-plots"]
    own = ["--import", "abs_plrnn.py"]

    def run(*arguments):
        command = [sys.executable, "-m", "plrnn_numba", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    started = run("init", "--model", "AbsPLRNN", *own)
    assert started.returncode == 0, started.stderr
    (tmp_path / "c.toml").write_text(started.stdout)
    refused = run("train", "c.toml", "--data", "X.npy", *small)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "latent_step.name: got 'AbsPLRNN', allowed is one of" in refused.stderr
    done = run("train", "c.toml", "--data", "X.npy", "--out", "r", *small, *own)
    assert done.returncode == 0, done.stderr
    unknown = run("evaluate", "r")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "--import" in unknown.stderr
    assert run("evaluate", "r", *own).returncode == 0


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("nowhere.py", None, "--import: nowhere.py: no such file"),
        ("wrong.py", "x = 1\n1 / 0\n", "--import: wrong.py: ZeroDivisionError: division by zero (line 2)"),
        ("typo.py", "def f(:\n", "--import: typo.py: SyntaxError: invalid syntax"),
        ("exits.py", "raise SystemExit(0)\n", "--import: exits.py: SystemExit: 0 (line 1)"),
        ("json.py", "", "--import: json.py: a module 'json' is there already; rename the file"),
        ("no.such.module", None, "--import: no.such.module: ModuleNotFoundError: No module named 'no'"),
    ],
)
def test_a_mistake_in_a_file_of_one_s_own_is_one_line(tmp_path, monkeypatch, capsys, name, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).write_text(text)
    assert main(["versions", "--import", name]) == 2
    assert capsys.readouterr().err.startswith(f"plrnn-numba: error: {message}")


def test_the_derivation_names_functions_that_exist():
    text = (ROOT / "docs" / "bptt.md").read_text()
    names = set(re.findall(r"`(\w+_(?:kernel|gradient|outer|dot|sum|matvec|tape))\b", text))
    assert len(names) >= 9
    for name in names:
        assert any(hasattr(module, name) for module in (bptt, observations, engine, base, naive)), name


def test_every_public_function_is_documented_with_an_example():
    for name in pl.__all__:
        public = getattr(pl, name)
        if not callable(public) or isinstance(public, type):
            assert name.startswith("__") or public.__doc__, name
            continue
        for section in ("Examples", "Raises"):
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
