"""fit: windows of the data, gradients, optimizer, evaluations, and how a training ends."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ._arrays import from_vector, to_vector
from ._jit import jit, kernel
from ._lanes import LANES
from .bptt import (
    Workspace,
    add_block,
    batch_gradient,
    block_gradient,
    fill_tape,
    loss_and_grad,
    n_blocks,
    n_lanes,
    n_observed_entries,
    new_workspace,
)
from .config import Config
from .data import (
    DataError,
    as_trials,
    check_trials,
    find_scaling,
    interpolated,
    make_windows,
    mapping_of,
    release,
    stays_on_disk,
)
from .dynamics import generate, jacobian
from .dynamics import step as step_states
from .forcing import adapt_alpha, adaptation_of, adapts, forcing_weights
from .measures import Evaluation, evaluate
from .model import Model, init_model, initial_state
from .models._base import MODELS, Hyperparameters
from .observation import signal_inverse, update_inverse
from .optim import (
    BETA1,
    BETA2,
    EPSILON,
    OPTIMIZERS,
    clip_in_place,
    exponential_decay,
    init_moments,
    update_in_place,
)
from .progress import Progress
from .regularization import PENALTIES, add_penalty, penalty_of

# A compiled call runs as many batches as fit into this time, so that Ctrl-C and signals get through.
_SECONDS_PER_CALL = 0.2
_MAPPED_WINDOWS_PER_CALL = 256


@dataclasses.dataclass(frozen=True)
class EpochReport:
    """What a callback is told after each epoch; `evaluation` is None between two evaluations."""

    epoch: int
    n_epochs: int
    loss: float
    l2: float
    mar: float
    ar: float
    condition: float
    alpha: float
    learning_rate: float
    seconds: float
    evaluation: Evaluation | None
    model: Model


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What `fit` returns.

    Parameters
    ----------
    model : Model
        The parameters at the end; after divergence, the last finite ones.
    history : dict of ndarray
        Columns epoch (from 1), loss, l2, mar, ar, condition, alpha, learning_rate, seconds, D_stsp, D_H, PE; a row
        an epoch. The penalties are those of the configuration's `regularization` and `ar_epsilon`; alpha is that of
        GTF at the epoch's end, NaN for other forcings; the measures are NaN in epochs without an evaluation.
    best_model : Model
        Those of the evaluation with the lowest D_stsp; `model` where there was none.
    status : str
        'finished', 'early' (by `early_stopping`), 'diverged', 'stopped' (by a callback or a signal) or
        'interrupted' (by Ctrl-C).
    seed : int
        The configuration's.
    compile_seconds, seconds : float
        Time to compile or load the kernels, and time to train.
    """

    model: Model
    history: dict[str, np.ndarray]
    best_model: Model
    status: str
    seed: int
    compile_seconds: float
    seconds: float


COLUMNS = ("epoch", "loss", *PENALTIES, "alpha", "learning_rate", "seconds", "D_stsp", "D_H", "PE")


def history_of(rows: Any) -> dict[str, np.ndarray]:
    """Columns, by name, of the rows that a `Trainer` keeps."""
    table = np.array(rows, dtype=np.float64).reshape(-1, len(COLUMNS))
    return {name: table[:, i].copy() for i, name in enumerate(COLUMNS)}


# --- kernels ---------------------------------------------------------------------------------------


class _Settings(NamedTuple):
    """The numbers that a batch needs."""

    optimizer: int
    learning_rate: float
    gradient_clip: float
    gradient_bound: float
    noise: float


@jit
def draw_windows(rng, starts, counts, windows):
    """Rows at which the batch's windows start, each window of each trial equally likely."""
    for s in range(len(windows)):
        w = rng.integers(0, counts[-1])
        trial = 0
        while counts[trial] <= w:
            trial += 1
        before = counts[trial - 1] if trial > 0 else 0
        windows[s] = starts[trial] + w - before


