"""Numbers that are too large, too many, or none: each is refused by name, before memory is taken."""

import io
import json
import re
import shutil
import warnings
import zipfile

import numpy as np
import pytest
from helpers import circle, kernels, small_config

import plrnn_numba as pl
from plrnn_numba.basics import sizes
from plrnn_numba.basics.options import ConfigError
from plrnn_numba.basics.sizes import SizeError, check_memory
from plrnn_numba.data import read_archive
from plrnn_numba.forcings.base import Forcing
from plrnn_numba.runs.commands.common import DONE, MISTAKE, join_negative
from plrnn_numba.runs.commands.main import main
from plrnn_numba.training import Trainer

X = circle(400, size=(1, 3))
HUGE = 10**12
LONG = 10**400


def changed(**changes):
    """The small configuration with ``a__b=value`` set at ["a"]["b"]."""
    config = json.loads(json.dumps(small_config()))
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = config
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    return config


def fit(config, **more):
    return pl.fit(X, config, progress=False, **more)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 2 GB, so that the suite's own does not matter."""
    monkeypatch.setattr(sizes, "memory", lambda: 2 * 10**9)


MODEL = pl.init_model(small_config(), 2)
DRIVEN = pl.init_model(small_config(), 2, 1)


@pytest.mark.parametrize(
    "changes, key",
    [
        ({"latent_dim": 10**6}, "latent_dim: got 1000000, which takes 32000 GB"),
        ({"latent_dim": 12_000}, "latent_dim: got 12000, which takes 4.6 GB"),
        (
            {"latent_step__hyperparameters__hidden_dim": HUGE},
            "latent_step.hyperparameters.hidden_dim: got 1000",
        ),
        ({"training__batch_size": HUGE}, "training.batch_size: got 1000000000000, which takes 8000 GB"),
        (
            {"training__batch_size": 10**8, "training__n_threads": 2},
            "training.batch_size: got 100000000, which takes",
        ),
        (
            {
                "training__sequence_length": 390,
                "latent_step__hyperparameters__hidden_dim": 200_000,
            },
            "training.sequence_length: got 390, which takes",
        ),
    ],
)
def test_a_configuration_that_needs_more_memory_than_there_is_names_its_key(changes, key):
    with pytest.raises(ConfigError, match="^" + re.escape(key)) as caught:
        fit(changed(**changes))
    assert str(caught.value).endswith("of memory, and this machine has 2 GB")


def test_segments_make_long_sequences_fit():
    given = {"training__sequence_length": 390, "latent_step__hyperparameters__hidden_dim": 200_000}
    with pytest.raises(ConfigError, match=r"^training.sequence_length"):
        Trainer(X, changed(**given))
    assert Trainer(X, changed(**given, training__checkpoint_segments=50)).epoch == 0


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: pl.generate(MODEL, [0, 0], HUGE), "n_steps"),
        (lambda: pl.generate(MODEL, np.zeros((10**4, 2)), 10**6), "n_steps"),
        (lambda: pl.generate(DRIVEN, [0, 0], 3 * 10**8), "n_steps"),
        (lambda: pl.predict(MODEL, [0, 0], HUGE), "n_steps"),
        (lambda: pl.jacobian(MODEL, np.zeros((10**5, 2))), "z"),
        (lambda: pl.systems.simulate("lorenz63", HUGE), "n_steps"),
        (lambda: pl.systems.simulate("lorenz63", 2**62), "n_steps"),
        (lambda: pl.systems.flow_jacobians("lorenz96", 10**7), "n_steps"),
        (lambda: pl.init_model(changed(observation={"name": "affine"}), HUGE), "n_observed"),
        (lambda: pl.init_model(small_config(), 2, HUGE), "n_inputs"),
        (lambda: pl.loss_and_grad(MODEL, np.zeros((4, 10**4, 2))), "X"),
    ],
)
def test_an_argument_that_needs_more_memory_than_there_is_is_named(call, name, monkeypatch):
    if name in ("z", "X"):  # arrays that are there: a smaller machine
        monkeypatch.setattr(sizes, "memory", lambda: 10**6)
    with pytest.raises(ValueError, match=rf"^{name}: got .*, which takes .*GB of memory"):
        call()


