"""The configuration: the specification's form, exact round trips, errors that name the key."""

import json

import numpy as np
import pytest
from families import ROWS, rows
from hypothesis import given
from hypothesis import strategies as st

import plrnn_numba as pl
from plrnn_numba import Config, ConfigError
from plrnn_numba.config import apply_changes, starting_configuration
from plrnn_numba.models.base import MODELS

PLRNN = {"latent_dim": 3, "latent_step": {"name": "PLRNN"}}
ALRNN = {"latent_dim": 20, "latent_step": {"name": "ALRNN", "hyperparameters": {"num_relus": 2}}}
CLIPPED = {"latent_dim": 3, "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 50}}}


def changed(base, **changes):
    """A deep copy with ``a__b=value`` set at base["a"]["b"]."""
    new = json.loads(json.dumps(base))
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = new
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    return new


def test_the_example_of_the_documentation_is_the_default():
    example = changed(
        CLIPPED,
        latent_step__hyperparameters__learnable_C=True,
        observation={"name": "identity"},
        forcing={"name": "GTF", "alpha": 0.15, "method": "constant"},
        training={
            "epochs": 400,
            "batches_per_epoch": 50,
            "batch_size": 16,
            "sequence_length": 200,
            "optimizer": "radam",
            "learning_rate": [1e-3, 1e-6],
            "gradient_clip": None,
            "noise": 0.0,
            "n_threads": 1,
            "checkpoint_segments": 1,
            "early_stopping": None,
        },
        regularization={},
        evaluation={"every": 25},
        standardize=True,
        seed=0,
        dtype="float32",
    )
    assert Config.from_dict(example) == Config.from_dict(CLIPPED)


def test_the_hyperparameters_of_the_specification_and_their_defaults():
    step = Config.from_dict(PLRNN).latent_step.hyperparameters
    assert (step.learnable_C, step.mean_centering) == (True, True)
    step = Config.from_dict(ALRNN).latent_step.hyperparameters
    assert (step.num_relus, step.ar_epsilon, step.off_diagonal_W, step.learnable_C) == (2, None, False, True)
    step = Config.from_dict(CLIPPED).latent_step.hyperparameters
    assert (step.hidden_dim, step.learnable_C) == (50, True)


configurations = st.builds(
    lambda row, M, H, forcing, observation, rest: {
        **row.config(M, H, 1, True),
        **forcing,
        **observation,
        **rest,
    },
    rows,
    st.integers(1, 30),
    st.integers(1, 50),
    st.sampled_from(
        [
            {},
            {"forcing": None},
            {"forcing": {"name": "STF", "interval": 16}},
            {"forcing": {"name": "GTF", "alpha": 0.3}},
        ]
    ),
    st.sampled_from([{}, {"observation": {"name": "affine"}}]),
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**62),
            "dtype": st.sampled_from(["float32", "float64"]),
            "standardize": st.booleans(),
            "missing": st.sampled_from(["error", "mask"]),
            "training": st.fixed_dictionaries(
                {},
                optional={
                    "epochs": st.integers(0, 10**6),
                    "gradient_clip": st.none() | st.floats(1e-6, 1e6),
                    "noise": st.floats(0, 10),
                    "learning_rate": st.tuples(st.floats(1e-9, 1), st.floats(1e-9, 1)).map(list),
                },
            ),
        },
    ),
)


@given(configurations)
def test_a_configuration_written_out_and_read_again_is_equal(tmp_path_factory, plain):
    config = Config.from_dict(plain)
    assert Config.from_dict(config.to_dict()) == config
    assert Config.from_dict(json.loads(config.to_json())) == config
    folder = tmp_path_factory.mktemp("configs")
    for suffix, text in ((".json", config.to_json()), (".toml", config.to_toml())):
        path = folder / f"config{suffix}"
        path.write_text(text)
        assert Config.from_file(path) == config


def test_numbers_of_numpy_are_numbers():
    plain = changed(CLIPPED, latent_dim=3)
    plain["latent_dim"] = np.int64(3)
    plain["training"] = {"noise": np.float32(0.5), "learning_rate": (np.float64(1e-2), 1e-3)}
    config = Config.from_dict(plain)
    assert type(config.latent_dim) is int
    assert config.training.noise == 0.5
    assert json.loads(config.to_json())["latent_dim"] == 3


