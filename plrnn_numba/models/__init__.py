"""The latent step models: one file each, found by itself when it lies in this folder."""

from .base import MODELS

MODELS.discover(__name__, __path__)
