"""Batches: the kernels that train, and what they work on, for one thread or several."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ..basics.options import ConfigError
from ..basics.sizes import check_memory
from ..bptt import (
    Workspace,
    add_block,
    batch_gradient,
    block_gradient,
    fill_tape,
    n_blocks,
    n_lanes,
    n_observed_entries,
    new_workspace,
    workspace_bytes,
)
from ..config import Config
from ..engine import from_vector, jit, kernel
from ..forcings.base import adapt_alpha
from ..model import Model
from ..observations.base import signal_inverse, update_inverse
from .optimizers import BETA1, BETA2, EPSILON, OPTIMIZERS, Moments, clip_in_place, update_in_place
from .penalties import Found, Penalty, add_penalty, penalty_of
from .state import State
from .windows import Windows, WindowsOnDisk, draw_windows

# Windows on disk that are read before their pages are given back, which takes as long as a batch.
_WINDOWS_HELD = 256


class Task(NamedTuple):
    """What every batch works on."""

    data: Windows
    windows: np.ndarray  # (batch_size,) first rows of the batch's windows
    parameters: Any  # (latent, observation) in arrays that are views of the vector of parameters
    inverse: np.ndarray  # of the observation model, refreshed at each batch
    a: np.ndarray  # (T,) the forcing's weights
    adaptation: Any  # by what they change


class Optimization(NamedTuple):
    """What a batch's gradient goes through, and what it changes."""

    params: np.ndarray
    gradient: np.ndarray
    grad_observation: Any  # the observation model's part of the gradient, as views
    moments: Moments
    penalty: Penalty
    sums: np.ndarray  # the epoch's loss, and each penalty
    found: np.ndarray  # each penalty of the batch


class Settings(NamedTuple):
    """The numbers that a batch needs."""

    optimizer: int
    learning_rate: float
    gradient_clip: float
    gradient_bound: float
    noise: float


# --- kernels ---------------------------------------------------------------------------------------


@jit
def _finish_batch(loss, parameters, optimization, settings, step):
    """Penalties, clipping, optimizer; False, with nothing changed, where the training has diverged."""
    params, gradient, sums, found = (
        optimization.params,
        optimization.gradient,
        optimization.sums,
        optimization.found,
    )
    add_penalty(optimization.penalty, params, parameters[1], gradient, optimization.grad_observation, found)
    norm = clip_in_place(gradient, settings.gradient_clip)
    if not (math.isfinite(loss) and norm <= settings.gradient_bound):
        return False
    m, v = optimization.moments
    rates = (settings.learning_rate, BETA1, BETA2, EPSILON)
    update_in_place(params, gradient, m, v, settings.optimizer, step, *rates)
    sums[0] += loss
    for i in range(len(found)):
        sums[1 + i] += found[i]
    return True


@kernel
def _train_batches(n_batches, rng, task, workspace, optimization, settings, step):
    """Run n_batches; return how many were, fewer where loss or gradient diverged."""
    data, windows, parameters, inverse, a, adaptation = task
    source, starts, counts = data
    gradient = optimization.gradient
    for batch in range(n_batches):
        update_inverse(parameters[1], inverse)
        draw_windows(rng, starts, counts, windows)
        adapt_alpha(adaptation, parameters, inverse, source, windows, a, step + batch)
        loss = batch_gradient(
            parameters, inverse, a, source, windows, rng, settings.noise, workspace, gradient
        )
        if not _finish_batch(loss, parameters, optimization, settings, step + batch):
            return batch
    return n_batches


# The same batch in parts, for threads: only the blocks' gradients run side by side.


@kernel
def _begin_threaded(rng, task, workspaces, noise, step):
    data, windows, parameters, inverse, a, adaptation = task
    source, starts, counts = data
    update_inverse(parameters[1], inverse)
    draw_windows(rng, starts, counts, windows)
    adapt_alpha(adaptation, parameters, inverse, source, windows, a, step)
    n_entries = n_observed_entries(source, windows, len(workspaces[0].tape.X) - 1)
    for block in range(len(workspaces)):
        fill_tape(workspaces[block].tape, source, windows, n_entries, block, rng, noise)


@kernel
def _block_gradient(parameters, inverse, a, workspace):
    return block_gradient(parameters, inverse, a, workspace)


@kernel
def _end_threaded(loss, parameters, workspaces, optimization, settings, step):
    gradient = optimization.gradient
    gradient[:] = 0
    for workspace in workspaces:
        add_block(gradient, workspace.vector)
    return _finish_batch(loss, parameters, optimization, settings, step)


# --- what they work on -----------------------------------------------------------------------------


def _check_sizes(config: Config, model: Model, lanes: int, blocks: int) -> None:
    """Raise ConfigError where batches would not fit into memory."""
    training = config.training
    T, threads = training.sequence_length, min(training.n_threads, blocks)
    whole, own = workspace_bytes(model, T, lanes, training.checkpoint_segments, config.forcing)
    shared = (blocks - threads) * own if threads > 1 else 0
    parts = {
        "training.batch_size": (training.batch_size, 8 * training.batch_size + shared),
        "training.sequence_length": (T, threads * whole),
    }
    check_memory(parts, ConfigError)


