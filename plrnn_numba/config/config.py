"""The configuration of a run: everything that its result depends on, but the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..basics.checks import PathLike
from ..basics.options import ConfigError, Options, at_least, check_keys, natural, one_of, option, write
from ..engine import offers
from ..forcings.base import FORCINGS, Forcing, as_forcing
from ..forcings.gtf import GTF
from ..models.base import MODELS
from ..observations.base import OBSERVATIONS, condition_number
from .files import read_config_file, to_json, to_toml
from .parts import Evaluation, LatentStep, Observation, Regularization, Training


@dataclasses.dataclass(frozen=True)
class Config(Options):
    """A run's configuration; `from_dict` and `from_file` read it, and every way of making one checks everything.

    The form of `latent_dim` and `latent_step` is that of the field's configuration files for DSR models.

    Parameters
    ----------
    {options}

    Raises
    ------
    ConfigError
        A ValueError of one line with the path of the key, what was given, and what is allowed.

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

    latent_dim: int = option(rule=at_least(1), help="number M of latent units")
    latent_step: LatentStep = option(help="the latent step model: its name, and its hyperparameters")
    observation: Observation = option(Observation(), help="how data are read from the state")
    forcing: Forcing | None = option(GTF(), help="teacher forcing; null for none")
    training: Training = option(Training(), help="batches, optimizer, schedule")
    regularization: Regularization = option(Regularization(), help="penalties, each with its weight")
    evaluation: Evaluation = option(Evaluation(), help="how a training is measured, and how often")
    standardize: bool = option(True, help="scale each column to mean 0 and standard deviation 1")
    missing: str = option(
        "error", one_of("error", "mask"), "what NaN is: an error, or, by 'mask', not observed"
    )
    seed: int = option(0, natural(), "of every random number")
    dtype: str = option("float32", one_of("float32", "float64"), "precision of the parameters")

    def __post_init__(self) -> None:
        object.__setattr__(self, "latent_step", _read_latent_step(self.latent_step))
        object.__setattr__(self, "observation", _read_observation(self.observation))
        object.__setattr__(self, "forcing", _read_forcing(self.forcing))
        super().__post_init__()

    @classmethod
    def from_dict(cls, d: Config | Mapping[str, Any]) -> Config:
        """Check plain data, and fill in the defaults. A Config is returned as it is."""
        if isinstance(d, Config):
            return d
        check_keys(d, [f.name for f in dataclasses.fields(cls)], "")
        for name, expected in (
            ("latent_dim", "an integer at least 1"),
            ("latent_step", 'a mapping with "name"'),
        ):
            if name not in d:
                raise ConfigError(f"{name}: missing; expected {expected}")
        return cls(**d)

    @classmethod
    def from_file(cls, path: PathLike) -> Config:
        """Read a ``.json`` or ``.toml`` file."""
        return cls.from_dict(read_config_file(path))

    def check(self) -> None:
        step, penalties = self.latent_step, self.regularization
        step.hyperparameters.check_with(self.latent_dim)
        if penalties.mar > 0 and not step.model.unit_rows:
            raise ConfigError(f"regularization.mar: got {penalties.mar:g}, but {step.name} has no W")
        if self.forcing is not None:
            self.forcing.check_latent_step(step.name, step.model.parameters)
            n_forced = self.forcing.forced_units
            if n_forced is not None and n_forced > self.latent_dim:
                raise ConfigError(
                    f"forcing.forced_units: got {n_forced}, allowed is at most latent_dim {self.latent_dim}"
                )
        if penalties.mar_units > self.latent_dim:
            raise ConfigError(
                f"regularization.mar_units: got {penalties.mar_units}, allowed is at most latent_dim {self.latent_dim}"
            )
        if penalties.mar > 0 and penalties.mar_units == 0:
            raise ConfigError("regularization.mar_units: got 0, but regularization.mar needs at least 1 unit")
        observation = OBSERVATIONS[self.observation.name]
        if penalties.condition_number > 0 and not offers(condition_number, observation.parameters):
            those = [repr(n) for n, o in OBSERVATIONS.items() if offers(condition_number, o.parameters)]
            raise ConfigError(
                f"regularization.condition_number: got {penalties.condition_number:g}, but observation.name is "
                f"{observation.name!r}; only {', '.join(those)} has a matrix that is inverted"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` of it is an equal configuration."""
        plain = write(self)
        plain["observation"] = {"name": self.observation.name, **plain["observation"]["hyperparameters"]}
        if self.forcing is not None:
            plain["forcing"] = {"name": _name_of(self.forcing), **plain["forcing"]}
        return plain

    def to_json(self) -> str:
        """The text of a JSON file; `from_file` of it is an equal configuration."""
        return to_json(self.to_dict())

    def to_toml(self) -> str:
        """The text of a TOML file; `from_file` of it is an equal configuration.

        TOML has no null: a key whose value is null is left out where that is its default, and is otherwise
        written as the string "none".
        """
        return to_toml(self.to_dict())


def _name_of(forcing: Forcing) -> str:
    return FORCINGS.of(forcing).name


def _read_latent_step(given: Any) -> LatentStep:
    if isinstance(given, LatentStep):
        return given
    name = MODELS.name_in(given).name
    check_keys(given, ("name", "hyperparameters"), "latent_step")
    return LatentStep(name, given.get("hyperparameters"))


def _read_observation(given: Any) -> Observation:
    """From the plain form, in which hyperparameters stand beside the name."""
    if isinstance(given, Observation):
        return given
    if isinstance(given, Mapping) and "name" not in given:
        given = {"name": "identity", **given}
    name = OBSERVATIONS.name_in(given).name
    return Observation(name, {k: v for k, v in given.items() if k != "name"})


def _read_forcing(given: Any) -> Forcing | None:
    if given is None or given == "none":
        return None
    if not isinstance(given, Forcing):
        return FORCINGS.read(given)
    try:
        return as_forcing(given)
    except TypeError as error:
        raise ConfigError(f"{error}; FORCINGS.register makes one of your own known") from None


def describe(cls: type[Options]) -> str:
    """The options of a dataclass as numpydoc parameters, from their help and rules."""
    lines = []
    for field in dataclasses.fields(cls):
        rule, help = field.metadata.get("rule"), field.metadata.get("help", "")
        default = field.default
        optional = "" if default is dataclasses.MISSING else ", optional"
        lines.append(f"    {field.name} : {field.type}{optional}")
        allowed = f"; {rule.allowed}" if rule else ""
        lines.append(f"        {help[:1].upper() + help[1:]}{allowed}.")
    return "\n".join(lines)


Config.__doc__ = (Config.__doc__ or "").replace("    {options}", describe(Config))
