"""``generate``: a free-running orbit, as a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ...basics.sizes import check_memory
from ...data import as_trials
from ...model import predict
from ...observations.base import n_observed
from ..checkpoints import written_whole
from ..errors import CommandError
from ..folder import Run
from ..source import Reading
from .common import DIVERGED, DONE, Add, a_path, as_line, check_inputs

# As many digits as give the same number when they are read.
_EXACT = {"float32": "%.9g", "float64": "%.17g"}


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    generate = add("generate", _generate, "write a free-running orbit, in data units")
    generate.add_argument("run", type=a_path, metavar="RUN")
    generate.add_argument("--steps", type=int, required=True, metavar="T")
    generate.add_argument(
        "--start", metavar="X0", help="numbers with commas between; else the test data's first row"
    )
    generate.add_argument("--inputs", type=a_path, metavar="S", help="external inputs, T rows")
    generate.add_argument("--out", required=True, type=a_path, metavar="FILE", help=".npy or .csv")
    generate.add_argument(
        "--dtype",
        choices=tuple(_EXACT),
        help="of the numbers in the file; else float64 where data were standardized",
    )
    generate.add_argument(
        "--best", action="store_true", help="the model of the best evaluation, not the last"
    )


def _generate(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    model = run.model("best" if options.best else "model")
    N = n_observed(model.observation)
    out = Path(options.out)
    if out.suffix.lower() not in (".npy", ".csv"):
        raise CommandError(f"--out: got the ending {out.suffix!r}, allowed are .npy and .csv")
    if options.steps < 1:
        raise CommandError(f"--steps: got {options.steps}, allowed is at least 1")
    if options.start is None:
        start = run.test_data()[0][0]
    else:
        try:
            start = np.array([float(number) for number in options.start.split(",")])
        except ValueError:
            raise CommandError(
                f"--start: got {options.start!r}, expected {N} numbers with commas between"
            ) from None
        if len(start) != N or not np.isfinite(start).all():
            raise CommandError(f"--start: got {options.start!r}, expected {N} finite numbers")
    inputs = None
    if options.inputs:
        trials = as_trials("--inputs", Reading().read(options.inputs, run.names("input_names")).values)
        if len(trials) > 1:
            raise CommandError(f"--inputs: got {len(trials)} trials, expected one series for the one orbit")
        inputs = trials[0]
    check_inputs(model, inputs, options.steps)
    n_numbers = options.steps * (len(model.latent.A) + N + model.latent.C.shape[1])
    check_memory({"--steps": (options.steps, n_numbers * model.latent.A.itemsize)})
    try:
        orbit = predict(model, start, options.steps, inputs, dtype=options.dtype)
    except ValueError as error:  # what the model's precision cannot hold, inputs that are no numbers
        flag = "--start: " if str(error).startswith("x0") else "--"
        raise CommandError(f"{flag}{error}") from None
    with written_whole(out) as file:
        if out.suffix.lower() == ".npy":
            np.save(file, orbit)
        else:
            header = as_line(run.names() or [f"x{i + 1}" for i in range(N)])
            exact = _EXACT[orbit.dtype.name]
            np.savetxt(file, orbit, delimiter=",", header=header, comments="", fmt=exact, encoding="utf-8")
    return DIVERGED if not np.isfinite(orbit).all() else DONE
