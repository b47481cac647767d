"""The observation models: one file each, found by itself when it lies in this folder."""

from .base import OBSERVATIONS

OBSERVATIONS.discover(__name__, __path__)
