"""What users touch: values that compare and fit on a screen, mistakes told where they are made, one name for one thing."""

import dataclasses
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from families import BY_ID, ROWS
from helpers import circle, small_config
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import analysis
from plrnn_numba.basics.checks import as_integer
from plrnn_numba.basics.options import Options
from plrnn_numba.config import Evaluation, LatentStep, Observation, Regularization, Training

NONE = np.zeros((1, 0))
TENT = pl.ALRNN(A=[2.0], W=[[-4.0]], h=[1.0], C=NONE, num_relus=1)  # 1 - 2 |z|


def wide_model(row=BY_ID["PLRNN"], M=30, seed=0):
    return pl.init_model(row.config(M, H=40), 3, 1, seed=seed)


@pytest.fixture(scope="module")
def trained():
    return pl.fit(circle(400), small_config(), progress=False)


@pytest.fixture(scope="module")
def values(trained):
    """One of every kind of value that the public functions return, and another that differs."""
    model, other = wide_model(), wide_model(seed=1)
    clipped = pl.ClippedShPLRNN([0.5], [[1.0]], [[1.0]], [0.0], [2.0], NONE)
    found = analysis.cycles(TENT, 3)
    orbit = [[0.1], [0.8], [-0.6], [-0.2]]
    symbols = analysis.symbols(TENT, orbit)
    gradient = pl.loss_and_grad(model, np.ones((2, 5, 3)), np.ones((2, 5, 1)))[1]
    basins = analysis.basins(clipped, [[0.0], [3.0]], transient=50, n_steps=20)
    return {
        "model": (model, other),
        "latent": (model.latent, other.latent),
        "observation": (model.observation, other.observation),
        "gradient": (gradient, model),
        "scaling": (trained.model.scaling, pl.Scaling(np.zeros(2), np.ones(2))),
        "hinge": (pl.to_hinge(model.latent), pl.to_hinge(other.latent)),
        "result": (trained, dataclasses.replace(trained, status="early")),
        "evaluation": (pl.evaluate(trained.model, circle(400)), pl.evaluate(trained.model, circle(300))),
        "cycle": (found[0], found[1]),
        "cycles": (found, analysis.cycles(TENT, 2)),
        "spectrum": (
            analysis.lyapunov_spectrum(TENT, [0.1], 50),
            analysis.lyapunov_spectrum(TENT, [0.2], 60),
        ),
        "symbols": (symbols, analysis.symbols(TENT, orbit[:3])),
        "graph": (analysis.transition_graph(symbols), analysis.transition_graph(symbols, kind="run")),
        "box": (analysis.absorbing_box(clipped), analysis.Box(np.zeros(1), np.ones(1))),
        "basins": (basins, analysis.basins(TENT, [[0.0]], transient=2, n_steps=5)),
        "following": (analysis.follow([TENT, TENT]), analysis.follow([TENT])),
        "report": (
            analysis.analyze(TENT, [0.1], n_steps=50, max_period=1),
            analysis.analyze(TENT, [0.1], n_steps=60, max_period=1),
        ),
        "moments": (pl.optim.init_moments([1.0, 2.0]), pl.optim.init_moments([1.0])),
    }


