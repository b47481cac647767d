"""``analyze`` and ``plot``: what the maps of a run allow to be known, in words and in pictures."""

from __future__ import annotations

import argparse
import json
import warnings
from typing import TYPE_CHECKING

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


def _report(run: Run, options: argparse.Namespace) -> Report:
    for name, least in (("steps", 100), ("max_period", 1), ("seconds", 0)):
        value = getattr(options, name)
        if not value >= least:
            raise CommandError(f"--{name.replace('_', '-')}: got {value:g}, allowed is at least {least}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the report says it
        return run.analyze(n_steps=options.steps, max_period=options.max_period, seconds=options.seconds)


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
