"""What the documents say is so: the fifth model of CONTRIBUTING.md works, the derivation names real functions."""

import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import naive
import numpy as np
import pytest
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba import bptt, engine
from plrnn_numba.basics.options import option
from plrnn_numba.basics.registry import Variant
from plrnn_numba.engine import from_vector, to_vector
from plrnn_numba.forcings.base import FORCINGS, Forcing
from plrnn_numba.models import base
from plrnn_numba.observations import base as observations
from plrnn_numba.runs.commands.main import main

ROOT = Path(__file__).parent.parent


def guide_s_code():
    """A model, the hyperparameters of another, a forcing."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)


def guide_s_model():
    return guide_s_code()[0]


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


def test_the_hyperparameters_of_the_guide_are_checked():
    known = {"__name__": "leaky"}
    exec(compile(guide_s_code()[1], "CONTRIBUTING.md", "exec"), known)
    make = known["LeakyHyperparameters"]
    assert (make(width=3).slope, make(width=3, slope=1, rate=2).rate) == (0.1, 2.0)
    for wrong in ({"slope": -0.1}, {"width": 0}, {"kind": "sof"}, {"rate": 0}):
        with pytest.raises(pl.ConfigError, match=f"latent_step.hyperparameters.{next(iter(wrong))}: got"):
            make(**{"width": 1, **wrong})


def test_the_forcing_of_the_guide_works(monkeypatch, tmp_path, capsys):
    known = {"__name__": "falling"}
    exec(compile(guide_s_code()[2], "CONTRIBUTING.md", "exec"), known)
    try:
        forcing = known["FallingTF"](first=0.4, last=0.2)
        np.testing.assert_allclose(forcing.weights(3), [0, 0.3, 0.2])
        config = small_config(forcing={"name": "FallingTF", "first": 0.4}, training={"epochs": 1})
        assert pl.Config.from_dict(config).to_dict()["forcing"]["first"] == 0.4
        assert pl.fit(circle(400), config, progress=False).status == "finished"
        model, X = pl.init_model(small_config(dtype="float64"), 2), np.random.default_rng(0).random((2, 4, 2))
        found = [pl.loss_and_grad(model, X, forcing=f)[0] for f in (forcing, pl.GTF(0.3), pl.GTF(0.2))]
        assert min(found[1:]) < found[0] < max(found[1:])
        assert main(["init", "--forcing", "FallingTF"]) == 0
        assert "first = 0.5  # the fraction at the first forced step; from 0 to 1" in capsys.readouterr().out
    finally:
        FORCINGS.forget("FallingTF")
    with pytest.raises(TypeError, match="forcing: got FallingTF, allowed are GTF, STF, None"):
        pl.loss_and_grad(model, X, forcing=forcing)


@pytest.mark.parametrize(
    "weights", [[0, 0.5], [0, 2.0, 0.5], [0.5, 0.5, 0.5], [0, np.nan, 0.5], "half", None]
)
def test_the_weights_of_a_forcing_of_one_s_own_are_checked(weights):
    """A kernel would read past the end of what is too short."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class WrongTF(Forcing):
        def weights(self, n_steps):
            return weights

    FORCINGS.register(Variant(name="WrongTF", parameters=WrongTF, hyperparameters=WrongTF))
    try:
        model = pl.init_model(small_config(), 2)
        with pytest.raises((TypeError, ValueError), match=r"forcing\.weights: "):
            pl.loss_and_grad(model, np.zeros((1, 4, 2)), forcing=WrongTF())
    finally:
        FORCINGS.forget("WrongTF")


def test_what_a_variant_lacks_is_told_when_it_is_registered():
    def entry(**changes):
        class Lacking(NamedTuple):
            A: np.ndarray

        given = {"name": "Lacking", "parameters": Lacking, "hyperparameters": base.Hyperparameters}
        given |= {"initialize": None, "shapes": None, "tape_widths": None, **changes}
        return base.LatentStepModel(**given)

    with pytest.raises(
        TypeError, match="Lacking: no implementation of step_kernel, .*hinge_form for Lacking"
    ):
        base.MODELS.register(entry())

    class NoDataclass(base.Hyperparameters):
        slope: float = option(0.1)

    with pytest.raises(TypeError, match="NoDataclass: slope is no field; put @dataclasses.dataclass"):
        base.MODELS.register(entry(parameters=pl.PLRNN, hyperparameters=NoDataclass))
    with pytest.raises(TypeError, match="rule: got '0 <= x', expected one of at_least, above"):
        option(0.1, "0 <= x")
    assert "Lacking" not in base.MODELS


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
    training = {"epochs": 1, "sequence_length": 10}
    X = circle(400)
    result = pl.fit(X, {**config, "training": training}, progress=False)
    # What the block before it has left: a test of its own runs that one.
    known = {"pl": pl, "result": result, "X": X, "latent": result.model.latent}
    for long, short in (("20, z0, seconds=20", "3, z0"), ("1_000_000", "1000"), ("20_000", "100")):
        assert long in code
        code = code.replace(long, short)
    exec(compile(code, "README.md", "exec"), known)
    assert known["fixed"].certificates == {1: "complete"}
    assert known["spectrum"].exponents.shape == (2,)
