"""``analyze`` and ``plot``: what the maps of a run allow to be known, in words and in pictures."""

from __future__ import annotations

import argparse
import json
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ...data import load_array
from ..errors import CommandError
from ..folder import Run
from .common import DONE, Add, a_path

if TYPE_CHECKING:
    from ...analysis import Report


def add_commands(add: Add) -> None:
    """Add the commands to the command line."""
    analyze = add(
        "analyze", _analyze, "fixed points, cycles, Lyapunov exponents, regions, bounds of a run's model"
    )
    analyze.add_argument("run", type=a_path, metavar="RUN")
    _add_analysis(analyze)
    analyze.add_argument("--json", action="store_true", help="for a program")

    plot = add("plot", _plot, "draw the pictures of a run, and of its analysis, under RUN/plots")
    plot.add_argument("run", type=a_path, metavar="RUN")
    _add_analysis(plot)


def _add_analysis(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--steps", type=int, default=100_000, metavar="T", help="length of the orbit (100000)"
    )
    command.add_argument("--max-period", type=int, default=10, metavar="N", help="the longest cycles (10)")
    command.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="time for the search of cycles (20)"
    )

    command.add_argument(
        "--input", metavar="S", help="external inputs that are held constant, with commas between (0 each)"
    )
    command.add_argument(
        "--inputs", metavar="FILE", help="one period of external inputs, a row a step, that is repeated"
    )


def _held_inputs(options: argparse.Namespace) -> tuple[str, np.ndarray | None]:
    """The inputs that the model is analysed with, in data units, in which it was trained; and the flag that gave them."""
    if options.input is not None and options.inputs is not None:
        raise CommandError("--input, --inputs: got both, expected one of them")
    if options.inputs is not None:
        found = load_array(options.inputs)
        if isinstance(found, list):
            raise CommandError(f"--inputs: got the folder {options.inputs}, expected one file")
        return "--inputs", found[:, None] if found.ndim == 1 else found
    if options.input is None:
        return "--input", None
    try:
        return "--input", np.array([float(number) for number in options.input.split(",")])
    except ValueError:
        raise CommandError(f"--input: got {options.input!r}, expected numbers with commas between") from None


def _report(run: Run, options: argparse.Namespace) -> Report:
    for name, least in (("steps", 100), ("max_period", 1), ("seconds", 0)):
        value = getattr(options, name)
        if not value >= least:
            raise CommandError(f"--{name.replace('_', '-')}: got {value:g}, allowed is at least {least}")
    flag, held = _held_inputs(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the report says it
        try:
            return run.analyze(
                n_steps=options.steps, max_period=options.max_period, seconds=options.seconds, inputs=held
            )
        except (TypeError, ValueError) as error:
            if not str(error).startswith("inputs: "):
                raise
            raise CommandError(str(error).replace("inputs", flag, 1)) from None


def _analyze(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    report = _report(run, options)
    print(json.dumps(report.to_dict()) if options.json else report)
    return DONE


def _plot(options: argparse.Namespace) -> int:
    run = Run.open(options.run)
    for path in [*run.draw(), *run.draw_analysis(_report(run, options))]:
        print(path)
    return DONE
