"""What commands share: exit codes, models of one's own, warnings, measures in print."""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import importlib
import importlib.util
import io
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...measures import Evaluation
from ...model import Model
from ..errors import CommandError
from ..source import Reading

DONE, MISTAKE, DIVERGED, STOPPED = 0, 2, 3, 75

Command = Callable[[argparse.Namespace], int]


class Add(Protocol):
    """Adds a command: its name, what it calls, and a line of help."""

    def __call__(self, name: str, command: Command, help: str) -> argparse.ArgumentParser: ...


def import_own(names: list[str]) -> None:
    """Import files (.py) or modules that register models of the user's own; a mistake in one is a CommandError."""
    for name in names:
        path = Path(name)
        module = path.stem if name.endswith(".py") else name
        try:
            if not name.endswith(".py"):
                importlib.import_module(name)
                continue
            if not path.is_file():
                raise CommandError(f"--import: {name}: no such file")
            if module in sys.modules:
                if getattr(sys.modules[module], "__file__", None) == str(path.resolve()):
                    continue  # it was imported before
                raise CommandError(f"--import: {name}: a module {module!r} is there already; rename the file")
            spec = importlib.util.spec_from_file_location(module, path.resolve())
            assert spec is not None
            assert spec.loader is not None
            # Under its name before it runs, as `import` does it: its classes and kernels look it up there.
            sys.modules[module] = own = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(own)
        except CommandError:
            raise
        except BaseException as error:  # whatever the user's own code does, it is a mistake in what was given
            sys.modules.pop(module, None)
            if isinstance(error, KeyboardInterrupt):
                raise
            raise CommandError(
                f"--import: {name}: {type(error).__name__}: {error}{_line_of(error, path)}"
            ) from error


def _line_of(error: BaseException, path: Path) -> str:
    """Where in the user's own file an error was raised."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f" (line {line})"


def a_path(text: str) -> str:
    """For argparse: a path, which is no empty string, as an unset variable of a shell leaves it."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a path")
    return text


_NEGATIVE = re.compile(r"-(?:\.?\d|inf|nan)", re.IGNORECASE)


def join_negative(arguments: Sequence[str]) -> list[str]:
    """Make ``--flag=-1,2`` of ``--flag -1,2``, whose value argparse would take for an option: none begins like a number."""
    joined: list[str] = []
    for argument in arguments:
        before = joined[-1] if joined else ""
        if _NEGATIVE.match(argument) and before.startswith("--") and before != "--" and "=" not in before:
            joined[-1] = f"{before}={argument}"
        else:
            joined.append(argument)
    return joined


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print what is warned of as lines, each once, without the place in the code, which says nothing at a shell.

    Nothing of it is printed where an error ends the block: that is the one line to read.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(f"plrnn-numba: {' '.join(message.split())}", file=sys.stderr)


def add_reading(command: argparse.ArgumentParser) -> None:
    """The flags that say how files are read; `Reading` has them."""
    command.add_argument(
        "--columns", metavar="A,B", help="the variables, by name or by number, from 0; else all but a clock"
    )
    command.add_argument("--drop", metavar="A,B", help="columns to leave out, by name or number")
    command.add_argument("--time", metavar="T", help="the column of the times; its steps must be equal")
    command.add_argument(
        "--transpose",
        action=argparse.BooleanOptionalAction,
        help="files have a row a channel, not a row a time",
    )


def reading(options: argparse.Namespace) -> Reading:
    """How files are read, as the command line says it."""
    return Reading(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Reading)})


def check_inputs(model: Model, inputs: np.ndarray | None, n_rows: int) -> None:
    """Raise CommandError unless a model has the inputs that it needs."""
    K = model.latent.C.shape[1]
    if K == 0 and inputs is not None:
        raise CommandError("--inputs: the model has no external inputs")
    if K and (inputs is None or inputs.shape != (n_rows, K)):
        found = "none" if inputs is None else f"shape {inputs.shape}"
        raise CommandError(f"--inputs: got {found}, expected shape ({n_rows}, {K})")


def as_line(names: Sequence[str]) -> str:
    """Names as the first line of a .csv file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def summary(found: Evaluation) -> dict[str, Any]:
    """Plain data for JSON, in which NaN is null."""

    def plain(x: float) -> float | None:
        return None if math.isnan(x) else float(x)

    measures: dict[str, Any] = {}
    for name, values in found.each.items():
        low, high = found.quartiles[name]
        measures[name] = {
            "median": plain(getattr(found, name)),
            "quartiles": [plain(low), plain(high)],
            "each": [plain(v) for v in values],
        }
    n = len(found.each["PE"])
    return {
        **measures,
        "geometry": found.geometry,
        "orbits": {"n": n, "steps": found.n_steps, "diverged": found.n_diverged},
        "left_out": list(found.left_out),
        "notes": list(found.notes),
    }


def print_measures(found: Evaluation) -> None:
    """The same for a person."""
    n = len(found.each["PE"])
    print(
        f"{'measure':<8} {'median':>10} {'quartiles':>23}   over {n} free orbit(s) of {found.n_steps} steps"
    )
    hidden = {"D_stsp"} - {found.geometry}  # a note says why
    for name in [name for name in found.each if name not in hidden]:
        low, high = found.quartiles[name]
        print(f"{name:<8} {getattr(found, name):>10.4g} {low:>11.4g} {high:>11.4g}")
    if found.n_diverged:
        print(f"{found.n_diverged} of {n} orbits diverged")
    for note in found.notes:
        print(f"note: {note}")