KINDS = [
    *("model", "latent", "observation", "gradient", "scaling", "hinge", "result", "evaluation", "cycle"),
    *("cycles", "spectrum", "symbols", "graph", "box", "basins", "following", "report", "moments"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_values_compare_hash_and_fit_on_a_screen(values, kind):
    one, other = values[kind]
    assert set(KINDS) == set(values)
    copy = pickle.loads(pickle.dumps(one))
    assert one == copy
    assert not one != copy  # noqa: SIM202
    assert hash(one) == hash(copy)
    assert one != other
    assert not one == other  # noqa: SIM201
    assert one != 3
    assert len({one, copy, other}) == 2
    lines = repr(one).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 1500
    assert type(one).__name__.lower() in repr(one).lower() or kind in ("cycle", "report")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_repr_of_a_large_model_is_no_wall_of_numbers(row):
    assert len(repr(wide_model(row, M=200))) < 1000


def test_equality_is_that_of_the_numbers():
    model = wide_model()
    double = model._replace(latent=model.latent._replace(A=model.latent.A.astype(np.float64)))
    assert model == double
    assert hash(model) == hash(double)
    broken = model.latent._replace(A=np.full(30, np.nan))
    assert broken == broken._replace(A=np.full(30, np.nan))
    assert broken != model.latent
    assert model.latent != tuple(model.latent)
    assert pl.Scaling(np.ones(1), np.ones(1)) != pl.optim.Moments(np.ones(1), np.ones(1))


# --- mistakes are told where they are made -----------------------------------------------------------

CONFIG = pl.Config.from_dict(small_config())

MISTAKES = [
    (lambda: pl.GTF(method="batch_maximun"), r"forcing.method: got 'batch_maximun'.*did you mean 'batch_max"),
    (lambda: pl.GTF(alpha=-0.1), r"forcing.alpha: got -0.1, allowed is from 0 to 1"),
    (lambda: pl.GTF(alpha=math.nan), r"forcing.alpha: got nan, expected a finite number"),
    (lambda: pl.GTF(decay=2), r"forcing.decay: got 2, allowed is from 0 to 1"),
    (lambda: pl.GTF(samples=0), r"forcing.samples: got 0"),
    (lambda: pl.GTF(interval=1.5), r"forcing.interval: got 1.5, expected an integer"),
    (lambda: pl.STF(0), r"forcing.interval: got 0, allowed is at least 1"),
    (lambda: pl.STF(True), r"forcing.interval: got True, expected an integer"),
    (lambda: dataclasses.replace(pl.STF(3), interval=-1), r"forcing.interval: got -1"),
    (lambda: dataclasses.replace(CONFIG, latent_dim=-3), r"latent_dim: got -3, allowed is at least 1"),
    (lambda: dataclasses.replace(CONFIG, latent_dim="3"), r"latent_dim: got '3', expected an integer"),
    (lambda: dataclasses.replace(CONFIG, dtype="float16"), r"dtype: got 'float16'"),
    (lambda: dataclasses.replace(CONFIG, forcing=3), r"forcing: got 3, expected a mapping"),
    (lambda: dataclasses.replace(CONFIG, training={"epoch": 3}), r"training.epoch: unknown key"),
    (lambda: dataclasses.replace(CONFIG, forcing=pl.STF(2, forced_units=9)), r"forced_units: got 9"),
    (lambda: dataclasses.replace(CONFIG, regularization=Regularization(mar=1)), r"regularization.mar: got 1"),
    (lambda: pl.Config(3, {"name": "LSTM"}), r"latent_step.name: got 'LSTM', allowed is one of"),
    (lambda: pl.Config(3, LatentStep("ALRNN", {"num_relus": 4})), r"num_relus: got 4, allowed is from 0 to"),
    (lambda: pl.Config(0, LatentStep("PLRNN")), r"latent_dim: got 0"),
    (lambda: LatentStep("PLRNN", {"hidden_dim": 3}), r"latent_step.hyperparameters.hidden_dim: unknown key"),
    (lambda: LatentStep("ALRNN"), r"latent_step.hyperparameters.num_relus: missing"),
    (lambda: LatentStep(3), r"latent_step.name: got 3"),
    (lambda: Observation("afine"), r"observation.name: got 'afine'.*did you mean 'affine'"),
    (lambda: Training(epochs=-1), r"training.epochs: got -1"),
    (lambda: Training(optimizer="sgd"), r"training.optimizer: got 'sgd'"),
    (lambda: Training(learning_rate=(0, 1)), r"training.learning_rate: got \(0, 1\), allowed is above 0"),
    (lambda: Regularization(l2=-1), r"regularization.l2: got -1"),
    (lambda: Evaluation(steps=1), r"evaluation.steps: got 1, allowed is at least 100"),
    (
        lambda: pl.loss_and_grad(
            wide_model(), np.ones((1, 3, 3)), np.ones((1, 3, 1)), pl.GTF(method="batch_maximum")
        ),
        r"forcing: got GTF\(.*whose alpha is found in a training",
    ),
    (lambda: pl.Trainer(circle(), {**small_config(), "forcing": "STF"}), r"forcing: got 'STF'"),
    (lambda: pl.init_model(small_config(), 0), r"n_observed: got 0, expected an integer at least 1"),
    (lambda: pl.init_model(small_config(), 2, -1), r"n_inputs: got -1, expected an integer at least 0"),
    (lambda: pl.init_model(small_config(), 3), r"observation.name: 'identity' needs as many latent units"),
    (lambda: pl.predict(wide_model(), np.ones(3), 2.5), r"inputs: got none|n_steps: got 2.5"),
    (lambda: pl.generate(TENT, [0.1], True), r"n_steps: got True, expected an integer at least 1"),
    (lambda: pl.generate(TENT, [0.1], math.nan), r"n_steps: got nan"),
    (lambda: pl.generate(TENT, [0.1], "3"), r"n_steps: got '3'"),
    (lambda: pl.generate(TENT, [0.1], None), r"n_steps: got None"),
    (lambda: pl.generate(TENT, [0.1], math.inf), r"n_steps: got inf"),
    (lambda: pl.systems.simulate("lorenz63", 0), r"n_steps: got 0"),
    (lambda: pl.systems.simulate("lorenz63", 5, dt=-1), r"dt: got -1, expected a number above 0"),
    (lambda: pl.state_space_divergence(circle(), circle(), bins=1.5), r"bins: got 1.5"),
    (lambda: pl.state_space_divergence(circle(), circle(), method="gmm", sigma="x"), r"sigma: got 'x'"),
    (lambda: pl.hellinger_distance(circle(), circle(), variant="pythn"), r"variant.*did you mean 'python'"),
    (lambda: pl.observe(wide_model(), np.ones(4)), r"z: got shape \(4,\), expected \(\.\.\., 30\)"),
    (lambda: pl.initial_state(wide_model(), np.ones((2, 2, 3))), r"x0: got shape \(2, 2, 3\)"),
    (lambda: analysis.cycles(TENT, 0), r"max_period: got 0"),
    (lambda: analysis.cycles(TENT, 2, periods=[1.5]), r"periods: got 1.5"),
    (
        lambda: analysis.cycles(TENT, 2, [0.1, 0.2], exhaustive=False),
        r"z0: got shape \(2,\), expected \(1,\)",
    ),
    (lambda: analysis.lyapunov_spectrum(TENT, [0.1], 10, k=2), r"k: got 2, expected an integer from 1 to 1"),
    (lambda: analysis.Box(np.zeros(2), np.zeros(3)), r"Box.half_width: got shape \(3,\), expected \(2,\)"),
    (
        lambda: analysis.Symbols(np.array([0, 2]), np.ones((2, 1), bool)),
        r"Symbols.sequence: expected numbers",
    ),
    (lambda: analysis.Symbols(np.array([0.5]), np.ones((2, 1), bool)), r"a sequence of integers"),
    (
        lambda: analysis.TransitionGraph(np.ones((2, 3)), "step"),
        r"TransitionGraph.counts: got shape \(2, 3\)",
    ),
    (lambda: analysis.TransitionGraph(np.ones((2, 2)), "stp"), r"did you mean 'step'"),
    (
        lambda: pl.predict(pl.Model(TENT, pl.Identity(np.zeros((0, 1))), pl.Scaling([0.0], [0.0])), [1.0], 2),
        r"Scaling: got .* a scale that is not above 0",
    ),
    (
        lambda: pl.init_model(small_config(), 2, seed="a"),
        r"seed: got 'a', expected an integer at least 0, or a",
    ),
    (lambda: pl.systems.simulate("lorenz63", 5, seed=1.5), r"seed: got 1.5, expected an integer at least 0"),
    (
        lambda: analysis.lyapunov_spectrum(TENT, [0.1], 10, seed=-1),
        r"seed: got -1, expected an integer at leas",
    ),
    (lambda: analysis.fixed_points(TENT, seed="x"), r"seed: got 'x', expected an integer at least 0"),
    (lambda: analysis.is_bounded(TENT, seed="x"), r"seed: got 'x'"),
    (lambda: pl.measures.statistical_error(circle(), circle(), seed="x"), r"seed: got 'x'"),
    (
        lambda: pl.hellinger_distance(circle(), circle(), smoothing="a"),
        r"smoothing: got 'a', expected a number",
    ),
    (
        lambda: pl.hellinger_distance(circle(), circle(), smoothing=-1),
        r"smoothing: got -1, expected a number",
    ),
    (lambda: pl.hellinger_distance(circle(), circle(), smoothing=math.nan), r"smoothing: got nan"),
    (
        lambda: pl.measures.power_spectra(circle(), mode="reflekt"),
        r"mode: got 'reflekt'.*did you mean 'reflect'",
    ),
    (lambda: pl.evaluate(wide_model(), circle()), r"X: got shape \(1500, 2\), expected \(T, 3\)"),
    (
        lambda: pl.evaluate(wide_model(), np.random.default_rng(0).random((400, 3)), np.ones((400, 2))),
        r"inputs: got shape \(400, 2\), exp",
    ),
    (lambda: pl.prediction_error(wide_model(), circle()), r"X: got shape \(1500, 2\), expected \(T, 3\)"),
    (lambda: analysis.cycles(TENT, 2, seconds="5"), r"seconds: got '5', expected a number at least 0"),
    (lambda: analysis.cycles(TENT, 2, seconds=-1), r"seconds: got -1, expected a number at least 0"),
    (
        lambda: analysis.cycles(TENT, 2, resume=analysis.cycles(TENT._replace(h=np.array([2.0])), 2)),
        r"resume: got cycles of another map",
    ),
    (lambda: analysis.regions(TENT, limit="a"), r"limit: got 'a'"),
    (lambda: analysis.basins(TENT, [[0.1]], tolerance="a"), r"tolerance: got 'a', expected a number above 0"),
    (lambda: analysis.block_entropies([0.5, 1.5, 0.5]), r"sequence: got dtype float64, expected integers"),
    (lambda: analysis.kaplan_yorke_dimension(0.5), r"exponents: got shape \(\), expected \(k,\)"),
    (lambda: analysis.kaplan_yorke_dimension([1, -2], M=1), r"M: got 1, expected an integer at least 2"),
    (lambda: analysis.fixed_points(TENT._replace(A=np.array([math.nan]))), r"latent: got NaN or inf among"),
    (lambda: pl.fit(wide_model(), small_config()), r"X: got Model, expected an array of real numbers"),
    (
        lambda: pl.fit("X.npy", small_config()),
        r"X: got 'X.npy', expected an array; plrnn_numba.data.load_array",
    ),
    (lambda: pl.fit(None, small_config()), r"X: got NoneType of dtype object, expected real numbers"),
    (lambda: pl.fit(circle(), "config.toml"), r"config: got 'config.toml', expected a mapping"),
    (
        lambda: pl.fit(circle().T, small_config()),
        r"lower training.sequence_length; rows are times: is X transpo",
    ),
    (
        lambda: pl.fit(circle(), small_config(), validation_inputs=circle()),
        r"validation_inputs: got some, but no validation that they belong to",
    ),
    (
        lambda: pl.fit(circle(), small_config(missing="mask"), circle() * math.nan),
        r"inputs: got nan at trial 0, row 0, column 0, expected finite numbers \(3000 of 3000 are not\)$",
    ),
    (
        lambda: pl.save_model("nowhere.npz", wide_model(), small_config()),
        r"config: latent_step.name is 'clipped_shPLRNN', but that of the model is 'PLRNN'",
    ),
    (lambda: pl.load_model(__file__), r"test_public_face.py: not a model file: it is no .npz archive$"),
    (lambda: pl.GTF().weights("3"), r"n_steps: got '3'"),
    (lambda: pl.step(TENT._replace(num_relus="1"), [0.1]), r"ALRNN.num_relus: got '1', expected an integer"),
    (
        lambda: pl.step(TENT._replace(learnable_C="no"), [0.1]),
        r"ALRNN.learnable_C: got 'no', expected true or",
    ),
    (lambda: pl.Trainer(circle(), small_config()).restore({}), r"state: has no 'params'"),
    (lambda: pl.ALRNN([1.0], [[1.0]], [0.0], NONE, 3), None),  # parameters are checked where they enter
    (lambda: pl.step(pl.ALRNN([1.0], [[1.0]], [0.0], NONE, 3), [1.0]), r"ALRNN.num_relus: got 3"),
]


@pytest.mark.parametrize("call, message", MISTAKES)
def test_a_mistake_is_told_where_it_is_made(call, message):
    if message is None:
        call()
        return
    with pytest.raises(ValueError, match=message):
        call()


WRONG_TYPES = [
    (lambda: pl.fit(circle(), small_config(), None, 5), r"callback: got 5, expected a function, or None"),
    (lambda: pl.fit(circle(), small_config(), None, circle()), r"callback: got array\(.*expected a function"),
    (lambda: analysis.cycles(TENT, 2, progress=True), r"progress: got True, expected a function, or None"),
    (lambda: analysis.cycles(TENT, 2, resume=5), r"resume: got int, expected CycleSet"),
    (lambda: analysis.cycles(TENT, 2, periods=5), r"periods: got 5, expected integers, as range"),
    (lambda: analysis.cycles(TENT, 2, periods="12"), r"periods: got '12', expected integers"),
    (lambda: analysis.follow(TENT), r"models: got one ALRNN, expected a list of models"),
    (lambda: analysis.follow(wide_model()), r"models: got one Model, expected a list of models"),
    (lambda: analysis.follow(3), r"models: got int, expected a list of models"),
    (lambda: analysis.transition_graph(np.array([0, 1])), r"found: got ndarray, expected Symbols"),
    (lambda: analysis.block_entropies(analysis.symbols(TENT, [[0.1]])), r"sequence: got Symbols; give its"),
    (lambda: analysis.kaplan_yorke_dimension("a"), r"exponents: got str, expected an array of real numbers"),
    (lambda: pl.step(3, [0.1]), r"latent: got int, allowed are .* and Model$"),
    (lambda: pl.warmup("PLRNN"), r"models: got 'PLRNN', expected a list of names"),
    (lambda: pl.load_model(5), r"path: got 5, expected a path"),
    (lambda: pl.save_model(5, wide_model()), r"path: got 5, expected a path"),
    (lambda: pl.Config.from_file({}), r"path: got \{\}, expected a path"),
    (lambda: pl.data.load_array(circle()), r"path: got array\(.*\.\.\., expected a path"),
    (
        lambda: pl.predict(wide_model(), np.ones(3) * 1j, 3),
        r"x0: got ndarray of dtype complex128, expected an",
    ),
]


@pytest.mark.parametrize("call, message", WRONG_TYPES)
def test_a_wrong_type_is_told_where_it_is_made(call, message):
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1


def test_a_result_in_place_of_its_model_is_told(trained):
    with pytest.raises(TypeError, match="model: got FitResult, expected Model; give its `model`"):
        pl.predict(trained, [0.1, 0.2], 3)
    with pytest.raises(TypeError, match="latent: got FitResult, allowed are .*; give its `model`"):
        analysis.fixed_points(trained)
    with pytest.raises(TypeError, match="exponents: got LyapunovSpectrum; it has its own `dimension`"):
        analysis.kaplan_yorke_dimension(analysis.lyapunov_spectrum(TENT, [0.1], 10))
    for change, message in (
        ({"status": "banana"}, "status: got 'banana'"),
        ({"history": {}}, "no column 'epoch'"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(trained, **change)


def test_options_are_checked_however_they_are_made():
    """Every class of options that a configuration can hold, by its own constructor."""
    kinds = {
        CONFIG.latent_step,
        CONFIG.observation,
        CONFIG.training,
        CONFIG.regularization,
        CONFIG.evaluation,
    }
    kinds |= {pl.GTF(), pl.STF(2), CONFIG.latent_step.hyperparameters, CONFIG}
    for options in kinds:
        assert isinstance(options, Options)
        assert dataclasses.replace(options) == options
        for field in dataclasses.fields(options):
            with pytest.raises(pl.ConfigError, match=f"^{options.path}.*got <object"):
                dataclasses.replace(options, **{field.name: object()})


def test_plain_parts_become_options():
    config = dataclasses.replace(CONFIG, forcing={"name": "STF", "interval": 3}, training={"epochs": 3})
    assert config.forcing == pl.STF(3)
    assert config.training == Training(epochs=3)
    assert pl.Config(2, {"name": "PLRNN"}).latent_step == LatentStep("PLRNN")


@given(st.integers(-10, 10), st.integers(-3, 3))
def test_an_integer_is_an_integer_in_every_form(n, least):
    forms = [n, float(n), np.int32(n), np.float64(n), np.array(n)]
    if n < least:
        for form in forms:
            with pytest.raises(ValueError, match=f"x: got .*, expected an integer at least {least}"):
                as_integer("x", form, least)
    else:
        assert [as_integer("x", form, least) for form in forms] == [n] * 5
        assert all(type(as_integer("x", form, least)) is int for form in forms)


# --- a name that asks answers ------------------------------------------------------------------------


def test_boundedness_is_a_truth_value_or_refuses_to_be_one():
    clipped = pl.ClippedShPLRNN([0.5], [[1.0]], [[1.0]], [0.0], [2.0], NONE)
    growing = pl.ALRNN(A=[1.5], W=[[0.0]], h=[0.0], C=NONE, num_relus=0)
    quiet = pl.ALRNN(A=[0.5], W=[[-0.2]], h=[0.0], C=NONE, num_relus=1)
    assert analysis.is_bounded(clipped)
    assert not analysis.is_bounded(growing)
    unknown = analysis.is_bounded(quiet, n_starts=2, n_steps=10)
    assert unknown.answer == "unknown"
    with pytest.raises(ValueError, match="whether the map is bounded is unknown .*: look at `answer`"):
        bool(unknown)


# --- one name for one thing --------------------------------------------------------------------------

PUBLIC = [
    *(getattr(pl, name) for name in pl.__all__),
    *(getattr(analysis, name) for name in analysis.__all__),
    *(getattr(pl.measures, name) for name in pl.measures.__all__),
    *(pl.systems.simulate, pl.systems.flow_jacobians, pl.optim.adam, pl.optim.radam),
]
FUNCTIONS = sorted({f for f in PUBLIC if inspect.isfunction(f)}, key=lambda f: (f.__module__, f.__name__))

# Positional and optional, as the package's contract with its users shows them; data come first everywhere.
DATA = {"inputs", "s", "z0", "X", "Y", "model", "latent", "first", "last"}
POSITIONAL = {
    "fit": {"callback"},
    "init_model": {"n_inputs"},
    "loss_and_grad": {"forcing"},
    "block_entropies": {"max_length"},
    "save_model": {"config"},
    "warmup": {"models"},
}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_arguments_have_one_name_each_and_options_are_given_by_it(function):
    parameters = inspect.signature(function).parameters
    assert not {"system", "steps", "n", "orbits"} & set(parameters)
    optional = {
        name
        for name, p in parameters.items()
        if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty
    }
    assert optional <= DATA | POSITIONAL.get(function.__name__, set())


def test_former_names_still_work_and_say_so():
    with pytest.warns(DeprecationWarning, match="is_bounded: system is now latent"):
        assert not analysis.is_bounded(system=pl.ALRNN([1.5], [[0.0]], [0.0], NONE, 0))
    with pytest.warns(DeprecationWarning, match="symbols: system is now latent"):
        analysis.symbols(system=TENT, orbit=[[0.1]])
    model = pl.Model(TENT._replace(A=np.ones(1), W=np.zeros((1, 1))), pl.Identity(np.zeros((0, 1))))
    X = circle(400)[:, :1]
    with pytest.warns(DeprecationWarning, match="evaluate: steps is now n_steps"):
        found = pl.evaluate(model, X, steps=200)
    with pytest.warns(DeprecationWarning, match=r"Evaluation.steps is now n_steps"):
        assert found.steps == found.n_steps == 200
    with pytest.raises(TypeError, match="got both n_steps and its former name steps"):
        pl.evaluate(model, X, steps=200, n_steps=100)


def test_a_whole_model_is_taken_for_its_latent_part(trained):
    model, z = trained.model, np.array([0.1, 0.2])
    latent = model.latent
    np.testing.assert_array_equal(pl.step(model, z), pl.step(latent, z))
    np.testing.assert_array_equal(pl.generate(model, z, 5), pl.generate(latent, z, 5))
    np.testing.assert_array_equal(pl.jacobian(model, z), pl.jacobian(latent, z))
    assert pl.to_hinge(model) == pl.to_hinge(latent)
    assert pl.to_shplrnn(model) == pl.to_shplrnn(latent)
    assert analysis.fixed_points(model) == analysis.fixed_points(latent)
    assert analysis.cycles(model, 1) == analysis.cycles(latent, 1)
    assert analysis.lyapunov_spectrum(model, z, 20) == analysis.lyapunov_spectrum(latent, z, 20)
    assert analysis.absorbing_box(model) == analysis.absorbing_box(latent)
    assert analysis.absorbing_radius(model) == analysis.absorbing_radius(latent)
    assert analysis.is_bounded(model) == analysis.is_bounded(latent)
    assert np.array_equal(analysis.regions(model), analysis.regions(latent))
    orbit = pl.generate(latent, z, 30)
    assert analysis.symbols(model, orbit) == analysis.symbols(latent, orbit)
    assert analysis.basins(model, [z], transient=10, n_steps=20) == analysis.basins(
        latent, z, transient=10, n_steps=20
    )
    assert analysis.follow([model, trained.best_model]) == analysis.follow(
        [latent, trained.best_model.latent]
    )
    assert len(analysis.interpolate(model, latent, 3)) == 3
    options = {"n_steps": 50, "max_period": 1}
    assert analysis.analyze(model, z, **options) == analysis.analyze(latent, z, **options)


def test_a_single_start_is_taken_where_a_batch_is(trained):
    X = circle(5)
    states = pl.initial_state(trained.model, X)
    np.testing.assert_array_equal(pl.initial_state(trained.model, X[0]), states[0])
    np.testing.assert_array_equal(pl.observe(trained.model, states[0]), pl.observe(trained.model, states)[0])
    assert pl.predict(trained.model, X[0], 4).shape == (4, 2)
    assert pl.predict(trained.model, X, 4).shape == (5, 4, 2)


# --- the namespace -----------------------------------------------------------------------------------


def test_what_a_tab_offers():
    offered = dir(pl)
    assert "analysis" in offered
    assert not {"Any", "TYPE_CHECKING", "importlib", "annotations"} & set(offered)
    assert all(hasattr(pl, name) for name in offered)


def test_the_names_that_others_rely_on_are_there():
    """In a process of its own: none may exist only because another test has imported it."""
    code = """if True:
        import plrnn_numba
        import plrnn_numba.observation, plrnn_numba.measures, plrnn_numba.analysis, plrnn_numba.systems
        from plrnn_numba.data import load_array
        from plrnn_numba.observation import Affine, Identity
        from plrnn_numba.systems import simulate
        from plrnn_numba.training import Trainer
        print(plrnn_numba.Affine is Affine, plrnn_numba.Trainer is Trainer, plrnn_numba.systems.simulate is simulate)
        print(plrnn_numba.analysis.fixed_points.__name__, callable(load_array))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "True", "fixed_points", "True"], done.stderr


def test_a_report_offers_its_columns(trained):
    reports = []
    pl.fit(circle(400), small_config(), callback=reports.append, progress=False)
    assert {"loss", "epoch", "D_stsp"} <= set(dir(reports[-1]))
    assert reports[-1].loss == reports[-1].row["loss"]
    assert "steps" not in dir(pl.evaluate(trained.model, circle(400)))


def test_the_configuration_s_docstring_names_every_option():
    for field in dataclasses.fields(pl.Config):
        assert f"    {field.name} : " in pl.Config.__doc__
    assert "{options}" not in pl.Config.__doc__