@pytest.mark.parametrize("name", MODELS)
def test_the_starting_configuration_is_commented_and_the_default(tmp_path, name):
    text = starting_configuration(name)
    path = tmp_path / "start.toml"
    path.write_text(text)
    config = Config.from_file(path)
    assert config.latent_step.name == name
    assert config == Config.from_dict(
        {"latent_dim": config.latent_dim, "latent_step": config.to_dict()["latent_step"]}
    )
    keys = [line for line in text.splitlines() if "=" in line and not line.startswith(("[", "name"))]
    assert all("#" in line and line.split("#", 1)[-1].strip() for line in keys)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_model_refuses_the_hyperparameters_of_the_others(row):
    own = set(row.hyperparameters(4, 5, 2))
    everyone = {
        "mean_centering": True,
        "num_relus": 2,
        "ar_epsilon": 0.1,
        "off_diagonal_W": True,
        "hidden_dim": 5,
    }
    accepted = MODELS[row.name].hyperparameters.__dataclass_fields__
    assert own <= set(accepted)
    for key, value in everyone.items():
        config = changed(row.config(4), **{f"latent_step__hyperparameters__{key}": value})
        if key in accepted:
            Config.from_dict(config)
        else:
            with pytest.raises(ConfigError, match=rf"^latent_step.hyperparameters.{key}: unknown key"):
                Config.from_dict(config)


