"""The loop of a training: epochs, evaluations, and how it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..basics.checks import check_callable, warn
from ..config import Config, differences
from ..data import Trials
from ..engine import from_vector, to_vector
from ..forcings.base import adaptation_of, forcing_weights
from ..measures import Evaluation, UndefinedMeasureWarning
from ..measures.evaluation import MEASURES, evaluate_or_nan
from ..model import Model, Scaling
from ..observations.base import n_observed
from .batches import Batches
from .initial import init_model
from .optimizers import exponential_decay
from .penalties import Found
from .prepare import prepare
from .progress import Progress
from .report import EpochReport, FitResult, history_of
from .state import State

# A compiled call runs as many batches as fit into this time, so that Ctrl-C and signals get through.
_SECONDS_PER_CALL = 0.2

Callback = Callable[[EpochReport], Any]


class Trainer:
    """A training that can be run, stopped between two compiled calls, saved, and gone on with exactly.

    Arguments are those of `fit`, which is the way to use it unless the state is to be kept.
    """

    def __init__(
        self,
        X: Trials,
        config: Config | Mapping[str, Any],
        inputs: Trials | None = None,
        *,
        validation: Trials | None = None,
        validation_inputs: Trials | None = None,
    ):
        self.config = config = Config.from_dict(config)
        data = prepare(X, config, inputs, validation, validation_inputs)
        self._validation, self._validation_inputs = data.validation, data.validation_inputs
        self._scaling = data.scaling
        self.measured_on = data.measured_on
        self._data_key = data.key

        model = init_model(config, data.n_observed, data.n_inputs)
        self._like = (model.latent, model.observation)
        self._a = forcing_weights(config.forcing, config.training.sequence_length).astype(config.dtype)
        adaptation = adaptation_of(config.forcing, *self._like)
        self._state = State(to_vector(self._like), adaptation.alpha, config.seed)
        self._batches = Batches(config, model, data.windows, self._state, self._a, adaptation)
        first, last = config.training.learning_rate
        self._learning_rate = exponential_decay(first, last, config.training.epochs)
        self.compile_seconds = 0.0
        self.stop_requested = False
        self._told: set[str] = set()

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self._state.epoch

    @property
    def batch(self) -> int:
        """How many batches of the running epoch are done."""
        return self._state.batch

    @property
    def model(self) -> Model:
        """The model at this moment, in arrays of its own."""
        return self._model_of(self._state.params)

    @property
    def best_model(self) -> Model:
        """The model of the evaluation with the lowest D_stsp so far, or D_mmd in its place."""
        return self._model_of(self._state.best if self._state.best_by else self._state.params)

    def _model_of(self, vector: np.ndarray) -> Model:
        scaling = None if self._scaling is None else Scaling(*(array.copy() for array in self._scaling))
        return Model(*from_vector(self._like, vector.copy()), scaling)

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The series that evaluations compare with, and its inputs."""
        return self._validation, self._validation_inputs

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Columns, by name, with a row for each epoch that is done."""
        return history_of(self._state.rows)

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on, as plain arrays, numbers and dicts."""
        return {**self._state.to_dict(), "of": {"config": self.config.to_dict(), "data": self._data_key}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; raise ValueError where the training has another configuration or data."""
        if not isinstance(state, Mapping):
            raise TypeError(f"state: got {type(state).__name__}, expected what `state` of a Trainer returned")
        of = state.get("of")
        if of is not None and not {"config", "data"} <= set(of):
            raise ValueError("state['of']: is incomplete; expected what `state` of a Trainer returned")
        if of is not None:  # states of former versions do not say whose they are
            then, now = (_what_counts(Config.from_dict(c).to_dict()) for c in (of["config"], self.config))
            if then != now:
                raise ValueError(f"state: of another configuration; it differs in {differences(then, now)}")
            if of["data"] != self._data_key:
                raise ValueError("state: of a training on other data")
        self._state.restore(state)
        if self.config.forcing is not None and self.config.forcing.adapts:
            self._a[1:] = self._state.alpha

    def warm_up(self) -> float:
        """Compile, or load, all that training and evaluation call; return the seconds it took.

        Nothing of the data, of the state or of its random numbers is changed.
        """
        begin = time.perf_counter()
        self._batches.compile(self._learning_rate(self.epoch))
        # On made-up data in the model's own units: whatever the user's look like, they move and fit. One orbit, and for
        # PE many, as evaluations have them.
        N, K = n_observed(self._like[1]), self._like[0].C.shape[1]
        made_up = np.random.default_rng(0).standard_normal((200, N + K))
        inputs = made_up[:, N:] if K else None
        options = {**self.config.evaluation.options(), "n_steps": 200}
        evaluate_or_nan(self.model._replace(scaling=None), made_up[:, :N], inputs, **options)
        self.compile_seconds += time.perf_counter() - begin
        return self.compile_seconds

    def run_epoch(self) -> str:
        """Run what is left of the epoch; return 'epoch', or 'diverged', or 'stopped' in its midst."""
        training, state = self.config.training, self._state
        chunk = 1
        while state.batch < training.batches_per_epoch:
            if self.stop_requested:
                return "stopped"
            n = min(chunk, training.batches_per_epoch - state.batch)
            step = state.epoch * training.batches_per_epoch + state.batch + 1
            before = state.params.copy()
            begin = time.perf_counter()
            done = self._batches.run(n, self._learning_rate(state.epoch), step)
            seconds = time.perf_counter() - begin
            state.epoch_seconds += seconds
            state.batch += done
            if not np.isfinite(state.params).all():  # by the last step: no loss has seen it
                state.params[...] = before
                return "diverged"
            if done < n:
                return "diverged"
            chunk = max(1, int(n * _SECONDS_PER_CALL / max(seconds, 1e-9)))
        return "epoch"

    def _evaluate(self, n_steps: int) -> Evaluation:
        options = {**self.config.evaluation.options(), "n_steps": n_steps}
        return evaluate_or_nan(self.model, self._validation, self._validation_inputs, **options)

    def _tell(self, found: Evaluation) -> None:
        """Say once what there is to know of an evaluation, where the choice of the best model hangs on it."""
        if found.geometry == "D_stsp" and not found.left_out and not math.isnan(found.distance):
            return
        for note in found.notes:
            if note not in self._told:
                self._told.add(note)
                warn(note, UndefinedMeasureWarning)

    def _end_epoch(self) -> EpochReport:
        config, state = self.config, self._state
        epoch = state.epoch + 1
        loss, *penalties = map(float, state.sums / config.training.batches_per_epoch)
        found = None
        if epoch % config.evaluation.every == 0 or epoch == config.training.epochs:
            found = self._evaluate(config.evaluation.steps)
            self._tell(found)
            state.keep_if_best(found.geometry, found.distance)
        row = {
            "epoch": epoch,
            "loss": loss,
            **dict(zip(Found._fields, penalties)),
            "alpha": float(state.alpha[0]),
            "learning_rate": self._learning_rate(state.epoch),
            "seconds": state.epoch_seconds,
            **{name: math.nan if found is None else getattr(found, name) for name in MEASURES},
        }
        state.end_epoch(row)
        return EpochReport(row, config.training.epochs, found, self.model)

    def _is_stale(self) -> bool:
        """Whether as many evaluations as `early_stopping` says have brought nothing better."""
        patience = self.config.training.early_stopping
        if patience is None or not self._state.best_by:
            return False
        distances = self.history[self._state.best_by]
        found = distances[~np.isnan(distances)]
        return len(found) - 1 - int(found.argmin()) >= patience

    def run(self, callback: Callback | None = None, progress: bool = True) -> FitResult:
        """Train to the end, or until something ends it."""
        check_callable("callback", callback)
        self.warm_up()
        begin = time.perf_counter()
        try:
            told = " on training data" if self.measured_on.startswith("training data") else ""
            with self._batches, Progress(self.config.training.epochs, self.epoch, progress, told=told) as bar:
                status = self._run_epochs(callback, bar)
        except KeyboardInterrupt:
            status = "interrupted"
        if status == "diverged":
            warn(
                f"training diverged in epoch {self.epoch + 1}, batch {self.batch + 1} "
                f"(seed {self.config.seed}); the model is the last finite one. A stronger forcing, a lower "
                f"learning_rate, gradient_clip, or ar_epsilon for an ALRNN may help"
                + ("" if self.config.standardize else '; so may "standardize": true')
            )
        return FitResult(
            self.model,
            self.history,
            self.best_model,
            status,
            self.config.seed,
            self.compile_seconds,
            time.perf_counter() - begin,
            self.measured_on,
        )

    def _run_epochs(self, callback: Callback | None, bar: Progress) -> str:
        n_epochs = self.config.training.epochs
        while self.epoch < n_epochs:
            ended = self.run_epoch()
            if ended != "epoch":
                return ended
            report = self._end_epoch()
            stop = callback is not None and callback(report)
            bar.update(report)  # after the callback: what is told is written
            if stop:
                return "stopped"
            if self.epoch < n_epochs and self._is_stale():
                return "early"
        return "finished"


def _what_counts(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what changes no result."""
    training = {k: v for k, v in config["training"].items() if k not in ("n_threads", "checkpoint_segments")}
    return {**config, "training": training}


def fit(
    X: Trials,
    config: Config | Mapping[str, Any],
    inputs: Trials | None = None,
    callback: Callback | None = None,
    *,
    validation: Trials | None = None,
    validation_inputs: Trials | None = None,
    progress: bool = True,
) -> FitResult:
    """Train a model on one series or on trials.

    Parameters
    ----------
    X : array_like
        One series (T, N), an array (trials, T, N), or a list of (T_i, N), in data units. No training sequence
        crosses a trial's end. What is masked, None, NA or an xarray's fill value is missing, as NaN is. Large maps of
        files stay on disk. Nothing that is handed over changes.
    config : Config or mapping
        The run configuration.
    inputs : array_like, optional
        External inputs in the form of X, with K columns; row t drives the step from t to t+1. They are used as
        they are: only X is standardized.
    callback : callable, optional
        Called with an `EpochReport` after each epoch; a true answer stops the training.
    validation, validation_inputs : array_like, optional
        Held-out data for the evaluations, of which the longest trial serves. Without any, X's own longest trial does:
        the measures, the best model and early stopping are then those of the training data, which the result's
        `measured_on` and the lines of progress say.
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

    Warns
    -----
    RuntimeWarning
        Where the training diverged; where trials are too short to be used, or the series that is measured on is shorter
        than what `evaluation.prediction_steps` asks for; and where data that are not standardized, or inputs, are too
        small, or too far off zero, for the model's dtype to tell them apart.
    UndefinedMeasureWarning
        Once each: where D_mmd takes D_stsp's place, where columns are left out of the measures since they do not move in the
        validation data, where nothing can be measured. No measure ends a training.

    References
    ----------
    Brenner et al. (2022) [brenner2022] and Hess et al. (2023) [hess2023], for training with teacher forcing.

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
    check_callable("callback", callback)  # before the data are looked at
    trainer = Trainer(X, config, inputs, validation=validation, validation_inputs=validation_inputs)
    return trainer.run(callback, progress)
