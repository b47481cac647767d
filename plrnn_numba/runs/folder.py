"""A run on disk: its folder, and what is in it.

RUN/config.json        the whole resolved configuration; `train` reads it again
    run.json           where the data came from, seed, versions, status, seconds
    model.npz          the last model; best.npz the one of the best evaluation
    checkpoints/       last.npz, from which a training goes on exactly
    models/            the model of each evaluation, where evaluation.keep_models says so
    metrics.csv        a row an evaluation
    test.npy           the held-out series that the run is measured on (test_inputs.npy beside it)
    plots/*.png
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..basics.checks import PathLike
from ..config import Config
from ..data import Trials
from ..measures import Evaluation
from ..measures.evaluation import evaluate_or_nan, take_measures
from ..model import Model, initial_state, predict
from ..training import Trainer, history_of
from ..training.report import COLUMNS
from .checkpoints import load_model, load_state, save_model, save_state, write_atomically
from .errors import RunError
from .pictures import (
    plot_bifurcations,
    plot_eigenvalues,
    plot_exponents,
    plot_graph,
    plot_orbits,
    plot_regions,
    plot_return_map,
    plot_series,
    plot_spectra,
    plot_training,
    save_figure,
)
from .versions import versions

if TYPE_CHECKING:
    from ..analysis import Report

# D_mmd where it was taken, in place of D_stsp.
METRICS = (*(name for name in COLUMNS if name not in ("seconds", "D_mmd")), "seconds")


@dataclasses.dataclass(frozen=True)
class Run:
    """The folder of a run, and what is in it."""

    folder: Path

    @classmethod
    def open(cls, folder: PathLike) -> Run:
        """A run that exists; raise RunError where there is none."""
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise RunError(f"{path}: not the folder of a run (it has no config.json)")
        return cls(path)

    def config(self) -> Config:
        return Config.from_file(self.folder / "config.json")

    def model(self, name: str = "model") -> Model:
        path = self.folder / f"{name}.npz"
        try:
            return load_model(path)
        except (OSError, ValueError) as error:
            raise RunError(str(error)) from None

    def _array(self, name: str) -> np.ndarray | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            raise RunError(f"{path}: cannot be read: {error}") from None
        if array.ndim != 2 or not len(array) or array.dtype.kind not in "fiu":
            raise RunError(f"{path}: got shape {array.shape} of {array.dtype}, expected a series (T, N)")
        return array

    def test_data(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The held-out series and its inputs."""
        test = self._array("test.npy")
        if test is None:
            raise RunError(f"{self.folder / 'test.npy'}: no such file; give the data with --data")
        return test, self._array("test_inputs.npy")

    def names(self, which: str = "names") -> list[str] | None:
        """The names of the data's columns, or, as `input_names`, of its inputs'; None where the files had none."""
        return self._data().get(which)

    def dt(self) -> float | None:
        """The step of the data's clock; None where the files had none."""
        return self._data().get("dt")

    def _data(self) -> dict[str, Any]:
        """What is known of the files; nothing, of a run of before there was a record."""
        if not (self.folder / "run.json").exists():
            return {}
        return self.read_json("run.json").get("source", {}).get("data", {})

    def history(self) -> dict[str, np.ndarray]:
        """Loss and learning rate of every epoch, and the measures."""
        state, _ = self.state()
        try:
            return history_of(state["rows"])
        except (KeyError, ValueError) as error:
            raise RunError(f"{self.folder / 'checkpoints' / 'last.npz'}: has no history: {error}") from None

    def has_checkpoint(self) -> bool:
        """Whether there is one; a run that was killed at once has none."""
        return (self.folder / "checkpoints" / "last.npz").exists()

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The last checkpoint."""
        try:
            return load_state(self.folder / "checkpoints" / "last.npz")
        except (OSError, ValueError) as error:
            raise RunError(str(error)) from None

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self.folder / name, (json.dumps(content, indent=2) + "\n").encode())

    def read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path}: cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise RunError(f"{path}: got a {type(content).__name__}, expected a mapping")
        return content

    def save_progress(self, trainer: Trainer) -> None:
        """Write checkpoint, models and metrics, each whole."""
        fingerprint = {"config": trainer.config.to_dict(), "versions": versions()}
        save_state(self.folder / "checkpoints" / "last.npz", trainer.state(), fingerprint)
        save_model(self.folder / "model.npz", trainer.model, trainer.config)
        save_model(self.folder / "best.npz", trainer.best_model, trainer.config)
        self._write_metrics(trainer)

    def _write_metrics(self, trainer: Trainer) -> None:
        history = trainer.history
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        metrics = METRICS if np.isnan(history["D_mmd"]).all() else (*METRICS, "D_mmd")
        writer.writerow(metrics)
        for i in np.flatnonzero(_was_evaluated(trainer.config, history["epoch"])):
            row = {name: history[name][i] for name in history}
            row["seconds"] = history["seconds"][: i + 1].sum()
            writer.writerow([int(row["epoch"]), *(f"{row[name]:.9g}" for name in metrics[1:])])
        write_atomically(self.folder / "metrics.csv", buffer.getvalue().encode())

    def draw(self) -> list[Path]:
        """Draw orbits, series, spectra and training under plots/; return the pictures' paths."""
        config, model = self.config(), self.model()
        X, inputs = self.test_data()
        steps = min(len(X), config.evaluation.steps)
        X = X[:steps]
        Y = predict(model, X[0], steps, None if inputs is None else inputs[:steps])
        name = config.latent_step.name
        title = f"{name}, M = {config.latent_dim}, free run of {steps} steps"
        shown = min(steps, 1000)
        Y_finite = np.where(np.isfinite(Y), Y, 0.0)
        names, dt = self.names(), self._data().get("dt")
        first = f"{name}: the first {shown} steps"
        figures = {
            "orbits": plot_orbits(X, Y, title, names=names),
            "series": plot_series(X[:shown], Y[:shown], dt, first, names=names),
            "spectra": plot_spectra(
                X, Y_finite, config.evaluation.smoothing, f"{name}: power spectra", names=names
            ),
            "training": plot_training(self.history(), f"{name}: training"),
        }
        plots = self.folder / "plots"
        return [save_figure(figure, plots / f"{key}.png") for key, figure in figures.items()]

    def evaluate(self, X: Trials, inputs: Trials | None, **changes: Any) -> Evaluation:
        """Measure the last model on a series, with the configuration's options but for `changes`."""
        return take_measures(self.model(), X, inputs, **{**self.config().evaluation.options(), **changes})

    def evaluate_or_nan(self) -> Evaluation:
        """Measure the last model on the held-out series; NaN, with a note, where that fails."""
        return evaluate_or_nan(self.model(), *self.test_data(), **self.config().evaluation.options())

    def analyze(self, which: str = "model", **options: Any) -> Report:
        """Analyse a model from the state that the held-out series starts in; options of `analysis.analyze`."""
        from ..analysis import analyze

        model = self.model(which)
        X, _ = self.test_data()
        return analyze(model.latent, initial_state(model, X[:1])[0], **options)

    def kept_models(self) -> list[tuple[int, Model]]:
        """(epoch, model) of the evaluations, where `evaluation.keep_models` has kept them."""
        paths = sorted((self.folder / "models").glob("*.npz"))
        try:
            return [(int(path.stem), load_model(path)) for path in paths]
        except (OSError, ValueError) as error:
            raise RunError(str(error)) from None

    def draw_analysis(self, report: Report) -> list[Path]:
        """Draw what `analyze` has found, and the bifurcations in the course of the training; return the paths."""
        from ..analysis import follow, transition_graph

        config, model = self.config(), self.model()
        name = f"{config.latent_step.name}, M = {config.latent_dim}"
        figures = {"eigenvalues": plot_eigenvalues(report.cycles, f"{name}: multipliers per step")}
        if report.symbols is not None and report.spectrum is not None:
            graph = transition_graph(report.symbols, kind="run")
            figures["regions"] = plot_regions(report.orbit, report.symbols, f"{name}: linear regions")
            figures["graph"] = plot_graph(graph, report.symbols, f"{name}: which region follows which")
            figures["exponents"] = plot_exponents(report.spectrum, f"{name}: Lyapunov exponents")
        X, inputs = self.test_data()
        steps = min(len(X), 20_000)
        Y = predict(model, X[0], steps, None if inputs is None else inputs[:steps])
        if np.isfinite(Y).all():
            figures["return_map"] = plot_return_map(X[:steps], Y, f"{name}: return map", names=self.names())
        kept = self.kept_models()
        if len(kept) > 1:
            following = follow([m for _, m in kept])
            epochs = [epoch for epoch, _ in kept]
            figures["bifurcations"] = plot_bifurcations(
                following, epochs, "epoch", f"{name}: fixed points over the training"
            )
        plots = self.folder / "plots"
        return [save_figure(figure, plots / f"{key}.png") for key, figure in figures.items()]


def _was_evaluated(config: Config, epochs: np.ndarray) -> np.ndarray:
    return (epochs % config.evaluation.every == 0) | (epochs == config.training.epochs)
