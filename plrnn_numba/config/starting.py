"""The commented configuration that one starts from."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..basics.options import ConfigError, Options, write
from ..forcings.base import FORCINGS
from ..models.base import MODELS, LatentStepModel
from ..observations.base import OBSERVATIONS
from .config import Config
from .parts import Evaluation, Training


class Facts(NamedTuple):
    """What of the data decides about a configuration.

    `told` says in words what they are; `lengths` (trials,) are the rows of each trial that is trained on, `n_held_out` those
    of the series that is measured on.
    """

    told: str
    n_channels: int
    lengths: Sequence[int]
    n_held_out: int
    n_missing: int
    constant: Sequence[str]
    n_inputs: int


# Options that the data force, by their path: the value, and why.
_Forced = dict[str, tuple[Any, str]]


def _forced_by(facts: Facts, model: LatentStepModel, latent_dim: int | None) -> _Forced:
    """What a training on the data needs, where it is not the default, and why."""
    N = facts.n_channels
    if latent_dim is not None and latent_dim < N:
        raise ConfigError(
            f"latent_dim: got {latent_dim}, but the data have {N} channels; allowed is at least {N}"
        )
    own = model.example_dim if latent_dim is None else latent_dim
    why = (
        f"what {model.name} starts with, and the data have {N}"
        if own > N
        else "as many as the data have channels"
    )
    forced: _Forced = {"latent_dim": (max(own, N), why)}
    if facts.n_missing:
        forced["missing"] = ("mask", f"{facts.n_missing} entries are missing")
    if facts.constant:
        which = f"{', '.join(facts.constant[:5])} never changes; better leave it out (--drop)"
        forced["standardize"] = (False, which)
    default = Training().sequence_length
    longest = _usable_length(facts.lengths)
    if longest < default:
        rows = (
            f"{min(facts.lengths)} to {max(facts.lengths)} rows"
            if len(facts.lengths) > 1
            else f"{facts.lengths[0]} rows"
        )
        forced["training.sequence_length"] = (longest, f"what is trained on has {rows}")
    ahead = Evaluation().prediction_steps
    if 1 < facts.n_held_out <= ahead:
        forced["evaluation.prediction_steps"] = (
            facts.n_held_out - 1,
            f"what is held out has {facts.n_held_out} rows",
        )
    return forced


def _usable_length(lengths: Sequence[int]) -> int:
    """Steps a sequence can have: half of one series, or as many as fit into trials that hold nine tenths of the rows."""
    if len(lengths) == 1:
        return max((lengths[0] - 1) // 2, 1)
    in_order = sorted(lengths, reverse=True)
    enough = next(i for i, rows in enumerate(itertools.accumulate(in_order)) if rows >= 0.9 * sum(lengths))
    return max(in_order[enough] - 1, 1)


def starting_configuration(
    name: str, latent_dim: int | None = None, forcing: str = "GTF", facts: Facts | None = None
) -> str:
    """A configuration in TOML, each key with its help, that `train` reads; one for certain data, where `facts` tells of them."""
    model = MODELS[name]
    M = model.example_dim if latent_dim is None else latent_dim
    forced: _Forced = {} if facts is None else _forced_by(facts, model, latent_dim)
    step = {"name": name, "hyperparameters": model.example}
    force = {"name": forcing, **FORCINGS[forcing].example}
    plain: dict[str, Any] = {"latent_dim": M, "latent_step": step, "forcing": force}
    for path, (value, _) in forced.items():
        section, _, key = path.rpartition(".")
        (plain.setdefault(section, {}) if section else plain)[key] = value
    config = Config.from_dict(plain)
    assert config.forcing is not None
    if facts is None:
        why = "of channels or more, which init --data FILE finds out; fewer with observation affine"
        forced["latent_dim"] = (M, f"the number {why}")
    helps = {f.name: f.metadata["help"] for f in dataclasses.fields(Config)}
    rules = {f.name: f.metadata["rule"] for f in dataclasses.fields(Config)}

    def line(key: str) -> str:
        rule = f"; {rules[key].allowed}" if rules[key] else ""
        return f"{key} = {json.dumps(getattr(config, key))}  # {helps[key]}{rule}{_because(forced, key)}"

    lines = [
        f"# A starting configuration of plrnn_numba for {name}. Everything but latent_dim and latent_step has",
        *_about(facts),
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
        lines += _section(name, getattr(config, name), forced)
    return "\n".join(lines) + "\n"


def _about(facts: Facts | None) -> list[str]:
    if facts is None:
        return ["# the default that stands here, and may be left out."]
    inputs = f", with {facts.n_inputs} external input(s)" if facts.n_inputs else ""
    return [
        "# the default that stands here, and may be left out, but where the line says that it is for the data:",
        f"# {facts.told}{inputs}",
    ]


def _because(forced: _Forced, path: str) -> str:
    return f"; here: {forced[path][1]}" if path in forced else ""


def _section(path: str, options: Options, forced: _Forced | None = None) -> list[str]:
    return ["", f"[{path}]", *_lines(options, path, forced or {})]


def _lines(options: Options, path: str = "", forced: _Forced | None = None) -> list[str]:
    lines = []
    for field in dataclasses.fields(options):
        value, rule = write(getattr(options, field.name)), field.metadata.get("rule")
        allowed = f"; {rule.allowed}" if rule else ""
        reason = _because(forced or {}, f"{path}.{field.name}")
        comment = f"{field.metadata.get('help', '')}{allowed}{reason}"
        given = f"{field.name} = {json.dumps(value)}" if value is not None else f"# {field.name} ="
        lines.append(f"{given}  # {comment}")
    return lines
