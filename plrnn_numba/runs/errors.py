"""Mistakes that a user of runs and commands can make; each message is one line."""

from __future__ import annotations


class RunError(ValueError):
    """A mistake in what was asked of a run's folder, or in where its data are to come from."""


class CommandError(ValueError):
    """A mistake on the command line."""
