"""A third observation model, in this file alone, works everywhere: the form of the family is enough."""

import dataclasses
from typing import NamedTuple

import naive
import numpy as np
import pytest
from helpers import circle, small_config

import plrnn_numba as pl
from plrnn_numba.basics.options import above, option
from plrnn_numba.engine import from_vector, implements, to_vector, total, zero_of
from plrnn_numba.observations.base import (
    OBSERVATIONS,
    ObservationHyperparameters,
    ObservationModel,
    keeps_unforced,
    observation_parameter_gradient,
    observe_gradient,
    observe_kernel,
    pulled_kernel,
    signal_kernel,
    signal_parameter_gradient,
    start_kernel,
    update_inverse,
)
from plrnn_numba.runs.commands.common import DONE
from plrnn_numba.runs.commands.main import main

# --- the model: what would be a file of its own ------------------------------------------------------


class Gain(NamedTuple):
    """``x_hat = c * z[:N]``; an orbit starts at, and is forced by, ``x / c`` on the first N units. c (N,)."""

    c: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class GainOptions(ObservationHyperparameters):
    first: float = option(1.0, above(0), "the first value of every gain")


def initialize(hyper, M, N, rng):
    return Gain(np.full(N, hyper.first))


@implements(signal_kernel, Gain)
def _signal(observation, inverse, x, signal):
    for i in range(len(signal)):
        signal[i] = inverse[i, 0] * x[i]


@implements(pulled_kernel, Gain)
def _pulled(observation, x, i):
    return x[i]


@implements(start_kernel, Gain)
def _start(observation, inverse, x, z):
    for i in range(len(z)):
        z[i] = zero_of(x[0])
    for i in range(len(x)):
        z[i] = inverse[i, 0] * x[i]


@implements(update_inverse, Gain)
def _update_inverse(observation, inverse):
    for i in range(len(observation.c)):
        inverse[i, 0] = 1 / observation.c[i]


@implements(observe_kernel, Gain)
def _observe(observation, z, x):
    for i in range(len(x)):
        x[i] = observation.c[i] * z[i]


@implements(observe_gradient, Gain)
def _observe_gradient(observation, e, g):
    for i in range(len(e)):
        g[i] = g[i] + observation.c[i] * e[i]


@implements(keeps_unforced, Gain)
def _keeps_unforced(observation):
    return True


@implements(observation_parameter_gradient, Gain)
def _parameter_gradient(observation, O, E, grad):
    for t in range(len(E)):
        for i in range(len(grad.c)):
            grad.c[i] += total(E[t, i] * O[t, i])


@implements(signal_parameter_gradient, Gain)
def _signal_parameter_gradient(observation, inverse, X, G_start, G_signal, grad):
    """The inverse counts as a constant."""


ENTRY = ObservationModel(
    name="gain",
    parameters=Gain,
    hyperparameters=GainOptions,
    initialize=initialize,
    sizes=lambda observation: (len(observation.c), len(observation.c)),
    shapes=lambda observation, M: {"c": ("N",)},
    inverse=lambda observation: 1 / observation.c[:, None],
    example={"first": 2.0},
)

# --- what it then can do -----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def registered():
    OBSERVATIONS.register(ENTRY)
    yield
    OBSERVATIONS.forget("gain")


CONFIG = small_config(observation={"name": "gain", "first": 2.0}, dtype="float64")


def test_its_options_are_read_checked_and_written():
    config = pl.Config.from_dict(CONFIG)
    assert config.observation.hyperparameters == GainOptions(first=2.0)
    assert config.to_dict()["observation"] == {"name": "gain", "first": 2.0}
    assert pl.Config.from_dict(config.to_dict()) == config
    with pytest.raises(pl.ConfigError, match=r"observation.first: got 0, allowed is above 0"):
        pl.Config.from_dict({**CONFIG, "observation": {"name": "gain", "first": 0}})
    with pytest.raises(pl.ConfigError, match=r"observation.fist: unknown key; did you mean 'first'\?"):
        pl.Config.from_dict({**CONFIG, "observation": {"name": "gain", "fist": 0}})
    with pytest.raises(pl.ConfigError, match=r"observation.name: got 'gian'.*did you mean 'gain'\?"):
        pl.Config.from_dict({**CONFIG, "observation": {"name": "gian"}})
    with pytest.raises(pl.ConfigError, match="only 'affine' has a matrix that is inverted"):
        pl.Config.from_dict({**CONFIG, "regularization": {"condition_number": 1}})


