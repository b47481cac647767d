"""The run configuration: frozen dataclasses, read from and written to JSON and TOML."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._schema import (
    ConfigError,
    above,
    at_least,
    check_keys,
    join,
    nearest,
    one_of,
    option,
    read,
    read_value,
    write,
)
from .forcing import FORCINGS, GTF, METHODS, STF
from .models._base import MODELS, Hyperparameters


@dataclasses.dataclass(frozen=True)
class LatentStep:
    """Which latent step model, and its hyperparameters; each model accepts its own and no other's."""

    name: str
    hyperparameters: Hyperparameters


@dataclasses.dataclass(frozen=True)
class Observation:
    name: str = option("identity", one_of("identity", "affine"), "how data are read from the state")


@dataclasses.dataclass(frozen=True)
class Training:
    epochs: int = option(400, at_least(0), "how many epochs")
    batches_per_epoch: int = option(50, at_least(1), "gradient steps an epoch")
    batch_size: int = option(16, at_least(1), "sequences a batch")
    sequence_length: int = option(200, at_least(1), "steps T a sequence")
    optimizer: str = option("radam", one_of("radam", "adam"), "optimizer")
    learning_rate: tuple[float, float] = option(
        (1e-3, 1e-6), above(0), "first and last learning rate; exponential between"
    )
    gradient_clip: float | None = option(None, above(0), "largest norm of the gradient; null for any")
    gradient_bound: float = option(
        1e15, above(0), "a norm of the gradient above this is taken for divergence, as NaN is"
    )
    noise: float = option(
        0.0, at_least(0), "standard deviation of Gaussian noise on each batch, in the model's units"
    )
    n_threads: int = option(1, at_least(1), "threads that share a batch; changes no result")
    checkpoint_segments: int = option(
        1, at_least(1), "parts of a sequence, of which one is kept in memory; changes no result"
    )
    early_stopping: int | None = option(
        None, at_least(1), "stop after this many evaluations without a lower D_stsp; null for never"
    )
    lambda_ar: float = option(1.0, at_least(0), "weight of the ar_epsilon regularizer")