@jit
def _finish_batch(loss, parameters, optimization, settings, step):
    """Penalties, clipping, optimizer; False, with nothing changed, where the training has diverged.

    `sums` (5,) gathers the epoch's loss and each of its `PENALTIES`.
    """
    params, gradient, grad_observation, moments, penalty, sums, found = optimization
    add_penalty(penalty, params, parameters[1], gradient, grad_observation, found)
    norm = clip_in_place(gradient, settings.gradient_clip)
    if not (math.isfinite(loss) and norm <= settings.gradient_bound):
        return False
    m, v = moments
    rates = (settings.learning_rate, BETA1, BETA2, EPSILON)
    update_in_place(params, gradient, m, v, settings.optimizer, step, *rates)
    sums[0] += loss
    for i in range(len(found)):
        sums[1 + i] += found[i]
    return True


@kernel
def _train_batches(
    n_batches, rng, data, windows, parameters, inverse, forcing, workspace, optimization, settings, step
):
    """Run n_batches; return how many were, fewer where loss or gradient diverged."""
    source, starts, counts = data
    gradient = optimization[1]
    a, adaptation = forcing
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
def _begin_threaded(rng, data, windows, parameters, inverse, forcing, workspaces, noise, step):
    source, starts, counts = data
    a, adaptation = forcing
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
    gradient = optimization[1]
    gradient[:] = 0
    for workspace in workspaces:
        add_block(gradient, workspace.vector)
    return _finish_batch(loss, parameters, optimization, settings, step)


# --- training --------------------------------------------------------------------------------------


