"""Mistakes at a shell: each is one line that names the culprit, exit code 2, and nothing is written."""

import json

import numpy as np
import pytest
from helpers import small_config

from plrnn_numba.runs.commands.common import MISTAKE
from plrnn_numba.runs.commands.main import main

CONFIG = small_config()

# train c.json --data X.npy --set CHANGE
CHANGES = [
    ("latent_dim=0", "latent_dim: got 0, allowed is at least 1"),
    ("latent_dim=-1", "latent_dim: got -1, allowed is at least 1"),
    ("latent_dim=2.5", "latent_dim: got 2.5, expected an integer"),
    ("latent_dim=true", "latent_dim: got True, expected an integer"),
    ('latent_dim="3"', "latent_dim: got '3', expected an integer"),
    ("latent_dim=null", "latent_dim: got None, expected an integer"),
    ("latent_dim=[3]", "latent_dim: got [3], expected an integer"),
    ("latent_dim={}", "latent_dim: got {}, expected an integer"),
    ("training.epochs=-1", "training.epochs: got -1, allowed is at least 0"),
    ("training.epochs=1.5", "training.epochs: got 1.5, expected an integer"),
    ("training.epochs=many", "training.epochs: got 'many', expected an integer"),
    ("training.batches_per_epoch=0", "training.batches_per_epoch: got 0, allowed is at least 1"),
    ("training.batches_per_epoch=1.5", "training.batches_per_epoch: got 1.5, expected an integer"),
    ("training.batches_per_epoch=many", "training.batches_per_epoch: got 'many', expected an integer"),
    ("training.batch_size=0", "training.batch_size: got 0, allowed is at least 1"),
    ("training.batch_size=1.5", "training.batch_size: got 1.5, expected an integer"),
    ("training.batch_size=many", "training.batch_size: got 'many', expected an integer"),
    ("training.sequence_length=0", "training.sequence_length: got 0, allowed is at least 1"),
    ("training.sequence_length=1.5", "training.sequence_length: got 1.5, expected an integer"),
    ("training.sequence_length=many", "training.sequence_length: got 'many', expected an integer"),
    ("training.n_threads=0", "training.n_threads: got 0, allowed is at least 1"),
    ("training.n_threads=1.5", "training.n_threads: got 1.5, expected an integer"),
    ("training.n_threads=many", "training.n_threads: got 'many', expected an integer"),
    ("training.checkpoint_segments=0", "training.checkpoint_segments: got 0, allowed is at least 1"),
    ("training.checkpoint_segments=1.5", "training.checkpoint_segments: got 1.5, expected an integer"),
    ("training.checkpoint_segments=many", "training.checkpoint_segments: got 'many', expected an integer"),
    ("evaluation.every=0", "evaluation.every: got 0, allowed is at least 1"),
    ("evaluation.every=1.5", "evaluation.every: got 1.5, expected an integer"),
    ("evaluation.every=many", "evaluation.every: got 'many', expected an integer"),
    ("evaluation.steps=99", "evaluation.steps: got 99, allowed is at least 100"),
    ("evaluation.steps=1.5", "evaluation.steps: got 1.5, expected an integer"),
    ("evaluation.steps=many", "evaluation.steps: got 'many', expected an integer"),
    ("evaluation.orbits=0", "evaluation.orbits: got 0, allowed is at least 1"),
    ("evaluation.orbits=1.5", "evaluation.orbits: got 1.5, expected an integer"),
    ("evaluation.orbits=many", "evaluation.orbits: got 'many', expected an integer"),
    ("evaluation.bins=1", "evaluation.bins: got 1, allowed is at least 2"),
    ("evaluation.bins=1.5", "evaluation.bins: got 1.5, expected an integer"),
    ("evaluation.bins=many", "evaluation.bins: got 'many', expected an integer"),
    ("evaluation.prediction_steps=0", "evaluation.prediction_steps: got 0, allowed is at least 1"),
    ("evaluation.prediction_steps=1.5", "evaluation.prediction_steps: got 1.5, expected an integer"),
    ("evaluation.prediction_steps=many", "evaluation.prediction_steps: got 'many', expected an integer"),
    ("regularization.mar_units=-1", "regularization.mar_units: got -1, allowed is at least 0"),
    ("regularization.mar_units=1.5", "regularization.mar_units: got 1.5, expected an integer"),
    ("regularization.mar_units=many", "regularization.mar_units: got 'many', expected an integer"),
    ("seed=-1", "seed: got -1, allowed is at least 0"),
    ("seed=1.5", "seed: got 1.5, expected an integer"),
    ("seed=many", "seed: got 'many', expected an integer"),
    (
        "latent_step.hyperparameters.hidden_dim=0",
        "latent_step.hyperparameters.hidden_dim: got 0, allowed is at least 1",
    ),
    (
        "latent_step.hyperparameters.hidden_dim=1.5",
        "latent_step.hyperparameters.hidden_dim: got 1.5, expected an integer",
    ),
    (
        "latent_step.hyperparameters.hidden_dim=many",
        "latent_step.hyperparameters.hidden_dim: got 'many', expected an integer",
    ),
    ("training.noise=-0.5", "training.noise: got -0.5, allowed is at least 0"),
    ("training.noise=NaN", "training.noise: got nan, expected a finite number"),
    ("training.noise=true", "training.noise: got True, expected a number"),
    ("training.lambda_ar=-0.5", "training.lambda_ar: got -0.5, allowed is at least 0"),
    ("training.lambda_ar=NaN", "training.lambda_ar: got nan, expected a finite number"),
    ("training.lambda_ar=true", "training.lambda_ar: got True, expected a number"),
    ("regularization.l2=-0.5", "regularization.l2: got -0.5, allowed is at least 0"),
    ("regularization.l2=NaN", "regularization.l2: got nan, expected a finite number"),
    ("regularization.l2=true", "regularization.l2: got True, expected a number"),
    ("regularization.l2_observation=-0.5", "regularization.l2_observation: got -0.5, allowed is at least 0"),
    ("regularization.l2_observation=NaN", "regularization.l2_observation: got nan, expected a finite number"),
    ("regularization.l2_observation=true", "regularization.l2_observation: got True, expected a number"),
    (
        "regularization.condition_number=-0.5",
        "regularization.condition_number: got -0.5, allowed is at least 0",
    ),
    (
        "regularization.condition_number=NaN",
        "regularization.condition_number: got nan, expected a finite number",
    ),
    ("regularization.condition_number=true", "regularization.condition_number: got True, expected a number"),
    ("regularization.mar=-0.5", "regularization.mar: got -0.5, allowed is at least 0"),
    ("regularization.mar=NaN", "regularization.mar: got nan, expected a finite number"),
    ("regularization.mar=true", "regularization.mar: got True, expected a number"),
    ("evaluation.smoothing=-0.5", "evaluation.smoothing: got -0.5, allowed is at least 0"),
    ("evaluation.smoothing=NaN", "evaluation.smoothing: got nan, expected a finite number"),
    ("evaluation.smoothing=true", "evaluation.smoothing: got True, expected a number"),
    ("training.early_stopping=0", "training.early_stopping: got 0, allowed is at least 1"),
    ("training.early_stopping=never", "training.early_stopping: got 'never', expected an integer or null"),
    ("training.gradient_clip=0", "training.gradient_clip: got 0, allowed is above 0"),
    ("training.gradient_clip=Infinity", "training.gradient_clip: got inf, expected a number or null"),
    ("training.gradient_bound=0", "training.gradient_bound: got 0, allowed is above 0"),
    ("training.learning_rate=1e-3", "training.learning_rate: got 0.001, expected a list of 2 numbers"),
    ("training.learning_rate=[1e-3]", "training.learning_rate: got [0.001], expected a list of 2 numbers"),
    ("training.learning_rate=[1,2,3]", "training.learning_rate: got [1, 2, 3], expected a list of 2 numbers"),
    ("training.learning_rate=[0,1]", "training.learning_rate: got [0, 1], allowed is above 0"),
    ("training.learning_rate=[-1,1]", "training.learning_rate: got [-1, 1], allowed is above 0"),
    ('training.learning_rate=["a",1]', "training.learning_rate: got 'a', expected a number"),
    ("training.learning_rate=[1,null]", "training.learning_rate: got None, expected a number"),
    ("training.optimizer=sgd", "training.optimizer: got 'sgd', allowed is one of 'radam', 'adam'"),
    ("training.optimizer=Adam", "did you mean 'adam'?"),
    ("training.optimizer=3", "training.optimizer: got 3, expected a string"),
    ("training=3", "training: got 3, expected a mapping"),
    ("training.epoch=3", "training.epoch: unknown key; did you mean 'epochs'?"),
    ("training.lr=3", "training.lr: unknown key"),
    ("evaluation=[]", "evaluation: got [], expected a mapping"),
    ("evaluation.evry=3", "evaluation.evry: unknown key; did you mean 'every'?"),
    ("regularization=weak", "regularization: got 'weak', expected a mapping"),
    ("regularization.L2=1", "regularization.L2: unknown key; did you mean 'l2'?"),
    ("regularization.mar=1", "regularization.mar: got 1, but clipped_shPLRNN has no W"),
    ("regularization.mar_units=3", "regularization.mar_units: got 3, allowed is at most latent_dim 2"),
    (
        "regularization.condition_number=1",
        "regularization.condition_number: got 1, but observation.name is 'identity'",
    ),
    ("observation=affine", "observation: got 'affine', expected a mapping"),
    (
        "observation.name=Affine",
        "observation.name: got 'Affine', allowed is one of 'affine', 'identity'; did you mean 'affine'?",
    ),
    ("observation.name=null", "observation.name: got None, allowed is one of 'affine', 'identity'"),
    ("observation.kind=affine", "observation.kind: unknown key"),
    ("forcing=GTF", "forcing: got 'GTF', expected a mapping"),
    ("forcing=0.3", "forcing: got 0.3, expected a mapping"),
    ("forcing={}", "forcing.name: missing; allowed is one of 'GTF', 'STF'"),
    ('forcing={"name":"gtf"}', "forcing.name: got 'gtf', allowed is one of 'GTF', 'STF'; did you mean"),
    ('forcing={"name":"STF"}', "forcing.interval: missing; expected an integer at least 1"),
    ('forcing={"name":"STF","interval":0}', "forcing.interval: got 0, allowed is at least 1"),
    ('forcing={"name":"STF","interval":-3}', "forcing.interval: got -3, allowed is at least 1"),
    ('forcing={"name":"STF","interval":2.5}', "forcing.interval: got 2.5, expected an integer"),
    ('forcing={"name":"STF","interval":"x"}', "forcing.interval: got 'x', expected an integer"),
    ('forcing={"name":"STF","interval":null}', "forcing.interval: got None, expected an integer"),
    ('forcing={"name":"STF","interval":3,"alpha":0.1}', "forcing.alpha: unknown key"),
    ('forcing={"name":"GTF","alpha":-0.1}', "forcing.alpha: got -0.1, allowed is from 0 to 1"),
    ('forcing={"name":"GTF","alpha":1.1}', "forcing.alpha: got 1.1, allowed is from 0 to 1"),
    ('forcing={"name":"GTF","alpha":"x"}', "forcing.alpha: got 'x', expected a number"),
    ('forcing={"name":"GTF","alpha":[0.1]}', "forcing.alpha: got [0.1], expected a number"),
    ('forcing={"name":"GTF","method":"mean"}', "forcing.method: got 'mean', allowed is one of 'constant'"),
    ('forcing={"name":"GTF","method":"product"}', "did you mean 'product_upper_bound'?"),
    ('forcing={"name":"GTF","interval":0}', "forcing.interval: got 0, allowed is at least 1"),
    ('forcing={"name":"GTF","decay":1.5}', "forcing.decay: got 1.5, allowed is from 0 to 1"),
    ('forcing={"name":"GTF","samples":0}', "forcing.samples: got 0, allowed is at least 1"),
    ('forcing={"name":"GTF","forced_units":0}', "forcing.forced_units: got 0, allowed is at least 1"),
    (
        'forcing={"name":"GTF","forced_units":3}',
        "forcing.forced_units: got 3, allowed is at most latent_dim 2",
    ),
    ("standardize=yes", "standardize: got 'yes', expected true or false"),
    ("standardize=1", "standardize: got 1, expected true or false"),
    ("missing=drop", "missing: got 'drop', allowed is one of 'error', 'mask'"),
    ("missing=null", "missing: got None, expected a string"),
    ("dtype=float16", "dtype: got 'float16', allowed is one of 'float32', 'float64'; did you mean"),
    ("dtype=64", "dtype: got 64, expected a string"),
    ("sed=3", "sed: unknown key; did you mean 'seed'?"),
    ("latentdim=3", "latentdim: unknown key; did you mean 'latent_dim'?"),
    ("latent_step=PLRNN", "latent_step: got 'PLRNN', expected a mapping"),
    ("latent_step.name=LSTM", "latent_step.name: got 'LSTM', allowed is one of 'ALRNN'"),
    ("latent_step.name=plrnn", "did you mean 'PLRNN'?"),
    (
        "latent_step.name=ALRNN",
        "latent_step.hyperparameters.num_relus: missing; expected an integer at least 0",
    ),
    ("latent_step.hidden_dim=3", "latent_step.hidden_dim: unknown key"),
    ("latent_step.hyperparameters=8", "latent_step.hyperparameters: got 8, expected a mapping"),
    (
        "latent_step.hyperparameters={}",
        "latent_step.hyperparameters.hidden_dim: missing; expected an integer at least 1",
    ),
    (
        "latent_step.hyperparameters.hiden_dim=8",
        "latent_step.hyperparameters.hiden_dim: unknown key; did you mean 'hidden_dim'?",
    ),
    ("latent_step.hyperparameters.num_relus=1", "latent_step.hyperparameters.num_relus: unknown key"),
    (
        "latent_step.hyperparameters.mean_centering=true",
        "latent_step.hyperparameters.mean_centering: unknown key",
    ),
    ("latent_step.hyperparameters.ar_epsilon=0.1", "latent_step.hyperparameters.ar_epsilon: unknown key"),
    (
        "latent_step.hyperparameters.learnable_C=0",
        "latent_step.hyperparameters.learnable_C: got 0, expected true or false",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{}}',
        "latent_step.hyperparameters.num_relus: missing; expected an integer at least 0",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":3}}',
        "latent_step.hyperparameters.num_relus: got 3, allowed is from 0 to latent_dim, which is 2",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":-1}}',
        "latent_step.hyperparameters.num_relus: got -1, allowed is at least 0",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":1,"ar_epsilon":0}}',
        "latent_step.hyperparameters.ar_epsilon: got 0, allowed is above 0 and below 1",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":1,"ar_epsilon":1}}',
        "latent_step.hyperparameters.ar_epsilon: got 1, allowed is above 0 and below 1",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":1,"ar_epsilon":-1}}',
        "latent_step.hyperparameters.ar_epsilon: got -1, allowed is above 0 and below 1",
    ),
    (
        'latent_step={"name":"ALRNN","hyperparameters":{"num_relus":1,"off_diagonal_W":"no"}}',
        "latent_step.hyperparameters.off_diagonal_W: got 'no', expected true or false",
    ),
    (
        'latent_step={"name":"PLRNN","hyperparameters":{"mean_centering":"no"}}',
        "latent_step.hyperparameters.mean_centering: got 'no', expected true or false",
    ),
    (
        'latent_step={"name":"PLRNN","hyperparameters":{"mean_centring":false}}',
        "did you mean 'mean_centering'?",
    ),
    ("seed", "--set: got 'seed', expected KEY=VALUE, as training.epochs=50"),
    ("=3", "--set: got '=3', expected KEY=VALUE"),
    ("latent_dim.x=1", "--set: latent_dim.x: latent_dim is 2, not a mapping"),
    ("training.epochs.x=1", "--set: training.epochs.x: epochs is 4, not a mapping"),
    (
        "training.sequence_length=960",
        "X: the longest trial has 960 rows, but training.sequence_length 960 needs 961",
    ),
    (
        "latent_dim=1",
        "observation.name: 'identity' needs as many latent units as observed variables, got latent_dim 1",
    ),
]

