"""The forced rollout and its gradient, by backpropagation through time, over any model.

docs/bptt.md derives each line. Sequences are taken sixteen at a time, as lanes (see `_lanes`); one block
of lanes is one call of `_block_gradient`, with tapes and a gradient of its own. The blocks' gradients are
added in a fixed order, so that threads change no bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._arrays import as_floats, from_vector, n_parameters
from ._jit import kernel
from ._lanes import LANES, as_lanes, empty, total, zero_of
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
    shapes = Tape(
        X=(T + 1, N),
        U=(T + 1, K),
        Z=(T, M),
        O=(T, M),
        F=(T, widths.f),
        D=(T, widths.d),
        E=(T, N),
        G=(T, M),
        signal=(2, forced),
        dz=(1, M),
        work=(widths.work,),
        weight=(1,),
    )  # type: ignore[arg-type]
    return Tape(*(empty(shape, latent.A.dtype) for shape in shapes))  # type: ignore[arg-type]


@kernel
def _block_gradient(latent, observation, inverse, a, tape, grad_latent, grad_observation):
    """Loss of one block; its gradient is added to grad_latent and grad_observation."""
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
    observation_parameter_gradient(
        observation, inverse, X, O, E, dz, signals[1:], grad_observation
    )
    return total(loss * weight)


class BlockGradients:
    """Gradients of batches of one shape: tapes and vectors made once, used again for every batch.

    Parameters
    ----------
    model : Model
        Fixes the shapes; the parameters themselves are handed to each call.
    n_sequences, n_steps : int
        S and T.
    executor : concurrent.futures.Executor, optional
        Runs the blocks of sequences in threads; the result is the same to the bit.
    """

    def __init__(self, model: Model, n_sequences: int, n_steps: int, executor: Any = None):
        self.n_blocks = -(-n_sequences // LANES)
        self.tapes = [new_tape(model, n_steps) for _ in range(self.n_blocks)]
        self._executor = executor
        parameters = (model.latent, model.observation)
        self.dtype = model.latent.A.dtype
        self._vectors = np.zeros((self.n_blocks, n_parameters(parameters)), self.dtype)
        self._gradients = [from_vector(parameters, v) for v in self._vectors]
        n = n_observed(model.observation)
        for block, tape in enumerate(self.tapes):
            real = min(LANES, n_sequences - block * LANES)
            tape.weight[0, :real] = 1.0 / (n_steps * n_sequences * n)

    def sequence_of_lane(self, n_sequences: int) -> np.ndarray:
        """(n_blocks, LANES): which sequence each lane holds; lanes left over repeat the last, at weight 0.

        A repeated sequence diverges only where the real one does, which zeros would not promise.
        """
        lanes = np.arange(self.n_blocks * LANES).reshape(self.n_blocks, LANES)
        return np.minimum(lanes, n_sequences - 1)

    def __call__(
        self, model: Model, inverse: np.ndarray, a: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Loss and gradient vector of what the tapes' X and U hold; a (T,) in the model's dtype."""
        self._vectors.fill(0)

        def run(block: int) -> float:
            grad_latent, grad_observation = self._gradients[block]
            return _block_gradient(
                model.latent,
                model.observation,
                inverse,
                a,
                self.tapes[block],
                grad_latent,
                grad_observation,
            )

        mapping = map if self._executor is None else self._executor.map
        losses = list(mapping(run, range(self.n_blocks)))
        return sum(losses), self._vectors.sum(axis=0) if self.n_blocks > 1 else self._vectors[0]


def loss_and_grad(
    model: Model, X: Any, inputs: Any = None, forcing: Any = None
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
    gradients = BlockGradients(model, S, T)
    for tape, lanes in zip(gradients.tapes, gradients.sequence_of_lane(S)):
        tape.X[...] = X[lanes].transpose(1, 2, 0)
        tape.U[...] = U[lanes].transpose(1, 2, 0)
    a = forcing_weights(forcing, T).astype(dtype)
    loss, vector = gradients(model, signal_inverse(model.observation), a)
    latent, observation = from_vector((model.latent, model.observation), vector)
    return float(loss), Model(latent, observation)