class Batches:
    """Everything that is made once for a training, so that a batch allocates nothing.

    As a context manager it brings its threads along, where the configuration asks for more than one.

    Parameters
    ----------
    config : Config
        The training's.
    model : Model
        The initial one; it gives shapes and types.
    data : Windows or WindowsOnDisk
        The data; those on disk are read batch by batch.
    state : State
        Its arrays are changed in place.
    """

    def __init__(
        self,
        config: Config,
        model: Model,
        data: Windows | WindowsOnDisk,
        state: State,
        a: np.ndarray,
        adaptation: Any,
    ):
        self._training = config.training
        self._state = state
        lanes = n_lanes(self._training.batch_size)
        blocks = n_blocks(self._training.batch_size, lanes)
        _check_sizes(config, model, lanes, blocks)
        like = (model.latent, model.observation)
        gradient = np.zeros_like(state.params)
        batch_size = config.training.batch_size
        self._on_disk = data if isinstance(data, WindowsOnDisk) else None
        self._unreleased = 0
        self._task = Task(
            data.batch_of(batch_size) if isinstance(data, WindowsOnDisk) else data,
            np.arange(batch_size) * (config.training.sequence_length + 1),
            from_vector(like, state.params),
            signal_inverse(model.observation),
            a,
            adaptation,
        )
        self._optimization = Optimization(
            state.params,
            gradient,
            from_vector(like, gradient)[1],
            state.moments,
            penalty_of(config, *like),
            state.sums,
            np.zeros(len(Found._fields)),
        )
        self._threads = min(self._training.n_threads, blocks)
        self._executor: ThreadPoolExecutor | None = None
        workspaces: list[Workspace] = []
        for block in range(blocks if self._threads > 1 else 1):
            # A thread takes every n-th block, one after the other, on one tape: it stays in the cache.
            share = workspaces[block % self._threads] if block >= self._threads else None
            segments = self._training.checkpoint_segments
            workspaces.append(new_workspace(model, len(a), lanes, segments, share, config.forcing))
        self._workspaces = tuple(workspaces)

    def __enter__(self) -> Batches:
        if self._threads > 1:
            self._executor = ThreadPoolExecutor(self._threads)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def compile(self, learning_rate: float) -> None:
        """Compile, or load, what `run` calls, and change nothing."""
        self._read(np.random.default_rng(0), 0)
        if self._threads > 1:
            _begin_threaded(np.random.default_rng(0), self._task, self._workspaces, self._training.noise, 0)
            self._blocks_of_thread(0)
            self._end_threaded(math.nan, learning_rate, 1)  # not finite: nothing changes
        else:
            self._run(0, learning_rate, 1)

    def run(self, n: int, learning_rate: float, step: int) -> int:
        """Run n batches, the first of which is number `step` of the training; return how many did not diverge."""
        if self._executor is not None:
            return self._run_threaded(n, learning_rate, step)
        if self._on_disk is None:
            return self._run(n, learning_rate, step)
        for batch in range(n):
            self._read(self._state.rng, self._training.batch_size)
            if not self._run(1, learning_rate, step + batch):
                return batch
        return n

    def _read(self, rng: np.random.Generator, n: int) -> None:
        """Draw and read the n windows of a batch, where they are on disk."""
        if self._on_disk is not None:
            self._on_disk.read(rng, n, self._task.data.source)
            self._unreleased += n
            if self._unreleased >= _WINDOWS_HELD:
                self._on_disk.release()
                self._unreleased = 0

    def _settings(self, learning_rate: float) -> Settings:
        training = self._training
        clip = math.inf if training.gradient_clip is None else training.gradient_clip
        optimizer, bound = OPTIMIZERS[training.optimizer], training.gradient_bound
        return Settings(optimizer, learning_rate, clip, bound, training.noise)

    def _run(self, n: int, learning_rate: float, step: int) -> int:
        return _train_batches(
            n,
            self._state.rng,
            self._task,
            self._workspaces[0],
            self._optimization,
            self._settings(learning_rate),
            step,
        )

    def _blocks_of_thread(self, thread: int) -> list[float]:
        task = self._task
        return [
            _block_gradient(task.parameters, task.inverse, task.a, workspace)
            for workspace in self._workspaces[thread :: self._threads]
        ]

    def _end_threaded(self, loss: float, learning_rate: float, step: int) -> bool:
        return _end_threaded(
            loss,
            self._task.parameters,
            self._workspaces,
            self._optimization,
            self._settings(learning_rate),
            step,
        )

    def _run_threaded(self, n: int, learning_rate: float, step: int) -> int:
        assert self._executor is not None
        for batch in range(n):
            self._read(self._state.rng, self._training.batch_size)
            _begin_threaded(self._state.rng, self._task, self._workspaces, self._training.noise, step + batch)
            losses = np.zeros(len(self._workspaces))
            threads = range(self._threads)
            for thread, found in enumerate(self._executor.map(self._blocks_of_thread, threads)):
                losses[thread :: self._threads] = found
            # Added one by one, in the order of blocks, as one thread does.
            if not self._end_threaded(sum(losses.tolist()), learning_rate, step + batch):
                return batch
        return n