# train CONFIG --data X.npy
CONFIGURATIONS = [
    ("d.json", "d.json: no such file"),
    ("bad.json", "bad.json: not valid JSON"),
    ("list.json", "list.json: got a list, expected a mapping"),
    ("number.json", "number.json: got a int, expected a mapping"),
    ("empty.json", "empty.json: not valid JSON"),
    ("binary.json", "binary.json: cannot be read"),
    ("bad.toml", "bad.toml: not valid TOML"),
    ("c.yaml", "c.yaml: got the ending '.yaml', allowed are '.json' and '.toml'"),
    ("nothing.json", "latent_dim: missing; expected an integer at least 1"),
    ("half.json", 'latent_step: missing; expected a mapping with "name"'),
    ("trials", "trials: cannot be read"),
]

# train c.json, with X.npy as --data unless that is the flag
FILES = [
    ("--data", "Y.npy", "Y.npy: no such file"),
    (
        "--data",
        "c.json",
        "got the ending '.json', allowed are .npy, .csv, .tsv, .txt, .dat, .parquet, .edf, .bdf, .npz, .mat",
    ),
    ("--data", "noending", "noending: got the ending ''"),
    ("--data", "bad.npy", "bad.npy: cannot be read"),
    ("--data", "empty.npy", "empty.npy: cannot be read"),
    ("--data", "text.npy", "text.npy: cannot be read"),
    ("--data", "cut.npy", "cut.npy: cannot be read"),
    ("--data", "object.npy", "object.npy: cannot be read"),
    ("--data", "bad.npz", "bad.npz: cannot be read"),
    ("--data", "two.npz", "two.npz: got 2 arrays (a, b), expected one"),
    ("--data", "none.npz", "none.npz: got 0 arrays"),
    ("--data", "bad.csv", "bad.csv: cannot be read"),
    ("--data", "words.csv", "words.csv: cannot be read"),
    ("--data", "empty.csv", "empty.csv: cannot be read"),
    ("--data", "nan.npy", "got nan at trial 0, row 3, column 1"),
    ("--data", "inf.npy", "got inf at trial 0, row 5, column 0"),
    ("--data", "constant.npy", "column 1 is constant (2) and cannot be standardized"),
    ("--data", "four.npy", "got shape (2, 2, 2, 2), expected (T, N), (trials, T, N) or a list"),
    ("--data", "no.npz:x", "no.npz: no such file"),
    ("--data", "two.npz:c", "two.npz: has no array 'c'; it has a, b"),
    (
        "--data",
        "turned.npy",
        "got 2 rows and 1200 columns, but rows are times and columns are channels; --transpose",
    ),
    ("--data", "scalar.npy", "got shape (), expected (T, N)"),
    ("--data", "complex.npy", "got dtype complex128, expected real numbers"),
    ("--data", "text_array.npy", "got dtype <U1, expected real numbers"),
    ("--data", "no_columns.npy", "expected at least one column"),
    ("--data", "short.npy", "training.sequence_length 20 needs 21"),
    ("--data", "empty", "empty: the folder has no .npy, .csv, "),
    ("--data", "mixed", "got 1 columns, but"),
    ("--data", "nested", "b.npy: got shape (3, 4, 2), expected (T, N) in a folder of trials"),
    ("--inputs", "V.npy", "V.npy: no such file"),
    ("--inputs", "U_short.npy", "inputs: got trials of"),
    ("--inputs", "nan_inputs.npy", "inputs: got nan at trial 0, row 2, column 0"),
    ("--inputs", "trials", "inputs: got trials of"),
    ("--test", "Y.npy", "Y.npy: no such file"),
    ("--test", "U.npy", "validation: got 1 columns, but X has 2"),
    ("--test", "nan.npy", "validation: got nan at trial 0, row 3, column 1"),
]