NESTED = "latent_step.hyperparameters"
MISTAKES = [
    (3, r"^config: got 3, expected a mapping"),
    ({}, r"^latent_dim: missing; expected an integer at least 1"),
    ({"latent_dim": 3}, r'^latent_step: missing; expected a mapping with "name"'),
    (changed(PLRNN, latent_dim=-1), r"^latent_dim: got -1, allowed is at least 1"),
    (changed(PLRNN, latent_dim=2.5), r"^latent_dim: got 2.5, expected an integer"),
    (changed(PLRNN, latent_dim=True), r"^latent_dim: got True, expected an integer"),
    (changed(PLRNN, latent_dim="3"), r"^latent_dim: got '3', expected an integer"),
    (changed(PLRNN, latnet_dim=3), r"^latnet_dim: unknown key; did you mean 'latent_dim'\?"),
    (changed(PLRNN, latent_step="PLRNN"), r"^latent_step: got 'PLRNN', expected a mapping"),
    (changed(PLRNN, latent_step={}), r"^latent_step.name: missing; allowed is one of 'ALRNN'"),
    (changed(PLRNN, latent_step__name="plrnn"), r"^latent_step.name: got 'plrnn'.*did you mean 'PLRNN'\?"),
    (changed(PLRNN, latent_step__name=["PLRNN"]), r"^latent_step.name: got \['PLRNN'\]"),
    (changed(PLRNN, latent_step__nmae="x"), r"^latent_step.nmae: unknown key; did you mean 'name'\?"),
    (
        changed(CLIPPED, latent_step__hyperparameters={}),
        rf"^{NESTED}.hidden_dim: missing; expected an integer at least 1",
    ),
    (
        changed(CLIPPED, latent_step__hyperparameters__hidden_dim=0),
        rf"^{NESTED}.hidden_dim: got 0, allowed is at least 1",
    ),
    (
        changed(CLIPPED, latent_step__hyperparameters__hiden_dim=5),
        rf"^{NESTED}.hiden_dim: unknown key; did you mean 'hidden_dim'",
    ),
    (
        changed(CLIPPED, latent_step__hyperparameters__learnable_C=1),
        rf"^{NESTED}.learnable_C: got 1, expected true or false",
    ),
    (changed(ALRNN, latent_step__hyperparameters={}), rf"^{NESTED}.num_relus: missing"),
    (
        changed(ALRNN, latent_step__hyperparameters__num_relus=21),
        rf"^{NESTED}.num_relus: got 21, allowed is from 0 to latent_dim, which is 20",
    ),
    (
        changed(ALRNN, latent_step__hyperparameters__num_relus=-1),
        rf"^{NESTED}.num_relus: got -1, allowed is at least 0",
    ),
    (
        changed(ALRNN, latent_step__hyperparameters__ar_epsilon=1),
        rf"^{NESTED}.ar_epsilon: got 1, allowed is above 0 and below 1",
    ),
    (
        changed(ALRNN, latent_step__hyperparameters__ar_epsilon="x"),
        rf"^{NESTED}.ar_epsilon: got 'x', expected a number or null",
    ),
    (
        changed(PLRNN, observation__name="linear"),
        r"^observation.name: got 'linear', allowed is one of 'affine', 'identity'",
    ),
    (
        changed(PLRNN, forcing__name="TF"),
        r"^forcing.name: got 'TF', allowed is one of 'GTF', 'STF'; did you mean",
    ),
    (changed(PLRNN, forcing={"alpha": 0.1}), r"^forcing.name: missing; allowed is one of 'GTF', 'STF'"),
    (changed(PLRNN, forcing={"name": "STF"}), r"^forcing.interval: missing; expected an integer at least 1"),
    (
        changed(PLRNN, forcing={"name": "STF", "interval": 0}),
        r"^forcing.interval: got 0, allowed is at least 1",
    ),
    (changed(PLRNN, forcing={"name": "STF", "alpha": 0.1}), r"^forcing.alpha: unknown key"),
    (
        changed(PLRNN, forcing={"name": "GTF", "alpha": 1.5}),
        r"^forcing.alpha: got 1.5, allowed is from 0 to 1",
    ),
    (
        changed(PLRNN, forcing={"name": "GTF", "method": "magic"}),
        r"^forcing.method: got 'magic', allowed is one of 'constant'",
    ),
    (
        changed(PLRNN, forcing={"name": "GTF", "method": "jacobian_upper_bound"}),
        r"^forcing.method: got 'jacobian_upper_bound', but PLRNN has no bound of its Jacobian; allowed for it is one of 'const",
    ),
    (
        changed(PLRNN, forcing={"name": "GTF", "interval": 0}),
        r"^forcing.interval: got 0, allowed is at least 1",
    ),
    (changed(PLRNN, forcing={"name": "GTF", "decay": 2}), r"^forcing.decay: got 2, allowed is from 0 to 1"),
    (
        changed(PLRNN, forcing={"name": "GTF", "samples": 0}),
        r"^forcing.samples: got 0, allowed is at least 1",
    ),
    (
        changed(PLRNN, forcing={"name": "STF", "interval": 5, "forced_units": 99}),
        r"^forcing.forced_units: got 99, allowed is at most latent_dim 3",
    ),
    (changed(PLRNN, forcing=3), r"^forcing: got 3, expected a mapping"),
    (changed(PLRNN, training__epoch=3), r"^training.epoch: unknown key; did you mean 'epochs'\?"),
    (changed(PLRNN, training__epochs=-3), r"^training.epochs: got -3, allowed is at least 0"),
    (
        changed(PLRNN, training__optimizer="sgd"),
        r"^training.optimizer: got 'sgd', allowed is one of 'radam', 'adam'",
    ),
    (
        changed(PLRNN, training__learning_rate=1e-3),
        r"^training.learning_rate: got 0.001, expected a list of 2 numbers",
    ),
    (changed(PLRNN, training__learning_rate=[1e-3, 0]), r"^training.learning_rate: got .*allowed is above 0"),
    (changed(PLRNN, training__noise=float("nan")), r"^training.noise: got nan, expected a finite number"),
    (changed(PLRNN, training__gradient_clip=-1), r"^training.gradient_clip: got -1, allowed is above 0"),
    (changed(PLRNN, training=[1]), r"^training: got \[1\], expected a mapping"),
    (changed(PLRNN, evaluation__every=0), r"^evaluation.every: got 0, allowed is at least 1"),
    (changed(PLRNN, standardize="yes"), r"^standardize: got 'yes', expected true or false"),
    (changed(PLRNN, seed=-1), r"^seed: got -1, allowed is at least 0"),
    (
        changed(PLRNN, dtype="float16"),
        r"^dtype: got 'float16', allowed is one of 'float32', 'float64'; did you mean",
    ),
]


