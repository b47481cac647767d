"""``warmup`` and ``versions``: the kernels, and what belongs into a bug report."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ...basics.checks import PACKAGE, nearest
from ...models.base import MODELS
from ...training import warmup
from ..errors import CommandError
from ..versions import show_versions
from .common import DONE, Add


def add_commands(add: Add) -> None:
    """Add the commands to the command line."""
    warm = add("warmup", _warmup, "compile ahead, so that later runs start at once")
    warm.add_argument("models", nargs="*", metavar="NAME", help="all, or some of " + ", ".join(MODELS))
    warm.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    add("versions", _versions, "print what belongs into a bug report")


def _warmup(options: argparse.Namespace) -> int:
    for name in options.models:
        if name not in MODELS:
            raise CommandError(f"NAME: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    names = options.models or list(MODELS)
    if len(names) == 1:
        (seconds,) = warmup(names, dtypes=[options.dtype]).values()
        print(f"{names[0]:<16} {seconds:6.1f} s", flush=True)
        return DONE
    # The compiler takes one core at a time in a process: so a process each, as many at once as there are cores.
    own = [part for name in options.own for part in ("--import", name)]
    command = [sys.executable, "-m", PACKAGE, "warmup", "--dtype", options.dtype, *own]
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for done in executor.map(
            lambda name: subprocess.run([*command, name], stdout=subprocess.PIPE, text=True), names
        ):
            print(done.stdout, end="", flush=True)
            done.check_returncode()
    return DONE


def _versions(options: argparse.Namespace) -> int:
    show_versions()
    return DONE
