"""The commented configuration that one starts from."""

from __future__ import annotations

import dataclasses
import json

from ..basics.options import Options, write
from ..forcings.base import FORCINGS
from ..models.base import MODELS
from ..observations.base import OBSERVATIONS
from .config import Config


def starting_configuration(name: str, latent_dim: int | None = None, forcing: str = "GTF") -> str:
    """A configuration in TOML, each key with its help, that `train` reads."""
    model = MODELS[name]
    M = model.example_dim if latent_dim is None else latent_dim
    step = {"name": name, "hyperparameters": model.example}
    force = {"name": forcing, **FORCINGS[forcing].example}
    config = Config.from_dict({"latent_dim": M, "latent_step": step, "forcing": force})
    assert config.forcing is not None
    helps = {f.name: f.metadata["help"] for f in dataclasses.fields(Config)}
    rules = {f.name: f.metadata["rule"] for f in dataclasses.fields(Config)}

    def line(key: str) -> str:
        rule = f"; {rules[key].allowed}" if rules[key] else ""
        return f"{key} = {json.dumps(getattr(config, key))}  # {helps[key]}{rule}"

    lines = [
        f"# A starting configuration of plrnn_numba for {name}. Everything but latent_dim and latent_step has",
        "# the default that stands here, and may be left out.",
        "",
        *(line(key) for key in ("latent_dim", "missing", "standardize", "seed", "dtype")),
        "",
        "[latent_step]",
        f'name = "{name}"  # {", ".join(MODELS)}',
        *_section("latent_step.hyperparameters", config.latent_step.hyperparameters),
        "",
        "[observation]",
        f'name = "{config.observation.name}"  # {", ".join(OBSERVATIONS)}',
        *_lines(config.observation.hyperparameters),
        "",
        "[forcing]",
        f'name = "{forcing}"  # {", ".join(FORCINGS)}; each has options of its own',
        *_lines(config.forcing),
    ]
    for name in ("training", "regularization", "evaluation"):
        lines += _section(name, getattr(config, name))
    return "\n".join(lines) + "\n"


def _section(path: str, options: Options) -> list[str]:
    return ["", f"[{path}]", *_lines(options)]


def _lines(options: Options) -> list[str]:
    lines = []
    for field in dataclasses.fields(options):
        value, rule = write(getattr(options, field.name)), field.metadata.get("rule")
        allowed = f"; {rule.allowed}" if rule else ""
        comment = f"{field.metadata.get('help', '')}{allowed}"
        given = f"{field.name} = {json.dumps(value)}" if value is not None else f"# {field.name} ="
        lines.append(f"{given}  # {comment}")
    return lines
