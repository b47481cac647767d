"""Teacher forcing: how far, at each step, the latent state is pulled to what the data say. One file each."""

from .base import FORCINGS

FORCINGS.discover(__name__, __path__)
