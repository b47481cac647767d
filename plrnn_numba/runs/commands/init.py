"""``init``: a commented configuration to start from."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np

from ...basics.checks import nearest
from ...config import Facts, starting_configuration
from ...data import as_trials, check_trials, inputs_of_trials, parts_of, printable
from ...forcings.base import FORCINGS
from ...models.base import MODELS
from ..errors import CommandError
from ..source import Origin
from .common import DONE, Add, add_reading


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    init = add("init", _init, "print a commented starting configuration (TOML)")
    init.add_argument("--model", default="clipped_shPLRNN", metavar="NAME", help=", ".join(MODELS))
    init.add_argument("--forcing", default="GTF", metavar="NAME", help=", ".join(FORCINGS))
    init.add_argument("--latent-dim", type=int, metavar="M", help="number of latent units")
    init.add_argument("--data", metavar="X", help="the data that it is to be for, as of train")
    add_reading(init)
    init.add_argument("--inputs", metavar="S", help="their external inputs")
    init.add_argument("--test", metavar="X_TEST", help="their held-out series")
    init.add_argument("--test-inputs", metavar="S_TEST", help="its external inputs")
    init.add_argument(
        "--hold-out", type=float, default=0.2, metavar="PART", help="part of the data held out (0.2)"
    )


def _init(options: argparse.Namespace) -> int:
    name = options.model
    if name not in MODELS:
        raise CommandError(f"--model: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    if options.forcing not in FORCINGS:
        raise CommandError(
            f"--forcing: got {options.forcing!r}, allowed are {', '.join(FORCINGS)}"
            f"{nearest(options.forcing, FORCINGS)}"
        )
    facts = _facts(options)
    print(starting_configuration(name, options.latent_dim, options.forcing, facts), end="")
    return DONE


def _facts(options: argparse.Namespace) -> Facts | None:
    """What of the data decides about a configuration; None without data."""
    given: dict[str, Any] = {f.name: getattr(options, f.name, None) for f in dataclasses.fields(Origin)}
    if options.data is None:
        for name, value in given.items():
            if value is not None and name != "hold_out":
                raise CommandError(f"--{name.replace('_', '-')}: it belongs to --data, and there is none")
        return None
    loaded = Origin(**given).load()
    assert loaded.files is not None
    trials = as_trials("--data", loaded.series)
    held_out = trials if loaded.test is None else as_trials("--test", loaded.test)
    inputs = [] if loaded.inputs is None else as_trials("--inputs", loaded.inputs)
    # Gaps are counted, not refused; what else is wrong is refused as by `train`.
    for name, part in (("--data", trials), ("--test", held_out)):
        check_trials(name, part, missing=True)
    inputs_of_trials("--inputs", loaded.inputs, "--data", trials)
    N = trials[0].shape[1]
    names = loaded.files.data.names or [f"column {i} (counted from 0)" for i in range(N)]
    low, high = np.full(N, np.inf), np.full(N, -np.inf)
    missing = 0
    for trial in trials:
        for _, rows in parts_of(trial):
            missing += int(np.isnan(rows).sum())
            low, high = np.fmin(low, np.fmin.reduce(rows)), np.fmax(high, np.fmax.reduce(rows))
    missing += sum(int(np.isnan(rows).sum()) for trial in held_out for _, rows in parts_of(trial))
    return Facts(
        told=loaded.told().removeprefix("data: "),
        n_channels=N,
        lengths=[len(trial) for trial in trials],
        n_held_out=max(map(len, held_out)),
        n_missing=missing,
        constant=[printable(str(name)) for name, same in zip(names, low == high) if same],
        n_inputs=inputs[0].shape[1] if inputs else 0,
    )
