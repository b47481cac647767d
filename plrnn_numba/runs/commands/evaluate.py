"""``evaluate``: the measures of a run on a series."""

from __future__ import annotations

import argparse
import json
import sys

from ...basics.options import ConfigError
from ...data import DataError, as_trials
from ...observations.base import n_observed
from ..errors import CommandError
from ..folder import Run
from ..source import Reading, check_step
from .common import DONE, Add, a_path, add_reading, check_inputs, print_measures, reading, summary


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    evaluate = add("evaluate", _evaluate, "measure a run on a series: D_stsp, D_H, PE")
    evaluate.add_argument("run", type=a_path, metavar="RUN")
    evaluate.add_argument("--data", type=a_path, metavar="X", help="held-out series; else the run's own")
    add_reading(evaluate)
    evaluate.add_argument("--inputs", type=a_path, metavar="S", help="its external inputs")
    evaluate.add_argument("--steps", type=int, metavar="T", help="length of each orbit")
    evaluate.add_argument("--orbits", type=int, metavar="N", help="how many orbits")
    evaluate.add_argument("--json", action="store_true", help="for a program")


def _evaluate(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    told = ""
    if options.data:
        series = reading(options).read(options.data, run.names())
        X = as_trials("--data", series.values)
        told = f"data: {series.told()}"
        check_step("--data", series.dt, run.dt())
        drives = Reading(transpose=options.transpose)
        inputs = drives.read(options.inputs, run.names("input_names")).values if options.inputs else None
        inputs = None if inputs is None else as_trials("--inputs", inputs)
    elif options.inputs:
        raise CommandError(
            "--inputs: they belong to --data, and there is none; the run's own series has its own"
        )
    elif reading(options) != Reading():
        raise CommandError("--columns, --drop, --time, --transpose: they belong to --data, and there is none")
    else:
        test, test_inputs = run.test_data()
        X, inputs = [test], None if test_inputs is None else [test_inputs]
    model = run.model()
    N = n_observed(model.observation)
    if X[0].shape[1] != N:
        raise CommandError(f"--data: got {X[0].shape[1]} columns, but the model has {N}")
    if inputs is not None and len(inputs) != len(X):
        raise CommandError(f"--inputs: got {len(inputs)} trials, but --data has {len(X)}")
    for i, trial in enumerate(X):
        check_inputs(model, None if inputs is None else inputs[i], len(trial))
    changes = {}
    for name, least in (("steps", 100), ("orbits", 1)):
        value = getattr(options, name)
        if value is not None:
            if value < least:
                raise CommandError(f"--{name}: got {value}, allowed is at least {least}")
            changes[f"n_{name}"] = value
    try:
        found = run.evaluate(X, inputs, **changes)
    except ConfigError:
        raise
    except ValueError as error:  # constant, NaN, too short: of the data
        raise DataError(f"{'--data' if options.data else run.folder / 'test.npy'}: {error}") from None
    if options.json:
        print(json.dumps(summary(found)))
    else:
        if told:
            print(told, file=sys.stderr)
        print_measures(found)
    return DONE
