"""The forced rollout and its gradient, by backpropagation through time, over any model.

docs/bptt.md derives each line. Sequences are taken sixteen at a time, as lanes (see `_lanes`); one block
of lanes is one call of `block_gradient`, which fills a gradient vector of its own. The blocks' vectors are
added in a fixed order, so that threads change no bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import as_floats, from_vector, n_parameters
from ._jit import jit, kernel
from ._lanes import LANES, as_lanes, borrowed, empty, total, zero_of
from ._products import add_matvec, add_outer
from .forcing import forcing_weights
from .model import Model, as_model
from .models._base import model_of, parameter_gradient, state_gradient, step_kernel
from .observation import (
    Identity,
    n_observed,
    observation_parameter_gradient,
    observe_gradient,
    observe_kernel,
    signal_inverse,
    signal_kernel,
    start_kernel,
)


class Tape(NamedTuple):
    """What a block of sequences keeps on the way forward, and needs on the way back; last axis the lanes."""

    X: np.ndarray  # (T+1, N) observations
    U: np.ndarray  # (T+1, K) inputs
    Z: np.ndarray  # (T, M) states that are stepped from, after forcing
    O: np.ndarray  # (T, M) states that are stepped to, before forcing
    F: np.ndarray  # (T, n_f) kept by the model
    D: np.ndarray  # (T, n_d) kept by the model; its deltas on the way back
    E: np.ndarray  # (T, N) dLoss / dx_hat
    G: np.ndarray  # (T, M) dLoss / dO
    signal: np.ndarray  # (2, forced) the forcing signal; the sum of its gradients
    dz: np.ndarray  # (1, M) dLoss / dZ of the step at hand
    work: np.ndarray  # (n_work,) the model's own
    weight: np.ndarray  # (1,) 1 / (T S N), and 0 in lanes without a sequence


def new_tape(model: Model, n_steps: int) -> Tape:
    """Allocate the tape of one block of sequences of n_steps + 1 observations."""
    latent, observation = model.latent, model.observation
    M, K = latent.C.shape
    N = n_observed(observation)
    T = n_steps
    widths = model_of(latent).tape_widths(latent)
    forced = N if isinstance(observation, Identity) else M
    shapes = {
        "X": (T + 1, N),
        "U": (T + 1, K),
        "Z": (T, M),
        "O": (T, M),
        "F": (T, widths.f),
        "D": (T, widths.d),
        "E": (T, N),
        "G": (T, M),
        "signal": (2, forced),
        "dz": (1, M),
        "work": (widths.work,),
        "weight": (1,),
    }
    return Tape(**{name: empty(shape, latent.A.dtype) for name, shape in shapes.items()})


@kernel
def block_gradient(parameters, inverse, a, tape, vector, views):
    """Loss of the block on the tape; its gradient replaces `vector`, of which `views` are the arrays."""
    latent, observation = borrowed(parameters)
    grad_latent, grad_observation = borrowed(views)
    inverse, a = borrowed(inverse), borrowed(a)
    vector[:] = 0
    X, U, Z, O = as_lanes(tape.X), as_lanes(tape.U), as_lanes(tape.Z), as_lanes(tape.O)
    F, D, E, G = as_lanes(tape.F), as_lanes(tape.D), as_lanes(tape.E), as_lanes(tape.G)
    signals, dz, work = as_lanes(tape.signal), as_lanes(tape.dz), as_lanes(tape.work)
    weight = as_lanes(tape.weight)[0]
    T, M = len(Z), Z.shape[1]
    signal, signal_gradient = signals[0], signals[1]
    forced = len(signal)
    driven = U.shape[1] > 0

    # Forward. Z[t] = (1 - a[t]) O[t-1] + a[t] signal(X[t]); O[t] = F(Z[t]) + C U[t].
    loss = zero_of(weight)
    start_kernel(observation, inverse, X[0], Z[0])
    for t in range(T):
        if t > 0:
            for i in range(M):
                Z[t, i] = O[t - 1, i]
            if a[t] > 0:
                signal_kernel(observation, inverse, X[t], signal)
                for i in range(forced):
                    Z[t, i] = (1 - a[t]) * Z[t, i] + a[t] * signal[i]
        step_kernel(latent, Z[t], F[t], D[t], O[t])
        if driven:
            add_matvec(latent.C, U[t], O[t])
        observe_kernel(observation, O[t], E[t])
        for i in range(E.shape[1]):
            error = E[t, i] - X[t + 1, i]
            loss = loss + error * error
            E[t, i] = (weight + weight) * error

    # Back. G[t] = dLoss/dO[t], from the error at t+1 and from the next step's state, past its forcing.
    for i in range(len(work)):
        work[i] = zero_of(weight)
    for i in range(forced):
        signal_gradient[i] = zero_of(weight)
    for i in range(M):
        dz[0, i] = zero_of(weight)
    for s in range(T):
        t = T - 1 - s
        for i in range(M):
            G[t, i] = dz[0, i]
        if t + 1 < T and a[t + 1] > 0:
            for i in range(forced):
                signal_gradient[i] = signal_gradient[i] + a[t + 1] * dz[0, i]
                G[t, i] = (1 - a[t + 1]) * dz[0, i]
        observe_gradient(observation, E[t], G[t])
        state_gradient(latent, F[t], D[t], work, G[t], dz[0])

    # Parameters, once for the whole sequence.
    parameter_gradient(latent, Z, F, D, work, G, grad_latent)
    if driven and latent.learnable_C:
        add_outer(grad_latent.C, G, U[:T])
    observation_parameter_gradient(observation, inverse, X, O, E, dz, signals[1:], grad_observation)
    return total(loss * weight)


@jit
def fill_tape(tape, X, U, windows, block, rng, noise):
    """Copy a block's windows of X and U into its lanes, with Gaussian noise on X.

    Lanes left over repeat the last window at weight 0: they diverge only where a real one does, which zeros
    would not promise.
    """
    rows, N, lanes = tape.X.shape
    K = tape.U.shape[1]
    S = len(windows)
    X, U, X_lanes, U_lanes, weight = (
        borrowed(X),
        borrowed(U),
        borrowed(tape.X),
        borrowed(tape.U),
        borrowed(tape.weight),
    )
    for lane in range(lanes):
        s = block * lanes + lane
        real = s < S
        first = windows[s] if real else windows[S - 1]
        weight[0, lane] = 1.0 / ((rows - 1) * S * N) if real else 0.0
        noisy = noise > 0 and real
        for t in range(rows):
            for i in range(N):
                x = X[first + t, i]
                if noisy:
                    x += noise * rng.standard_normal()
                X_lanes[t, i, lane] = x
            for k in range(K):
                U_lanes[t, k, lane] = U[first + t, k]


@jit
def batch_gradient(parameters, inverse, a, X, U, windows, rng, noise, workspace, gradient):
    """Loss of a batch of windows; its gradient replaces the vector `gradient`.

    The workspace is one tape, a vector, and (latent, observation) as views of that vector.
    """
    tape, vector, views = workspace
    gradient[:] = 0
    loss = 0.0
    for block in range(n_blocks(len(windows))):
        fill_tape(tape, X, U, windows, block, rng, noise)
        loss += block_gradient(parameters, inverse, a, tape, vector, views)
        add_block(gradient, vector)
    return loss


@jit
def n_blocks(n_sequences):
    """How many blocks of lanes a batch takes."""
    return (n_sequences + LANES - 1) // LANES


@jit
def add_block(gradient, vector):
    """Add one block's gradient to the batch's; called in the order of blocks."""
    for i in range(len(gradient)):
        gradient[i] += vector[i]


@kernel
def _batch_gradient(parameters, inverse, a, X, U, windows, rng, noise, workspace, gradient):
    return batch_gradient(parameters, inverse, a, X, U, windows, rng, noise, workspace, gradient)


def new_workspace(model: Model, n_steps: int) -> tuple[Tape, np.ndarray, Any]:
    """A tape, a gradient vector, and (latent, observation) as views of that vector."""
    parameters = (model.latent, model.observation)
    vector = np.zeros(n_parameters(parameters), model.latent.A.dtype)
    return new_tape(model, n_steps), vector, from_vector(parameters, vector)


def loss_and_grad(model: Model, X: Any, inputs: Any = None, forcing: Any = None) -> tuple[float, Model]:
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
        Teacher forcing; None lets every sequence run freely from its start.

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
        Where a shape does not fit, inputs are missing, or X has NaN; the message names the argument.

    References
    ----------
    Loss and forcing: Hess et al. (2023), ICML, sections 3.1 and 3.3; Brenner, Hemmer et al. (2024), NeurIPS.
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
    a = forcing_weights(forcing, T).astype(dtype)
    parameters = (model.latent, model.observation)
    workspace = new_workspace(model, T)
    gradient = np.empty_like(workspace[1])
    loss = _batch_gradient(
        parameters,
        signal_inverse(model.observation),
        a,
        X.reshape(S * (T + 1), N),
        U.reshape(S * (T + 1), K),
        np.arange(S) * (T + 1),
        np.random.default_rng(0),  # draws nothing: the noise is 0
        0.0,
        workspace,
        gradient,
    )
    return float(loss), Model(*from_vector(parameters, gradient))
