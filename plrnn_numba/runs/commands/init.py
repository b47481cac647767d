"""``init``: a commented configuration to start from."""

from __future__ import annotations

import argparse

from ...basics.checks import nearest
from ...config import starting_configuration
from ...forcings.base import FORCINGS
from ...models.base import MODELS
from ..errors import CommandError
from .common import DONE, Add


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    init = add("init", _init, "print a commented starting configuration (TOML)")
    init.add_argument("--model", default="clipped_shPLRNN", metavar="NAME", help=", ".join(MODELS))
    init.add_argument("--forcing", default="GTF", metavar="NAME", help=", ".join(FORCINGS))
    init.add_argument("--latent-dim", type=int, metavar="M", help="number of latent units")


def _init(options: argparse.Namespace) -> int:
    name = options.model
    if name not in MODELS:
        raise CommandError(f"--model: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    if options.forcing not in FORCINGS:
        raise CommandError(
            f"--forcing: got {options.forcing!r}, allowed are {', '.join(FORCINGS)}"
            f"{nearest(options.forcing, FORCINGS)}"
        )
    print(starting_configuration(name, options.latent_dim, options.forcing), end="")
    return DONE