def test_what_fits_is_not_refused():
    check_memory({"a": (1, 10**9), "b": (2, 10**9)})
    with pytest.raises(SizeError, match=r"^b: got 2, which takes 2 GB of memory, and this machine has 2 GB$"):
        check_memory({"a": (1, 10**9), "b": (2, 10**9 + 1)})


def test_the_memory_of_a_machine_is_that_of_a_limit_where_there_is_one(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.undo()
    whole = sizes.memory()
    assert whole > 10**8
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10**8, 10**8))
    assert sizes.memory() == 10**8


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"training__epochs": LONG}, r"^training.epochs: got 1000.*, expected an integer below 2\^63"),
        (
            {"training__batches_per_epoch": 2**63},
            r"^training.batches_per_epoch: got 9223372036854775808, expected",
        ),
        ({"training__noise": LONG}, r"^training.noise: got 1000.*expected a finite number"),
        (
            {"training__learning_rate": [LONG, 1]},
            r"^training.learning_rate: got 1000.*expected a finite number",
        ),
        ({"training__gradient_clip": LONG}, r"^training.gradient_clip: got 1000"),
        ({"training__epochs": 10**5000}, r"^training.epochs: got an? int of too many digits"),
        ({"latent_dim": 1e300}, r"^latent_dim: got 1e\+300, expected an integer below 2\^63"),
    ],
)
def test_a_number_of_400_digits_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        pl.Config.from_dict(changed(**changes))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: pl.generate(MODEL, [0, 0], LONG), "n_steps"),
        (lambda: pl.predict(MODEL, [0, 0], LONG), "n_steps"),
        (lambda: pl.systems.simulate("lorenz63", LONG), "n_steps"),
        (lambda: pl.init_model(small_config(), LONG), "n_observed"),
        (lambda: pl.evaluate(MODEL, X, n_orbits=LONG), "n_orbits"),
        (lambda: pl.GTF().weights(LONG), "n_steps"),
        (lambda: pl.analysis.lyapunov_spectrum(MODEL, [0, 0], LONG), "n_steps"),
        (lambda: pl.loss_and_grad(MODEL, X[None, :9], checkpoint_segments=2**63), "checkpoint_segments"),
    ],
)
def test_an_argument_of_400_digits_is_refused(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: got .*, expected an integer below 2\^63$"):
        call()


def test_a_seed_may_have_any_number_of_bits():
    config = pl.Config.from_dict(changed(seed=2**128 + 1))
    assert pl.Config.from_dict(json.loads(config.to_json())) == config
    assert pl.init_model(small_config(), 2, seed=LONG) == pl.init_model(changed(seed=LONG), 2)
    assert (pl.init_model(config, 2).latent.W1 != pl.init_model(changed(seed=1), 2).latent.W1).any()


def test_what_is_nested_too_deeply_is_said():
    nested: list = []
    for _ in range(10**5):
        nested = [nested]
    with pytest.raises(ConfigError, match=r"^training.epochs: got a list that is nested too deeply"):
        pl.Config.from_dict(changed(training__epochs=nested))


# --- systems ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [float("nan"), float("inf"), -1.0, 0.0, LONG, "0.1", True])
def test_a_sampling_step_that_is_no_positive_number_is_refused(dt):
    with pytest.raises(ValueError, match=r"^dt: got "):
        pl.systems.simulate("lorenz63", 10, dt=dt)


@pytest.mark.parametrize("n_steps", [0, -1, 2.5, None, "3", True])
def test_a_number_of_samples_that_is_none_is_refused(n_steps):
    with pytest.raises(ValueError, match=r"^n_steps: got .* expected an integer at least 1"):
        pl.systems.simulate("lorenz63", n_steps)


@pytest.mark.parametrize("n_steps, dt", [(2, 1e300), (10, 1e6), (2000, 1e3)])
def test_an_integration_that_would_not_end_is_refused(n_steps, dt):
    with pytest.raises(ValueError, match=r"^dt: got .* time units; allowed are at most 1e\+06"):
        pl.systems.simulate("lorenz63", n_steps, dt=dt)


@pytest.mark.parametrize("dt", [1e-320, 1e-16])
def test_samples_that_would_coincide_are_refused(dt):
    with pytest.raises(ValueError, match=r"^dt: got .*, which is lost beside the time 50"):
        pl.systems.simulate("lorenz63", 10, dt=dt)
    assert len(np.unique(pl.systems.simulate("lorenz63", 10, dt=1e-6), axis=0)) == 10


# --- data that are none ----------------------------------------------------------------------------


EMPTY = [[], (), [[]], [[], []], [np.zeros((0, 2))] * 2]
EMPTY += [np.zeros(shape) for shape in ((0, 100, 2), (0, 2), (3, 0, 2), (100, 0), (0, 0), (3, 5, 0))]


@pytest.mark.parametrize(
    "empty",
    EMPTY,
    ids=lambda value: str(np.shape(value)),
)
@pytest.mark.parametrize("argument", ["X", "validation", "inputs", "validation_inputs"])
def test_no_data_are_named(argument, empty):
    given = {"X": X, argument: empty}
    if argument == "inputs" and np.shape(empty) in ((100, 0), (3, 5, 0)):
        empty = np.zeros((7, 0))  # no columns are no inputs, but the rows must be those of X
    if argument == "validation_inputs":
        given["validation"] = X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(pl.DataError, match=rf"^{argument}(\[\d\])?: "):
            pl.fit(config=small_config(), progress=False, **given)


# --- starts and parameters that are no numbers -----------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, 1e39])
def test_a_start_that_is_not_finite_in_the_models_precision_is_refused(bad):
    scaled = MODEL._replace(scaling=pl.Scaling([0.0, 0.0], [2.0, 2.0]))
    with pytest.raises(ValueError, match=r"^z0: got .* at row 1, column 0, expected finite numbers"):
        pl.generate(MODEL, [[0, 0], [bad, 0]], 5)
    for model in (MODEL, scaled):
        with pytest.raises(ValueError, match=r"^x0: got .* at .*column 0, expected finite numbers"):
            pl.predict(model, [bad, 0], 5)
    with pytest.raises((TypeError, ValueError), match=r"^x0: got"):
        pl.predict(MODEL, [bad * 1j, 0], 5)


def poisoned(model, part, field, value=np.nan):
    params = getattr(model, part)
    array = getattr(params, field).copy()
    array.flat[-1] = value
    return model._replace(**{part: params._replace(**{field: array})})


WEIGHTS = [("latent", f) for f in ("A", "W1", "W2", "h1", "h2", "C")] + [
    ("observation", "B"),
    ("observation", "b"),
]


@pytest.mark.parametrize("part, field", WEIGHTS, ids=lambda value: value)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_named(part, field, value, tmp_path):
    model = poisoned(pl.init_model(changed(observation={"name": "affine"}), 2, 1), part, field, value)
    name = type(getattr(model, part)).__name__
    message = rf"{name}.{field}: got (nan|inf) at .* expected finite numbers"
    calls = [
        lambda: pl.predict(model, [0, 0], 3, np.zeros((3, 1))),
        lambda: pl.loss_and_grad(model, X[None, :9], np.zeros((1, 9, 1))),
        lambda: pl.save_model(tmp_path / "m.npz", model),
        lambda: pl.evaluate(model, X, np.zeros((400, 1))),
    ]
    if part == "latent":
        calls += [
            lambda: pl.step(model, [0, 0]),
            lambda: pl.generate(model, [0, 0], 3),
            lambda: pl.jacobian(model, [0, 0]),
            lambda: pl.to_hinge(model),
            lambda: pl.analysis.fixed_points(model),
        ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.fixture
def model_file(tmp_path):
    """A model's file, and a way to write another with changed arrays."""
    path = tmp_path / "model.npz"
    pl.save_model(path, MODEL, small_config())

    def change(**changes):
        arrays = {**read_archive(path), **changes}
        np.savez(path, **arrays)
        return path

    return change


def test_a_model_file_with_nan_among_its_weights_is_refused(model_file, tmp_path, capsys):
    W1 = MODEL.latent.W1.copy()
    W1[0, 0] = np.nan
    path = model_file(**{"latent.W1": W1})
    with pytest.raises(ValueError, match=r"model.npz: .*ClippedShPLRNN.W1: got nan at row 0, column 0"):
        pl.load_model(path)
    (tmp_path / "config.json").write_text(json.dumps(small_config()))
    np.save(tmp_path / "test.npy", X)
    for command in (
        ["evaluate"],
        ["generate", "--steps", "3", "--out", str(tmp_path / "o.npy")],
        ["analyze"],
    ):
        assert main([command[0], str(tmp_path), *command[1:]]) == MISTAKE
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "ClippedShPLRNN.W1: got nan at row 0, column 0" in captured.err


def test_shapes_that_do_not_go_together_name_the_file(model_file):
    path = model_file(**{"latent.W1": MODEL.latent.W1[:, :3]})
    with pytest.raises(
        ValueError, match=r"model.npz: ClippedShPLRNN.W1: got shape \(2, 3\), expected \(2, 8\)"
    ):
        pl.load_model(path)


def header(shape, descr="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(HUGE,), (10**6, 10**6), (2**62, 2), (3,)])
def test_an_archive_whose_header_lies_is_refused(tmp_path, shape):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header(shape) + bytes(16))
    with pytest.raises(ValueError, match=r"array 'a' says that it has shape .*, and holds 16 bytes"):
        read_archive(path)
    with pytest.raises(ValueError, match=r"m.npz: not a model file: array 'a' says"):
        pl.load_model(path)


def test_an_archive_that_unpacks_to_more_than_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(10**6), b=np.zeros(10))
    assert path.stat().st_size < 10**4
    assert read_archive(path)["a"].shape == (10**6,)
    monkeypatch.setattr(sizes, "memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"^2 arrays: got bomb.npz, which takes 0.008 GB of memory"):
        read_archive(path)


def test_an_archive_is_read_as_numpy_reads_it(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "b": np.arange(3, dtype=">i4"),
        "e": np.zeros((0, 2)),
    }
    np.savez(path, **arrays)
    found = read_archive(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


# --- states, forcings ------------------------------------------------------------------------------


def test_a_state_of_another_configuration_or_of_other_data_is_refused():
    state = Trainer(X, small_config()).state()
    for changes, key in (
        ({"seed": 1}, "seed"),
        ({"training__learning_rate": [1e-2, 1e-3]}, "training.learning_rate"),
        ({"forcing": {"name": "STF", "interval": 3}}, "forcing.name"),
        ({"training__optimizer": "adam"}, "training.optimizer"),
    ):
        other = Trainer(X, changed(**changes))
        before = other.state()
        with pytest.raises(ValueError, match=rf"^state: of another configuration; it differs in .*{key}"):
            other.restore(state)
        np.testing.assert_equal(other.state(), before)
    for data in (X + 1, X[:-1], X[::-1].copy()):
        with pytest.raises(ValueError, match=r"^state: of a training on other data"):
            Trainer(data, small_config()).restore(state)
    with pytest.raises(ValueError, match=r"^state: of a training on other data"):
        Trainer(X, small_config(), np.ones((400, 1))).restore(state)
    Trainer(X, changed(training__n_threads=2, training__checkpoint_segments=3)).restore(state)


@pytest.mark.parametrize("name", ["params", "best"])
def test_a_state_with_nan_among_its_parameters_is_refused(name):
    trainer = Trainer(X, small_config())
    state = trainer.state()
    state[name][3] = np.nan
    with pytest.raises(ValueError, match=rf"^state\['{name}'\]: got nan at column 3"):
        trainer.restore(state)


def test_a_state_that_lacks_something_is_refused_whole():
    trainer = Trainer(X, small_config())
    whole = trainer.state()
    for broken in (
        {**whole, "rows": np.zeros(3)},
        {**whole, "progress": {}},
        {**whole, "progress": {**whole["progress"], "rng": 3}},
        {k: v for k, v in whole.items() if k != "m"},
    ):
        broken = {**broken, "params": whole["params"] + 1}
        with pytest.raises(ValueError, match=r"^state"):
            trainer.restore(broken)
        np.testing.assert_equal(trainer.state(), whole)


def test_a_forcing_that_is_not_registered_is_refused_at_once():
    class Own(Forcing):
        def weights(self, n_steps):
            return np.zeros(n_steps)

    with pytest.raises(
        ConfigError, match=r"^forcing: got Own, allowed are GTF, STF, None; FORCINGS.register"
    ):
        pl.Config.from_dict(changed(forcing=Own()))


# --- the command line ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, joined",
    [
        (["--start", "-1,2"], ["--start=-1,2"]),
        (["--start", "-1e-3,2", "--steps", "-3"], ["--start=-1e-3,2", "--steps=-3"]),
        (["--start", "-.5,-2"], ["--start=-.5,-2"]),
        (["--start", "-inf,1"], ["--start=-inf,1"]),
        (["--start", "-nan"], ["--start=-nan"]),
        (["--start", "-1", "-2"], ["--start=-1", "-2"]),
        (["--start", "1,-2"], ["--start", "1,-2"]),
        (["--start=-1", "-h"], ["--start=-1", "-h"]),
        (["--quiet", "--out", "r"], ["--quiet", "--out", "r"]),
        (["--", "-1"], ["--", "-1"]),
    ],
)
def test_a_value_that_begins_like_a_negative_number_is_no_option(given, joined):
    assert join_negative(given) == joined


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run, and X.npy and c.json beside it."""
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "X.npy", X)
    (folder / "c.json").write_text(json.dumps(changed(training__epochs=1)))
    given = [str(folder / "c.json"), "--data", str(folder / "X.npy"), "--out", str(folder / "r")]
    assert main(["train", *given, "--quiet", "--no-plots"]) == DONE
    return folder


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of it, as the current folder."""
    folder = shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder / "r"


def test_a_negative_start_starts_there(run):
    assert main(["generate", "r", "--steps", "3", "--start", "-1,2", "--out", "o.npy"]) == DONE
    expected = pl.predict(pl.load_model("r/model.npz"), [-1, 2], 3)
    np.testing.assert_array_equal(np.load("o.npy"), expected)


NESTED = "[" * 10**5

COMMANDS = [
    (["generate", "r", "--steps", str(HUGE), "--out", "o.npy"], "--steps: got 1000000000000, which takes"),
    (["generate", "r", "--steps", str(LONG), "--out", "o.npy"], "--steps: got 1000"),
    (["generate", "r", "--steps", "3", "--start", "nan,1", "--out", "o.npy"], "--start: got 'nan,1'"),
    (["generate", "r", "--steps", "3", "--start", "-inf,1", "--out", "o.npy"], "--start: got '-inf,1'"),
    (["generate", "r", "--steps", "3", "--start", "1j,1", "--out", "o.npy"], "--start: got '1j,1'"),
    (["generate", "r", "--steps", "3", "--start", "", "--out", "o.npy"], "--start: got ''"),
    (["generate", "r", "--steps", "3", "--start", "1e300,1", "--out", "o.npy"], "--start: x0"),
    (
        ["generate", "r", "--steps", "3", "--out", "o.npy", "--inputs", "trials"],
        "--inputs: got 2 trials, expected",
    ),
    (["generate", "r", "--steps", "9" * 5000, "--out", "o.npy"], "argument --steps: invalid int value: '999"),
    (["generate", "r", "--steps", "3", "--out", ""], "argument --out: got '', expected a path"),
    (["generate", "r", "--steps", "-3", "--out", "o.npy"], "--steps: got -3, allowed is at least 1"),
    (["generate", "", "--steps", "3", "--out", "o.npy"], "argument RUN: got '', expected a path"),
    (["generate", "r", "--steps", "3", "--out", "r.npy/o.npy"], "r.npy/o.npy: "),
    (["generate", "r", "--steps", "3", "--out", "dir.npy"], "dir.npy: "),
    (["generate", "r", "--steps", "3", "--out", "x" * 300 + ".npy"], "File name too long"),
    (["evaluate", ""], "argument RUN: got '', expected a path"),
    (["evaluate", "r", "--data", ""], "argument --data: got '', expected a path"),
    (["evaluate", "r", "--steps", "-5"], "--steps: got -5, allowed is at least 100"),
    (["evaluate", "r", "--data", "x" * 300 + ".npy"], "x.npy: "),
    (["analyze", "r", "--steps", str(HUGE)], "n_steps: got 1100000000000, which takes"),
    (["analyze", "r", "--seconds", "nan"], "--seconds: got nan, allowed is at least 0"),
    (["analyze", "r", "--seconds", "-1e-3"], "--seconds: got -0.001, allowed is at least 0"),
    (["train", "", "--data", "X.npy"], "argument CONFIG: got '', expected a path"),
    (["train", "c.json", "--data", ""], "argument --data: got '', expected a path"),
    (["train", "c.json", "--data", "X.npy", "--out", ""], "argument --out: got '', expected a path"),
    (["train", "c.json", "--data", "X.npy", "--inputs", ""], "argument --inputs: got ''"),
    (["train", "c.json", "--data", "X.npy", "--test", ""], "argument --test: got ''"),
    (["train", "c.json", "--data", "X.npy", "--import", ""], "argument --import: got ''"),
    (["train", "c.json", "--data", "a\0b"], "argument --data: got 'a\\x00b', expected a path"),
    (["train", "c.json", "--data", "X.npy", "--out", "x" * 300], "File name too long"),
    (
        ["train", "c.json", "--data", "X.npy", "--set", f"training={NESTED}"],
        "--set: training: the value is nested",
    ),
    (["train", "c.json", "--data", "X.npy", "--set", f"training.noise={LONG}"], "training.noise: got 1000"),
    (
        ["train", "c.json", "--data", "X.npy", "--set", f"training.epochs={'9' * 5000}"],
        "training.epochs: got '99",
    ),
    (
        ["train", "c.json", "--data", "X.npy", "--set", "latent_dim=1e6"],
        "latent_dim: got 1000000, which takes",
    ),
    (
        ["train", "c.json", "--data", "X.npy", "--set", "training.batch_size=1e12"],
        "training.batch_size: got 1000",
    ),
    (["train", "c.json", "--data", "X.npy", "--hold-out", "-inf"], "--hold-out: got -inf, allowed is"),
    (["train", "c.json", "--data", "X.npy", "--hold-out", "nan"], "--hold-out: got nan, allowed is"),
    (["train", "--resume", "--out", "r", "--hold-out", "0.5"], "--resume: the run has its own hold_out"),
    (["init", "--latent-dim", "-3"], "latent_dim: got -3, allowed is at least 1"),
    (["init", "--latent-dim", str(LONG)], "latent_dim: got 1000"),
]


@pytest.mark.parametrize("arguments, message", COMMANDS, ids=[" ".join(a)[:60] for a, _ in COMMANDS])
def test_a_size_or_an_empty_name_at_a_shell_is_one_line(run, arguments, message, capsys):
    (run.parent / "dir.npy").mkdir()
    (run.parent / "trials").mkdir()
    for i, n_rows in enumerate((30, 40)):
        np.save(run.parent / "trials" / f"{i}.npy", X[:n_rows])
    (run.parent / "r.npy").write_text("")
    before = {p: p.read_bytes() for p in run.parent.rglob("*") if p.is_file()}
    assert main(arguments) == MISTAKE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert len(captured.err) < 600
    assert {p: p.read_bytes() for p in run.parent.rglob("*") if p.is_file()} == before


DAMAGE = [
    ("test.npy", b"", ["evaluate", "r"], "test.npy: cannot be read"),
    ("test.npy", b"no array", ["plot", "r"], "test.npy: cannot be read"),
    ("test.npy", header((HUGE, 2)), ["evaluate", "r"], "test.npy: cannot be read"),
    (
        "test.npy",
        header((0, 2)),
        ["generate", "r", "--steps", "3", "--out", "o.npy"],
        "test.npy: got shape (0, 2)",
    ),
    ("run.json", b"[]", ["train", "--resume", "--out", "r"], "run.json: got a list, expected a mapping"),
    (
        "run.json",
        b"{}",
        ["train", "--resume", "--out", "r"],
        "run.json: does not say where the data came from",
    ),
    ("run.json", NESTED.encode(), ["train", "--resume", "--out", "r"], "run.json: cannot be read"),
    (
        "checkpoints/last.npz",
        b"PK\x03\x04",
        ["train", "--resume", "--out", "r"],
        "last.npz: not a checkpoint",
    ),
    ("checkpoints/last.npz", b"PK\x03\x04", ["plot", "r"], "last.npz: not a checkpoint"),
    ("model.npz", b"", ["analyze", "r"], "model.npz: not a model file"),
]


@pytest.mark.parametrize("name, content, arguments, message", DAMAGE, ids=[f"{d[0]} {d[3]}" for d in DAMAGE])
def test_a_damaged_run_is_one_line(run, name, content, arguments, message, capsys):
    (run / name).write_bytes(content)
    assert main(arguments) == MISTAKE
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate"), RecursionError(), OverflowError("too large")]
)
def test_what_no_check_has_foreseen_is_one_line_still(run, error, monkeypatch, capsys):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("plrnn_numba.runs.commands.generate.predict", fail)
    assert main(["generate", "r", "--steps", "3", "--out", "o.npy"]) == MISTAKE
    assert capsys.readouterr().err.startswith(f"plrnn-numba: error: {type(error).__name__}: ")


def test_an_unreadable_file_is_one_line(run, monkeypatch, capsys):
    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    assert main(["evaluate", "r"]) == MISTAKE
    assert "Permission denied" in capsys.readouterr().err


# --- the warm-up -----------------------------------------------------------------------------------


def steps_of(*places, n=600):
    return np.stack([(np.arange(n) >= place).astype(float) for place in places], axis=1)


def spikes(n=600):
    found = np.zeros((n, 2))
    found[::97, 0] = found[50::131, 1] = 1
    return found


SPARSE = {
    "two steps": steps_of(250, 450),
    "a dose beside a circle": np.c_[circle(600), steps_of(500)],
    "spikes": spikes(),
    "one spike": np.c_[circle(600), np.eye(600)[:, [300]]],
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("where", ["X", "validation"])
def test_a_column_that_rests_for_long_is_no_reason_not_to_train(name, where):
    data = SPARSE[name]
    moving = np.random.default_rng(0).standard_normal(data.shape)
    config = changed(latent_dim=3, evaluation__steps=600, evaluation__prediction_steps=2, training__epochs=1)
    given = {"X": data} if where == "X" else {"X": moving, "validation": data}
    assert pl.fit(config=config, progress=False, **given).status == "finished"


def test_the_warm_up_changes_nothing_and_looks_at_no_data():
    data = circle(400)
    data.flags.writeable = False
    trainer = Trainer(data, small_config(forcing={"name": "GTF", "method": "arithmetic_mean", "interval": 1}))
    before, forced = trainer.state(), trainer._a.copy()
    trainer._validation = None  # whoever looks at it fails
    trainer.warm_up()
    np.testing.assert_equal(trainer.state(), before)
    np.testing.assert_array_equal(trainer._a, forced)


@pytest.mark.needs_speed
@pytest.mark.parametrize("orbits", ["one", "several"])
@pytest.mark.parametrize(
    "changes, K, masked",
    [
        ({}, 0, False),
        ({"training__n_threads": 2, "training__batch_size": 40}, 2, False),
        ({"missing": "mask", "training__batch_size": 2}, 1, True),
        ({"observation": {"name": "affine"}, "dtype": "float64"}, 0, False),
    ],
)
def test_nothing_compiles_after_the_warm_up(changes, K, masked, orbits):
    data = circle(600).astype(np.float32)
    if masked:
        data[5, 0] = np.nan
    n_steps = 600 if orbits == "one" else 100
    given = changed(**changes, evaluation__steps=n_steps)
    trainer = Trainer(data, given, np.ones((600, K)) if K else None)
    trainer.warm_up()
    compiled = {name: list(k.signatures) for name, k in kernels().items()}
    assert trainer.run(progress=False).status == "finished"
    assert {name: list(k.signatures) for name, k in kernels().items()} == compiled


# --- predictions -----------------------------------------------------------------------------------


def test_predictions_far_ahead_take_no_more_memory_at_once(monkeypatch):
    """As many starts at a time as fit; the error is the same."""
    model = pl.init_model(small_config(), 2)
    whole = pl.prediction_error(model, X[:60], n_steps=20)
    each = pl.measures.prediction_errors(model, X[:60], n_steps=20, variant="pe")
    monkeypatch.setattr("plrnn_numba.measures.prediction._NUMBERS", 21 * 2 * 7)
    runs = []
    before = pl.measures.prediction.predict
    monkeypatch.setattr(
        "plrnn_numba.measures.prediction.predict", lambda *a: runs.append(len(a[1])) or before(*a)
    )
    assert pl.prediction_error(model, X[:60], n_steps=20) == pytest.approx(whole, rel=1e-6)
    assert sum(runs) == 40
    assert max(runs) == 7
    np.testing.assert_allclose(
        pl.measures.prediction_errors(model, X[:60], n_steps=20, variant="pe"), each, rtol=1e-6
    )
