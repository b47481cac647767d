"""The normal form that the whole analysis is written over: ``F(z) = L z + B phi(C z + d) + h``.

Every latent step model has one (`to_hinge`); nothing in this room asks which model it came from. A *pattern* (n_hinges,) of
booleans says which of the hinges are open; each pattern that occurs has its own linear map, and names a region.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..basics.checks import as_integer
from ..basics.sizes import check_memory
from ..engine import as_floats, check_finite, jit, kernel
from ..models.base import Hinge, Latent, latent_of
from ..models.convert import to_hinge


def as_hinge(latent: Latent) -> Hinge:
    """The hinge form of a model, of its latent part, or one that is given, in float64; raise TypeError or ValueError."""
    latent = latent_of(latent)
    hinge = latent if isinstance(latent, Hinge) else to_hinge(latent)
    L = as_floats("hinge.L", hinge.L, np.float64)
    M = len(L)
    B = as_floats("hinge.B", hinge.B, np.float64, (M, "n_hinges"))
    n_hinges = B.shape[1]
    found = Hinge(
        as_floats("hinge.L", L, np.float64, (M, M)),
        B,
        as_floats("hinge.C", hinge.C, np.float64, (n_hinges, M)),
        as_floats("hinge.d", hinge.d, np.float64, (n_hinges,)),
        as_floats("hinge.h", hinge.h, np.float64, (M,)),
        as_floats("hinge.input_matrix", hinge.input_matrix, np.float64, (M, "K")),
    )
    if not all(np.isfinite(array).all() for array in found):
        raise ValueError("latent: got NaN or inf among the parameters, expected finite numbers")
    return found


class Maps(NamedTuple):
    """A hinge form as kernels like it: matrices that multiply from the left are stored transposed."""

    L_T: np.ndarray
    B_T: np.ndarray
    C: np.ndarray
    d: np.ndarray
    h: np.ndarray
    input_T: np.ndarray
    drive: (
        np.ndarray
    )  # (p, M): what a periodic input adds at each step, in turn; (1, M) of zeros where there is none


def maps_of(hinge: Hinge, inputs: np.ndarray | None = None) -> Maps:
    """What the kernels of this room take; inputs (p, K) are those of one period, as `hold_inputs` gives them."""
    L_T, B_T, input_T = (np.ascontiguousarray(a.T) for a in (hinge.L, hinge.B, hinge.input_matrix))
    drive = np.zeros((1, len(hinge.h))) if inputs is None else np.ascontiguousarray(inputs @ input_T)
    return Maps(L_T, B_T, hinge.C, hinge.d, hinge.h, input_T, drive)


@jit
def hinge_inputs(maps, z, u):
    """``u = C z + d``."""
    for j in range(len(u)):
        total = maps.d[j]
        for i in range(len(z)):
            total += maps.C[j, i] * z[i]
        u[j] = total


@jit
def hinge_step(maps, z, u, out):
    """``out = F(z)``, without inputs; fills u."""
    hinge_inputs(maps, z, u)
    M = len(z)
    for i in range(M):
        out[i] = maps.h[i]
    for k in range(M):
        for i in range(M):
            out[i] += maps.L_T[k, i] * z[k]
    for j in range(len(u)):
        if u[j] > 0:
            for i in range(M):
                out[i] += maps.B_T[j, i] * u[j]


@jit
def hinge_tangent(maps, u, v, out):
    """``out = J v`` in the region of the hinge inputs u."""
    M = len(v)
    for i in range(M):
        out[i] = 0.0
    for k in range(M):
        for i in range(M):
            out[i] += maps.L_T[k, i] * v[k]
    for j in range(len(u)):
        if u[j] > 0:
            along = 0.0
            for i in range(M):
                along += maps.C[j, i] * v[i]
            for i in range(M):
                out[i] += maps.B_T[j, i] * along


@jit
def add_input(maps, s, out):
    """``out += input_matrix s``."""
    for k in range(len(s)):
        for i in range(len(out)):
            out[i] += maps.input_T[k, i] * s[k]


@kernel
def _orbit(maps, inputs, u, out):
    for t in range(len(out) - 1):
        hinge_step(maps, out[t], u, out[t + 1])
        if inputs.shape[1] > 0:
            add_input(maps, inputs[t], out[t + 1])


@kernel
def _patterns(maps, states, u, out):
    for t in range(len(states)):
        hinge_inputs(maps, states[t], u)
        for j in range(len(u)):
            out[t, j] = u[j] > 0


def as_states(name: str, states: ArrayLike, hinge: Hinge) -> np.ndarray:
    """Latent states (T, M) in float64; a single one (M,) is a series of one."""
    array = as_floats(name, states, np.float64)
    return as_floats(name, array[None] if array.ndim == 1 else array, np.float64, ("T", len(hinge.L)))


def orbit(latent: Latent, z0: ArrayLike, n_steps: int, inputs: ArrayLike | None = None) -> np.ndarray:
    """Iterate in float64: latent states (n_steps, M) from z0 (M,) on; inputs (n_steps, K)."""
    hinge, n_steps = as_hinge(latent), as_integer("n_steps", n_steps)
    check_memory(
        {"n_steps": (n_steps, n_steps * (8 * len(hinge.L) + len(hinge.d)))}
    )  # states, and their patterns
    out = np.zeros((n_steps, len(hinge.L)))
    out[0] = as_floats("z0", z0, np.float64, (len(hinge.L),))
    check_finite("z0", out[0], may_be_inf=True)
    _orbit(maps_of(hinge), drive_of(hinge, inputs, n_steps), np.zeros(len(hinge.d)), out)
    return out


def drive_of(hinge: Hinge, inputs: ArrayLike | None, n_rows: int) -> np.ndarray:
    """Inputs (n_rows, K), or (n_rows, 0) where there are none, which means zero."""
    if inputs is None:
        return np.zeros((n_rows, 0))
    drive = as_floats("inputs", inputs, np.float64, (n_rows, hinge.input_matrix.shape[1]))
    check_finite("inputs", drive)
    return drive


def patterns_of(hinge: Hinge, states: np.ndarray) -> np.ndarray:
    """Which hinges are open at each state: booleans (T, n_hinges)."""
    out = np.zeros((len(states), len(hinge.d)), bool)
    _patterns(maps_of(hinge), states, np.zeros(len(hinge.d)), out)
    return out


def map_length(hinge: Hinge, drive: np.ndarray | None = None) -> float:
    """The map's own unit of length: how far a step leads from the origin, in a component, or a border lies from it.

    It is that by which a map ``z -> a F(z / a)`` differs from F, so that what is judged by it does not depend on units;
    1 for a map that has none.
    """
    lengths = np.linalg.norm(hinge.C, axis=1)
    borders = np.abs(hinge.d[lengths > 0]) / lengths[lengths > 0]
    steps = hinge.h if drive is None else hinge.h + drive
    size = max(np.abs(steps).max(initial=0), borders.max(initial=0))
    return float(size) or 1.0


def length_scale(hinge: Hinge, drive: np.ndarray | None = None) -> float:
    """The same as the nearest power of two, by which one scales without rounding."""
    return 2.0 ** round(math.log2(map_length(hinge, drive)))


def repeated(inputs: np.ndarray, n_rows: int, first: int = 0) -> np.ndarray:
    """Inputs (n_rows, K) of a period (p, K), from the phase of step `first` on."""
    return np.resize(np.roll(inputs, -first, axis=0), (n_rows, inputs.shape[1]))


def hold_inputs(hinge: Hinge, inputs: ArrayLike | None) -> tuple[Hinge, np.ndarray]:
    """A map and the inputs (p, K) of one period that are left; those that are held constant are put into its bias.

    `inputs` are (K,), held constant, or (p, K), repeated; none means zero.
    """
    K = hinge.input_matrix.shape[1]
    if inputs is None or (K == 0 and np.shape(inputs)[-1:] == (0,)):
        S = np.zeros((1, K))
    else:
        S = as_floats("inputs", inputs, np.float64)
        if K == 0:
            raise ValueError(f"inputs: got shape {S.shape}, but the model has no external inputs")
        if S.ndim not in (1, 2) or S.shape[-1] != K or not len(S):
            raise ValueError(
                f"inputs: got shape {S.shape}, expected ({K},), or (p, {K}) for a period of p steps"
            )
        if not np.isfinite(S).all():
            raise ValueError("inputs: got NaN or inf, expected finite numbers")
        S = S.reshape(-1, K)
    n = len(S)
    period = next(p for p in range(1, n + 1) if n % p == 0 and (S[p:] == S[:-p]).all())
    if period > 1:
        return hinge, S[:period]
    constant = hinge._replace(h=hinge.h + hinge.input_matrix @ S[0], input_matrix=np.zeros((len(hinge.h), 0)))
    return constant, np.zeros((1, 0))


def with_constant_input(latent: Latent, inputs: ArrayLike) -> Hinge:
    """The map that a model is while its inputs are held constant: without inputs, and fit for every function here.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Hinge
        A model with K external inputs, or a whole `Model`.
    inputs : array_like, (K,)
        Their values, in the units of the series that the model was trained with: inputs are not scaled.

    Returns
    -------
    Hinge
        ``F(z) + C s`` in float64, with an `input_matrix` (M, 0).

    Raises
    ------
    ValueError
        Where the model has no inputs, or another number of them, or one is not finite.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> halving = pl.ALRNN(A=[0.5], W=[[0.0]], h=[0.0], C=[[2.0]], num_relus=1)
    >>> pl.analysis.fixed_points(pl.analysis.with_constant_input(halving, [0.5]))[0].points.tolist()
    [[2.0]]
    """
    hinge = as_hinge(latent)
    constant, _ = hold_inputs(hinge, as_floats("inputs", inputs, np.float64, ("K",)))
    return constant


def linear_map(hinge: Hinge, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``J`` (M, M) and ``v`` (M,) with F(z) = J z + v in the region of a pattern."""
    B = hinge.B[:, pattern]
    return hinge.L + B @ hinge.C[pattern], hinge.h + B @ hinge.d[pattern]