@pytest.mark.parametrize("plain, message", MISTAKES, ids=[m[:40] for _, m in MISTAKES])
def test_a_mistake_names_the_key_what_was_given_and_what_is_allowed(plain, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Config.from_dict(plain)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("c.json", "{", "not valid JSON"),
        ("c.toml", "=", "not valid TOML"),
        ("c.json", "[1]", "got a list, expected a mapping"),
        ("c.yaml", "", r"got the ending '.yaml', allowed are '.json' and '.toml'"),
        ("c.json", b"\xff\xfe", "cannot be read"),
        (None, "", "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    path = tmp_path / (name or "missing.json")
    if name is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=rf"{path.name}: .*{message}"):
        Config.from_file(path)


def test_models_that_do_not_fit_the_data_are_named():
    with pytest.raises(
        ConfigError, match=r"observation.name: 'identity' needs .* got latent_dim 3 and 4 observed"
    ):
        pl.init_model(PLRNN, n_observed=4)
    fixed = changed(PLRNN, latent_step__hyperparameters__learnable_C=False)
    for K in (3, 4):
        with pytest.raises(
            ConfigError, match=rf"{NESTED}.learnable_C: false needs .* latent_dim 3 and {K} inputs"
        ):
            pl.init_model(fixed, 3, n_inputs=K)
    C = pl.init_model(fixed, 3, n_inputs=2).latent.C
    np.testing.assert_array_equal(C, [[0, 0], [1, 0], [0, 1]])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_values_are_those_of_the_field(row, dtype):
    M, H, K = 12, 40, 3
    latent = pl.init_model(row.config(M, H, 2, dtype=dtype), 5, K, seed=4).latent
    assert all(a.dtype == dtype for a in latent if isinstance(a, np.ndarray))
    assert (latent.A > 0).all()  # the diagonal of a positive definite matrix of spectral radius 1
    assert latent.A.max() <= 1
    assert np.abs(latent.C).max() <= np.sqrt(6 / (M + K)) * (1 + 1e-6)
    if hasattr(latent, "W"):
        assert not latent.h.any()
        keeps_diagonal = row.name == "PLRNN" or "off_diagonal_W" in row.flags
        assert keeps_diagonal == (not np.diag(latent.W).any())
    if row.name == "PLRNN":
        assert np.abs(
            np.linalg.eigvalsh((np.diag(latent.A) + latent.W).astype(float))
        ).max() == pytest.approx(1)
    if row.name == "ALRNN":
        assert np.abs(latent.W).max() < 0.06
    if hasattr(latent, "W1"):
        assert 0.9 < np.abs(latent.W1).max() * np.sqrt(H) <= 1 + 1e-6
        assert 0.9 < np.abs(latent.W2).max() * np.sqrt(M) <= 1 + 1e-6
        assert not latent.h1.any()
        assert latent.h2.any() == (row.name == "clipped_shPLRNN")
    again = pl.init_model(row.config(M, H, 2, dtype=dtype), 5, K, seed=4)
    np.testing.assert_array_equal(again.latent.A, latent.A)
    np.testing.assert_array_equal(again.latent.C, latent.C)


def test_a_change_of_a_name_takes_the_options_of_the_former_variant_along():
    plain = pl.Config.from_dict(
        {"latent_dim": 3, "latent_step": {"name": "shPLRNN", "hyperparameters": {"hidden_dim": 4}}}
    ).to_dict()
    changes = ["forcing.name=STF", "forcing.interval=7", "latent_step.name=PLRNN", "observation.name=affine"]
    apply_changes(plain, changes)
    config = Config.from_dict(plain)
    assert config.forcing == pl.STF(7)
    assert (config.latent_step.name, config.observation.name) == ("PLRNN", "affine")
    apply_changes(
        plain, ["forcing.name=STF", "forcing.forced_units=1"]
    )  # the same name: nothing is forgotten
    assert Config.from_dict(plain).forcing == pl.STF(7, forced_units=1)
