"""The command line: ``plrnn-numba`` and ``python -m plrnn_numba``."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ...basics.options import ConfigError
from ...basics.sizes import SizeError
from ...data import DataError
from ..errors import CommandError, RunError
from . import analyze, evaluate, generate, init, train, warmup
from .common import DONE, MISTAKE, Command, a_path, import_own, join_negative, warnings_as_lines

_LONGEST = 300  # characters of a name, or of a number, that are repeated in an error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may have bytes that are no text
    try:
        with warnings_as_lines():
            given = sys.argv[1:] if arguments is None else arguments
            options = _parser().parse_args(join_negative(given))
            import_own(options.own)
            return options.command(options)
    except (CommandError, ConfigError, DataError, RunError, SizeError, ModuleNotFoundError) as error:
        return _fail(str(error))
    except BrokenPipeError:  # `| head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    except (MemoryError, RecursionError, OverflowError) as error:  # what no check has foreseen
        return _fail(
            f"{type(error).__name__}: {str(error) or 'what was asked for is too much for this machine'}"
        )


def _fail(message: str) -> int:
    words = [word if len(word) <= _LONGEST else f"{word[:100]}...{word[-40:]}" for word in message.split()]
    print(f"plrnn-numba: error: {' '.join(words)}", file=sys.stderr)
    return MISTAKE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="plrnn-numba",
        description="Reconstruct dynamical systems from time series with piecewise-linear RNNs, on a CPU.",
        epilog="exit codes: 0 done; 2 a mistake in what was given; 3 diverged; 75 stopped by a signal",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Command, help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.add_argument(
            "--import",
            action="append",
            default=[],
            dest="own",
            type=a_path,
            metavar="FILE",
            help="a .py file, or a module, with a model, an observation model or a forcing of your own; it is run; may be given twice",
        )
        added.set_defaults(command=command)
        return added

    for room in (init, train, generate, evaluate, analyze, warmup):
        room.add_commands(add)
    return parser
