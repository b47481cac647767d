"""Exact conversions inside the family: each model gives its hinge form, and the rest follows from it."""

from __future__ import annotations

import numpy as np

from .base import Hinge, Latent, as_latent, hinge_form, latent_of
from .shplrnn import ShPLRNN


def to_hinge(latent: Latent) -> Hinge:
    """Write the model as ``F(z) = L z + B phi(C z + d) + h``, exactly.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN or ClippedShPLRNN
        The parameters of a latent step model; dimensionless.

    Returns
    -------
    Hinge
        ``L (M, M)``, ``B (M, n_hinges)``, ``C (n_hinges, M)``, ``d (n_hinges,)``, ``h (M,)`` and ``input_matrix``,
        the model's C. There are M hinges for a PLRNN, `num_relus` for an ALRNN, H for a shPLRNN, 2H for a clipped one.

    Raises
    ------
    TypeError
        If `latent` is of no registered model.

    References
    ----------
    Brenner et al. (2024) [brenner2024], for the linear subregions of the AL-RNN; Hess et al. (2023) [hess2023], for the
    clipped model.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.init_model({"latent_dim": 3, "latent_step": {"name": "clipped_shPLRNN",
    ...     "hyperparameters": {"hidden_dim": 4}}}, n_observed=3).latent
    >>> hinge = pl.to_hinge(latent)
    >>> z = np.array([0.1, -0.2, 0.3], np.float32)
    >>> F = hinge.L @ z + hinge.B @ np.maximum(hinge.C @ z + hinge.d, 0) + hinge.h
    >>> bool(np.allclose(F, pl.step(latent, z), atol=1e-6))
    True
    """
    return Hinge(*(np.array(array) for array in hinge_form(as_latent(latent))))


def to_shplrnn(latent: Latent) -> ShPLRNN:
    """Write any model of the family as a shPLRNN, exactly.

    The hinges become hidden units. What the linear part has off its diagonal is carried by pairs of hidden
    units, since ``x = phi(x) - phi(-x)``.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN or ClippedShPLRNN
        The parameters of a latent step model; dimensionless.

    Returns
    -------
    ShPLRNN
        With H hidden units: 2H for a clipped shPLRNN, M for a PLRNN, at most 2(M-P)+P for an ALRNN; same dtype.

    Raises
    ------
    TypeError
        If `latent` is of no registered model.

    References
    ----------
    Hess et al. (2023) [hess2023], appendix, for the clipped shPLRNN as a reformulation of the shPLRNN.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> latent = pl.init_model({"latent_dim": 5, "latent_step": {"name": "ALRNN",
    ...     "hyperparameters": {"num_relus": 2}}}, n_observed=3).latent
    >>> shallow = pl.to_shplrnn(latent)
    >>> shallow.W1.shape
    (5, 8)
    >>> z = np.arange(5, dtype=np.float32) - 2
    >>> bool(np.allclose(pl.step(latent, z), pl.step(shallow, z), atol=1e-6))
    True
    """
    hinge = to_hinge(latent)
    A = np.diag(hinge.L).copy()
    rest = hinge.L - np.diag(A)
    columns = np.flatnonzero(np.any(rest != 0, axis=0))
    pairs = np.eye(len(A), dtype=A.dtype)[columns]
    return ShPLRNN(
        A=A,
        W1=np.hstack([hinge.B, rest[:, columns], -rest[:, columns]]),
        W2=np.vstack([hinge.C, pairs, -pairs]),
        h1=hinge.h.copy(),
        h2=np.concatenate([hinge.d, np.zeros(2 * len(columns), A.dtype)]),
        C=hinge.input_matrix.copy(),
        learnable_C=latent_of(latent).learnable_C,
    )