@pytest.mark.parametrize("forcing", [None, pl.STF(2), pl.GTF(0.3)], ids=["free", "STF", "GTF"])
@pytest.mark.parametrize("S", [2, 5])
def test_its_gradient_is_that_of_forward_mode(monkeypatch, forcing, S):
    """Against the loss in dual numbers, whose observation model is the formula of the docstring."""
    model = pl.init_model(CONFIG, 2)
    rng = np.random.default_rng(1)
    model = model._replace(observation=Gain(np.array([1.5, -0.7])))
    inverse = OBSERVATIONS.of(model.observation).inverse(model.observation)[:, 0]
    X = rng.standard_normal((S, 6, 2))
    monkeypatch.setattr(naive, "observe", lambda o, z, N: [o.c[i] * z[i] for i in range(N)])
    monkeypatch.setattr(naive, "signal", lambda o, inverse, x: [inverse[i] * x[i] for i in range(len(x))])
    monkeypatch.setattr(naive, "start", lambda o, inverse, x, M: [inverse[i] * x[i] for i in range(len(x))])
    weights = np.zeros(5) if forcing is None else forcing.weights(5)
    a = np.repeat(weights[:, None], 2, axis=1)
    loss, gradient = naive.gradient(model, X, np.zeros((S, 6, 0)), a, inverse)
    found, gradients = pl.loss_and_grad(model, X, forcing=forcing)
    assert found == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(to_vector(gradients[:2]), gradient, rtol=1e-9, atol=1e-12)


def test_it_trains_in_threads_and_is_saved_and_evaluated(tmp_path):
    training = {"epochs": 4, "batch_size": 20}
    one = pl.fit(circle(600), {**CONFIG, "training": {**CONFIG["training"], **training}}, progress=False)
    threads = {**CONFIG["training"], **training, "n_threads": 2}
    two = pl.fit(circle(600), {**CONFIG, "training": threads}, progress=False)
    assert one.model == two.model
    assert (one.model.observation.c != 2).all()
    assert one.history["loss"][-1] < one.history["loss"][0]
    pl.save_model(tmp_path / "m.npz", one.model, CONFIG)
    assert pl.load_model(tmp_path / "m.npz") == one.model
    first = pl.predict(one.model, [0.3, 0.4], 5)[0]
    np.testing.assert_allclose(first, [0.3, 0.4], rtol=1e-12)
    assert pl.evaluate(one.model, circle(600), n_steps=200).n_diverged == 0
    assert len(from_vector(one.model[:2], to_vector(one.model[:2]))) == 2


def test_a_name_that_is_taken_is_refused_and_a_module_may_register_its_own_again():
    OBSERVATIONS.register(ENTRY)
    assert OBSERVATIONS["gain"] is ENTRY
    with pytest.raises(
        ValueError, match="observation.name: 'affine' is the name of plrnn_numba.*Affine already"
    ):
        OBSERVATIONS.register(dataclasses.replace(ENTRY, name="affine"))
    assert OBSERVATIONS["affine"].parameters is pl.Affine


def test_it_works_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("X.npy", circle(600))
    options = ["--set", "training.epochs=1", "--set", "training.sequence_length=10", "--quiet", "--no-plots"]
    assert (
        main(["train", "--data", "X.npy", "--set", "observation.name=gain", "--out", "r", *options]) == DONE
    )
    assert main(["evaluate", "r"]) == DONE