@dataclasses.dataclass(frozen=True)
class Regularization:
    l2: float = option(0.0, at_least(0), "L2 weight of the latent step model: A to 1, the other arrays to 0")
    l2_observation: float = option(0.0, at_least(0), "L2 weight of the observation model's arrays")
    condition_number: float = option(
        0.0, at_least(0), "weight of the condition number of an affine model's B"
    )
    mar: float = option(
        0.0,
        at_least(0),
        "weight of manifold attractor regularization: A to 1, W and h to 0, of the last units",
    )
    mar_units: int = option(0, at_least(0), "how many of the last latent units that is for")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    every: int = option(25, at_least(1), "epochs between two evaluations")
    steps: int = option(10_000, at_least(100), "length of each free-running orbit, at most")
    orbits: int = option(10, at_least(1), "how many orbits, at most, each from a start of its own")
    bins: int = option(30, at_least(2), "bins per dimension of D_stsp")
    smoothing: float = option(20.0, at_least(0), "standard deviation in bins of D_H's smoothing")
    prediction_steps: int = option(20, at_least(1), "steps ahead of the prediction error")
    keep_models: bool = option(False, help="keep the model of each evaluation, to follow its bifurcations")

    def options(self) -> dict[str, Any]:
        """What `measures.evaluate` takes."""
        names = ("steps", "orbits", "bins", "smoothing", "prediction_steps")
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Config:
    """A run's configuration; read it with `from_dict` or `from_file`, which check everything.

    Parameters
    ----------
    latent_dim : int
        Number M of latent units.
    latent_step : LatentStep
        In plain data ``{"name": ..., "hyperparameters": {...}}``.
    observation, forcing, training, regularization, evaluation, standardize, missing, seed, dtype
        Have defaults that work. `missing` is what NaN in the data is: an 'error', or, as 'mask', an entry that
        was not observed, which enters neither loss nor forcing.

    Raises
    ------
    ConfigError
        A ValueError of one line with the path of the key, what was given, and what is allowed.

    References
    ----------
    The form of `latent_dim` and `latent_step` is that of the field's configuration files for DSR models.

    Examples
    --------
    >>> from plrnn_numba import Config
    >>> config = Config.from_dict({"latent_dim": 20, "latent_step": {"name": "ALRNN",
    ...     "hyperparameters": {"num_relus": 2}}, "forcing": {"name": "STF", "interval": 16}})
    >>> config.forcing.interval, config.training.batch_size
    (16, 16)
    >>> Config.from_dict(config.to_dict()) == config
    True
    """

    latent_dim: int
    latent_step: LatentStep
    observation: Observation = Observation()
    forcing: STF | GTF | None = GTF()
    training: Training = Training()
    regularization: Regularization = Regularization()
    evaluation: Evaluation = Evaluation()
    standardize: bool = True
    missing: str = "error"
    seed: int = 0
    dtype: str = "float32"

    @classmethod
    def from_dict(cls, d: Any) -> Config:
        """Check plain data, and fill in the defaults. A Config is returned as it is."""
        if isinstance(d, Config):
            return d
        names = [f.name for f in dataclasses.fields(cls)]
        check_keys(d, names, "")
        for name in ("latent_dim", "latent_step"):
            if name not in d:
                kind = "an integer at least 1" if name == "latent_dim" else 'a mapping with "name"'
                raise ConfigError(f"{name}: missing; expected {kind}")
        values: dict[str, Any] = {"latent_dim": read_value(int, d["latent_dim"], "latent_dim", at_least(1))}
        values["latent_step"] = _read_latent_step(d["latent_step"], values["latent_dim"])
        if "forcing" in d:
            values["forcing"] = _read_forcing(d["forcing"])
        for name, part in (
            ("observation", Observation),
            ("training", Training),
            ("regularization", Regularization),
            ("evaluation", Evaluation),
        ):
            if name in d:
                values[name] = read_value(part, d[name], name)
        for name, hint, rule in (
            ("standardize", bool, None),
            ("missing", str, one_of("error", "mask")),
            ("seed", int, at_least(0)),
            ("dtype", str, one_of("float32", "float64")),
        ):
            if name in d:
                values[name] = read_value(hint, d[name], name, rule)
        config = cls(**values)
        config._check_together()
        return config

    def _check_together(self) -> None:
        part = self.regularization
        names = getattr(MODELS[self.latent_step.name].parameters, "_fields", ())
        if part.mar > 0 and "W" not in names:
            raise ConfigError(f"regularization.mar: got {part.mar:g}, but {self.latent_step.name} has no W")
        method = getattr(self.forcing, "method", "constant")
        if method == "jacobian_upper_bound" and "W2" not in names:
            raise ConfigError(
                f"forcing.method: got {method!r}, but {self.latent_step.name} has no W1 and W2; "
                f"allowed for it is one of {', '.join(repr(m) for m in METHODS if m != method)}"
            )
        n_forced = getattr(self.forcing, "forced_units", None)
        if n_forced is not None and n_forced > self.latent_dim:
            raise ConfigError(
                f"forcing.forced_units: got {n_forced}, allowed is at most latent_dim {self.latent_dim}"
            )
        if part.mar_units > self.latent_dim:
            raise ConfigError(
                f"regularization.mar_units: got {part.mar_units}, allowed is at most latent_dim {self.latent_dim}"
            )
        if part.mar > 0 and part.mar_units == 0:
            raise ConfigError("regularization.mar_units: got 0, but regularization.mar needs at least 1 unit")
        if part.condition_number > 0 and self.observation.name != "affine":
            raise ConfigError(
                f"regularization.condition_number: got {part.condition_number:g}, but observation.name is "
                f"{self.observation.name!r}; only 'affine' has a B"
            )

    @classmethod
    def from_file(cls, path: Any) -> Config:
        """Read a ``.json`` or ``.toml`` file."""
        return cls.from_dict(read_config_file(path))

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` of it is an equal configuration."""
        plain = write(self)
        if self.forcing is None:
            plain["forcing"] = None
        else:
            plain["forcing"] = {"name": type(self.forcing).__name__, **plain["forcing"]}
        return plain

    def to_json(self) -> str:
        """The text of a JSON file; `from_file` of it is an equal configuration."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_toml(self) -> str:
        """The text of a TOML file; `from_file` of it is an equal configuration.

        TOML has no null: a key whose value is null is left out where that is its default, and is otherwise
        written as the string "none".
        """
        lines, tables = [], []
        for key, value in self.to_dict().items():
            if isinstance(value, dict):
                tables.append(_toml_table(key, value))
            else:
                lines.append(f"{key} = {_toml_value(value)}")
        return "\n".join([*lines, *tables]) + "\n"


def _toml_table(path: str, table: dict[str, Any]) -> str:
    lines, inner = [f"\n[{path}]"], []
    for key, value in table.items():
        if isinstance(value, dict):
            inner.append(_toml_table(f"{path}.{key}", value))
        elif value is not None:
            lines.append(f"{key} = {_toml_value(value)}")
    return "\n".join([*lines, *inner])


def _toml_value(value: Any) -> str:
    return '"none"' if value is None else json.dumps(value)


def read_config_file(path: Any) -> dict[str, Any]:
    """Plain data of a ``.json`` or ``.toml`` file, unchecked; raise ConfigError where it cannot be read."""
    path = Path(path)
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    suffix = path.suffix.lower()
    if suffix not in (".json", ".toml"):
        raise ConfigError(f"{path}: got the ending {suffix!r}, allowed are '.json' and '.toml'")
    try:
        data = json.loads(text) if suffix == ".json" else _load_toml(text)
    except ValueError as error:
        kind = suffix.removeprefix(".").upper()
        raise ConfigError(f"{path}: not valid {kind}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: got a {type(data).__name__}, expected a mapping")
    return data


def _load_toml(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise ConfigError("TOML needs Python 3.11, or the package tomli; JSON says the same") from None
    return tomllib.loads(text)


def _read_latent_step(given: Any, latent_dim: int) -> LatentStep:
    path = "latent_step"
    check_keys(given, ("name", "hyperparameters"), path)
    name = _read_name(given, MODELS, path)
    kind = MODELS[name].hyperparameters
    where = join(path, "hyperparameters")
    plain = given.get("hyperparameters", {})
    hyperparameters = plain if isinstance(plain, kind) else read(kind, plain, where)
    hyperparameters.check(latent_dim, where)
    return LatentStep(name, hyperparameters)


def _read_forcing(given: Any) -> STF | GTF | None:
    if given is None or given == "none" or isinstance(given, (STF, GTF)):
        return None if given == "none" else given
    if not isinstance(given, Mapping):
        check_keys(given, ("name",), "forcing")
    name = _read_name(given, FORCINGS, "forcing")
    options = {k: v for k, v in given.items() if k != "name"}
    return read(FORCINGS[name], options, "forcing")


def _read_name(given: Mapping[str, Any], allowed: Mapping[str, Any], path: str) -> str:
    where = join(path, "name")
    choice = ", ".join(repr(n) for n in allowed)
    if "name" not in given:
        raise ConfigError(f"{where}: missing; allowed is one of {choice}")
    name = given["name"]
    if not isinstance(name, str) or name not in allowed:
        raise ConfigError(f"{where}: got {name!r}, allowed is one of {choice}{nearest(name, allowed)}")
    return name