COMMANDS = [
    ([], "required: COMMAND"),
    (["tarin"], "invalid choice: 'tarin'"),
    (["train", "--dta", "X.npy"], "unrecognized arguments: --dta"),
    (["train", "c.json"], "nothing to train on: give --data FILE or --system NAME"),
    (["train"], "nothing to train on"),
    (["train", "--data"], "argument --data: expected one argument"),
    (["train", "--data", "X.npy", "--system", "lorenz63"], "not allowed with"),
    (["train", "--system", "lorentz63"], "--system: got 'lorentz63', allowed are"),
    (["train", "--system", "lorenz63", "--inputs", "U.npy"], "--system: makes its own data"),
    (["train", "--system", "lorenz63", "--test", "X.npy"], "--system: makes its own data"),
    (
        ["train", "c.json", "--data", "X.npy", "--hold-out", "1"],
        "--hold-out: got 1, allowed is from 0 to below 1",
    ),
    (
        ["train", "c.json", "--data", "X.npy", "--hold-out", "-0.1"],
        "--hold-out: got -0.1, allowed is from 0 to below 1",
    ),
    (
        ["train", "c.json", "--data", "X.npy", "--hold-out", "half"],
        "argument --hold-out: invalid float value: 'half'",
    ),
    (["train", "c.json", "--data", "X.npy", "--out", "trials"], "trials: exists already"),
    (["train", "c.json", "--data", "X.npy", "--out", "X.npy"], "X.npy: exists already"),
    (["train", "c.json", "--data", "X.npy", "--out", "X.npy/r"], "Not a directory"),
    (["train", "c.json", "d.json", "--data", "X.npy"], "unrecognized arguments: d.json"),
    (["train", "--resume"], "--resume: needs --out RUN"),
    (["train", "--resume", "--out", "trials"], "trials: not the folder of a run"),
    (["train", "--resume", "--out", "nowhere"], "nowhere: not the folder of a run"),
    (["train", "--resume", "--out", "r", "--data", "X.npy"], "--resume: the run has its own data"),
    (["train", "--resume", "--out", "r", "c.json"], "--resume: the run has its own config"),
    (["train", "--resume", "--out", "r", "--set", "seed=1"], "--resume: the run has its own configuration"),
    (["train", "--resume", "--out", "emptyrun"], "emptyrun/run.json: cannot be read"),
    (["generate"], "required: RUN"),
    (["generate", "emptyrun"], "required: --steps, --out"),
    (["generate", "nowhere", "--steps", "5", "--out", "o.npy"], "nowhere: not the folder of a run"),
    (["generate", "emptyrun", "--steps", "5", "--out", "o.npy"], "emptyrun/model.npz: no such file"),
    (
        ["generate", "emptyrun", "--steps", "many", "--out", "o.npy"],
        "argument --steps: invalid int value: 'many'",
    ),
    (["evaluate"], "required: RUN"),
    (["evaluate", "nowhere"], "nowhere: not the folder of a run"),
    (["evaluate", "emptyrun"], "emptyrun/model.npz: no such file"),
    (["evaluate", "badrun"], "badrun/model.npz: not a model file"),
    (
        ["evaluate", "emptyrun", "--columns", "a"],
        "--columns, --drop, --time, --transpose: they belong to --data",
    ),
    (["evaluate", "emptyrun", "--data", "X.npy", "--drop", "9"], "X.npy: has no column '9'; it has no names"),
    (["train", "--resume", "--out", "r", "--drop", "a"], "--resume: the run has its own drop"),
    (
        ["train", "c.json", "--data", "X.npy", "--time", "0"],
        "row 17, column 0 (counted from 0): got a step of -0.0079",
    ),
    (["train", "c.json", "--data", "X.npy", "--drop", "0,1"], "X.npy: no column is left"),
    (["init", "--columns", "a"], "--columns: it belongs to --data, and there is none"),
    (["evaluate", "badrun", "--steps", "x"], "argument --steps: invalid int value: 'x'"),
    (["plot", "nowhere"], "nowhere: not the folder of a run"),
    (["plot", "emptyrun"], "emptyrun/model.npz: no such file"),
    (["plot"], "required: RUN"),
    (["plot", "badrun", "--steps", "9"], "badrun/model.npz: not a model file"),
    (["analyze"], "required: RUN"),
    (["analyze", "nowhere"], "nowhere: not the folder of a run"),
    (["analyze", "emptyrun", "--steps", "5"], "--steps: got 5, allowed is at least 100"),
    (["analyze", "emptyrun", "--max-period", "0"], "--max-period: got 0, allowed is at least 1"),
    (["analyze", "emptyrun", "--seconds", "-1"], "--seconds: got -1, allowed is at least 0"),
    (["analyze", "emptyrun"], "emptyrun/model.npz: no such file"),
    (["init", "--model", "LSTM"], "--model: got 'LSTM', allowed are"),
    (["init", "--model", "alrn"], "did you mean 'ALRNN'?"),
    (["init", "--latent-dim", "x"], "argument --latent-dim: invalid int value: 'x'"),
    (["init", "--latent-dim", "0"], "latent_dim: got 0, allowed is at least 1"),
    (["warmup", "LSTM"], "NAME: got 'LSTM', allowed are"),
    (["warmup", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
    (["versions", "now"], "unrecognized arguments: now"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data and configurations, good ones and bad ones."""
    folder = tmp_path_factory.mktemp("mistakes")
    t = 0.1 * np.arange(1200)
    X = np.stack([np.sin(t), 3 * np.cos(t)], axis=1)
    bad, infinite, constant = X.copy(), X.copy(), X.copy()
    bad[3, 1], infinite[5, 0], constant[:, 1] = np.nan, np.inf, 2
    U = X[:, :1].copy()
    gap = U.copy()
    gap[2] = np.nan
    arrays = {
        "X": X,
        "U": U,
        "U_short": U[:1000],
        "nan_inputs": gap,
        "nan": bad,
        "inf": infinite,
        "constant": constant,
        "short": X[:21],
        "four": np.zeros((2, 2, 2, 2)),
        "turned": X.T,
        "scalar": np.array(3.0),
        "complex": X + 1j,
        "text_array": np.array([["a", "b"]] * 30),
        "no_columns": np.zeros((1200, 0)),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    whole = (folder / "X.npy").read_bytes()
    np.savez(folder / "two.npz", a=X, b=X)
    np.savez(folder / "none.npz")
    for name, array in (("trials/a", X[:300]), ("trials/b", X[300:]), ("mixed/a", X), ("mixed/b", U)):
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", array)
    for name, array in (("nested/a", X), ("nested/b", np.zeros((3, 4, 2)))):
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / f"{name}.npy", array)
    (folder / "empty").mkdir()
    texts = {
        "c.json": json.dumps(CONFIG),
        "bad.json": "{",
        "list.json": "[1]",
        "number.json": "3",
        "empty.json": "",
        "binary.json": b"\xff\xfe\x00",
        "nothing.json": "{}",
        "half.json": '{"latent_dim": 2}',
        "bad.toml": "latent_dim = ",
        "c.yaml": "latent_dim: 2",
        "noending": "",
        "bad.npy": b"\x93NUMPY\x01",
        "empty.npy": b"",
        "text.npy": "1, 2, 3",
        "cut.npy": whole[: len(whole) // 2],
        "bad.npz": b"PK\x03\x04 no more",
        "bad.csv": "a,b\n1,2\n3\n",
        "words.csv": "a,b\n1,2\nthree,4\n",
        "empty.csv": "",
        "emptyrun/config.json": json.dumps(CONFIG),
        "badrun/config.json": json.dumps(CONFIG),
        "badrun/model.npz": b"PK\x03\x04 no more",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in ("emptyrun", "badrun"):
        np.save(folder / name / "test.npy", X)
    return folder


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def check(folder, arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    before = files(folder)
    assert main(arguments) == MISTAKE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("plrnn-numba: error: ")
    assert message in captured.err
    assert files(folder) == before


def test_no_mistake_is_there_twice():
    for table in (CHANGES, CONFIGURATIONS, FILES, COMMANDS):
        assert len({str(row) for row in table}) == len(table)


@pytest.mark.parametrize("change, message", CHANGES, ids=[change for change, _ in CHANGES])
def test_a_wrong_value(folder, change, message, capsys, monkeypatch):
    arguments = ["train", "c.json", "--data", "X.npy", "--set", change]
    check(folder, arguments, message, capsys, monkeypatch)


@pytest.mark.parametrize("config, message", CONFIGURATIONS, ids=[config for config, _ in CONFIGURATIONS])
def test_a_wrong_configuration(folder, config, message, capsys, monkeypatch):
    check(folder, ["train", config, "--data", "X.npy"], message, capsys, monkeypatch)


@pytest.mark.parametrize("flag, file, message", FILES, ids=[f"{flag} {file}" for flag, file, _ in FILES])
def test_a_wrong_file(folder, flag, file, message, capsys, monkeypatch):
    data = [] if flag == "--data" else ["--data", "X.npy"]
    check(folder, ["train", "c.json", *data, flag, file], message, capsys, monkeypatch)


@pytest.mark.parametrize("arguments, message", COMMANDS, ids=[" ".join(a) or "nothing" for a, _ in COMMANDS])
def test_a_wrong_command(folder, arguments, message, capsys, monkeypatch):
    check(folder, arguments, message, capsys, monkeypatch)
