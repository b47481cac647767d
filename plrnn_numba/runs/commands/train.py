"""``train``: a run on disk, from data and a configuration, or from its last checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from ...config import Config, apply_changes, differences, read_config_file
from ...data import DataError, as_trials
from ...data.systems import SYSTEMS
from ...training import Trainer
from ..errors import CommandError, RunError
from ..folder import Run
from ..source import Origin, Series
from ..training import create, train
from .common import (
    DIVERGED,
    DONE,
    STOPPED,
    Add,
    a_path,
    add_reading,
    print_measures,
    summary,
    warnings_as_lines,
)

_LONGEST_NAME = 245  # bytes: of the 255 that a folder's may have some are for a number


def add_commands(add: Add) -> None:
    """Add the command to the command line."""
    command = add("train", _train, "train a model; writes a run's folder")
    command.add_argument(
        "config", nargs="?", type=a_path, metavar="CONFIG", help=".json or .toml; else a clipped shPLRNN"
    )
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--data",
        type=a_path,
        metavar="X",
        help="a file or a folder of trials: .npy, .npz (X.npz:NAME), .csv, .tsv, .txt, .mat, .parquet, .edf",
    )
    source.add_argument("--system", metavar="NAME", help="make data of: " + ", ".join(SYSTEMS))
    add_reading(command)
    command.add_argument(
        "--inputs",
        type=a_path,
        metavar="S",
        help="external inputs, in the form of the data; X.csv:A,B are columns of a file",
    )
    command.add_argument(
        "--test", type=a_path, metavar="X_TEST", help="held-out series; else the data's last part"
    )
    command.add_argument(
        "--test-inputs", type=a_path, metavar="S_TEST", help="external inputs of the held-out series"
    )
    command.add_argument(
        "--hold-out",
        type=float,
        metavar="PART",
        help="part of the data held out, in whole trials (0.2); 0: none",
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as training.epochs=50"
    )
    command.add_argument("--out", type=a_path, metavar="RUN", help="the run's folder; else runs/NAME")
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    command.add_argument("--quiet", action="store_true", help="no progress")
    command.add_argument("--no-plots", action="store_true", help="no pictures at the end")


def _train(options: argparse.Namespace) -> int:
    begin = time.perf_counter()
    if options.resume:
        run, trainer = _resume(options)
    else:
        run, trainer = _start(options)
    data_seconds = time.perf_counter() - begin
    if not options.quiet:
        print(f"run      {run.folder}", file=sys.stderr)
    try:
        with _Signals(trainer) as signals, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the exit code and the last line say it
            result = train(run, trainer, progress=not options.quiet)
    except OSError as error:  # a full disk, or a folder that is gone
        return _cannot_write(run, error)
    if result.status == "diverged":
        print(
            f"plrnn-numba: diverged in epoch {trainer.epoch + 1} (seed {result.seed}); the last finite model "
            f"is in {run.folder}. Try a stronger forcing, a lower training.learning_rate, "
            f"training.gradient_clip, or ar_epsilon for an ALRNN",
            file=sys.stderr,
        )
        return DIVERGED
    if signals.received or result.status not in ("finished", "early"):
        print(
            f"plrnn-numba: stopped in epoch {trainer.epoch + 1} of {trainer.config.training.epochs}; "
            f"go on with: plrnn-numba train --resume --out {run.folder}",
            file=sys.stderr,
        )
        return STOPPED
    begin = time.perf_counter()
    found = run.evaluate_or_nan()
    record = run.read_json("run.json")
    record["measures"] = summary(found)
    run.write_json("run.json", record)
    pictures = [] if options.no_plots else _draw(run)
    end_seconds = time.perf_counter() - begin
    if not options.quiet:
        print_measures(found)
        print(f"model    {run.folder / 'model.npz'}")
        for path in pictures:
            print(f"picture  {path}")
        print(
            f"seconds  data {data_seconds:.1f}, compilation {result.compile_seconds:.1f}, "
            f"training {result.seconds:.1f}, measures and pictures {end_seconds:.1f}"
        )
    return DONE


def _cannot_write(run: Run, error: OSError) -> int:
    """What was written before is whole, and the training can go on from there."""
    advice = "there is no checkpoint yet"
    if run.has_checkpoint():
        epoch = run.state()[0]["progress"]["epoch"]
        advice = f"go on from epoch {epoch} with: plrnn-numba train --resume --out {run.folder}"
    print(
        f"plrnn-numba: stopped, {run.folder} cannot be written to: {error.strerror or error}; {advice}",
        file=sys.stderr,
    )
    return STOPPED


def _draw(run: Run) -> list[Path]:
    try:
        return run.draw()
    except ModuleNotFoundError as error:  # the training is not lost for want of matplotlib
        print(f"plrnn-numba: no pictures: {error}", file=sys.stderr)
        return []


class _Signals:
    """SIGTERM, SIGINT and SIGUSR1 end the training after the running batches; a second one at once."""

    _names = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGBREAK")  # the last is Windows' own

    def __init__(self, trainer: Trainer):
        self._trainer = trainer
        self._old: dict[int, Any] = {}
        self.received = False

    def __enter__(self) -> _Signals:
        for name in self._names:
            number = getattr(signal, name, None)
            if number is not None:
                self._old[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: Any) -> None:
        if self.received:
            os._exit(128 + number)
        self.received = True
        self._trainer.stop_requested = True


def _origin(options: argparse.Namespace) -> Origin:
    """Where the data come from, as the command line says it."""
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Origin)}
    if given["hold_out"] is None:
        del given["hold_out"]
    elif options.test or options.system:
        by = "--test names" if options.test else "--system makes"
        raise CommandError(f"--hold-out: {by} the held-out series; leave --hold-out out")
    return Origin(**given)


def _start(options: argparse.Namespace) -> tuple[Run, Trainer]:
    """A new run: data, configuration, folder."""
    given = read_config_file(options.config) if options.config else None
    origin = _origin(options)
    folder = _run_folder(options, origin)
    if given is not None:  # before the data are made: the mistake that is found at once
        apply_changes(given, options.set)
        Config.from_dict(given)
    loaded = origin.load()
    if given is None:
        given = _without_config(as_trials("X", loaded.series)[0].shape[1])
        apply_changes(given, options.set)
    config = Config.from_dict(given)
    with warnings_as_lines():  # where there is a run in the end
        trainer = _trainer(loaded, config)
        source: dict[str, Any] = {
            "options": dataclasses.asdict(origin.absolute()),
            "fingerprint": loaded.fingerprint(),
            "measured_on": trainer.measured_on,
        }
        if loaded.files is not None:
            source["data"] = loaded.files.to_dict()
        run = create(folder, config, *trainer.validation, source)
    if not options.quiet:
        if loaded.files is not None:
            print(loaded.told(), file=sys.stderr)
        if "," in trainer.measured_on:
            print(f"plrnn-numba: measured on {trainer.measured_on}", file=sys.stderr)
    return run, trainer


def _trainer(loaded: Series, config: Config) -> Trainer:
    """A training on what was loaded; a mistake in the data says the column's name, and which part is held out."""
    naming: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if loaded.files is not None:
        loaded.files.check_complete(config.missing)
        naming = loaded.files.naming_columns()
    try:
        with naming:
            return Trainer(
                loaded.series,
                config,
                loaded.inputs,
                validation=loaded.test,
                validation_inputs=loaded.test_inputs,
            )
    except DataError as error:
        message = str(error)
        if loaded.held_out and (message.startswith("validation") or "longest trial" in message):
            message += f"; {loaded.held_out}"
        raise DataError(message) from None