class Trainer:
    """A training that can be run, stopped between two compiled calls, saved, and gone on with exactly.

    Arguments are those of `fit`, which is the way to use it unless the state is to be kept.
    """

    def __init__(
        self,
        X: Any,
        config: Any,
        inputs: Any = None,
        validation: Any = None,
        validation_inputs: Any = None,
    ):
        self.config = config = Config.from_dict(config)
        trials = as_trials("X", X)
        masked = check_trials("X", trials, missing=config.missing == "mask")
        drives = _as_inputs("inputs", inputs, "X", trials)
        scaling = find_scaling(trials) if config.standardize else None
        n_steps = config.training.sequence_length
        data = make_windows(trials, drives, n_steps, scaling, config.dtype, masked)
        self._validation, self._validation_inputs = _validation_series(
            trials, drives, validation, validation_inputs, config
        )

        model = init_model(config, trials[0].shape[1], drives[0].shape[1])
        self._like = (model.latent, model.observation)
        self._scaling = scaling
        self.params = to_vector(self._like)
        self._parameters = from_vector(self._like, self.params)
        self._inverse = signal_inverse(model.observation)
        self.moments = init_moments(self.params)
        # A stream of its own: the initial values do not depend on how training draws, nor the reverse.
        self.rng = np.random.default_rng([config.seed, 1])
        self._data = data
        a = forcing_weights(config.forcing, n_steps).astype(config.dtype)
        self._forcing = a, adaptation_of(config.forcing, model)
        self._windows = np.zeros(config.training.batch_size, np.int64)
        self._prepare_workspaces(model, n_steps)
        first, last = config.training.learning_rate
        self._learning_rate = exponential_decay(first, last, config.training.epochs)

        self.epoch = 0
        self.batch = 0
        self.sums = np.zeros(1 + len(PENALTIES))
        self.epoch_seconds = 0.0
        self.rows: list[tuple[float, ...]] = []
        self.best = self.params.copy()
        self.best_D_stsp = math.inf
        self.compile_seconds = 0.0
        self.stop_requested = False
        gradient = np.zeros_like(self.params)
        self._optimization = (
            self.params,
            gradient,
            from_vector(self._like, gradient)[1],
            tuple(self.moments),
            penalty_of(config, *self._like),
            self.sums,
            np.zeros(len(PENALTIES)),
        )

    def _prepare_workspaces(self, model: Model, n_steps: int) -> None:
        part = self.config.training
        lanes = n_lanes(part.batch_size)
        blocks = n_blocks(part.batch_size, lanes)
        self._threads = min(part.n_threads, blocks)
        workspaces: list[Workspace] = []
        for block in range(blocks if self._threads > 1 else 1):
            # A thread takes every n-th block, one after the other, on one tape: it stays in the cache.
            share = workspaces[block % self._threads] if block >= self._threads else None
            workspaces.append(
                new_workspace(model, n_steps, lanes, part.checkpoint_segments, share, self.config.forcing)
            )
        self._workspaces = tuple(workspaces)

    @property
    def model(self) -> Model:
        """The model at this moment, in arrays of its own."""
        return self._model_of(self.params)

    @property
    def best_model(self) -> Model:
        """The model of the evaluation with the lowest D_stsp so far."""
        return self._model_of(self.best if math.isfinite(self.best_D_stsp) else self.params)

    def _model_of(self, vector: np.ndarray) -> Model:
        return Model(*from_vector(self._like, vector.copy()), self._scaling)

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The series that evaluations compare with, and its inputs."""
        return self._validation, self._validation_inputs

    @property
    def _alpha(self) -> np.ndarray:
        """Alpha (1,), as it is now; NaN where the forcing has none."""
        return self._forcing[1].alpha

    @property
    def history(self) -> dict[str, np.ndarray]:
        return history_of(self.rows)

    # The state as arrays, and back: what a checkpoint holds.

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on, as plain arrays, numbers and dicts."""
        return {
            "params": self.params.copy(),
            "m": self.moments.m.copy(),
            "v": self.moments.v.copy(),
            "best": self.best.copy(),
            "sums": self.sums.copy(),
            "alpha": self._alpha.copy(),
            "rows": np.array(self.rows, dtype=np.float64).reshape(-1, len(COLUMNS)),
            "progress": {
                "epoch": self.epoch,
                "batch": self.batch,
                "epoch_seconds": self.epoch_seconds,
                "best_D_stsp": self.best_D_stsp if math.isfinite(self.best_D_stsp) else None,
                "rng": self.rng.bit_generator.state,
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; the training must have the same configuration and data."""
        for name, array in (
            ("params", self.params),
            ("m", self.moments.m),
            ("v", self.moments.v),
            ("best", self.best),
            ("sums", self.sums),
            ("alpha", self._alpha),
        ):
            array[...] = state[name]
        if adapts(self.config.forcing):
            self._forcing[0][1:] = self._alpha
        self.rows = [tuple(row) for row in state["rows"]]
        progress = state["progress"]
        self.epoch, self.batch = progress["epoch"], progress["batch"]
        self.epoch_seconds = progress["epoch_seconds"]
        best = progress["best_D_stsp"]
        self.best_D_stsp = math.inf if best is None else best
        self.rng.bit_generator.state = progress["rng"]

    # Running.

    def warm_up(self) -> float:
        """Compile, or load, all that training and evaluation call; return the seconds it took."""
        begin = time.perf_counter()
        if self._threads > 1:
            rng = np.random.default_rng(0)
            self._begin_threaded(rng, 0)
            self._blocks_of_thread(0)
            _end_threaded(math.nan, *self._end_arguments(1))  # not finite: nothing changes
        else:
            self._run_batches(0, 1)
        self._evaluate(200)
        self.compile_seconds += time.perf_counter() - begin
        return self.compile_seconds

    def _settings(self) -> _Settings:
        part = self.config.training
        clip = math.inf if part.gradient_clip is None else part.gradient_clip
        rate = self._learning_rate(self.epoch)
        return _Settings(OPTIMIZERS[part.optimizer], rate, clip, part.gradient_bound, part.noise)

    def _run_batches(self, n: int, step: int) -> int:
        return _train_batches(
            n,
            self.rng,
            self._data,
            self._windows,
            self._parameters,
            self._inverse,
            self._forcing,
            self._workspaces[0],
            self._optimization,
            self._settings(),
            step,
        )

    def _begin_threaded(self, rng: np.random.Generator, step: int) -> None:
        _begin_threaded(
            rng,
            self._data,
            self._windows,
            self._parameters,
            self._inverse,
            self._forcing,
            self._workspaces,
            self.config.training.noise,
            step,
        )

    def _blocks_of_thread(self, thread: int) -> list[float]:
        return [
            _block_gradient(self._parameters, self._inverse, self._forcing[0], workspace)
            for workspace in self._workspaces[thread :: self._threads]
        ]

    def _end_arguments(self, step: int) -> tuple:
        return self._parameters, self._workspaces, self._optimization, self._settings(), step

    def _run_batches_threaded(self, executor: Any, n: int, step: int) -> int:
        for batch in range(n):
            self._begin_threaded(self.rng, step + batch)
            losses = np.zeros(len(self._workspaces))
            for thread, found in enumerate(executor.map(self._blocks_of_thread, range(self._threads))):
                losses[thread :: self._threads] = found
            # Added one by one, in the order of blocks, as one thread does.
            loss = sum(losses.tolist())
            if not _end_threaded(loss, *self._end_arguments(step + batch)):
                return batch
        return n

    def run_epoch(self, executor: Any = None) -> str:
        """Run what is left of the epoch; return 'epoch', or 'diverged', or 'stopped' in its midst."""
        part = self.config.training
        chunk = 1
        while self.batch < part.batches_per_epoch:
            if self.stop_requested:
                return "stopped"
            n = min(chunk, part.batches_per_epoch - self.batch)
            step = self.epoch * part.batches_per_epoch + self.batch + 1
            begin = time.perf_counter()
            if executor is None:
                done = self._run_batches(n, step)
            else:
                done = self._run_batches_threaded(executor, n, step)
            seconds = time.perf_counter() - begin
            self.epoch_seconds += seconds
            self.batch += done
            release(self._data.source.X)
            if done < n:
                return "diverged"
            chunk = max(1, int(n * _SECONDS_PER_CALL / max(seconds, 1e-9)))
            if mapping_of(self._data.source.X) is not None:  # a window may bring half a megabyte into memory
                chunk = min(chunk, max(1, _MAPPED_WINDOWS_PER_CALL // part.batch_size))
        return "epoch"

    def _evaluate(self, steps: int) -> Evaluation:
        options = {**self.config.evaluation.options(), "steps": steps}
        return evaluate(self.model, self._validation, self._validation_inputs, **options)

    def _end_epoch(self) -> EpochReport:
        part = self.config
        self.epoch += 1
        loss, l2, mar, ar, condition = map(float, self.sums / part.training.batches_per_epoch)
        due = self.epoch % part.evaluation.every == 0 or self.epoch == part.training.epochs
        found = None
        if due:
            found = self._evaluate(part.evaluation.steps)
            if found.D_stsp < self.best_D_stsp:
                self.best_D_stsp = found.D_stsp
                self.best[...] = self.params
        rate = self._learning_rate(self.epoch - 1)
        measures = (math.nan,) * 3 if found is None else (found.D_stsp, found.D_H, found.PE)
        alpha = float(self._alpha[0])
        row = (self.epoch, loss, l2, mar, ar, condition, alpha, rate, self.epoch_seconds, *measures)
        self.rows.append(tuple(map(float, row)))
        report = EpochReport(
            self.epoch,
            part.training.epochs,
            loss,
            l2,
            mar,
            ar,
            condition,
            alpha,
            rate,
            self.epoch_seconds,
            found,
            self.model,
        )
        self.sums[:] = 0
        self.batch = 0
        self.epoch_seconds = 0.0
        return report

    def _is_stale(self) -> bool:
        """Whether as many evaluations as `early_stopping` says have brought no better D_stsp."""
        patience = self.config.training.early_stopping
        D_stsp = self.history["D_stsp"]
        found = D_stsp[~np.isnan(D_stsp)]
        return patience is not None and len(found) > 0 and len(found) - 1 - int(found.argmin()) >= patience

    def run(self, callback: Callable[[EpochReport], Any] | None = None, progress: bool = True) -> FitResult:
        """Train to the end, or until something ends it."""
        self.warm_up()
        begin = time.perf_counter()
        n_epochs = self.config.training.epochs
        status = "finished"
        executor = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        try:
            with Progress(n_epochs, self.epoch, progress) as bar:
                while self.epoch < n_epochs:
                    ended = self.run_epoch(executor)
                    if ended != "epoch":
                        status = ended
                        break
                    report = self._end_epoch()
                    stop = callback is not None and callback(report)
                    bar.update(report)  # after the callback: what is told is written
                    if stop:
                        status = "stopped"
                        break
                    if self.epoch < n_epochs and self._is_stale():
                        status = "early"
                        break
        except KeyboardInterrupt:
            status = "interrupted"
        finally:
            if executor is not None:
                executor.shutdown()
        if status == "diverged":
            warnings.warn(
                f"training diverged in epoch {self.epoch + 1}, batch {self.batch + 1} "
                f"(seed {self.config.seed}); the model is the last finite one. A stronger forcing, a lower "
                f"learning_rate, gradient_clip, or ar_epsilon for an ALRNN may help",
                RuntimeWarning,
                stacklevel=3,
            )
        return FitResult(
            self.model,
            self.history,
            self.best_model,
            status,
            self.config.seed,
            self.compile_seconds,
            time.perf_counter() - begin,
        )


def _as_inputs(name: str, inputs: Any, of: str, trials: list[np.ndarray]) -> list[np.ndarray]:
    """The inputs of each trial, (T_i, K); K = 0 where there are none."""
    if inputs is None:
        return [np.zeros((len(trial), 0), np.float32) for trial in trials]
    drives = as_trials(name, inputs)
    check_trials(name, drives)
    if [len(d) for d in drives] != [len(t) for t in trials]:
        raise DataError(
            f"{name}: got trials of {[len(d) for d in drives][:5]} rows, but {of} has "
            f"{[len(t) for t in trials][:5]}; each row of {name} belongs to the same row of {of}"
        )
    return drives


def _validation_series(
    trials: list[np.ndarray],
    drives: list[np.ndarray],
    validation: Any,
    validation_inputs: Any,
    config: Config,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The longest trial of the validation data, or else of the training data, with its inputs."""
    if validation is not None:
        name, of = "validation_inputs", "validation"
        n_columns, K = trials[0].shape[1], drives[0].shape[1]
        trials = as_trials(of, validation)
        check_trials(of, trials, missing=config.missing == "mask")
        if trials[0].shape[1] != n_columns:
            raise DataError(f"{of}: got {trials[0].shape[1]} columns, but X has {n_columns}")
        drives = _as_inputs(name, validation_inputs, of, trials)
        if drives[0].shape[1] != K:
            raise DataError(f"{name}: got {drives[0].shape[1]} columns, but inputs has {K}")
    longest = max(range(len(trials)), key=lambda i: len(trials[i]))
    X, drive = trials[longest], drives[longest]
    if stays_on_disk([X]):
        rows = config.evaluation.steps * config.evaluation.orbits
        X, drive = np.array(X[:rows]), drive[:rows]
    if np.isnan(X).any():
        X = interpolated(X)
    return X, drive if drive.shape[1] else None


def fit(
    X: Any,
    config: Any,
    inputs: Any = None,
    callback: Callable[[EpochReport], Any] | None = None,
    validation: Any = None,
    validation_inputs: Any = None,
    progress: bool = True,
) -> FitResult:
    """Train a model on one series or on trials.

    Parameters
    ----------
    X : array_like
        One series (T, N), an array (trials, T, N), or a list of (T_i, N), in data units. No training sequence
        crosses a trial's end.
    config : Config or mapping
        The run configuration.
    inputs : array_like, optional
        External inputs in the form of X, with K columns; row t drives the step from t to t+1. They are used as
        they are: only X is standardized.
    callback : callable, optional
        Called with an `EpochReport` after each epoch; a true answer stops the training.
    validation, validation_inputs : array_like, optional
        Held-out data for the evaluations; else X's longest trial serves.
    progress : bool, optional
        Report to standard error: a bar on a terminal, a line for each evaluation elsewhere.

    Returns
    -------
    FitResult
        Model, best model, history, and how the training ended. The same seed, data and versions give the same
        bits, for any number of threads.

    Raises
    ------
    ConfigError, DataError
        ValueErrors of one line; they name the key, or the argument, trial, row and column.

    References
    ----------
    Training with teacher forcing: Brenner et al. (2022), ICML; Hess et al. (2023), ICML.

    Examples
    --------
    >>> import numpy as np, plrnn_numba as pl
    >>> t = 0.1 * np.arange(2000)
    >>> X = np.stack([np.sin(t), np.cos(t)], axis=1)
    >>> config = {"latent_dim": 2, "latent_step": {"name": "shPLRNN", "hyperparameters": {"hidden_dim": 10}},
    ...     "training": {"epochs": 10, "sequence_length": 50}}
    >>> result = pl.fit(X, config, progress=False)
    >>> result.status, bool(result.history["loss"][-1] < result.history["loss"][0])
    ('finished', True)
    """
    return Trainer(X, config, inputs, validation, validation_inputs).run(callback, progress)


def warmup(
    models: Iterable[str] | None = None,
    observations: Iterable[str] = ("identity", "affine"),
    dtypes: Iterable[str] = ("float32",),
) -> dict[str, float]:
    """Compile ahead, into the folder of compiled kernels, what training and running models calls.

    Parameters
    ----------
    models : iterable of str, optional
        Names of latent step models as in configurations; all of them where none are given.
    observations : iterable of {'identity', 'affine'}, optional
    dtypes : iterable of {'float32', 'float64'}, optional

    Returns
    -------
    dict
        Seconds for each model; little where the kernels were there.

    Raises
    ------
    ConfigError
        For an unknown name.

    References
    ----------
    Where the kernels are kept: `show_versions` prints the folder, which ``NUMBA_CACHE_DIR`` changes.

    Examples
    --------
    >>> import plrnn_numba as pl
    >>> list(pl.warmup(["PLRNN"], observations=["identity"]))
    ['PLRNN']
    """
    names = list(MODELS if models is None else models)
    X = np.random.default_rng(0).standard_normal((300, 2))
    seconds = {}
    for name in names:
        begin = time.perf_counter()
        for observation, dtype in itertools.product(observations, dtypes):
            sizes = {"num_relus": 1, "hidden_dim": 2}
            kind = MODELS[name].hyperparameters if name in MODELS else Hyperparameters
            known = {field.name for field in dataclasses.fields(kind)}
            step = {"name": name, "hyperparameters": {k: v for k, v in sizes.items() if k in known}}
            config = {
                "latent_dim": 3,
                "latent_step": step,
                "observation": {"name": observation},
                "training": {"epochs": 0, "sequence_length": 5},
                "dtype": dtype,
            }
            model = fit(X, config, progress=False).model
            loss_and_grad(model, np.stack([X[:5]] * LANES))
            states = initial_state(model, X[:2])
            step_states(model.latent, states)
            generate(model.latent, states[0], 2)
            jacobian(model.latent, states)
        seconds[name] = time.perf_counter() - begin
    return seconds
