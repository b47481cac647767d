"""The forced rollout and its gradient, by backpropagation through time, over any model.

docs/bptt.md derives each line. Sequences are taken sixteen at a time, as lanes (docs/engine.md); one block
of lanes is one call of `block_gradient`, which fills a gradient vector of its own. The blocks' vectors are
added in a fixed order, so that threads change no bit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .basics.checks import as_integer
from .basics.sizes import check_memory
from .engine import (
    LANES,
    add_matvec,
    add_outer,
    as_floats,
    borrowed,
    by_columns,
    check_finite,
    elements,
    from_vector,
    inlined,
    jit,
    kernel,
    map_arrays,
    muladd,
    n_parameters,
    total,
    where_known,
    zero_of,
    zeros,
)
from .forcings.base import Forcing, as_forcing, forcing_weights, n_forced_units
from .model import Model, as_model
from .models.base import MODELS, parameter_gradient, state_gradient, step_kernel
from .observations.base import (
    OBSERVATIONS,
    keeps_unforced,
    n_observed,
    observation_parameter_gradient,
    observe_gradient,
    observe_kernel,
    pulled_kernel,
    signal_inverse,
    signal_kernel,
    signal_parameter_gradient,
    start_kernel,
)
from .source import as_source


class Tape(NamedTuple):
    """What a block of sequences keeps on the way forward, and needs on the way back.

    The last axis, left out here, is that of the lanes; a tape for one sequence alone has none. A tape of L rows
    holds the steps of one segment: all of them, unless `checkpoint_segments` cuts the sequence. B rows
    at a time go into the gradient.
    """

    X: np.ndarray  # (T+1, N) observations; NaN where they are missing, but for the first row
    U: np.ndarray  # (T+1, K) inputs
    starts: np.ndarray  # (segments, M) the state that each segment is stepped from
    Z: np.ndarray  # (L+1, M) states that are stepped from, after forcing
    O: (
        np.ndarray
    )  # (L, M) states that are stepped to, before forcing; Z[1:] where nothing needs them after it
    D: np.ndarray  # (L, n_d) kept by the model; its deltas on the way back
    E: np.ndarray  # (L, N) dLoss / dx_hat
    F: np.ndarray  # (B, n_f) the model's
    G: np.ndarray  # (B+1, M) dLoss / dO, after one row for what goes on to the block before
    signal: np.ndarray  # (2, forced units) the forcing signal; the sum of its gradients
    work: np.ndarray  # (n_work,) the model's own
    weight: np.ndarray  # (1,) 1 / (observed entries of the batch), and 0 in lanes without a sequence


class Workspace(NamedTuple):
    """A tape and its gradient, made once a fit."""

    tape: Tape
    columns: Any  # the latent model with its matrices transposed, where a tape has no lanes; else ()
    vector: np.ndarray  # the gradient
    views: Any  # (latent, observation) in arrays that are views of the vector


# A block of steps should stay in the second-level cache, and be long enough to make up for the sums over lanes.
_BLOCK_BYTES = 2**19
_BLOCK_STEPS = 16, 64

# What a workspace has to itself that shares another's tape.
_OWN = {"X", "U", "weight"}

# The largest batch whose sequences are taken one by one: more of them fill enough lanes.
_MOST_SINGLE = 3


def n_lanes(n_sequences: int) -> int:
    """How many sequences a tape is to take at once."""
    return 1 if n_sequences <= _MOST_SINGLE else LANES


def new_workspace(
    model: Model,
    n_steps: int,
    lanes: int = LANES,
    segments: int = 1,
    share: Workspace | None = None,
    forcing: Forcing | None = None,
) -> Workspace:
    """Allocate what one block of sequences of n_steps + 1 observations needs, under a forcing.

    A workspace that is used after `share`, never beside it, can take over most of its tape.
    """
    latent, observation = model.latent, model.observation
    dtype = latent.A.dtype
    shapes = _tape_shapes(model, n_steps, lanes, segments, forcing)
    own = _OWN if share else set(shapes)
    arrays = share.tape._asdict() if share else {}
    arrays |= {name: zeros(s, dtype, lanes) for name, s in shapes.items() if name in own}
    if not share and not keeps_unforced(observation):
        arrays["O"] = arrays["Z"][1:]
    parameters = (latent, observation)
    vector = np.zeros(n_parameters(parameters), dtype)
    columns = map_arrays(_transposed_copy, tuple(latent)) if lanes == 1 else ()
    if lanes == 1:
        columns = type(latent)(*columns)
    return Workspace(Tape(**arrays), columns, vector, from_vector(parameters, vector))


def _tape_shapes(
    model: Model, n_steps: int, lanes: int, segments: int, forcing: Forcing | None
) -> dict[str, tuple[int, ...]]:
    """Shapes of a tape's arrays, without the axis of the lanes."""
    latent, observation = model.latent, model.observation
    dtype = latent.A.dtype
    M, K = latent.C.shape
    N, reached = OBSERVATIONS.of(observation).sizes(observation)
    T = n_steps
    widths = MODELS.of(latent).tape_widths(latent)
    forced = n_forced_units(forcing, reached)

    step_bytes = (widths.f + widths.d + 2 * M + N) * lanes * dtype.itemsize
    B = min(T, int(np.clip(_BLOCK_BYTES // step_bytes, *_BLOCK_STEPS)))
    L = min(T, -(-T // (B * segments)) * B)  # whole blocks, so that segments change no sum's order
    return {
        "X": (T + 1, N),
        "U": (T + 1, K),
        "starts": (-(-T // L), M),
        "Z": (L + 1, M),
        "O": (L, M),
        "D": (L, widths.d),
        "E": (L, N),
        "F": (B, widths.f),
        "G": (B + 1, M),
        "signal": (2, forced),
        "work": (widths.work,),
        "weight": (1,),
    }


def workspace_bytes(
    model: Model, n_steps: int, lanes: int, segments: int = 1, forcing: Forcing | None = None
) -> tuple[int, int]:
    """Bytes of a workspace, and of one that shares the tape of another."""
    shapes = _tape_shapes(model, n_steps, lanes, segments, forcing)
    gradient = n_parameters((model.latent, model.observation))
    itemsize = model.latent.A.dtype.itemsize
    own = gradient + lanes * sum(math.prod(shapes[name]) for name in _OWN)
    return (gradient + lanes * sum(map(math.prod, shapes.values()))) * itemsize, own * itemsize


def _transposed_copy(array: np.ndarray) -> np.ndarray:
    return array.T.copy()


# --- kernels ---------------------------------------------------------------------------------------


@jit
def _step_forward(latent, observation, inverse, a, tape, first, rows, loss):
    """Fill the tape's rows for the steps from `first` on, from Z[0]; add squared errors to the loss.

    Z[r+1] = (1 - a) O[r] + a signal(X), O[r] = F(Z[r]) + C U.
    """
    X, U, Z, O, D, E, f = tape.X, tape.U, tape.Z, tape.O, tape.D, tape.E, tape.F[0]
    signal, weight = tape.signal[0], tape.weight[0]
    T, M = len(X) - 1, Z.shape[1]
    driven = U.shape[1] > 0
    for r in range(rows):
        t = first + r
        step_kernel(latent, Z[r], f, D[r], O[r])
        if driven:
            add_matvec(latent.C, U[t], O[r])
        observe_kernel(observation, O[r], E[r])
        for i in range(E.shape[1]):
            error = where_known(X[t + 1, i], E[r, i] - X[t + 1, i], zero_of(weight))
            loss = muladd(error, error, loss)
            E[r, i] = (weight + weight) * error
        if keeps_unforced(observation):
            for i in range(M):
                Z[r + 1, i] = O[r, i]
        if t + 1 < T and a[t + 1] > 0:
            signal_kernel(observation, inverse, X[t + 1], signal)
            for i in range(len(signal)):
                forced = (1 - a[t + 1]) * Z[r + 1, i] + a[t + 1] * signal[i]
                Z[r + 1, i] = where_known(signal[i], forced, Z[r + 1, i])
    return loss


@jit
def _step_back(latent, observation, a, tape, first, rows, grad_latent, grad_observation):
    """Take the gradient back over the tape's rows, in blocks; G[0] comes in, and goes out, as dLoss/dZ.

    G[k+1] = dLoss/dO of the block's k-th step: from its error, and from the next step's state, past its forcing.
    """
    X, U, Z, O, D, E, F = tape.X, tape.U, tape.Z, tape.O, tape.D, tape.E, tape.F
    G, work = tape.G, tape.work
    signal_gradient, zero = tape.signal[1], zero_of(tape.weight[0])
    T, M, B = len(X) - 1, Z.shape[1], len(F)
    forced = len(signal_gradient)
    stop = rows
    while stop > 0:
        start = (stop - 1) // B * B
        n = stop - start
        for i in range(M):
            G[n, i] = G[0, i]
        for i in range(len(work)):
            work[i] = zero
        for s in range(n):
            k = n - 1 - s
            r = start + k
            g = G[k + 1]
            w = a[first + r + 1] if first + r + 1 < T else zero_of(a[0])
            if w > 0:
                for i in range(forced):
                    pulled = where_known(pulled_kernel(observation, X[first + r + 1], i), w * g[i], zero)
                    signal_gradient[i] = signal_gradient[i] + pulled
                    g[i] = g[i] - pulled
            observe_gradient(observation, E[r], g)
            state_gradient(latent, Z[r], F[k], D[r], work, g, G[k])
        g = G[1 : n + 1]
        parameter_gradient(latent, Z[start:stop], F[:n], D[start:stop], work, g, grad_latent)
        if U.shape[1] > 0 and latent.learnable_C:
            add_outer(grad_latent.C, g, U[first + start : first + stop])
        observation_parameter_gradient(observation, O[start:stop], E[start:stop], grad_observation)
        stop = start


@inlined
def block_gradient(parameters, inverse, a, workspace):
    """Loss of the block on the tape; its gradient replaces the workspace's."""
    latent, observation = borrowed(parameters)
    grad_latent, grad_observation = borrowed(workspace.views)
    inverse, a, columns = borrowed(inverse), borrowed(a), borrowed(workspace.columns)
    workspace.vector[:] = 0
    stepping = by_columns(latent, columns)  # one sequence takes its matrices column by column
    tape = elements(workspace.tape)
    X, Z, G, starts, weight = tape.X, tape.Z, tape.G, tape.starts, tape.weight[0]
    T, L, M = len(X) - 1, len(tape.D), Z.shape[1]
    segments = len(starts)

    loss = zero_of(weight)
    start_kernel(observation, inverse, X[0], Z[0])
    for s in range(segments):
        rows = min(L, T - s * L)
        for i in range(M):
            starts[s, i] = Z[0, i]
        loss = _step_forward(stepping, observation, inverse, a, tape, s * L, rows, loss)
        for i in range(M):
            Z[0, i] = Z[rows, i]

    for i in range(M):
        G[0, i] = zero_of(weight)
    for i in range(len(tape.signal[1])):
        tape.signal[1, i] = zero_of(weight)
    for back in range(segments):
        s = segments - 1 - back
        rows = min(L, T - s * L)
        for i in range(M):
            Z[0, i] = starts[s, i]
        if back > 0:  # the last segment is on the tape still
            _step_forward(stepping, observation, inverse, a, tape, s * L, rows, zero_of(weight))
        _step_back(latent, observation, a, tape, s * L, rows, grad_latent, grad_observation)
    signal_parameter_gradient(observation, inverse, X, G[:1], tape.signal[1:], grad_observation)
    return total(loss * weight)


@jit
def n_observed_entries(source, windows, n_steps):
    """How many entries the loss of a batch compares."""
    X = borrowed(source.X)
    N = X.shape[1]
    if not source.masked:
        return len(windows) * n_steps * N
    n = 0
    for first in windows:
        for t in range(first + 1, first + n_steps + 1):
            for i in range(N):
                if not math.isnan(X[t, i]):
                    n += 1
    return max(n, 1)


@jit
def fill_tape(tape, source, windows, n_entries, block, rng, noise):
    """Copy a block's windows into its lanes, with Gaussian noise on the observations.

    Lanes left over repeat the last window at weight 0: they diverge only where a real one does, which zeros
    would not promise.
    """
    rows, N, K = tape.X.shape[0], tape.X.shape[1], tape.U.shape[1]
    lanes, S = tape.weight.size, len(windows)
    X, starts, U = borrowed(source.X), borrowed(source.starts), borrowed(source.U)
    windows, weight = borrowed(windows), borrowed(tape.weight.reshape(lanes))
    X_lanes = borrowed(tape.X.reshape((rows, N, lanes)))
    U_lanes = borrowed(tape.U.reshape((rows, K, lanes)))
    first = block * lanes
    real = min(lanes, S - first)
    for lane in range(lanes):
        weight[lane] = 1.0 / n_entries if lane < real else 0.0
    for t in range(rows):
        for i in range(N):
            for lane in range(lanes):
                row = windows[first + min(lane, real - 1)] + t
                X_lanes[t, i, lane] = starts[row, i] if t == 0 else X[row, i]
        for k in range(K):
            for lane in range(lanes):
                U_lanes[t, k, lane] = U[windows[first + min(lane, real - 1)] + t, k]
        if noise > 0:
            for i in range(N):
                for lane in range(real):
                    X_lanes[t, i, lane] += noise * rng.standard_normal()


@inlined
def batch_gradient(parameters, inverse, a, source, windows, rng, noise, workspace, gradient):
    """Loss of a batch of windows; its gradient replaces the vector `gradient`."""
    gradient[:] = 0
    loss = 0.0
    n_entries = n_observed_entries(source, windows, len(workspace.tape.X) - 1)
    for block in range(n_blocks(len(windows), workspace.tape.weight.size)):
        fill_tape(workspace.tape, source, windows, n_entries, block, rng, noise)
        loss += float(block_gradient(parameters, inverse, a, workspace))
        add_block(gradient, workspace.vector)
    return loss


@jit
def n_blocks(n_sequences, lanes):
    """How many blocks of lanes a batch takes."""
    return (n_sequences + lanes - 1) // lanes


@jit
def add_block(gradient, vector):
    """Add one block's gradient to the batch's; called in the order of blocks."""
    for i in range(len(gradient)):
        gradient[i] += vector[i]


@kernel
def _batch_gradient(parameters, inverse, a, source, windows, rng, noise, workspace, gradient):
    return batch_gradient(parameters, inverse, a, source, windows, rng, noise, workspace, gradient)


def loss_and_grad(
    model: Model,
    X: ArrayLike,
    inputs: ArrayLike | None = None,
    forcing: Forcing | None = None,
    *,
    checkpoint_segments: int = 1,
) -> tuple[float, Model]:
    """Mean squared error of a forced rollout over a batch, and its exact gradient.

    Parameters
    ----------
    model : Model
        Parameters; they give the dtype. A scaling is not applied: X is in the model's units.
    X : array_like, (S, T+1, N)
        Observed sequences; the loss compares rows 1 to T.
    inputs : array_like, (S, T+1, K), optional
        External inputs, needed where the model has any; row t drives the step from t to t+1.
    forcing : STF, GTF or None
        Teacher forcing; None lets every sequence run freely from its start. An alpha that adapts is found in the
        course of a training, and refused here.
    checkpoint_segments : int, optional
        Keep the states of one of so many segments at a time, and step through the others again on the way back:
        about a third more time, memory by so much less. The results are the same to the bit.

    Returns
    -------
    loss : float
        ``mean over t = 1..T, S and N of (x_hat[t] - x[t])**2``, z[t] before forcing; without regularizers.
    gradient : Model
        The derivatives, in arrays of the model's shapes and dtype. ``pinv(B)`` of an affine observation
        model is a constant; a diagonal that is kept at zero, and a C that is not learned, have gradient 0.

    Raises
    ------
    ValueError
        Where a shape does not fit, inputs are missing, or there is NaN among the numbers; the message names the argument.

    References
    ----------
    Hess et al. (2023) [hess2023], sections 3.1 and 3.3, and Brenner et al. (2024) [brenner2024], for loss and forcing.
    The derivation, formula by formula: docs/bptt.md.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> config = {"latent_dim": 3, "latent_step": {"name": "PLRNN"}, "dtype": "float64"}
    >>> model = pl.init_model(config, n_observed=3)
    >>> X = np.random.default_rng(0).standard_normal((8, 21, 3))
    >>> loss, gradient = pl.loss_and_grad(model, X, forcing=pl.GTF(0.1))
    >>> gradient.latent.W.shape, float(gradient.latent.W[0, 0])
    ((3, 3), 0.0)
    """
    model = as_model(model)
    forcing = as_forcing(forcing)
    if forcing is not None and forcing.adapts:
        raise ValueError(
            f"forcing: got {forcing!r}, whose alpha is found in a training; give one that is constant"
        )
    segments = as_integer("checkpoint_segments", checkpoint_segments)
    dtype = model.latent.A.dtype
    N, K = n_observed(model.observation), model.latent.C.shape[1]
    X = as_floats("X", X, dtype, ("S", "T+1", N))
    S, T = X.shape[0], X.shape[1] - 1
    if S < 1 or T < 1:
        raise ValueError(f"X: got shape {X.shape}, expected at least 1 sequence of 2 observations")
    if not np.isfinite(X).all():
        raise ValueError(f"X: got NaN or inf at {tuple(map(int, np.argwhere(~np.isfinite(X))[0]))}")
    if inputs is None and K:
        raise ValueError(f"inputs: got none, but the model has {K}; expected shape {(S, T + 1, K)}")
    U = np.zeros((S, T + 1, K), dtype) if inputs is None else inputs
    U = as_floats("inputs", U, dtype, (S, T + 1, K))
    check_finite("inputs", U)
    a = forcing_weights(forcing, T).astype(dtype)
    parameters = (model.latent, model.observation)
    check_memory(
        {"X": (f"sequences of {T} steps", workspace_bytes(model, T, n_lanes(S), segments, forcing)[0])}
    )
    workspace = new_workspace(model, T, n_lanes(S), segments, forcing=forcing)
    gradient = np.empty_like(workspace.vector)
    loss = _batch_gradient(
        parameters,
        signal_inverse(model.observation),
        a,
        as_source(X.reshape(S * (T + 1), N), U.reshape(S * (T + 1), K)),
        np.arange(S) * (T + 1),
        np.random.default_rng(0),  # draws nothing: the noise is 0
        0.0,
        workspace,
        gradient,
    )
    return float(loss), Model(*from_vector(parameters, gradient))
