"""step, generate and jacobian, over any latent step model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .basics.checks import as_integer, warn
from .basics.sizes import check_memory
from .engine import (
    LANES,
    add_matvec,
    all_finite,
    as_floats,
    as_lanes,
    borrowed,
    by_roomy_columns,
    check_finite,
    columns_with_room,
    copy_state,
    kernel,
    map_arrays,
    total,
    with_room,
    zero_of,
    zeros,
    zeros_with_room,
)
from .models.base import MODELS, Latent, as_latent, jacobian_kernel, step_kernel

# Numbers of a batch of orbits that are kept, in the nearest cache, before they are written out.
_CACHED = 8192


class DivergenceWarning(RuntimeWarning):
    """An orbit left the finite numbers."""


@kernel
def _step_states(latent, states, inputs, room, out):
    """One step of each state; `room` as in `_generate_one`."""
    columns, z, result, f, d = room
    latent, states = by_roomy_columns(borrowed(latent), columns), borrowed(states)
    inputs, out = borrowed(inputs), borrowed(out)
    z, result, f, d = with_room(z), with_room(result), with_room(f), with_room(d)
    for i in range(len(states)):
        copy_state(states[i], z)
        step_kernel(latent, z, f, d, result)
        add_matvec(latent.C, inputs[i], result)
        copy_state(result, out[i])


@kernel
def _generate_one(latent, inputs, room, out):
    """One orbit, from out[0] on. Returns whether it stayed finite.

    Parameters, this state and the next, f and d stay in the buffers `room`, each on cache lines of its own: the next
    step can then read at once what this one has written.
    """
    columns, z, result, f, d = room
    latent, inputs, out = by_roomy_columns(borrowed(latent), columns), borrowed(inputs), borrowed(out)
    z, result, f, d = with_room(z), with_room(result), with_room(f), with_room(d)
    driven = inputs.shape[1] > 0
    copy_state(out[0], z)
    for t in range(1, len(out)):
        step_kernel(latent, z, f, d, result)
        if driven:
            add_matvec(latent.C, inputs[t - 1], result)
        copy_state(result, out[t])
        z, result = result, z
    return all_finite(out.reshape(-1))


@kernel
def _generate_lanes(latent, inputs, states, drive, f, d, out, first):
    """Up to LANES orbits at once, from orbit `first` on; out (S, n_steps, M) holds the initial states.

    states (rows + 1, M, LANES) takes that many steps before they are written out, orbit by orbit. Returns
    whether all orbits stayed finite.
    """
    S, n_steps, M = out.shape
    K = latent.C.shape[1]
    latent, inputs, out = borrowed(latent), borrowed(inputs), borrowed(out)
    last = min(LANES, S - first) - 1
    z, s = as_lanes(states), as_lanes(drive)
    states, drive = borrowed(states), borrowed(drive)
    f_lanes, d_lanes = as_lanes(f), as_lanes(d)
    for lane in range(LANES):
        for i in range(M):
            states[0, i, lane] = out[first + min(lane, last), 0, i]
    poison = zero_of(z[0, 0])  # x - x is 0, or NaN
    done = 0
    while done < n_steps - 1:
        rows = min(len(states) - 1, n_steps - 1 - done)
        for t in range(rows):
            step_kernel(latent, z[t], f_lanes, d_lanes, z[t + 1])
            if K > 0:
                for lane in range(LANES):
                    for k in range(K):
                        drive[0, k, lane] = inputs[first + min(lane, last), done + t, k]
                add_matvec(latent.C, s[0], z[t + 1])
            for i in range(M):
                poison = poison + (z[t + 1, i] - z[t + 1, i])
        for lane in range(last + 1):
            orbit = out[first + lane]
            for t in range(1, rows + 1):
                for i in range(M):
                    orbit[done + t, i] = states[t, i, lane]
        for i in range(M):
            z[0, i] = z[rows, i]
        done += rows
    return total(poison) == 0


@kernel
def _jacobians(latent, z, f, d, out):
    for i in range(len(z)):
        jacobian_kernel(latent, z[i], f, d, out[i])


def _tape(latent: Latent) -> tuple[np.ndarray, np.ndarray]:
    widths = MODELS.of(latent).tape_widths(latent)
    return zeros_with_room(widths.f, latent.A.dtype), zeros_with_room(widths.d, latent.A.dtype)


def _room(latent: Latent) -> tuple[Any, ...]:
    """Buffers for the parameters, two states, f and d."""
    M, dtype = len(latent.A), latent.A.dtype
    columns = map_arrays(columns_with_room, latent)
    return columns, zeros_with_room(M, dtype), zeros_with_room(M, dtype), *_tape(latent)


def _as_states(name: str, z: ArrayLike, latent: Latent) -> tuple[np.ndarray, bool]:
    """States as (S, M), and whether one was given."""
    M = len(latent.A)
    z = as_floats(name, z, latent.A.dtype)
    if z.ndim not in (1, 2) or z.shape[-1] != M:
        raise ValueError(f"{name}: got shape {z.shape}, expected ({M},) or (S, {M})")
    check_finite(name, z, may_be_inf=True)
    return z.reshape(-1, M), z.ndim == 1


def step(latent: Latent, z: ArrayLike, s: ArrayLike | None = None) -> np.ndarray:
    """Advance latent states by one step, ``z' = F(z) + C s``.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Model
        The parameters, or the whole model that they are part of; they give the dtype.
    z : array_like, (M,) or (S, M)
        Latent state, or a batch of them; dimensionless.
    s : array_like, (K,) or (S, K), optional
        External inputs at the same time as z; none means zero, as in `generate`.

    Returns
    -------
    ndarray
        The next states, of z's shape and the parameters' dtype.

    Raises
    ------
    ValueError
        Where a shape does not fit, or a number is NaN; the message names the argument, and both shapes or the place.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import ALRNN, step
    >>> latent = ALRNN(A=[0.5, 0.5], W=[[0, 1], [1, 0]], h=[0, 1], C=np.zeros((2, 0)), num_relus=1)
    >>> step(latent, [1.0, -2.0])
    array([0.5, 1. ])
    """
    latent = as_latent(latent)
    states, single = _as_states("z", z, latent)
    S, K = len(states), latent.C.shape[1]
    drive = np.zeros((S, K), latent.A.dtype)
    if s is not None:
        drive = as_floats("s", s, latent.A.dtype, (K,) if single else (S, K))
        check_finite("s", drive, may_be_inf=True)
        drive = drive.reshape(S, K)
    out = np.empty_like(states)
    _step_states(latent, states, drive, _room(latent), out)
    return out[0] if single else out


def as_inputs(inputs: ArrayLike | None, n_orbits: int, n_steps: int, K: int, dtype: DTypeLike) -> np.ndarray:
    """Inputs as (S, n_steps - 1 or more, K); none is zero, one series drives every orbit."""
    if inputs is None:
        return np.zeros((n_orbits, max(n_steps - 1, 0), K), dtype)
    drive = as_floats("inputs", inputs, dtype)
    check_finite("inputs", drive)
    rows = (n_steps, n_steps - 1)
    shared = drive.ndim == 2 and drive.shape[0] in rows
    own = drive.ndim == 3 and drive.shape[0] == n_orbits and drive.shape[1] in rows
    if not (shared or own) or drive.shape[-1] != K:
        raise ValueError(
            f"inputs: got shape {drive.shape}, expected ({n_steps}, {K}) for all orbits or "
            f"({n_orbits}, {n_steps}, {K}); row t drives the step from t to t+1, so the last is optional"
        )
    return np.ascontiguousarray(np.broadcast_to(drive, (n_orbits, *drive.shape[-2:])))


def generate(latent: Latent, z0: ArrayLike, n_steps: int, inputs: ArrayLike | None = None) -> np.ndarray:
    """Let latent states run freely.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Model
        The parameters, or the whole model that they are part of; they give the dtype.
    z0 : array_like, (M,) or (S, M)
        Initial state, or one for each of S orbits, in finite numbers; dimensionless.
    n_steps : int
        Length of the orbit, the initial state included; at least 1.
    inputs : array_like, (n_steps, K) or (S, n_steps, K), optional
        External inputs; row t drives the step from t to t+1, so the last row is optional. None means zero:
        these are latent dynamics, F(z) alone where nothing drives them. `predict` asks for a driven model's inputs.

    Returns
    -------
    ndarray, (n_steps, M) or (S, n_steps, M)
        Row 0 is z0. An orbit that leaves the finite numbers is NaN from that row on.

    Raises
    ------
    ValueError
        Where a shape or `n_steps` does not fit, z0 or inputs have NaN, z0 is not finite, or the orbits would not fit
        into memory; the message names the argument, and both shapes or the place.

    Warns
    -----
    DivergenceWarning
        Once, with orbit and step, where an orbit diverged.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import ALRNN, generate
    >>> latent = ALRNN(A=[0.5], W=[[0.0]], h=[1.0], C=np.zeros((1, 0)), num_relus=0)
    >>> generate(latent, [0.0], 4).ravel()
    array([0.  , 1.  , 1.5 , 1.75])
    """
    latent = as_latent(latent)
    starts, single = _as_states("z0", z0, latent)
    check_finite("z0", starts)
    n_steps = orbit_length(latent, len(starts), n_steps)
    drive = as_inputs(inputs, len(starts), n_steps, latent.C.shape[1], latent.A.dtype)
    orbits = free_run(latent, starts, n_steps, drive)
    return orbits[0] if single else orbits


def orbit_length(latent: Latent, n_orbits: int, n_steps: int, n_observed: int = 0) -> int:
    """The checked length of orbits; raise ValueError where they, and what is observed, would not fit into memory."""
    n_steps = as_integer("n_steps", n_steps)
    n_bytes = sum(latent.C.shape) * latent.C.itemsize  # a state and its inputs
    n_bytes += n_observed * (8 + latent.C.itemsize)  # in the model's units and in the data's
    check_memory({"n_steps": (n_steps, n_orbits * n_steps * n_bytes)})
    return n_steps


def free_run(latent: Latent, starts: np.ndarray, n_steps: int, drive: np.ndarray) -> np.ndarray:
    """What `generate` does, with arrays that are checked: orbits (S, n_steps, M) from the states (S, M)."""
    S, M = starts.shape
    dtype = latent.A.dtype
    out = np.empty((S, n_steps, M), dtype)
    out[:, 0] = starts
    if S == 1:
        finite = _generate_one(latent, drive[0], _room(latent), out[0])
    else:
        widths = MODELS.of(latent).tape_widths(latent)
        buffers = [
            zeros(shape, dtype)
            for shape in ((_CACHED // (M * LANES) + 2, M), (1, latent.C.shape[1]), (widths.f,), (widths.d,))
        ]
        finite = True
        for first in range(0, S, LANES):
            finite &= _generate_lanes(latent, drive, *buffers, out, first)
    if not finite:
        _mark_divergence(out)
    return out


def _mark_divergence(orbits: np.ndarray) -> None:
    """Set each orbit to NaN from its first non-finite row on, and warn once."""
    bad = ~np.isfinite(orbits).all(axis=2)
    steps = bad.argmax(axis=1)
    diverged = np.flatnonzero(bad.any(axis=1))
    if not len(diverged):
        return
    for orbit in diverged:
        orbits[orbit, steps[orbit] :] = np.nan
    first = diverged[steps[diverged].argmin()]
    which = "the orbit" if len(orbits) == 1 else f"{len(diverged)} of {len(orbits)} orbits"
    where = "" if len(orbits) == 1 else f" (orbit {first})"
    message = f"{which} diverged; the first at step {steps[first]}{where}; NaN from there on"
    warn(message, DivergenceWarning)


def jacobian(latent: Latent, z: ArrayLike) -> np.ndarray:
    """Jacobian of one step, ``dF/dz``; it does not depend on the inputs.

    Parameters
    ----------
    latent : PLRNN, ALRNN, ShPLRNN, ClippedShPLRNN or Model
        The parameters, or the whole model that they are part of; they give the dtype.
    z : array_like, (M,) or (S, M)
        Latent state, or a batch of them; dimensionless. At a kink the derivative of phi is 0.

    Returns
    -------
    ndarray, (M, M) or (S, M, M)
        ``J[i, j] = dz'_i / dz_j``.

    Raises
    ------
    ValueError
        Where a shape does not fit, or a number is NaN; the message names the argument, and both shapes or the place.

    Examples
    --------
    >>> import numpy as np
    >>> from plrnn_numba import ALRNN, jacobian
    >>> latent = ALRNN(A=[0.5, 0.5], W=[[0, 1], [1, 0]], h=[0, 1], C=np.zeros((2, 0)), num_relus=1)
    >>> jacobian(latent, [1.0, -2.0])
    array([[0.5, 0. ],
           [1. , 0.5]])
    """
    latent = as_latent(latent)
    states, single = _as_states("z", z, latent)
    M = len(latent.A)
    check_memory({"z": (f"{len(states)} states", len(states) * M * M * latent.A.itemsize)})
    out = np.empty((len(states), M, M), latent.A.dtype)
    _jacobians(latent, states, *_tape(latent), out)
    return out[0] if single else out
