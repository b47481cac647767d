"""``init``: a commented configuration to start from."""

from __future__ import annotations

import argparse

from ...basics.checks import nearest
from ...config import starting_configuration
from ...models.base import MODELS
from ..errors import CommandError
from .common import DONE, Add


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    init = add("init", _init, "print a commented starting configuration (TOML)")
    init.add_argument("--model", default="clipped_shPLRNN", metavar="NAME", help=", ".join(MODELS))
    init.add_argument("--latent-dim", type=int, metavar="M", help="number of latent units")


def _init(options: argparse.Namespace) -> int:
    name = options.model
    if name not in MODELS:
        raise CommandError(f"--model: got {name!r}, allowed are {', '.join(MODELS)}{nearest(name, MODELS)}")
    print(starting_configuration(name, options.latent_dim), end="")
    return DONE
