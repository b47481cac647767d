"""A training that writes a run's folder as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Config
from ..training import EpochReport, FitResult, Trainer
from .checkpoints import save_model, write_atomically
from .errors import RunError
from .folder import Run
from .versions import versions

_SECONDS_BETWEEN_CHECKPOINTS = 60


def create(
    folder: Path, config: Config, test: np.ndarray, test_inputs: np.ndarray | None, source: dict[str, Any]
) -> Run:
    """Make the folder of a new run; raise RunError where it exists."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise RunError(
            f"{folder}: exists already; choose another --out, or go on with it by --resume"
        ) from None
    (folder / "checkpoints").mkdir()
    run = Run(folder)
    np.save(folder / "test.npy", test)
    if test_inputs is not None:
        np.save(folder / "test_inputs.npy", test_inputs)
    run.write_json("run.json", {"source": source, "seed": config.seed, "versions": versions()})
    write_atomically(folder / "config.json", config.to_json().encode())
    return run


def train(
    run: Run,
    trainer: Trainer,
    progress: bool = True,
    callback: Callable[[EpochReport], Any] | None = None,
) -> FitResult:
    """Run a training, with a checkpoint at each evaluation, at its end, and not much more than a minute apart."""
    saved = time.monotonic()

    def each_epoch(report: EpochReport) -> Any:
        nonlocal saved
        if report.evaluation is not None or time.monotonic() - saved > _SECONDS_BETWEEN_CHECKPOINTS:
            run.save_progress(trainer)
            saved = time.monotonic()
        if report.evaluation is not None and trainer.config.evaluation.keep_models:
            (run.folder / "models").mkdir(exist_ok=True)
            save_model(run.folder / "models" / f"{report.epoch:06d}.npz", report.model, trainer.config)
        return callback(report) if callback is not None else False

    result = trainer.run(each_epoch, progress)
    run.save_progress(trainer)
    record = run.read_json("run.json")
    record.update(
        status=result.status,
        epochs=trainer.epoch,
        compile_seconds=round(result.compile_seconds, 3),
        training_seconds=round(float(result.history["seconds"].sum()), 3),
    )
    run.write_json("run.json", record)
    return result