def _without_config(N: int) -> dict[str, Any]:
    """What `train` takes where no CONFIG is given: within a quarter of a minute of one core, Lorenz-63."""
    return {
        "latent_dim": N,
        "latent_step": {"name": "clipped_shPLRNN", "hyperparameters": {"hidden_dim": 50}},
        "training": {"epochs": 1000, "learning_rate": [5e-3, 1e-5]},
        "evaluation": {"every": 100},
    }


def _resume(options: argparse.Namespace) -> tuple[Run, Trainer]:
    """A run that was stopped: its own configuration and data, and its last checkpoint."""
    if options.out is None:
        raise CommandError("--resume: needs --out RUN, the run to go on with")
    for name in (
        "config",
        "data",
        "system",
        "inputs",
        "test",
        "test_inputs",
        "hold_out",
        "columns",
        "drop",
        "time",
        "transpose",
    ):
        if getattr(options, name) is not None:
            raise CommandError(f"--resume: the run has its own {name}; leave it out")
    if options.set:
        raise CommandError("--resume: the run has its own configuration; leave --set out")
    run = Run.open(options.out)
    config = run.config()
    state = None
    if run.has_checkpoint():
        state, meta = run.state()
        then = Config.from_dict(meta["config"])  # options that are new since have their defaults
        if then != config:
            changed = differences(then.to_dict(), config.to_dict())
            raise RunError(
                f"{run.folder}: config.json is not the one that the checkpoint was trained with; it differs in {changed}"
            )
    try:
        source = run.read_json("run.json")["source"]
        origin, fingerprint = Origin(**source["options"]), source["fingerprint"]
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.folder / 'run.json'}: does not say where the data came from: {error}") from None
    loaded = origin.load()
    if loaded.fingerprint() != fingerprint:
        raise RunError(f"{run.folder}: the data are not those that the run was started with")
    if loaded.test is not None:
        test, test_inputs = run.test_data()
        loaded = loaded._replace(test=test, test_inputs=test_inputs)
    with warnings_as_lines():
        trainer = _trainer(loaded, config)
        if state is not None:
            try:
                trainer.restore(state)
            except ValueError as error:
                raise RunError(f"{run.folder}: the checkpoint does not fit: {error}") from None
    return run, trainer


def _run_folder(options: argparse.Namespace, origin: Origin) -> Path:
    if options.out:
        return Path(options.out)
    name = f"{origin.stem}-{Path(options.config).stem}" if options.config else origin.stem
    name = os.fsencode(name)[:_LONGEST_NAME].decode(errors="ignore") or "run"
    number, folder = 1, Path("runs") / name
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder
